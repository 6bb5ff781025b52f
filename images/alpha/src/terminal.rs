//! The terminal's settings, put back whatever happens to QEMU.

use rustix::termios::{tcgetattr, tcsetattr, OptionalActions, Termios};
use std::io;

/// Puts the terminal back as it was when this value goes away.
pub struct Saved(Option<Termios>);

impl Saved {
    pub fn now() -> Saved {
        Saved(tcgetattr(io::stdin()).ok())
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        if let Some(termios) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, termios);
        }
    }
}
