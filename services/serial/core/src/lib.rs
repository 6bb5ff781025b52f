//! The console without a system call in it: the UART's registers, what a terminal sends ([`input`]), who gets it
//! ([`focus`]), whose turn it is to be shown ([`flow`]), and the screen that everyone's lines are composed into
//! ([`screen`]).
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod cells;
pub mod flow;
pub mod focus;
pub mod input;
pub mod screen;
pub mod uart16550;
pub mod wrap;

pub use focus::Focus;
pub use input::Input;
pub use screen::{Hearer, Screen, Speaker};
pub use uart16550::Uart;
