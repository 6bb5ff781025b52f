//! The host program: from the tree's sources to a running machine.
//!
//! kernel (kernel-config) + programs (cargo, llama-build) + layout (root-task/resolve) -> boot image -> QEMU.
//! Tests use it as a library: [`Programs::build`] and [`image::make`] make what boots, [`qemu::command`] the command line.

pub mod build;
pub mod cargo;
pub mod command_line;
pub mod doctor;
mod error;
pub mod image;
pub mod kvm;
pub mod memory;
pub mod progress;
pub mod qemu;
pub mod run;
pub mod terminal;
pub mod test;
pub mod tree;

pub use build::{Programs, Variant};
pub use error::{Error, Result};
pub use image::{Boot, Wish};
pub use progress::Progress;
pub use tree::Tree;
