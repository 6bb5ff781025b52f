//! What it takes to use AlphaOS as a person would, from a program: a machine in QEMU ([`machine`]), a terminal at its
//! serial port ([`terminal`]), somebody who types there ([`person`]), a hand inside its memory to kill what runs there
//! ([`qmp`], [`gdb`], [`victim`]), models that say exactly what a test wants to hear ([`gguf`]),
//! and an attacker in a part's place ([`hostile`]).
//!
//! Nothing here waits for time to pass. Every wait is for output, and ends with the test's one deadline.

pub mod gdb;
pub mod gguf;
pub mod hostile;
pub mod live;
pub mod live_wall;
pub mod machine;
pub mod person;
pub mod qmp;
pub mod terminal;
pub mod victim;

use std::fmt;

/// Why a test failed, in words; what helps to find out stands on further lines.
#[derive(Debug)]
pub struct Failure(String);

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Failure(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure(error.to_string())
    }
}

/// Fails with the formatted words unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($words)+)));
        }
    };
}
