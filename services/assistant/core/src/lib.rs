//! The assistant without its protection domain: one conversation, a queue of prompts, one answer at a time.
//!
//! The protection domain feeds in what arrives ([`Assistant::item`], [`Assistant::event`], [`Assistant::interrupt`],
//! [`Assistant::inference_restarted`]) and carries away what comes out ([`Assistant::next_request`],
//! [`Assistant::next_shown`]). While [`Assistant::takes_events`] is false it leaves the answer in the ring: a slow
//! screen holds the model back, and no text is lost.
//!
//! The conversation lives here and nowhere else. If this domain dies, it is lost; if another one dies, it is kept.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod conversation;
mod screen;
pub mod words;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use conversation::Conversation;
use ipc::display;
use ipc::inference::{Event, Failure, Figures, Finish, Name, Request, Role, State, TEXT_BYTES};
use ipc::next_chunk;
use ipc::prompts::{Command, Item};
use screen::Screen;

/// Prompts and commands that wait at most while an answer runs.
pub const QUEUE: usize = 8;
/// Commands to inference that wait at most for room in its ring.
const COMMANDS: usize = 16;
/// Bytes of an answer that stay in the conversation at most.
pub const ANSWER_BYTES: usize = 32 * 1024;
/// Waiting longer than this for the first word is explained on a progress line.
const PATIENCE_US: u64 = 1_000_000;

/// Two starts of the assistant never use the same id: they differ in the upper half.
const IDS_PER_START: u64 = 1 << 32;

pub struct Assistant {
    conversation: Conversation,
    waiting: VecDeque<Item>,
    current: Option<Answer>,
    engine: Engine,
    last_id: u64,
    nonce: u64,
    requests: VecDeque<Request>,
    screen: Screen,
}

/// What is known of the inference server.
enum Engine {
    /// It has not answered the hello since one of us started.
    Away,
    Loading,
    Ready { model: Name, context_tokens: u32 },
    NoModel,
}

/// The prompt that is being answered.
struct Answer {
    /// The request; a new one each time the conversation is shortened and sent again.
    id: u64,
    prompt: String,
    text: String,
    /// Text beyond [`ANSWER_BYTES`] came and is not kept.
    cut: bool,
    /// In `requests` or beyond; false while inference is away.
    sent: bool,
    stopping: bool,
    /// Inference died before the first word, and it was asked again; not twice, for it may be what inference dies of.
    repeated: bool,
    /// When its turn came, and when its first word did.
    began_us: u64,
    first_word_us: Option<u64>,
    forgotten: usize,
}

impl Assistant {
    /// `start` counts the starts of this protection domain, from 1.
    pub fn new(start: u64) -> Self {
        let mut assistant = Assistant {
            conversation: Conversation::default(),
            waiting: VecDeque::new(),
            current: None,
            engine: Engine::Away,
            last_id: start.wrapping_mul(IDS_PER_START),
            nonce: start.wrapping_mul(IDS_PER_START),
            requests: VecDeque::new(),
            screen: Screen::default(),
        };
        assistant.say_hello();
        if start > 1 {
            assistant.screen.error(words::RESTARTED);
        }
        assistant
    }

    // --- what comes in ------------------------------------------------------------------------------------------

    /// A prompt or a command from router.
    pub fn item(&mut self, item: Item, now_us: u64) {
        match item {
            Item::Command(Command::Model) => self.command(Request::ShowModel),
            Item::Command(Command::ModelSet { name, value }) => self.command(Request::SetSetting { name, value }),
            item => self.in_turn(item, now_us),
        }
    }

    /// Records from router were lost, or made no sense.
    pub fn item_lost(&mut self) {
        self.screen.error(words::ITEM_LOST);
    }

    /// Ctrl-C: the request that has to be stopped, if there is one. The protection domain calls
    /// [`ipc::inference::call::Client::stop`]; whatever comes of it, an event or a restart of inference follows.
    pub fn interrupt(&mut self, now_us: u64) -> Option<u64> {
        let answer = self.current.as_mut().filter(|answer| !answer.stopping)?;
        answer.stopping = true;
        let (id, sent) = (answer.id, answer.sent);
        let generate = |request: &Request| matches!(request, Request::Generate { id: of, .. } if *of == id);
        if sent && !self.requests.iter().any(generate) {
            return Some(id);
        }
        // Inference has not read all of it yet, so it need not know.
        self.forget_requests();
        self.finish(Finish::Stopped, None, now_us);
        None
    }

