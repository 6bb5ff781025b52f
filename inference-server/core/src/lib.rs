//! The inference server without its protection domain: the life of a model, the requests of the assistant, the
//! sampling settings, the figures.
//!
//! Two peers: the assistant (`ipc::inference`) and the engine, which is the llama program (`llama-proto`). The
//! protection domain feeds in what arrives, and carries away [`Inference::next_command`], [`Inference::next_event`]
//! and [`Inference::next_shown`] as the rings have room. While [`Inference::has_room`] is false it leaves the
//! engine's replies in their ring: a slow reader holds the engine back, and nothing is lost.
//!
//! The engine reads model files that nobody has checked. It can die at any time and say anything; what it says is
//! checked here. A file that it cannot load, or that it dies of again and again, is given up for the next candidate.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod draft;
mod facts;
mod job;
pub mod settings;
pub mod words;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use draft::Draft;
use ipc::display::{self, Style};
use ipc::inference::{Event, Failure, Figures, Finish, Name, Request, State, Stopped, TEXT_BYTES, VECTOR_CHUNK};
use ipc::next_chunk;
use job::{Job, Running, Task, Work};
use llama_proto::{Command, Load, Loaded, Reply};
use settings::Settings;

/// Requests that wait at most while one is worked on.
pub const QUEUE: usize = 4;
/// Deaths of the engine while it loads a file, or in a row without a single result, that condemn the file.
const DEATHS_LOADING: u32 = 2;
const DEATHS_WORKING: u32 = 3;
/// The engine owes something and says nothing for so long: the person is told.
const SILENCE_US: u64 = 120_000_000;
/// With more than this waiting for the assistant, nothing more is taken in.
const BACKLOG_BYTES: usize = 64 * 1024;
/// Lines that wait for the display at most; beyond, the oldest go.
const SHOWN: usize = 128;
/// Entries of a file's metadata that are kept.
const METADATA: usize = 64;
/// Elements of a vector at most; no model comes near.
const VECTOR: u32 = 1 << 16;

/// A model file that the engine can reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// File name, for people.
    pub name: String,
    pub bytes: u64,
}

/// What was done since this server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub answers: u64,
    pub prompt_tokens: u64,
    pub reused_tokens: u64,
    pub answer_tokens: u64,
    pub engine_deaths: u64,
}

pub struct Inference {
    /// In the order in which they are tried.
    candidates: Vec<Candidate>,
    /// Why each candidate before the current one was given up.
    given_up: Vec<String>,
    engine: Engine,
    /// Deaths of the engine with the current candidate: while loading, and since the last result.
    deaths_loading: u32,
    deaths_working: u32,
    /// The model was ready before, so the next time it is so again.
    was_ready: bool,
    /// The last words of a dying engine.
    last_words: Option<String>,
    heard_us: u64,
    silence_told: bool,
    settings: Settings,
    random: u64,
    last_engine_id: u32,
    metadata_id: Option<u32>,
    metadata: Vec<(String, String)>,

    greeted: bool,
    draft: Option<Draft>,
    waiting: VecDeque<Job>,
    running: Option<Running>,
    totals: Totals,

    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    event_bytes: usize,
    shown: VecDeque<display::Item>,
}

enum Engine {
    /// It has not said hello yet.
    Down,
    Loading { began_us: u64 },
    Ready { model: Box<Loaded>, ready_us: u64, took_us: u64 },
    /// Every candidate was given up.
    NoModel,
}

/// What a start of this server begins with.
pub struct Start {
    /// Counts the starts of this protection domain, from 1.
    pub start: u64,
    pub candidates: Vec<Candidate>,
    /// For seeds of answers where the person sets none.
    pub random: u64,
    pub now_us: u64,
}

