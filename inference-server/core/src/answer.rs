//! The engine's replies to the request at work: the answer or the vector, and its figures.

use crate::job::{self, Work};
use crate::{words, Inference};
use ipc::display::Style;
use ipc::inference::{Event, Failure, Figures, Finish, TEXT_BYTES, VECTOR_CHUNK};
use ipc::next_chunk;
use llama_proto::Reply;

/// Elements of a vector at most; no model comes near.
const VECTOR: u32 = 1 << 16;

impl Inference {
    /// A reply that belongs to the running job.
    pub(crate) fn work_reply(&mut self, reply: Reply, now_us: u64) {
        let Some(mut running) = self.running.take() else { return };
        let id = running.job.id;
        match (reply, &mut running.work) {
            (Reply::Templated { tokens, .. }, Work::Count) => {
                if tokens > running.room {
                    self.send(Event::TooLong { id, tokens, room: running.room });
                    return self.next(now_us);
                }
                // The rest of the text comes under the old id and concerns nobody.
                running.engine_id = self.engine_id();
                let command = self.generate(&mut running);
                self.commands.push_back(command);
            }
            (Reply::PromptProgress { done, total, reused, .. }, Work::Generate) => {
                self.send(Event::Prompt { id, done: done.min(total), total, reused: reused.min(total) });
            }
            (Reply::Text { text, .. }, Work::Generate) => {
                let mut at = 0;
                while let Some(piece) = next_chunk::<TEXT_BYTES>(&text, &mut at) {
                    self.send(Event::Text { id, text: piece.into() });
                }
            }
            (Reply::Done(done), Work::Generate) => {
                let finish = match done.reason {
                    llama_proto::Reason::EndOfText | llama_proto::Reason::StopText => Finish::End,
                    llama_proto::Reason::MaxTokens => Finish::MaxTokens { limit: running.limit },
                    llama_proto::Reason::Stopped => Finish::Stopped,
                    llama_proto::Reason::ContextFull => Finish::ContextFull,
                };
                let figures = Figures {
                    prompt_tokens: done.prompt_tokens,
                    reused_tokens: done.reused_tokens.min(done.prompt_tokens),
                    answer_tokens: done.generated_tokens,
                    first_us: done.first_token_us,
                    answer_us: done.generate_us,
                };
                self.totals.answers += 1;
                self.totals.prompt_tokens += u64::from(figures.prompt_tokens);
                self.totals.reused_tokens += u64::from(figures.reused_tokens);
                self.totals.answer_tokens += u64::from(figures.answer_tokens);
                self.deaths_working = 0;
                self.send(Event::Done { id, finish, figures });
                return self.next(now_us);
            }
            (Reply::Embedding { total, start, values, .. }, Work::Embed { next, total: expected }) => {
                let len = values.len() as u32;
                let known = *expected.get_or_insert(total);
                if total != known || start != *next || len == 0 || total > VECTOR || len > total - start.min(total) {
                    self.send(Event::Failed { id, failure: Failure::Engine });
                    return self.next(now_us);
                }
                *next += len;
                for (index, piece) in values.chunks(VECTOR_CHUNK).enumerate() {
                    let start = start + (index * VECTOR_CHUNK) as u32;
                    self.send(Event::Embedding { id, start, total, values: piece.to_vec() });
                }
                if *next == total {
                    self.deaths_working = 0;
                    self.send(Event::Embedded { id });
                    return self.next(now_us);
                }
            }
            (Reply::Error { error, detail, .. }, work) => {
                use llama_proto::Error;
                let counting = matches!(work, Work::Count);
                let figures = Figures::default();
                match error {
                    Error::Stopped => self.send(Event::Done { id, finish: Finish::Stopped, figures }),
                    Error::TooLong => {
                        let tokens = running.room.saturating_add(1);
                        self.send(Event::TooLong { id, tokens, room: running.room });
                    }
                    Error::Unsupported if !counting => {
                        self.send(Event::Failed { id, failure: Failure::Unsupported });
                    }
                    error => {
                        self.show(Style::Error, &words::engine_error(error, &detail));
                        self.send(Event::Failed { id, failure: Failure::Engine });
                    }
                }
                return self.next(now_us);
            }
            (reply, _) => log::warn!("the engine answered something else than was asked: {:?}", job::id_of(&reply)),
        }
        self.running = Some(running);
    }
}