    /// Whether the next event may be taken from inference's ring.
    pub fn takes_events(&self) -> bool {
        self.screen.has_room()
    }

    pub fn event(&mut self, event: Event, now_us: u64) {
        match event {
            Event::Started => self.inference_restarted(now_us),
            Event::Hello { nonce, state } => {
                if nonce == self.nonce && matches!(self.engine, Engine::Away) {
                    self.state(state);
                    self.greeted(now_us);
                }
            }
            // Before the Hello it speaks of what was before.
            _ if matches!(self.engine, Engine::Away) => {}
            Event::State(state) => self.state(state),
            event if event.id().is_some() && event.id() == self.current.as_ref().map(|answer| answer.id) => {
                self.answer_event(event, now_us)
            }
            // Of a request that was given up.
            _ => {}
        }
    }

    /// The ring's epoch changed: inference died and was made anew.
    pub fn inference_restarted(&mut self, now_us: u64) {
        self.engine = Engine::Away;
        self.say_hello();
        self.lose_answer(now_us);
    }

    /// A record from inference made no sense.
    pub fn event_malformed(&mut self) {
        self.screen.error(words::EVENT_MALFORMED);
    }

    /// Time passes.
    pub fn tick(&mut self, now_us: u64) {
        let Some(answer) = &self.current else { return };
        if answer.first_word_us.is_none() && now_us.saturating_sub(answer.began_us) > PATIENCE_US {
            match self.engine {
                Engine::Away => self.screen.progress(words::AWAY.into()),
                Engine::Loading => self.screen.progress(words::LOADING.into()),
                Engine::Ready { .. } | Engine::NoModel => {}
            }
        }
    }

    // --- what goes out ------------------------------------------------------------------------------------------

    /// The next record for inference; [`Assistant::request_sent`] when it is in the ring.
    pub fn next_request(&self) -> Option<&Request> {
        let away = matches!(self.engine, Engine::Away);
        self.requests.front().filter(|request| !away || matches!(request, Request::Hello { .. }))
    }

    pub fn request_sent(&mut self) {
        self.requests.pop_front();
    }

    /// The next record for the display; [`Assistant::shown`] when it is in the ring.
    pub fn next_shown(&self) -> Option<&display::Item> {
        self.screen.next()
    }

    pub fn shown(&mut self) {
        self.screen.taken();
    }

    // --- the queue ----------------------------------------------------------------------------------------------

    fn in_turn(&mut self, item: Item, now_us: u64) {
        if self.current.is_none() {
            return self.begin(item, now_us);
        }
        if self.waiting.len() >= QUEUE {
            return self.screen.error(&words::queue_full(QUEUE));
        }
        self.screen.note(&match item {
            Item::Prompt { .. } => words::queued(1 + self.waiting.len()),
            Item::Command(_) => words::NEW_QUEUED.into(),
        });
        self.waiting.push_back(item);
    }

    fn begin(&mut self, item: Item, now_us: u64) {
        match item {
            Item::Prompt { text, .. } => self.ask(text, now_us),
            Item::Command(Command::New) => self.new_conversation(),
            Item::Command(_) => {}
        }
    }

    fn next_in_turn(&mut self, now_us: u64) {
        while self.current.is_none() {
            let Some(item) = self.waiting.pop_front() else { return };
            self.begin(item, now_us);
        }
    }

    fn new_conversation(&mut self) {
        let turns = self.conversation.clear();
        self.command(Request::NewConversation);
        self.screen.note(&words::new_conversation(turns));
    }

    fn command(&mut self, request: Request) {
        if self.requests.iter().filter(|request| is_command(request)).count() >= COMMANDS {
            return self.screen.error(words::COMMANDS_FULL);
        }
        self.requests.push_back(request);
    }

    // --- the answer ---------------------------------------------------------------------------------------------

