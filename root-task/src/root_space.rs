//! Root's own address space: page tables for what it maps beside its image.

use root_core::paging::{Table, Tables};
use sel4::arch::init;
use spec::PageSize;

use crate::{
    kernel::{self, Kind},
    memory::Memory,
    slots::Slot,
    Failure,
};

pub const VSPACE: Slot = init::VSPACE.0;

/// The tables that exist (beside those that the kernel made for the image).
#[derive(Default)]
pub struct RootSpace;

impl RootSpace {
    /// Makes the tables for `[vaddr, vaddr + bytes)`; those that are there already stay.
    pub fn cover(&mut self, memory: &mut Memory, vaddr: u64, bytes: u64, page: PageSize) -> Result<(), Failure> {
        let mut tables = Tables::default();
        tables.cover(vaddr, bytes, page);
        for table in tables.in_order() {
            self.table(memory, table)?;
        }
        Ok(())
    }

    fn table(&mut self, memory: &mut Memory, table: Table) -> Result<(), Failure> {
        let made = memory.objects(&[Kind::Table(table.level)])?;
        match kernel::map_table(made.slots[0], table, VSPACE) {
            // The kernel made one at boot, or an earlier call did.
            Err(Failure::Kernel { error: sel4::Error::DeleteFirst, .. }) => kernel::delete(made.slots[0]),
            other => other,
        }
    }
}
