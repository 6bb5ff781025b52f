//! What comes from the engine, and its silence.

use crate::{facts, job, words, Engine, Inference};
use alloc::string::String;
use ipc::display::{self, Style};
use ipc::inference::{Event, Failure};
use llama_proto::Reply;

/// The engine owes something and says nothing for so long: the person is told.
const SILENCE_US: u64 = 120_000_000;

/// Entries of a file's metadata that are kept.
const METADATA: usize = 64;

impl Inference {
    pub fn reply(&mut self, reply: Reply, now_us: u64) {
        self.heard(now_us);
        match reply {
            Reply::Hello { version, .. } => {
                self.engine_died(now_us);
                if version != llama_proto::VERSION {
                    self.show(Style::Error, &words::engine_version(version));
                    return self.no_model();
                }
                self.load(now_us);
            }
            Reply::LoadProgress { permille } => {
                if let Engine::Loading { .. } = self.engine {
                    let name = self.candidate().map_or("", |candidate| candidate.name.as_str());
                    let text = words::loading(name, permille);
                    self.show_item(display::Item::Progress { text });
                }
            }
            Reply::Loaded(model) => self.loaded(model, now_us),
            Reply::LoadFailed { reason, detail } => {
                if let Engine::Loading { .. } = self.engine {
                    self.give_up(words::load_failed(reason, &detail), now_us);
                }
            }
            Reply::Log { level, text } => self.engine_log(level, text),
            Reply::Metadata { id, entries, .. } if self.metadata_id == Some(id) => {
                let room = METADATA.saturating_sub(self.metadata.len());
                let entries = entries.into_iter().take(room);
                self.metadata.extend(entries.map(|entry| facts::clean_entry(&entry.key, &entry.value)));
            }
            Reply::Error { id: 0, error, detail } => log::warn!("engine: {error}: {detail}"),
            reply => match job::id_of(&reply) {
                Some(id) if self.running.as_ref().is_some_and(|running| running.engine_id == id) => {
                    self.work_reply(reply, now_us)
                }
                // What nobody waits for is stopped: an earlier life of this server may have asked for it.
                Some(id) if matches!(reply, Reply::Text { .. } | Reply::PromptProgress { .. }) => self.stop_engine(id),
                _ => {}
            },
        }
    }

    /// The replies' epoch changed: the engine died and was made anew. Its hello follows.
    pub fn engine_restarted(&mut self, now_us: u64) {
        self.heard(now_us);
        self.engine_died(now_us);
    }

    /// A record from the engine made no sense, so what it belonged to cannot be trusted any more.
    pub fn reply_malformed(&mut self, now_us: u64) {
        log::warn!("the engine sent a record that is no reply");
        if let Some(running) = self.running.take() {
            self.show(Style::Error, words::ENGINE_NONSENSE);
            self.stop_engine(running.engine_id);
            self.send(Event::Failed { id: running.job.id, failure: Failure::Engine });
            self.next(now_us);
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now_us: u64) {
        let owes = matches!(self.engine, Engine::Down | Engine::Loading { .. }) || self.running.is_some();
        if !owes || !self.has_room() {
            self.heard(now_us);
        } else if now_us.saturating_sub(self.heard_us) > SILENCE_US && !self.silence_told {
            self.silence_told = true;
            self.show(Style::Error, &words::silence(SILENCE_US / 1_000_000, self.running.is_some()));
        }
    }

    fn engine_log(&mut self, level: llama_proto::Level, text: String) {
        use llama_proto::Level::*;
        match level {
            Debug => log::debug!("engine: {text}"),
            Info => log::info!("engine: {text}"),
            Warn => log::warn!("engine: {text}"),
            Error => log::error!("engine: {text}"),
            Fatal => {
                log::error!("engine, its last words: {text}");
                self.last_words = Some(facts::clean(&text, 200));
            }
        }
    }

    pub(crate) fn heard(&mut self, now_us: u64) {
        self.heard_us = now_us;
        self.silence_told = false;
    }
}