    fn ask(&mut self, prompt: String, now_us: u64) {
        self.current = Some(Answer {
            id: 0,
            prompt,
            text: String::new(),
            cut: false,
            sent: false,
            stopping: false,
            repeated: false,
            began_us: now_us,
            first_word_us: None,
            forgotten: 0,
        });
        match self.engine {
            Engine::Away => {}
            Engine::Loading | Engine::Ready { .. } => self.send(),
            Engine::NoModel => self.fail(Failure::NoModel, now_us),
        }
    }

    /// Sends the conversation with the current prompt at its end.
    fn send(&mut self) {
        let Some(answer) = &mut self.current else { return };
        self.last_id += 1;
        let id = self.last_id;
        answer.id = id;
        answer.sent = true;
        answer.forgotten += self.conversation.make_room_for(answer.prompt.len());
        self.requests.push_back(Request::Begin { id });
        for turn in self.conversation.turns() {
            push_message(&mut self.requests, id, Role::User, &turn.prompt);
            push_message(&mut self.requests, id, Role::Assistant, &turn.answer);
        }
        push_message(&mut self.requests, id, Role::User, &answer.prompt);
        self.requests.push_back(Request::Generate { id, max_tokens: 0 });
    }

    fn say_hello(&mut self) {
        self.nonce += 1;
        self.requests.retain(|request| !matches!(request, Request::Hello { .. }));
        self.requests.push_front(Request::Hello { nonce: self.nonce });
    }

    /// Inference answered the hello: what waited for it can go.
    fn greeted(&mut self, now_us: u64) {
        match (&self.current, &self.engine) {
            (Some(_), Engine::NoModel) => self.fail(Failure::NoModel, now_us),
            (Some(answer), _) if !answer.sent => self.send(),
            _ => {}
        }
    }

    fn state(&mut self, state: State) {
        self.engine = match state {
            State::Loading => Engine::Loading,
            State::Ready { model, context_tokens } => {
                self.screen.progress(String::new());
                Engine::Ready { model, context_tokens }
            }
            // Requests that inference holds fail with events of their own.
            State::NoModel => Engine::NoModel,
        };
    }

    fn answer_event(&mut self, event: Event, now_us: u64) {
        match event {
            Event::Queued { .. } => {}
            Event::Prompt { done, total, .. } => {
                self.tell_forgotten();
                let late = |answer: &Answer| now_us.saturating_sub(answer.began_us) > PATIENCE_US;
                if done < total && self.current.as_ref().is_some_and(late) {
                    self.screen.progress(words::reading_prompt(done, total));
                }
            }
            Event::Text { text, .. } => self.text(&text, now_us),
            Event::Done { finish, figures, .. } => self.finish(finish, Some(figures), now_us),
            Event::TooLong { tokens, room, .. } => self.shorten(tokens, room, now_us),
            Event::Failed { failure, .. } => self.fail(failure, now_us),
            // Nothing was asked to be embedded, and the rest has no id.
            Event::Embedding { .. } | Event::Embedded { .. } | Event::Started | Event::Hello { .. } | Event::State(_) => {}
        }
    }

    fn text(&mut self, text: &str, now_us: u64) {
        self.tell_forgotten();
        let Some(answer) = &mut self.current else { return };
        if answer.stopping {
            return;
        }
        // Many models begin with a space or a line of their own.
        let text = if answer.text.is_empty() { text.trim_start() } else { text };
        if text.is_empty() {
            return;
        }
        answer.first_word_us.get_or_insert(now_us);
        if answer.text.len() + text.len() <= ANSWER_BYTES && !answer.cut {
            answer.text.push_str(text);
        } else {
            answer.cut = true;
        }
        self.screen.text(text);
    }

    /// The answer is over. Without figures it was stopped before inference began with it.
    fn finish(&mut self, finish: Finish, figures: Option<Figures>, now_us: u64) {
        self.tell_forgotten();
        let Some(answer) = self.current.take() else { return };
        self.screen.end();
        let stopped = answer.stopping || finish == Finish::Stopped;
        if answer.text.is_empty() && !stopped {
            self.screen.note(words::EMPTY_ANSWER);
        }
        let model = match &self.engine {
            Engine::Ready { model, .. } => Some(model.as_str()),
            _ => None,
        };
        let first_word_us = answer.first_word_us.map(|at| at.saturating_sub(answer.began_us));
        self.screen.note(&words::figures(stopped, model, figures, first_word_us));
        match finish {
            Finish::MaxTokens { limit } => self.screen.note(&words::cut_at(limit)),
            Finish::ContextFull => self.screen.note(&match self.engine {
                Engine::Ready { context_tokens, .. } => words::context_full(context_tokens),
                _ => words::CUT.into(),
            }),
            Finish::End | Finish::Stopped => {}
        }
        if answer.cut {
            self.screen.note(&words::kept_in_part(ANSWER_BYTES));
        }
        self.keep(answer);
        self.next_in_turn(now_us);
    }

