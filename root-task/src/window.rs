//! A place in root's own address space where it fills frames before it hands them out.

use spec::PAGE;

use crate::{
    kernel::{self, Access},
    memory::Memory,
    root_space::{self, RootSpace},
    slots::Slot,
    Failure,
};

/// Root's image lies low, its ring ends where the layout says; this is above both and below the end of the first
/// top-level entry.
const WINDOW: u64 = 0x7f_0000_0000;

pub struct Window;

impl Window {
    pub fn new(space: &mut RootSpace, memory: &mut Memory) -> Result<Window, Failure> {
        space.cover(memory, WINDOW, PAGE, spec::PageSize::Small)?;
        Ok(Window)
    }

    /// Shows the small frame to `fill`, zeroed as the kernel made it, and takes it out of root's space again.
    pub fn fill(&mut self, frame: Slot, fill: impl FnOnce(&mut [u8; PAGE as usize])) -> Result<(), Failure> {
        kernel::map(frame, root_space::VSPACE, WINDOW, Access::Write)?;
        // SAFETY: the frame was just mapped here read-write, it is one page long, and nothing else lies here.
        fill(unsafe { &mut *(WINDOW as *mut [u8; PAGE as usize]) });
        kernel::unmap(frame)
    }

    /// Shows a page of device registers, uncached, at the address that `touch` gets.
    pub fn registers<T>(&mut self, frame: Slot, touch: impl FnOnce(*mut u8) -> T) -> Result<T, Failure> {
        kernel::map(frame, root_space::VSPACE, WINDOW, Access::Device)?;
        let result = touch(WINDOW as *mut u8);
        kernel::unmap(frame)?;
        Ok(result)
    }
}
