//! A conversation on its way in, put together from pieces.

use alloc::string::String;
use alloc::vec::Vec;
use ipc::inference::{Failure, Role, CONVERSATION_BYTES, MESSAGES};
use llama_proto::Message;

pub struct Draft {
    pub id: u64,
    messages: Vec<Message>,
    bytes: usize,
    failure: Option<Failure>,
}

impl Draft {
    pub fn new(id: u64) -> Self {
        Draft { id, messages: Vec::new(), bytes: 0, failure: None }
    }

    pub fn add(&mut self, role: Role, text: String, continues: bool) {
        if self.failure.is_some() {
            return;
        }
        // The engine takes C strings; an answer may have held anything.
        let text = text.replace('\0', "\u{fffd}");
        self.bytes += text.len();
        if self.bytes > CONVERSATION_BYTES {
            return self.fail(Failure::TooLarge { limit: CONVERSATION_BYTES as u32 });
        }
        let role = engine_role(role);
        let full = self.messages.len() >= MESSAGES;
        match self.messages.last_mut() {
            Some(last) if continues && last.role == role => last.content.push_str(&text),
            _ if continues || full => self.fail(Failure::Malformed),
            _ => self.messages.push(Message { role, content: text }),
        }
    }

    /// The messages, if there is something to answer.
    pub fn finish(self) -> Result<Vec<Message>, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.messages.last().is_some_and(|last| last.role == llama_proto::Role::User) => Ok(self.messages),
            None => Err(Failure::Malformed),
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.messages = Vec::new();
    }
}

fn engine_role(role: Role) -> llama_proto::Role {
    match role {
        Role::System => llama_proto::Role::System,
        Role::User => llama_proto::Role::User,
        Role::Assistant => llama_proto::Role::Assistant,
    }
}
