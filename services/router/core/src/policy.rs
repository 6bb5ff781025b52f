//! The decision, and nothing else. What is known goes in as a [`Situation`], the engine and the reasons come out.
//!
//! The local engine is taken for available, always: whether it is busy, broken or slow is knowledge of the private
//! side. If it cannot answer, it says so on the display, and the person decides.

use ipc::router::{Decision, Engine, Reason};

/// What root built this system for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    LocalOnly,
    /// Gate is there, and lets out what the person confirms.
    Network,
}

impl Mode {
    /// The mode by the title that root hands over. A title that router does not know is taken for the mode that allows
    /// the least.
    pub fn from_title(title: &str) -> Self {
        match title {
            "Network" => Mode::Network,
            _ => Mode::LocalOnly,
        }
    }
}

/// Who answers a prompt. There is no engine in the cloud to choose, whatever the mode.
pub fn decide(id: u64, mode: Mode) -> Decision {
    let reasons: &[Reason] = match mode {
        Mode::LocalOnly => &[Reason::LocalOnlyMode, Reason::NoCloudEngine],
        Mode::Network => &[Reason::NoCloudEngine],
    };
    // There is room for all of them: see `REASONS` and the test.
    Decision { id, engine: Engine::Local, reasons: heapless::Vec::from_slice(reasons).unwrap_or_default() }
}
