//! What comes from the assistant; its call to stop something is answered in `queue`.

use crate::draft::Draft;
use crate::job::{Job, Task};
use crate::{facts, words, Engine, Inference};
use ipc::display::Style;
use ipc::inference::{Event, Failure, Request};
use llama_proto::Command;

impl Inference {
    pub fn request(&mut self, request: Request, now_us: u64) {
        match request {
            Request::Hello { nonce } => {
                self.assistant_gone();
                self.greeted = true;
                let state = self.state();
                self.send(Event::Hello { nonce, state });
            }
            // Meant for the life of this server before this one.
            _ if !self.greeted => {}
            Request::Begin { id } => self.draft = Some(Draft::new(id)),
            Request::Message { id, role, text, continues } => match &mut self.draft {
                Some(draft) if draft.id == id => draft.add(role, text, continues),
                _ => log::warn!("a message of conversation {id}, which was not begun"),
            },
            Request::Generate { id, max_tokens } => match self.draft.take() {
                Some(draft) if draft.id == id => match draft.finish() {
                    Ok(messages) => self.queue(Job { id, task: Task::Generate { messages, max_tokens } }, now_us),
                    Err(failure) => self.send(Event::Failed { id, failure }),
                },
                _ => self.send(Event::Failed { id, failure: Failure::Malformed }),
            },
            Request::Embed { id, text } => match text.len() {
                0 => self.send(Event::Failed { id, failure: Failure::Malformed }),
                1..=ipc::inference::EMBED_BYTES => self.queue(Job { id, task: Task::Embed { text } }, now_us),
                _ => {
                    let failure = Failure::TooLarge { limit: ipc::inference::EMBED_BYTES as u32 };
                    self.send(Event::Failed { id, failure });
                }
            },
            Request::NewConversation => {
                let ready = matches!(self.engine, Engine::Ready { .. });
                if ready && self.commands.back() != Some(&Command::Forget) {
                    self.commands.push_back(Command::Forget);
                }
            }
            Request::ShowModel => {
                let text = facts::describe(self);
                self.show(Style::Plain, &text);
            }
            Request::SetSetting { name, value } => match self.settings.set(&name, &value) {
                Ok(text) => self.show(Style::Plain, &text),
                Err(error) => self.show(Style::Error, &words::setting_error(&error)),
            },
        }
    }

    /// A record from the assistant made no sense.
    pub fn request_malformed(&mut self) {
        log::warn!("the assistant sent a record that is no request");
        self.draft = None;
    }

    /// The assistant died: nobody waits for its answers any more. (Its new life says hello.)
    pub fn assistant_gone(&mut self) {
        self.draft = None;
        self.waiting.clear();
        self.greeted = false;
        if let Some(running) = self.running.take() {
            self.stop_engine(running.engine_id);
        }
    }
}