    fn fail(&mut self, failure: Failure, now_us: u64) {
        let Some(answer) = self.current.take() else { return };
        self.screen.end();
        self.screen.error(&words::failure(failure, !answer.text.is_empty()));
        self.keep(answer);
        self.next_in_turn(now_us);
    }

    /// Inference is gone, and with it what it was working on.
    fn lose_answer(&mut self, now_us: u64) {
        if self.current.as_ref().is_some_and(|answer| answer.sent) {
            self.forget_requests();
            let stopped = self.current.as_ref().is_some_and(|answer| answer.stopping);
            match stopped {
                true => self.finish(Finish::Stopped, None, now_us),
                false => {
                    let Some(mut answer) = self.current.take() else { return };
                    if answer.text.is_empty() && !answer.repeated {
                        (answer.sent, answer.repeated) = (false, true);
                        self.current = Some(answer);
                        return self.screen.note(words::ASKED_AGAIN);
                    }
                    self.screen.end();
                    self.screen.error(&words::inference_died(!answer.text.is_empty()));
                    self.keep(answer);
                    self.next_in_turn(now_us);
                }
            }
        }
    }

    /// The conversation does not fit into the model's context: the oldest turns go.
    fn shorten(&mut self, tokens: u32, room: u32, now_us: u64) {
        let Some(answer) = &mut self.current else { return };
        if answer.stopping {
            return self.finish(Finish::Stopped, None, now_us);
        }
        if !answer.text.is_empty() {
            // It comes before the first word or not at all.
            return self.fail(Failure::Engine, now_us);
        }
        match self.conversation.shorten(answer.prompt.len(), tokens, room) {
            0 => {
                self.current = None;
                self.screen.error(&words::prompt_too_long(tokens, room));
                self.next_in_turn(now_us);
            }
            turns => {
                answer.forgotten += turns;
                self.send();
            }
        }
    }

    fn tell_forgotten(&mut self) {
        let Some(answer) = &mut self.current else { return };
        let turns = core::mem::take(&mut answer.forgotten);
        if turns > 0 {
            let context = match self.engine {
                Engine::Ready { context_tokens, .. } => Some(context_tokens),
                _ => None,
            };
            self.screen.note(&words::forgotten(turns, self.conversation.len(), context));
        }
    }

    /// What was answered belongs to the conversation, a part of an answer too; a prompt without an answer does not.
    fn keep(&mut self, answer: Answer) {
        if !answer.text.is_empty() {
            self.conversation.push(answer.prompt, answer.text);
        }
    }

    /// Takes back what belongs to the current answer and is not in the ring yet.
    fn forget_requests(&mut self) {
        self.requests.retain(is_command);
    }

    /// Turns of the conversation.
    pub fn turns(&self) -> usize {
        self.conversation.len()
    }
}

fn is_command(request: &Request) -> bool {
    matches!(
        request,
        Request::Hello { .. } | Request::NewConversation | Request::ShowModel | Request::SetSetting { .. }
    )
}

fn push_message(requests: &mut VecDeque<Request>, id: u64, role: Role, text: &str) {
    let mut at = 0;
    let mut continues = false;
    while let Some(piece) = next_chunk::<TEXT_BYTES>(text, &mut at) {
        requests.push_back(Request::Message { id, role, text: piece.into(), continues });
        continues = true;
    }
}

/// One line for the log: what is going on here.
impl core::fmt::Display for Assistant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let running = if self.current.is_some() { "an answer runs" } else { "idle" };
        f.write_str(&format!("{} turns, {running}, {} waiting", self.conversation.len(), self.waiting.len()))
    }
}

#[cfg(test)]
mod tests;
