//! The shell without its protection domain: keys go in, records for the display and requests come out.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod commands;
mod complete;
mod editor;
mod help;
mod history;
mod outbound;
mod say;
mod search;
mod shell;

pub use commands::{parse, Typed};
pub use complete::{complete, Completion};
pub use editor::{Editor, Reach};
pub use history::History;
pub use outbound::Outbound;
pub use say::{lines, send_outbound, send_prompt, trouble, NEW_LIFE};
pub use shell::{Action, Shell, PROMPT};

#[cfg(test)]
mod tests;