impl Inference {
    pub fn new(start: Start) -> Self {
        let mut inference = Inference {
            candidates: start.candidates,
            given_up: Vec::new(),
            engine: Engine::Down,
            deaths_loading: 0,
            deaths_working: 0,
            was_ready: false,
            last_words: None,
            heard_us: start.now_us,
            silence_told: false,
            settings: Settings::default(),
            random: start.random,
            // Not the ids of the life before, whose replies may still be on their way.
            last_engine_id: (start.start as u32).wrapping_mul(1 << 20),
            metadata_id: None,
            metadata: Vec::new(),
            greeted: false,
            draft: None,
            waiting: VecDeque::new(),
            running: None,
            totals: Totals::default(),
            commands: VecDeque::new(),
            events: VecDeque::from([Event::Started]),
            event_bytes: 0,
            shown: VecDeque::new(),
        };
        if inference.candidates.is_empty() {
            inference.engine = Engine::NoModel;
            inference.show(Style::Error, words::NO_FILE);
        } else if start.start > 1 {
            // The engine said hello to the life before, and will not say it again. If it is down too, it drops this
            // command, says hello when it is up, and is sent another.
            inference.show(Style::Error, words::RESTARTED);
            inference.load(start.now_us);
        }
        inference
    }

    // --- from the assistant -------------------------------------------------------------------------------------

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

    // --- from the engine ----------------------------------------------------------------------------------------

    /// Whether requests and replies may be taken from their rings. Calls are answered always.
    pub fn has_room(&self) -> bool {
        self.event_bytes < BACKLOG_BYTES
    }

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

    // --- what goes out ------------------------------------------------------------------------------------------

    /// The next command for the engine; [`Inference::command_sent`] when it is in the ring.
    pub fn next_command(&self) -> Option<&Command> {
        self.commands.front()
    }

    pub fn command_sent(&mut self) {
        self.commands.pop_front();
    }

    pub fn next_event(&self) -> Option<&Event> {
        self.events.front()
    }

