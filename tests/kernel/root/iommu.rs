//! What a device can reach through the IOMMU, and that nothing is left of it when root takes it away. On a machine
//! without one only `iommu_told` has something to say.

use crate::edu::Edu;
use crate::machine::{rights::*, *};
use crate::sys::Cap;
use crate::Outcome;

/// Where the tests map what the device may use.
const AT: u64 = 0x10_0000;
const PATTERN: u64 = 0x5eed_0f0d_a7a5_eed1;

/// A frame that root sees at `at`, and the address where the memory is.
struct Page {
    frame: Cap,
    at: u64,
}

impl Page {
    fn new(untyped: Cap) -> Page {
        let (frame, at) = (make_from(untyped, object::FRAME_4K, 0), new_page_address());
        map(frame, ROOT_VSPACE, at, READ | WRITE);
        Page { frame, at }
    }
}

/// A device's IO space with all its tables for `AT`; the last table is `tables[levels - 1]`.
struct Space {
    edu: Edu,
    space: Cap,
    tables: [Cap; 6],
    levels: usize,
    /// Memory of the tables.
    untyped: Cap,
}

impl Space {
    fn new() -> Option<Space> {
        let edu = Edu::find()?;
        let (levels, untyped) = (io_levels() as usize, make(object::UNTYPED, 15));
        if levels == 0 {
            return None;
        }
        let mut space = Space { edu, space: io_space(edu.id), tables: [0; 6], levels, untyped };
        for i in 0..levels {
            space.tables[i] = make_from(untyped, object::IO_PAGE_TABLE, 0);
            space.map_table(i);
        }
        Some(space)
    }

    fn map_table(&self, i: usize) {
        must(self.tables[i], label::X86IOPageTableMap, &[self.space], &[AT]);
    }

    /// A second capability to the page's frame, mapped for the device.
    fn give(&self, page: &Page, rights: u64, io_address: u64) -> Cap {
        let frame = copy(page.frame);
        must(frame, label::X86PageMapIO, &[self.space], &[rights, io_address]);
        frame
    }

    /// The device's buffer gets the pattern, by a page that it may read for so long.
    fn arm(&self) {
        let page = Page::new(make(object::UNTYPED, 12));
        write(page.at, PATTERN);
        let frame = self.give(&page, READ, AT + 0xf_f000);
        self.edu.load(AT + 0xf_f000);
        delete(frame);
    }

    /// Whether the device can write into the page at an IO address.
    fn reaches(&self, page: &Page, io_address: u64) -> bool {
        write(page.at, 0);
        self.edu.store(io_address);
        read(page.at) == PATTERN
    }

    /// Leaves the device without any memory, for the next test.
    fn close(self) {
        delete(self.space);
        revoke(self.untyped);
    }
}

fn io_space(id: u64) -> Cap {
    mint(IO_SPACE, ALL, 1 << 16 | id)
}

/// Bootinfo and the slot say whether devices are confined, also where there is an IOMMU that the kernel leaves off.
pub fn iommu_told() -> Outcome {
    let confined = crate::has_iommu();
    match (confined, io_levels()) {
        (true, 2..=6) | (false, 0) => {}
        (_, levels) => return Err(("bootinfo's word on the IOMMU is wrong, levels", levels)),
    }
    match (confined, try_copy(IO_SPACE, ALL)) {
        (true, Ok(second)) => delete(second),
        (false, Err(FAILED_LOOKUP)) => {}
        _ => return Err(("the slot of the IO spaces disagrees with bootinfo", confined as u64)),
    }
    // A device that nobody has given anything, sent to where a page really is.
    let Some(edu) = Edu::find() else { return Ok(()) };
    let page = Page::new(make(object::UNTYPED, 12));
    let source = Page::new(make(object::UNTYPED, 12));
    write(source.at, PATTERN);
    let address = |page: &Page| must(page.frame, label::X86PageGetAddress, &[], &[])[0];
    edu.load(address(&source));
    edu.store(address(&page));
    match (confined, read(page.at)) {
        (true, 0) | (false, PATTERN) => Ok(()),
        (true, _) => Err(("a device without an IO space writes to memory", 0)),
        (false, seen) => Err(("the test's device does not work", seen)),
    }
}

pub fn io_dma() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let memory = make(object::UNTYPED, 14);
    let (page, read_only, unmapped) = (Page::new(memory), Page::new(memory), Page::new(memory));
    let frame = space.give(&page, READ | WRITE, AT);
    space.give(&read_only, READ, AT + 0x1000);
    space.arm();
    if !space.reaches(&page, AT) {
        return Err(("the device cannot write to a page that is mapped for it", 0));
    }
    if space.reaches(&read_only, AT + 0x1000) {
        return Err(("the device writes to a page that is mapped for reading", 0));
    }
    let address = must(unmapped.frame, label::X86PageGetAddress, &[], &[])[0];
    if space.reaches(&unmapped, AT + 0x2000) || space.reaches(&unmapped, address) {
        return Err(("the device writes to a page that is not mapped for it", address));
    }
    must(frame, label::X86PageUnmap, &[], &[]);
    if space.reaches(&page, AT) {
        return Err(("the device writes to a page after its unmap", 0));
    }
    // Mapped again, at another address too.
    must(frame, label::X86PageMapIO, &[space.space], &[READ | WRITE, AT + 0x3000]);
    if space.reaches(&page, AT) || !space.reaches(&page, AT + 0x3000) {
        return Err(("the device does not see the page where it is now", 0));
    }
    space.close();
    Ok(())
}

