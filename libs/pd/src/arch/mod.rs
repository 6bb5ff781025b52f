//! What differs between architectures: the first instructions, the thread pointer, the counter, how to stop.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
