//! What the shell says, and how it hands a prompt over.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use crate::outbound::Outbound;
use ipc::display::{Item, Style, TEXT_BYTES};
use ipc::{router, CallError, Transport};

/// In a later life: what its death has cost, and that keys arrive again.
pub const NEW_LIFE: &str = "What was being typed is lost, and so is the history of lines.";

/// The key of the trusted path to root. The layout says so, and serial takes it: the shell never sees it.
pub const TRUSTED_KEY: &str = "Ctrl-T";
/// The same to gate.
pub const GATE_KEY: &str = "Ctrl-G";

/// The shell knows no mode and changes none.
pub fn mode() -> String {
    format!(
        "The mode is shown and changed by AlphaOS itself, where no other part can answer for you: press {TRUSTED_KEY}. \
         Escape leads back here."
    )
}

/// Text as records for the display: cut at line ends where that is possible.
pub fn lines(style: Style, text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut piece = String::new();
    let mut flush = |piece: &mut String| {
        if !piece.is_empty() {
            items.push(Item::Lines { style, text: core::mem::take(piece) });
        }
    };
    for line in text.lines() {
        if !piece.is_empty() && piece.len() + 1 + line.len() > TEXT_BYTES {
            flush(&mut piece);
        }
        if !piece.is_empty() {
            piece.push('\n');
        }
        let mut at = 0;
        while let Some(part) = ipc::next_chunk::<TEXT_BYTES>(line, &mut at) {
            if piece.len() + part.len() > TEXT_BYTES {
                flush(&mut piece);
            }
            piece.push_str(part);
        }
    }
    flush(&mut piece);
    items
}

/// Why a call to `server` came to nothing.
pub fn trouble(server: &str, error: CallError) -> String {
    match error {
        CallError::ServerDied => format!("{server} died while it was asked; try again."),
        CallError::Version => {
            format!("{server} speaks another version of the protocol: this image does not fit together.")
        }
        CallError::Malformed => format!("{server} and shell did not understand each other; nothing was done."),
        CallError::Refused => format!("{server} does not take this from shell."),
        CallError::TooLong => format!("This does not fit into a message to {server}."),
    }
}

/// Has router answer a prompt; what went wrong comes back as a sentence.
pub fn send_prompt<T: Transport>(router: &mut router::Client<T>, text: &str) -> Result<router::Decision, String> {
    let sentence = |error| trouble("router", error);
    // What an earlier prompt left behind when it failed.
    router.clear().map_err(sentence)?;
    let mut at = 0;
    while let Some(piece) = ipc::next_chunk::<{ router::CHUNK_BYTES }>(text, &mut at) {
        let chunk = router::Chunk::try_from(piece).unwrap_or_default();
        router.append(chunk).map_err(sentence)?.map_err(refused)?;
    }
    router.submit().map_err(sentence)?.map_err(refused)
}

/// Hands router what the person wants of the network; what went wrong comes back as a sentence. What router does with
/// it, router shows.
pub fn send_outbound<T: Transport>(router: &mut router::Client<T>, outbound: Outbound) -> Result<(), String> {
    let sentence = |error| trouble("router", error);
    match outbound {
        Outbound::Fetch { host, port, payload } => {
            // What an earlier request left behind when it failed.
            router.clear().map_err(sentence)?;
            for piece in payload.chunks(router::PIECE_BYTES) {
                let piece = router::Piece::from_slice(piece).unwrap_or_default();
                router.attach(piece).map_err(sentence)?.map_err(refused)?;
            }
            router.fetch(host, port).map_err(sentence)?.map_err(refused)
        }
        Outbound::Ping(host) => router.ping(host).map_err(sentence),
        Outbound::Net => router.net().map_err(sentence),
    }
}

fn refused(error: router::Error) -> String {
    match error {
        router::Error::TooLong { limit } => format!("router takes {limit} bytes at most; nothing was sent."),
        router::Error::Empty => "There is nothing in it but white space; nothing was sent.".into(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_keys_are_the_layouts() {
        let layout = include_str!("../../../../root-task/layout/system.toml");
        let key = |begins: &dyn Fn(&str) -> bool| {
            let table = layout.split("\n[").find(|table| begins(table) && table.contains("\nfocus_key = ")).unwrap();
            let key = table.lines().find_map(|line| line.strip_prefix("focus_key = ")).unwrap();
            key.trim_matches('"').to_owned()
        };
        assert_eq!(key(&|table| table.starts_with("root]")), super::TRUSTED_KEY.to_ascii_lowercase());
        assert_eq!(key(&|table| table.contains("\nto = \"gate\"")), super::GATE_KEY.to_ascii_lowercase());
    }
}
