//! The requests that wait and the one at work: its start, and how each is stopped.

use crate::job::{self, Job, Running, Task, Work};
use crate::{Engine, Inference};
use alloc::vec::Vec;
use ipc::inference::{Event, Failure, Figures, Finish, Stopped};
use llama_proto::Command;

/// Requests that wait at most while one is worked on.
pub const QUEUE: usize = 4;

impl Inference {
    pub(crate) fn queue(&mut self, job: Job, now_us: u64) {
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
    pub(crate) fn next(&mut self, now_us: u64) {
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
    pub(crate) fn generate(&mut self, running: &mut Running) -> Command {
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

    /// The engine is told to end something, at once.
    pub(crate) fn stop_engine(&mut self, id: u32) {
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

    pub(crate) fn engine_id(&mut self) -> u32 {
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
