//! The turns of the conversation, the oldest first. Only whole turns are ever dropped, and only from the front.

use alloc::collections::VecDeque;
use alloc::string::String;
use ipc::inference::{CONVERSATION_BYTES, MESSAGES};

pub struct Turn {
    pub prompt: String,
    pub answer: String,
}

impl Turn {
    fn bytes(&self) -> usize {
        self.prompt.len() + self.answer.len()
    }
}

#[derive(Default)]
pub struct Conversation {
    turns: VecDeque<Turn>,
    bytes: usize,
}

impl Conversation {
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter()
    }

    pub fn push(&mut self, prompt: String, answer: String) {
        let turn = Turn { prompt, answer };
        self.bytes += turn.bytes();
        self.turns.push_back(turn);
    }

    /// Returns how many turns there were.
    pub fn clear(&mut self) -> usize {
        self.bytes = 0;
        core::mem::take(&mut self.turns).len()
    }

    /// Drops what a request cannot carry beside a prompt of `prompt_bytes`; returns how many turns.
    pub fn make_room_for(&mut self, prompt_bytes: usize) -> usize {
        let mut dropped = 0;
        while self.bytes + prompt_bytes > CONVERSATION_BYTES || 2 * self.turns.len() + 1 > MESSAGES {
            match self.drop_oldest() {
                true => dropped += 1,
                false => break,
            }
        }
        dropped
    }

    /// The conversation took `tokens`, and there is room for `room`: drops at least one turn, and as many as bring it
    /// down to two thirds of the room, judged by bytes. Not just to the brim: else each of the next turns would drop
    /// one more, and with each the prompt cache loses everything behind it. Returns how many; 0 if none is left.
    pub fn shorten(&mut self, prompt_bytes: usize, tokens: u32, room: u32) -> usize {
        let whole = (self.bytes + prompt_bytes) as u64;
        let target = whole * (u64::from(room) * 2 / 3) / u64::from(tokens.max(1));
        let mut dropped = 0;
        while self.drop_oldest() {
            dropped += 1;
            if (self.bytes + prompt_bytes) as u64 <= target {
                break;
            }
        }
        dropped
    }

    fn drop_oldest(&mut self) -> bool {
        match self.turns.pop_front() {
            Some(turn) => {
                self.bytes -= turn.bytes();
                true
            }
            None => false,
        }
    }
}
