//! How this machine's timer and calendar are reached.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{start_timer, Calendar};
