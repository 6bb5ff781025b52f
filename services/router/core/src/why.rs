//! Decisions in people's words.

use crate::policy::Mode;
use alloc::format;
use alloc::string::String;
use ipc::router::{Decision, Engine, Reason};

/// Why the last prompt went where it went. Router knows where it went, not what became of it.
pub fn explain(decision: &Decision) -> String {
    let mut text = match decision.engine {
        Engine::Local => format!("Prompt {} went to the model on this machine.", decision.id),
    };
    for reason in &decision.reasons {
        text.push('\n');
        text.push_str(sentence(*reason));
    }
    text
}

/// Nothing to explain yet: what would happen.
pub fn nothing_sent(mode: Mode) -> String {
    let next = match mode {
        Mode::LocalOnly => "It would go to the model on this machine: the mode is Local Only.",
    };
    format!("No prompt was sent yet.\n{next}")
}

fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::LocalOnlyMode => {
            "The mode is Local Only: no part of the system that sees a prompt holds anything that leads to a network."
        }
        Reason::NoCloudEngine => "There is no cloud engine in this system, so there was nothing to choose between.",
    }
}
