//! An address space, page by page, and what stands in code and constants.

use super::Compare;
use crate::{
    difference::Kind,
    expected::{Frame, Page as Wanted},
    model::{Page, Space},
    Result,
};
use std::collections::BTreeMap;

impl Compare<'_, '_> {
    pub(super) fn pages(&mut self, index: usize) -> Result<()> {
        let expected = self.expected;
        let pd = &expected.pds[index];
        let Some(at) = self.names.pds[index].space else {
            self.differ(Kind::PageMissing, format!("no address space is like that of {}", pd.name));
            return Ok(());
        };
        let space = &self.model.spaces[&at];
        for page in &space.pages {
            match pd.pages.get(&page.vaddr) {
                Some(wanted) => self.page(&pd.name, wanted, page),
                None => {
                    let what = page_words(page);
                    let sentence = format!("{}: {what} at {:#x}, where nothing should be", pd.name, page.vaddr);
                    self.differ(Kind::PageExtra, sentence);
                }
            }
        }
        self.missing(&pd.name, &pd.pages, space);
        for (address, what) in &pd.unmapped {
            if space.page_at(*address).is_some() {
                let kind = if *address == 0 { Kind::PageZero } else { Kind::GuardPage };
                self.differ(kind, format!("{}: {what} at {address:#x} is mapped", pd.name));
            }
        }
        self.content(&pd.name, space, &pd.constants)
    }

    /// One page that should be there.
    pub(super) fn page(&mut self, who: &str, wanted: &Wanted, page: &Page) {
        let at = page.vaddr;
        if page.bytes != wanted.bytes {
            let sentence =
                format!("{who}: the page at {at:#x} has {} bytes, and should have {}", page.bytes, wanted.bytes);
            return self.differ(Kind::PageSize, sentence);
        }
        if let Frame::Shared { memory, page: number } = wanted.frame {
            let should = self.names.frames[memory].get(number as usize).copied().flatten();
            if should != Some(page.paddr) {
                let memory = &self.expected.memories[memory].name;
                let there = self.frame_name(page.paddr).unwrap_or_default();
                let sentence = format!(
                    "{who}: at {at:#x} lies physical {:#x} ({there}), and should lie page {number} of `{memory}`",
                    page.paddr
                );
                self.differ(Kind::PageFrame, sentence);
            }
        }
        let words = |yes: bool, what: &'static str, not: &'static str| if yes { what } else { not };
        if page.write != wanted.write {
            let (is, should) = (page.write, wanted.write);
            let (is, should) = (words(is, "writable", "read-only"), words(should, "writable", "read-only"));
            self.differ(Kind::PageWrite, format!("{who}: the page at {at:#x} is {is}, and should be {should}"));
        }
        if self.rules.never_execute && page.execute != wanted.execute {
            let (is, should) = (page.execute, wanted.execute);
            let (is, should) = (words(is, "executable", "data"), words(should, "executable", "data"));
            self.differ(Kind::PageExecute, format!("{who}: the page at {at:#x} is {is}, and should be {should}"));
        }
        // Without the never-execute bit every page can be executed: then at least code is not writable.
        let executable = if self.rules.never_execute { page.execute } else { wanted.execute };
        if page.write && executable {
            self.differ(Kind::WriteExecute, format!("{who}: the page at {at:#x} is both writable and executable"));
        }
        if page.cached != wanted.cached {
            let (is, should) = (page.cached, wanted.cached);
            let (is, should) = (words(is, "cached", "not cached"), words(should, "cached", "not cached"));
            self.differ(Kind::PageCache, format!("{who}: the page at {at:#x} is {is}, and should be {should}"));
        }
    }

    pub(super) fn missing(&mut self, who: &str, wanted: &BTreeMap<u64, Wanted>, space: &Space) {
        for at in wanted.keys() {
            if !space.page_at(*at).is_some_and(|page| page.vaddr == *at) {
                self.differ(Kind::PageMissing, format!("{who}: nothing is mapped at {at:#x}, and a page should be"));
            }
        }
    }

    /// Code and constants are those of the image.
    pub(super) fn content(&mut self, who: &str, space: &Space, constants: &[(u64, Vec<u8>)]) -> Result<()> {
        for (start, bytes) in constants {
            let mut done = 0;
            while done < bytes.len() as u64 {
                let at = start + done;
                let Some(page) = space.page_at(at) else {
                    // Missing pages have a sentence of their own.
                    done += 4096 - at % 4096;
                    continue;
                };
                let count = (page.vaddr + page.bytes - at).min(bytes.len() as u64 - done);
                let should = &bytes[done as usize..(done + count) as usize];
                match self.memory.bytes(page.paddr + (at - page.vaddr), count) {
                    Ok(there) if there == should => {}
                    Ok(there) => {
                        let first = there.iter().zip(should).position(|(a, b)| a != b).unwrap_or(0) as u64;
                        let sentence = format!("{who}: at {:#x} stands something else than in the image", at + first);
                        self.differ(Kind::Content, sentence);
                    }
                    Err(error) => self.differ(Kind::Content, format!("{who}: at {at:#x} is no memory: {error}")),
                }
                done += count;
            }
        }
        Ok(())
    }
}

pub(super) fn page_words(page: &Page) -> String {
    let what = if page.write { "a writable page" } else { "a read-only page" };
    format!("{what} of {} KiB, physical {:#x},", page.bytes >> 10, page.paddr)
}
