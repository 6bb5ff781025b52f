//! Clock without its protection domain.
//!
//! * [`pit8254`]: the timer chip.
//! * [`ticks`]: who gets a tick when.
//! * [`mc146818`]: the calendar chip.
//! * [`wall`]: the page that tells the time of day; its readers use this module, too.
#![cfg_attr(not(test), no_std)]

pub mod mc146818;
pub mod pit8254;
pub mod ticks;
pub mod wall;
