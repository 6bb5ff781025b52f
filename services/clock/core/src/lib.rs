//! What the clock computes: the timer's divisor, which ticks are due, what the real-time clock's registers say, and
//! the format of the wall clock page.
#![cfg_attr(not(test), no_std)]

pub mod pit;
pub mod rtc;
pub mod ticks;
pub mod wall;
