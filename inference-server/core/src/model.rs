//! The life of the model: which file is loaded, and when one is given up for the next.

use crate::{facts, words, Candidate, Engine, Inference};
use alloc::boxed::Box;
use alloc::string::String;
use ipc::display::{self, Style};
use ipc::inference::{Event, Failure, Name, State};
use llama_proto::{Command, Load, Loaded};

/// Deaths of the engine while it loads a file, or in a row without a single result, that condemn the file.
const DEATHS_LOADING: u32 = 2;
const DEATHS_WORKING: u32 = 3;

impl Inference {
    pub(crate) fn candidate(&self) -> Option<&Candidate> {
        self.candidates.get(self.given_up.len())
    }

    pub(crate) fn load(&mut self, now_us: u64) {
        if self.candidate().is_none() {
            return self.no_model();
        }
        self.engine = Engine::Loading { began_us: now_us };
        // Nothing that was meant for the engine before means anything to it now.
        self.commands.clear();
        self.commands.push_back(Command::Load(Load { spare: !self.given_up.is_empty(), ..Load::default() }));
        self.send(Event::State(State::Loading));
    }

    pub(crate) fn loaded(&mut self, mut model: Loaded, now_us: u64) {
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
    pub(crate) fn give_up(&mut self, reason: String, now_us: u64) {
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

    pub(crate) fn no_model(&mut self) {
        self.engine = Engine::NoModel;
        self.send(Event::State(State::NoModel));
        let waiting = core::mem::take(&mut self.waiting);
        let running = self.running.take().map(|running| running.job);
        for job in running.into_iter().chain(waiting) {
            self.send(Event::Failed { id: job.id, failure: Failure::NoModel });
        }
    }

    /// The engine is gone, if it was there. What it was working on is lost; its next life says hello.
    pub(crate) fn engine_died(&mut self, now_us: u64) {
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

    pub(crate) fn state(&self) -> State {
        match &self.engine {
            Engine::Down | Engine::Loading { .. } => State::Loading,
            Engine::Ready { model, .. } => {
                State::Ready { model: name(&model.name), context_tokens: model.n_ctx }
            }
            Engine::NoModel => State::NoModel,
        }
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
