mod any_bytes;
mod keys;
mod pastes;
mod sequences;

use super::*;

fn all(bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    Input::default().feed(bytes, 1, |event| events.push(event));
    events
}

fn text(text: &str) -> Event {
    Event::Text { text: Text::try_from(text).unwrap() }
}

fn paste(text: &str, last: bool) -> Event {
    Event::Paste { text: Pasted::try_from(text).unwrap(), last }
}

const CONTROL: Modifiers = Modifiers::CONTROL;
const NONE: Modifiers = Modifiers::NONE;