/// The frame goes: its capability with the mapping while others exist, and all of them by a revoke.
pub fn io_frame_delete() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let memory = make(object::UNTYPED, 12);
    let page = Page::new(memory);
    let frame = space.give(&page, READ | WRITE, AT);
    space.arm();
    if !space.reaches(&page, AT) {
        return Err(("the device cannot write to a page that is mapped for it", 0));
    }
    delete(frame);
    if space.reaches(&page, AT) {
        return Err(("the device writes to a page after its capability was deleted", 0));
    }
    space.give(&page, READ | WRITE, AT);
    if !space.reaches(&page, AT) {
        return Err(("the device does not see the page again", 0));
    }
    revoke(memory);
    let next = Page::new(memory);
    if space.reaches(&next, AT) {
        return Err(("the device writes to memory that has a new owner", 0));
    }
    space.close();
    Ok(())
}

/// A table goes: each level, by unmap, delete and revoke; the IO space's capability goes.
pub fn io_context_flush() -> Outcome {
    let Some(mut space) = Space::new() else { return Ok(()) };
    let page = Page::new(make(object::UNTYPED, 12));
    space.give(&page, READ | WRITE, AT);
    space.arm();
    for level in (0..space.levels).rev() {
        if !space.reaches(&page, AT) {
            return Err(("the device cannot write to a page that is mapped for it, level", level as u64));
        }
        must(space.tables[level], label::X86IOPageTableUnmap, &[], &[]);
        if space.reaches(&page, AT) {
            return Err(("the device writes on after the unmap of a table of level", level as u64));
        }
        // An unmapped table is empty, so what hung in it is mapped anew.
        space.map_table(level);
        for below in level + 1..space.levels {
            must(space.tables[below], label::X86IOPageTableUnmap, &[], &[]);
            space.map_table(below);
        }
        space.give(&page, READ | WRITE, AT);
    }
    for level in (0..space.levels).rev() {
        if !space.reaches(&page, AT) {
            return Err(("the device cannot write to a page that is mapped for it, level", level as u64));
        }
        delete(space.tables[level]);
        if space.reaches(&page, AT) {
            return Err(("the device writes on after the deletion of a table of level", level as u64));
        }
        space = space.again();
        space.give(&page, READ | WRITE, AT);
    }
    delete(space.space);
    if space.reaches(&page, AT) {
        return Err(("the device writes on after its IO space was deleted", 0));
    }
    space.space = io_space(space.edu.id);
    space = space.again();
    space.give(&page, READ | WRITE, AT);
    if !space.reaches(&page, AT) {
        return Err(("the device does not see its new tables", 0));
    }
    revoke(space.untyped);
    if space.reaches(&page, AT) {
        return Err(("the device writes on after its tables were revoked", 0));
    }
    space.close();
    Ok(())
}

impl Space {
    /// New tables out of the same memory.
    fn again(mut self) -> Space {
        revoke(self.untyped);
        for i in 0..self.levels {
            self.tables[i] = make_from(self.untyped, object::IO_PAGE_TABLE, 0);
            self.map_table(i);
        }
        self
    }
}

/// A table with two capabilities stays where it is.
pub fn io_table_copies() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let last = space.tables[space.levels - 1];
    let second = copy(last);
    match try_do(last, label::X86IOPageTableUnmap, &[], &[]) {
        REVOKE_FIRST => {}
        error => return Err(("a table with two capabilities was unmapped", error)),
    }
    delete(second);
    must(last, label::X86IOPageTableUnmap, &[], &[]);
    space.close();
    Ok(())
}

/// What was deleted while a table was not in place is not in it when it comes back.
pub fn io_table_clear() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let page = Page::new(make(object::UNTYPED, 12));
    let frame = space.give(&page, READ | WRITE, AT);
    space.arm();
    let last = space.levels - 1;
    must(space.tables[last], label::X86IOPageTableUnmap, &[], &[]);
    delete(frame);
    space.map_table(last);
    if space.reaches(&page, AT) {
        return Err(("a table that comes back gives the device a page that was deleted", 0));
    }
    space.close();
    Ok(())
}

/// One table more than there are levels has no place.
pub fn io_table_as_page() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let more = make(object::IO_PAGE_TABLE, 0);
    match try_do(more, label::X86IOPageTableMap, &[space.space], &[AT]) {
        DELETE_FIRST => {}
        error => return Err(("a page table was mapped as a page", error)),
    }
    space.close();
    Ok(())
}

/// Addresses that the tables do not reach, and what a map without tables or with the wrong capabilities answers.
pub fn io_address() -> Outcome {
    let Some(space) = Space::new() else { return Ok(()) };
    let frame = make(object::FRAME_4K, 0);
    let end = 1 << (12 + 9 * space.levels);
    for beyond in [end, end | AT, 1 << 47, 1 << 48, 1 << 63, !0xfff] {
        let page = try_do(frame, label::X86PageMapIO, &[space.space], &[READ | WRITE, beyond]);
        let table = make(object::IO_PAGE_TABLE, 0);
        let table = try_do(table, label::X86IOPageTableMap, &[space.space], &[beyond]);
        if (page, table) != (INVALID_ARGUMENT, INVALID_ARGUMENT) {
            return Err(("an address beyond the IO space is not refused", beyond));
        }
    }
    match try_do(frame, label::X86PageMapIO, &[space.space], &[READ | WRITE, end - 4096]) {
        FAILED_LOOKUP => {}
        error => return Err(("a map without tables is not refused", error)),
    }
    match try_do(frame, label::X86PageMapIO, &[IO_SPACE], &[READ | WRITE, AT]) {
        INVALID_CAPABILITY => {}
        error => return Err(("a map into no device's IO space is not refused", error)),
    }
    if try_mint(IO_SPACE, ALL, space.edu.id).is_ok() || try_mint(space.space, ALL, 2 << 16 | 0x1f8).is_ok() {
        return Err(("an IO space of no domain, or out of another device's", 0));
    }
    space.close();
    Ok(())
}
