//! The terminal's settings, put back whatever happens to QEMU.

use std::process::{Command, Stdio};

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
        if let Some(settings) = &self.0 {
            let _ = Command::new("stty").arg(settings).stdin(Stdio::inherit()).status();
        }
    }
}
