//! What cloud says, all in one place.

use crate::text::SHOWN_BYTES;
use alloc::{format, string::String, vec::Vec};
use core::{fmt::Display, net::IpAddr};
use ipc::net::{Count, Error, Reach, Status};
use ipc::CallError;

pub const STARTED_ANEW: &str = "cloud was started anew. What was being fetched is lost.";
pub const LOST: &str = "A request that gate let through did not arrive whole, and was not sent.";
pub const NET_DIED: &str = "The network server stopped working, and the connection is lost with it.";
pub const NO_SENSE: &str = "The network server said something that makes no sense; the connection was given up.";
pub const NO_WORD: &str = "The network server does not answer.";
pub const PING_STOPPED: &str = "Stopped.";

pub fn call_failed(error: CallError) -> String {
    match error {
        CallError::ServerDied => "The network server died while it was asked; try again.".into(),
        CallError::Version => {
            "The network server speaks another version of the protocol: this image does not fit together.".into()
        }
        CallError::Malformed | CallError::Refused | CallError::TooLong => {
            "The network server and cloud did not understand each other; nothing was sent.".into()
        }
    }
}

pub fn connected(address: IpAddr, port: u16) -> String {
    format!("Connected to {}.", end(address, port))
}

/// Address and port, as people write them.
fn end(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}, port {port}"),
        IpAddr::V6(address) => format!("[{address}], port {port}"),
    }
}

pub fn shown_in_part() -> String {
    format!("The first {} KiB are shown; what follows is only counted. Ctrl-C stops it.", SHOWN_BYTES / 1024)
}

pub fn progress(received: u64) -> String {
    format!("{} so far", bytes(received))
}

pub fn done(received: u64, us: u64) -> String {
    format!("That was all: {} in {}.", bytes(received), seconds(us))
}

pub fn stopped(received: u64, us: u64) -> String {
    format!("Stopped after {} in {}.", bytes(received), seconds(us))
}

pub fn silent(received: u64, silence_us: u64) -> String {
    format!("Nothing came for {}; the connection was closed after {}.", seconds(silence_us), bytes(received))
}

pub fn failed(error: Error, received: u64) -> String {
    match received {
        0 => format!("{error}"),
        _ => format!("{error} Before that came {}.", bytes(received)),
    }
}

pub fn pong(address: IpAddr, time_us: u32) -> String {
    format!("{address} answered in {}.{:02} ms.", time_us / 1000, time_us % 1000 / 10)
}

pub fn no_pong(host: &str, error: Error) -> String {
    format!("No answer from {host}: {error}")
}

pub fn status(status: &Status) -> String {
    let mut lines = Vec::new();
    let mut row = |name: &str, what: String| lines.push(format!("{name:<9} {what}"));
    let reach = match status.reach {
        Reach::LinkDown => "the link is down",
        Reach::NoAddress => "the link is up; nobody has given an address",
        Reach::Ready => "ready",
    };
    let mac = status.mac.map(|byte| format!("{byte:02x}")).join(":");
    row("network", format!("{reach}; card {mac}"));
    let address = status.ipv4.map_or("none".into(), |(address, bits)| format!("{address}/{bits}"));
    row("IPv4", format!("{address}, gateway {}", or_none(status.gateway)));
    let addresses: Vec<String> = status.ipv6.iter().map(|(address, bits)| format!("{address}/{bits}")).collect();
    row("IPv6", format!("{}, gateway {}", list(&addresses), or_none(status.gateway6)));
    row("DNS", list(&status.dns.iter().map(|address| format!("{address}")).collect::<Vec<_>>()));
    row("now", format!("{}, {}", count(status.sockets.into(), "connection"), count(status.pings.into(), "ping")));
    let moved = |moved: Count| format!("{}, {}", count(moved.frames, "frame"), bytes(moved.bytes));
    row("received", moved(status.received));
    row("sent", moved(status.sent));
    let (bad, full, malformed) = (status.bad_frames, status.full, status.malformed);
    row("dropped", format!("{bad} damaged or unknown, {full} for want of room, {malformed} records of cloud"));
    lines.join("\n")
}

fn or_none(address: Option<impl Display>) -> String {
    address.map_or("none".into(), |address| format!("{address}"))
}

fn list(entries: &[String]) -> String {
    if entries.is_empty() {
        "none".into()
    } else {
        entries.join(", ")
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn bytes(number: u64) -> String {
    match number {
        0..=9999 => count(number, "byte"),
        10_000..=9_999_999 => format!("{} KiB", number / 1024),
        _ => format!("{} MiB", number >> 20),
    }
}

fn seconds(us: u64) -> String {
    format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000)
}
