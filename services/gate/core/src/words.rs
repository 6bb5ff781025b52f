//! What gate says, all in one place.

use crate::visible;
use alloc::{format, string::String, vec::Vec};
use ipc::outbound::Request;

pub const STARTED_ANEW: &str = "gate was started anew. What waited for your answer was not sent.";
pub const UNREADABLE: &str = "A request that did not arrive whole was not sent.";
pub const NOTHING_WAITS: &str = "Nothing waits for your answer. Ctrl-G or Escape takes you back.";
pub const NOT_SHOWN_YET: &str =
    "What would be sent was not all on the screen when you pressed Ctrl-G. Press Ctrl-G to \
                                 go back, read it, press Ctrl-G again, and answer then.";
pub const NOT_AN_ANSWER: &str =
    "This was no answer: what waits was not all on the screen when you pressed Ctrl-G. \
                                 Nothing was sent.";

/// Seconds of a time.
fn seconds(us: u64) -> u64 {
    us / 1_000_000
}

/// What would leave and where to, in full. A host is printable ASCII without spaces: it is what it looks like.
pub fn request(request: &Request) -> Vec<String> {
    let mut lines = Vec::new();
    match request {
        Request::Fetch { host, port, payload, .. } => {
            lines.push(format!("To {host}, TCP port {port}, not encrypted, would go"));
            match payload.len() {
                0 => lines.push("no bytes: a connection that only listens.".into()),
                1 => lines.push("this 1 byte (· is a space, \\ begins an escape):".into()),
                length => lines.push(format!("these {length} bytes (· is a space, \\ begins an escape):")),
            }
            lines.extend(visible::lines(payload));
        }
        Request::Ping { host, .. } => lines.push(format!("To {host} would go a ping.")),
        Request::NetStatus { .. } => {}
    }
    lines
}

pub fn question(timeout_us: u64) -> String {
    format!(
        "If that is to leave this machine: Ctrl-G, then type yes. Anything else, or {} seconds, is a no.",
        seconds(timeout_us)
    )
}

pub fn sent(request: &Request) -> String {
    match request {
        Request::Fetch { host, port, payload, .. } => {
            let bytes = if payload.len() == 1 { "byte" } else { "bytes" };
            format!("You said yes: {} {bytes} to {host}, port {port}, handed to cloud.", payload.len())
        }
        Request::Ping { host, .. } => format!("You said yes: a ping to {host}, handed to cloud."),
        Request::NetStatus { .. } => String::new(),
    }
}

pub fn refused() -> String {
    "You did not say yes. Nothing was sent.".into()
}

pub fn closed() -> String {
    "You went back without an answer. Nothing was sent.".into()
}

pub fn timed_out(timeout_us: u64) -> String {
    format!("No answer within {} seconds. Nothing was sent.", seconds(timeout_us))
}

pub fn waits(before: usize) -> String {
    match before {
        1 => "One request waits until you have answered the one before it.".into(),
        _ => format!("{before} requests wait until you have answered the one before them."),
    }
}

pub fn too_many(refused: u64, limit: usize) -> String {
    match refused {
        1 => format!("{limit} requests wait already; one more was refused. It was not sent."),
        _ => format!("{limit} requests wait already; {refused} more were refused. They were not sent."),
    }
}
