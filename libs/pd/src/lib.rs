//! The runtime of a protection domain (PD).
//!
//! Root starts a PD's thread at `_start`, on a stack with an unmapped page below it, with the address of the read-only
//! start page in the first argument register. From there to the PD's own function, and below it, this crate has:
//! thread-local storage, the heap of the size that the layout gives, panics that reach root with file and line, the
//! log, and working ends of what the layout's generated module lists as plain numbers: rings ([`RingIn`], [`RingOut`]),
//! calls ([`rpc`]), notifications, interrupts, shared pages.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! pd::layout!("echo");
//! pd::main!(run);
//!
//! fn run(start: &'static pd::Start) -> ! {
//!     log::info!("start number {}", start.epoch);
//!     loop { /* receive, decode, call the core, encode, reply */ }
//! }
//! ```
//!
//! What the layout says is trusted: its addresses are mapped and its slots hold what it names, because root and the
//! checks in `alpha` made it so. What comes *through* a ring, a page or an endpoint is not.
#![cfg_attr(not(test), no_std)]
// On the host only the pure parts are used, by their tests.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

extern crate alloc;

pub mod arch;
#[cfg(target_os = "none")]
mod entry;
#[cfg(target_os = "none")]
mod heap;
mod logger;
mod notify;
#[cfg(target_os = "none")]
mod panic;
mod rings;
mod shared;
mod start;
mod text;
pub mod time;
#[cfg(target_os = "none")]
mod tls;

pub use logger::dropped as log_lines_dropped;
pub use notify::{Doorbell, Irq, Notification};
pub use ring::{PopError, PushError};
pub use rpc;
pub use rings::{RingIn, RingOut};
pub use shared::SharedPage;
pub use spec::{handle, Start};
pub use start::start;

/// Names the function that runs the PD: `fn(&'static pd::Start) -> !`.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        // SAFETY: the runtime calls the function of this name with this signature; nothing else has the name.
        #[unsafe(no_mangle)]
        fn alphaos_pd_main(start: &'static $crate::Start) -> ! {
            let run: fn(&'static $crate::Start) -> ! = $run;
            run(start)
        }
    };
}

/// Includes the module that `alpha` generated from the layout for the PD of this name: `mod layout`.
#[macro_export]
macro_rules! layout {
    ($pd:literal) => {
        #[allow(dead_code)]
        mod layout {
            include!(concat!(env!("ALPHA_LAYOUT"), "/", $pd, ".rs"));
        }
    };
}
