//! What the root task decides, without a system call in it: how memory is cut up, when a dead protection domain (PD)
//! is started again, and what people are told.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod dialog;
pub mod fault;
pub mod memory;
pub mod paging;
pub mod reach;
pub mod report;
pub mod restart;
