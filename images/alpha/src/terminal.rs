//! The terminal's settings, put back whatever happens to QEMU.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

/// Undoes what serial has set and a machine that ended without a word did not: colours, bracketed paste, a hidden
/// cursor (ECMA-48 SGR; xterm's control sequences, DECSET 2004 and 25).
const PLAIN: &[u8] = b"\x1b[m\x1b[?2004l\x1b[?25h";

/// Puts the terminal back as it was when this value goes away.
pub struct Saved(Option<String>);

impl Saved {
    pub fn now() -> Saved {
        // Fails, and saves nothing, where standard input is no terminal.
        let output = Command::new("stty").arg("-g").stdin(Stdio::inherit()).stderr(Stdio::null()).output();
        Saved(output.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()))
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        let mut out = std::io::stdout();
        if out.is_terminal() {
            let _ = out.write_all(PLAIN).and_then(|()| out.flush());
        }
        if let Some(settings) = &self.0 {
            let _ = Command::new("stty").arg(settings).stdin(Stdio::inherit()).status();
        }
    }
}
