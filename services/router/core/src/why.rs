//! Decisions in people's words.

use crate::policy::Mode;
use alloc::format;
use alloc::string::String;
use ipc::outbound::Request;
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
        Mode::Network => "It would go to the model on this machine: there is no cloud engine in this system.",
    };
    format!("No prompt was sent yet.\n{next}")
}

/// What the person wants to leave this machine, and what router does with it.
pub fn outbound(request: &Request, mode: Mode) -> String {
    let what = match request {
        Request::Fetch { id, host, port, payload } => {
            let bytes = if payload.len() == 1 { "byte" } else { "bytes" };
            format!("Request {id} ({} {bytes} to {host}, port {port})", payload.len())
        }
        Request::Ping { id, host } => format!("Request {id} (ping {host})"),
        Request::NetStatus { id } => format!("Request {id} (the state of the network)"),
    };
    match (mode, request) {
        (Mode::LocalOnly, _) => {
            format!("{what} went nowhere: the mode is Local Only, in which there is no network. Ctrl-T changes the mode.")
        }
        (Mode::Network, Request::NetStatus { .. }) => {
            format!("{what} went to gate: the mode is Network. Nothing leaves this machine for it.")
        }
        (Mode::Network, _) => {
            format!("{what} went to gate, which asks you before anything leaves: the mode is Network.")
        }
    }
}

fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::LocalOnlyMode => {
            "The mode is Local Only: no part of the system that sees a prompt holds anything that leads to a network."
        }
        Reason::NoCloudEngine => "There is no cloud engine in this system, so there was nothing to choose between.",
    }
}
