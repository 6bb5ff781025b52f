//! Faults in page tables, and in what stands in code.

use super::{missing, table, Fault, ADDRESS, LARGE, NO_EXECUTE, USER_WRITE};
use crate::{difference::Kind, expected::Frame};

table! {
    PageExtra, "a page more",
        "shell: a writable page of 4 KiB",
        |g| {
            let page = g.free_page()?;
            let (at, _) = g.page("shell", |page| !page.write)?;
            let mut table = (at & !0xfff..(at & !0xfff) + 4096).step_by(8);
            let free = table.find(|at| g.memory.word(*at).is_ok_and(|word| word == 0));
            g.memory.plant(free.ok_or_else(|| missing("no free entry"))?, page | USER_WRITE);
            Ok(())
        };
    PageMissing, "a page less",
        "shell: nothing is mapped at",
        |g| {
            let (at, _) = g.page("shell", |page| page.write && page.frame == Frame::Private)?;
            g.memory.plant(at, 0);
            Ok(())
        };
    PageFrame, "another frame in a ring",
        "and should lie page 0 of `keys: serial to shell`",
        |g| {
            let page = g.free_page()?;
            let (at, entry) = g.page("shell", |page| !page.write && page.frame != Frame::Private)?;
            g.memory.plant(at, entry & !ADDRESS | page);
            Ok(())
        };
    PageSize, "a large page in place of a page table",
        "has 2097152 bytes, and should have 4096",
        |g| {
            let pages = &g.expected.pds[g.index("shell")?].pages;
            let vaddr = pages.keys().copied().find(|at| at % (2 << 20) == 0).ok_or_else(|| missing("no such page"))?;
            let at = g.entry(g.space("shell")?, vaddr, 1)?;
            g.memory.plant(at, LARGE | USER_WRITE);
            Ok(())
        };
    PageWrite, "the reader of a ring may write it",
        "is writable, and should be read-only",
        |g| {
            let (at, entry) = g.page("assistant", |page| !page.write && page.frame != Frame::Private)?;
            g.memory.plant(at, entry | 2);
            Ok(())
        };
    PageExecute, "code that cannot be executed",
        "is data, and should be executable",
        |g| {
            let (at, entry) = g.page("shell", |page| page.execute)?;
            g.memory.plant(at, entry | NO_EXECUTE);
            Ok(())
        };
    PageExecute, "data that can be executed",
        "is executable, and should be data",
        |g| {
            let (at, entry) = g.page("shell", |page| page.write)?;
            g.memory.plant(at, entry & !NO_EXECUTE);
            Ok(())
        };
    WriteExecute, "code that can be written",
        "is both writable and executable",
        |g| {
            let (at, entry) = g.page("shell", |page| page.execute)?;
            g.memory.plant(at, entry | 2);
            Ok(())
        };
    PageCache, "a page past the cache",
        "is not cached, and should be cached",
        |g| {
            let (at, entry) = g.page("shell", |page| page.write)?;
            g.memory.plant(at, entry | 1 << 4);
            Ok(())
        };
    SharedFrame, "a frame of the private side in shell",
        "in assistant, and should not be shared",
        |g| {
            let (_, secret) = g.page("assistant", |page| page.write && page.frame == Frame::Private)?;
            let (at, entry) = g.page("shell", |page| page.write && page.frame == Frame::Private)?;
            g.memory.plant(at, entry & !ADDRESS | secret & ADDRESS);
            Ok(())
        };
    PageZero, "page zero mapped",
        "router: page zero at 0x0 is mapped",
        |g| {
            let at = g.entry(g.space("router")?, 0, 1)?;
            g.memory.plant(at, LARGE | USER_WRITE);
            Ok(())
        };
    GuardPage, "a stack without a guard page",
        "router: the guard page of a stack",
        |g| {
            let pd = &g.expected.pds[g.index("router")?];
            let guard = pd.unmapped.iter().find(|(at, _)| *at != 0).ok_or_else(|| missing("no guard page"))?.0;
            let page = g.free_page()?;
            let at = g.entry(g.space("router")?, guard, 0)?;
            g.memory.plant(at, page | USER_WRITE);
            Ok(())
        };
    PageWithoutCap, "a page that no capability stands for",
        "clock: a writable page of 4 KiB",
        |g| {
            let page = g.free_page()?;
            let (at, entry) = g.page("clock", |page| page.write && page.frame == Frame::Private)?;
            g.memory.plant(at, entry & !ADDRESS | page);
            Ok(())
        };
    CapWithoutPage, "a capability whose page is gone",
        "says that it is mapped at",
        |g| {
            let (at, _) = g.page("clock", |page| page.write)?;
            g.memory.plant(at, 0);
            Ok(())
        };
    FrameOverObject, "a PD that sees its own CNode",
        "inference: a writable page of 4 KiB",
        |g| {
            let cnode = g.cnode("inference")?;
            let (at, entry) = g.page("inference", |page| page.write && page.frame == Frame::Private)?;
            g.memory.plant(at, entry & !ADDRESS | cnode & ADDRESS);
            Ok(())
        };
    Content, "other code in a PD",
        "router: at 0x",
        |g| {
            let (_, entry) = g.page("router", |page| page.execute)?;
            let word = g.memory.word(entry & ADDRESS)?;
            g.memory.plant(entry & ADDRESS, word ^ 0x10);
            Ok(())
        };
    Content, "another specification in root's hands",
        "root: at 0x",
        |g| {
            let (vaddr, bytes) = g.expected.root.constants.last().cloned().ok_or_else(|| missing("no constants"))?;
            let space = g.report.names.root.space.and_then(|at| g.report.model.spaces.get(&at));
            let page = space.and_then(|space| space.page_at(vaddr)).ok_or_else(|| missing("no page"))?;
            let at = page.paddr + (vaddr - page.vaddr) + bytes.len() as u64 / 2 / 8 % 64 * 8;
            let word = g.memory.word(at)?;
            g.memory.plant(at, !word);
            Ok(())
        };
}
