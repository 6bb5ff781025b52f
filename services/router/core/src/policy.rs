//! The decision, and nothing else. What is known goes in as a [`Situation`], the engine and the reasons come out.
//!
//! The local engine is taken for available, always: whether it is busy, broken or slow is knowledge of the private
//! side. If it cannot answer, it says so on the display, and the person decides.

use ipc::router::{Decision, Engine, Reason};

/// What root built this system for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    LocalOnly,
}

impl Mode {
    /// The mode by the title that root hands over. A title that router does not know is taken for the mode that allows
    /// the least.
    pub fn from_title(_title: &str) -> Self {
        Mode::LocalOnly
    }
}

/// All that a decision may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    pub mode: Mode,
    /// This system has an engine in the cloud. Whether the mode has a path to it is another question.
    pub cloud_engine: bool,
}

pub fn decide(id: u64, situation: &Situation) -> Decision {
    let mut reasons = heapless::Vec::new();
    // There is room for every reason that follows: see `REASONS` and the test.
    let mut because = |reason| _ = reasons.push(reason);
    let engine = match situation.mode {
        Mode::LocalOnly => {
            because(Reason::LocalOnlyMode);
            if !situation.cloud_engine {
                because(Reason::NoCloudEngine);
            }
            Engine::Local
        }
    };
    Decision { id, engine, reasons }
}
