mod answers;
mod any_order;
mod conversations;
mod embeddings;
mod facts;
mod model;
mod queue;
mod settings;
mod words;

use super::*;
use ipc::inference::call::Server;
use ipc::inference::{Failure, Figures, Finish, Request, Role, State, Stopped};
use llama_proto::{Done, Error, Level, Load, LoadError, Reason, Reply, Template};

const S: u64 = 1_000_000;

/// A server between an assistant and an engine, both played by the test.
struct Bench {
    server: Inference,
    now: u64,
}

fn candidate(name: &str) -> Candidate {
    Candidate { name: name.into(), bytes: 9_812_345 }
}

fn hello() -> Reply {
    Reply::Hello { version: llama_proto::VERSION, threads: 2, arena_bytes: 64 << 20, model_bytes: 9_812_345 }
}

fn facts() -> Loaded {
    Loaded {
        name: "alpha-small".into(),
        architecture: "llama".into(),
        file_type: "Q8_0".into(),
        parameters: 9_200_000,
        weight_bytes: 9_500_000,
        n_ctx_train: 1024,
        n_ctx: 1024,
        n_vocab: 4096,
        n_embd: 256,
        threads: 2,
        template: Template::Model,
        template_name: "chatml".into(),
        can_generate: true,
        repacked: true,
        arena_used: 20_000_000,
        arena_peak: 30_000_000,
        arena_bytes: 64 << 20,
        kv_bytes: 4_000_000,
        compute_bytes: 2_000_000,
        load_us: 400_000,
    }
}

fn done(id: u32, reason: Reason) -> Reply {
    Reply::Done(Done {
        id,
        reason,
        prompt_tokens: 30,
        reused_tokens: 20,
        generated_tokens: 23,
        prompt_us: 100_000,
        first_token_us: 150_000,
        generate_us: 578_000,
    })
}

impl Bench {
    fn start(start: u64, candidates: &[&str]) -> Self {
        let candidates = candidates.iter().map(|name| candidate(name)).collect();
        Bench { server: Inference::new(Start { start, candidates, random: 7, now_us: S }), now: S }
    }

    /// Booted, model loaded, greeted by the assistant, all outputs read.
    fn ready() -> Self {
        let mut bench = Bench::start(1, &["alpha-small.gguf"]);
        bench.load();
        bench.request(Request::Hello { nonce: 1 });
        bench.events();
        bench.shown();
        bench.commands();
        bench
    }

    fn load(&mut self) {
        self.reply(hello());
        assert!(matches!(self.commands()[..], [Command::Load(_)]));
        self.reply(Reply::Loaded(facts()));
    }

    fn reply(&mut self, reply: Reply) {
        self.server.reply(reply, self.now);
    }

    fn request(&mut self, request: Request) {
        self.server.request(request, self.now);
    }

    fn ask(&mut self, id: u64, text: &str) {
        self.request(Request::Begin { id });
        self.request(Request::Message { id, role: Role::User, text: text.into(), continues: false });
        self.request(Request::Generate { id, max_tokens: 0 });
    }

    fn commands(&mut self) -> Vec<Command> {
        let mut all = Vec::new();
        while let Some(command) = self.server.next_command() {
            all.push(command.clone());
            self.server.command_sent();
        }
        all
    }

    fn events(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.server.next_event() {
            all.push(event.clone());
            self.server.event_sent();
        }
        assert_eq!(self.server.event_bytes, 0);
        all
    }

    /// The one command to generate that is due.
    fn generating(&mut self) -> llama_proto::Generate {
        match &self.commands()[..] {
            [Command::Generate(generate)] => generate.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn shown(&mut self) -> String {
        let mut text = String::new();
        while let Some(item) = self.server.next_shown() {
            match item {
                display::Item::Lines { text: lines, .. } => text += &format!("{lines}\n"),
                display::Item::Progress { text: line } => text += &format!("({line})"),
                other => panic!("inference may not send {other:?}"),
            }
            self.server.shown();
        }
        text
    }

    fn set(&mut self, name: &str, value: &str) -> String {
        let (name, value) = (name.try_into().unwrap(), value.try_into().unwrap());
        self.request(Request::SetSetting { name, value });
        self.shown()
    }
}
