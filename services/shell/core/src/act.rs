//! What the person asked for, carried out by calls.

use alloc::string::String;
use ipc::router::{self, Chunk, Command, CHUNK_BYTES};
use ipc::{next_chunk, supervisor, CallError, Transport};

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// To be answered.
    Prompt(String),
    /// To the private side.
    Private(Command),
    Why,
    Status,
    Caps,
    Log,
    Quit,
}

/// Carries it out. An error is a sentence for the person; nothing is tried twice by itself.
pub fn act(
    action: Action,
    router: &mut router::Client<impl Transport>,
    root: &mut supervisor::Client<impl Transport>,
) -> Result<(), &'static str> {
    match action {
        Action::Prompt(text) => prompt(&text, router),
        Action::Private(command) => router.private(command).map_err(of_router),
        Action::Why => router.why().map_err(of_router),
        Action::Status => root.status().map_err(of_root),
        Action::Caps => root.caps().map_err(of_root),
        Action::Log => root.log().map_err(of_root),
        Action::Quit => root.quit().map_err(of_root),
    }
}

fn prompt(text: &str, router: &mut router::Client<impl Transport>) -> Result<(), &'static str> {
    // A prompt that failed half-way may have left a beginning there.
    router.clear().map_err(of_prompt)?;
    let mut at = 0;
    while let Some(piece) = next_chunk::<CHUNK_BYTES>(text, &mut at) {
        let chunk = Chunk::try_from(piece).map_err(|_| "The prompt could not be cut into pieces.")?;
        router.append(chunk).map_err(of_prompt)?.map_err(refused)?;
    }
    router.submit().map_err(of_prompt)?.map_err(refused)?;
    Ok(())
}

fn refused(error: router::Error) -> &'static str {
    match error {
        router::Error::TooLong { .. } => "The router finds the prompt too long. It was not sent.",
        router::Error::Empty => "There was nothing in the prompt to answer.",
    }
}

fn of_prompt(error: CallError) -> &'static str {
    match error {
        CallError::ServerDied => {
            "The router died before it answered. If no answer comes, Up and Enter send the prompt again."
        }
        other => of_router(other),
    }
}

fn of_router(error: CallError) -> &'static str {
    match error {
        CallError::ServerDied => "The router died before it answered. If nothing comes, ask again.",
        CallError::Version => "The router speaks another version of the protocol. It was not asked.",
        CallError::Malformed => "Router and shell did not understand each other.",
        CallError::Refused => "The router refuses the shell.",
        CallError::TooLong => "That does not fit into a message.",
    }
}

fn of_root(error: CallError) -> &'static str {
    match error {
        CallError::ServerDied => "Root did not answer.",
        CallError::Version => "Root speaks another version of the protocol. It was not asked.",
        CallError::Malformed => "Root and shell did not understand each other.",
        CallError::Refused => "Root refuses the shell.",
        CallError::TooLong => "That does not fit into a message.",
    }
}