    pub fn event_sent(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.event_bytes -= event_cost(&event);
        }
    }

    pub fn next_shown(&self) -> Option<&display::Item> {
        self.shown.front()
    }

    pub fn shown(&mut self) {
        self.shown.pop_front();
    }

    fn send(&mut self, event: Event) {
        self.event_bytes += event_cost(&event);
        self.events.push_back(event);
    }

    fn show(&mut self, style: Style, text: &str) {
        for page in words::pages(text, display::TEXT_BYTES) {
            self.show_item(display::Item::Lines { style, text: page.into() });
        }
    }

    fn show_item(&mut self, item: display::Item) {
        // What nobody has seen yet need not be shown.
        if let (Some(display::Item::Progress { .. }), display::Item::Progress { .. }) = (self.shown.back(), &item) {
            self.shown.pop_back();
        }
        if self.shown.len() >= SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(item);
    }

    // --- the life of the model ----------------------------------------------------------------------------------

    fn candidate(&self) -> Option<&Candidate> {
        self.candidates.get(self.given_up.len())
    }

    fn load(&mut self, now_us: u64) {
        if self.candidate().is_none() {
            return self.no_model();
        }
        self.engine = Engine::Loading { began_us: now_us };
        // Nothing that was meant for the engine before means anything to it now.
        self.commands.clear();
        self.commands.push_back(Command::Load(Load { spare: !self.given_up.is_empty(), ..Load::default() }));
        self.send(Event::State(State::Loading));
    }

    fn loaded(&mut self, mut model: Loaded, now_us: u64) {
        let Engine::Loading { began_us } = self.engine else { return };
        model.name = facts::clean(&model.name, 48);
        if model.name.is_empty() {
            model.name = self.candidate().map_or_else(String::new, |candidate| facts::clean(&candidate.name, 48));
        }
        model.file_type = facts::clean(&model.file_type, 24);
        model.architecture = facts::clean(&model.architecture, 24);
        model.template_name = facts::clean(&model.template_name, 24);
        self.deaths_loading = 0;
        self.show_item(display::Item::Progress { text: String::new() });
        let bytes = self.candidate().map_or(0, |candidate| candidate.bytes);
        match core::mem::replace(&mut self.was_ready, true) {
            false => self.show(Style::Plain, &words::ready(&model, bytes)),
            true => self.show(Style::Dim, &words::ready_again(&model)),
        }
        if let Some(text) = words::template_note(&model) {
            self.show(Style::Dim, text);
        }
        let took_us = now_us.saturating_sub(began_us);
        self.engine = Engine::Ready { model: Box::new(model), ready_us: now_us, took_us };
        let id = self.engine_id();
        self.metadata.clear();
        self.metadata_id = Some(id);
        self.commands.push_back(Command::Metadata { id });
        let state = self.state();
        self.send(Event::State(state));
        self.next(now_us);
    }

    /// The current candidate cannot be used, for this reason: on to the next.
    fn give_up(&mut self, reason: String, now_us: u64) {
        let Some(candidate) = self.candidate() else { return };
        let text = words::given_up(&candidate.name, &reason, self.candidates.get(self.given_up.len() + 1));
        self.given_up.push(reason);
        self.deaths_loading = 0;
        self.deaths_working = 0;
        self.was_ready = false;
        self.show_item(display::Item::Progress { text: String::new() });
        self.show(Style::Error, &text);
        self.load(now_us);
    }

    fn no_model(&mut self) {
        self.engine = Engine::NoModel;
        self.send(Event::State(State::NoModel));
        let waiting = core::mem::take(&mut self.waiting);
        let running = self.running.take().map(|running| running.job);
        for job in running.into_iter().chain(waiting) {
            self.send(Event::Failed { id: job.id, failure: Failure::NoModel });
        }
    }

    /// The engine is gone, if it was there. What it was working on is lost; its next life says hello.
    fn engine_died(&mut self, now_us: u64) {
        let last_words = self.last_words.take();
        let condemned = match &self.engine {
            Engine::Down | Engine::NoModel => return,
            Engine::Loading { .. } => {
                self.deaths_loading += 1;
                self.deaths_loading >= DEATHS_LOADING
            }
            Engine::Ready { .. } if self.running.is_some() => {
                self.deaths_working += 1;
                self.deaths_working >= DEATHS_WORKING
            }
            Engine::Ready { .. } => false,
        };
        let loading = matches!(self.engine, Engine::Loading { .. });
        self.totals.engine_deaths += 1;
        self.commands.clear();
        self.metadata_id = None;
        self.engine = Engine::Down;
        self.send(Event::State(State::Loading));
        if let Some(running) = self.running.take() {
            self.send(Event::Failed { id: running.job.id, failure: Failure::EngineDied });
        }
        if condemned {
            let deaths = if loading { DEATHS_LOADING } else { DEATHS_WORKING };
            self.give_up(words::engine_died_of_it(deaths, loading, last_words.as_deref()), now_us);
            // The engine is not up yet: its hello starts the loading.
            if matches!(self.engine, Engine::Loading { .. }) {
                self.engine = Engine::Down;
                self.commands.clear();
            }
        } else {
            self.show_item(display::Item::Progress { text: words::starting_again(last_words.as_deref()) });
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

    fn state(&self) -> State {
        match &self.engine {
            Engine::Down | Engine::Loading { .. } => State::Loading,
            Engine::Ready { model, .. } => {
                State::Ready { model: name(&model.name), context_tokens: model.n_ctx }
            }
            Engine::NoModel => State::NoModel,
        }
    }

    fn heard(&mut self, now_us: u64) {
        self.heard_us = now_us;
        self.silence_told = false;
    }

    // --- work ---------------------------------------------------------------------------------------------------

    fn queue(&mut self, job: Job, now_us: u64) {
        if matches!(self.engine, Engine::NoModel) {
            return self.send(Event::Failed { id: job.id, failure: Failure::NoModel });
        }
        if self.waiting.len() >= QUEUE {
            return self.send(Event::Failed { id: job.id, failure: Failure::Busy { limit: QUEUE as u16 } });
        }
        let before = self.waiting.len() + usize::from(self.running.is_some());
        if before > 0 {
            self.send(Event::Queued { id: job.id, before: before as u16 });
        }
        self.waiting.push_back(job);
        self.next(now_us);
    }

    /// Starts the next job if the engine is free.
    fn next(&mut self, now_us: u64) {
        let Engine::Ready { model, .. } = &self.engine else { return };
        if self.running.is_some() {
            return;
        }
        let Some(job) = self.waiting.pop_front() else { return };
        let (n_ctx, can_generate) = (model.n_ctx, model.can_generate);
        self.heard(now_us);
        let engine_id = self.engine_id();
        let mut running = Running { job, engine_id, work: Work::Embed { next: 0, total: None }, room: 0, limit: 0 };
        match &mut running.job.task {
            Task::Embed { text } => {
                self.commands.push_back(Command::Embed { id: engine_id, text: core::mem::take(text) });
            }
            Task::Generate { .. } if !can_generate => {
                self.send(Event::Failed { id: running.job.id, failure: Failure::Unsupported });
                return self.next(now_us);
            }
            Task::Generate { messages, max_tokens } => {
                running.limit = if *max_tokens == 0 { self.settings.max_tokens } else { *max_tokens };
                running.room = job::room(n_ctx, running.limit);
                if job::surely_fits(messages, running.room) {
                    let command = self.generate(&mut running);
                    self.commands.push_back(command);
                } else {
                    running.work = Work::Count;
                    let messages = messages.clone();
                    self.commands.push_back(Command::ApplyTemplate { id: engine_id, messages, add_assistant: true });
                }
            }
        }
        self.running = Some(running);
    }

    /// The command that has the running job answered.
    fn generate(&mut self, running: &mut Running) -> Command {
        let seed = match self.settings.seed {
            Some(seed) => seed,
            None => self.next_random(),
        };
        running.work = Work::Generate;
        let messages = match &mut running.job.task {
            Task::Generate { messages, .. } => core::mem::take(messages),
            Task::Embed { .. } => Vec::new(),
        };
        Command::Generate(llama_proto::Generate {
            id: running.engine_id,
            prompt: llama_proto::Prompt::Messages(messages),
            max_tokens: running.limit,
            sampling: self.settings.sampling(seed),
            stop: Vec::new(),
        })
    }

    /// A reply that belongs to the running job.
    fn work_reply(&mut self, reply: Reply, now_us: u64) {
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

    /// The engine is told to end something, at once.
    fn stop_engine(&mut self, id: u32) {
        let of = |command: &Command| match command {
            Command::Generate(generate) => generate.id == id,
            Command::ApplyTemplate { id: of, .. } | Command::Embed { id: of, .. } | Command::Stop { id: of } => *of == id,
            _ => false,
        };
        // Neither what it does not know of yet, nor twice.
        if self.commands.iter().any(|command| of(command) && matches!(command, Command::Stop { .. })) {
            return;
        }
        let before = self.commands.len();
        self.commands.retain(|command| !of(command));
        if self.commands.len() == before {
            self.commands.push_front(Command::Stop { id });
        }
    }

    fn engine_id(&mut self) -> u32 {
        self.last_engine_id = self.last_engine_id.wrapping_add(1).max(1);
        self.last_engine_id
    }

    /// SplitMix64: answers differ, and that is all that is asked of it.
    fn next_random(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) as u32
    }
}

impl ipc::inference::call::Server for Inference {
    fn stop(&mut self, _caller: u64, id: u64) -> Stopped {
        let stopped = |id| Event::Done { id, finish: Finish::Stopped, figures: Figures::default() };
        if let Some(at) = self.waiting.iter().position(|job| job.id == id) {
            self.waiting.remove(at);
            self.send(stopped(id));
            return Stopped::Waiting;
        }
        let Some(running) = self.running.as_ref().filter(|running| running.job.id == id) else {
            return Stopped::Unknown;
        };
        let engine_id = running.engine_id;
        let waits_for_engine = matches!(running.work, Work::Generate | Work::Embed { .. });
        self.stop_engine(engine_id);
        let told = self.commands.iter().any(|command| *command == Command::Stop { id: engine_id });
        if waits_for_engine && told {
            // The engine closes it, with figures.
            return Stopped::Running;
        }
        // The engine has not heard of it, or is only counting: it is over at once.
        self.running = None;
        self.send(stopped(id));
        self.next(self.heard_us);
        Stopped::Running
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::new();
    for character in text.chars() {
        if name.push(character).is_err() {
            break;
        }
    }
    name
}

/// Bytes that an event counts for while it waits.
fn event_cost(event: &Event) -> usize {
    match event {
        Event::Text { text, .. } => 32 + text.len(),
        Event::Embedding { values, .. } => 32 + 4 * values.len(),
        Event::Started => 0,
        _ => 32,
    }
}

#[cfg(test)]
mod tests;
