use super::*;
use ipc::inference::call::Server;
use ipc::inference::Role;
use llama_proto::{Done, Entry, Error, Level, LoadError, Reason, Repack, Template};
use proptest::prelude::*;

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

// --- the life of the model --------------------------------------------------------------------------------------

#[test]
fn a_model_is_loaded_at_start_and_shown_with_what_was_measured() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    assert_eq!(bench.commands(), []);
    bench.reply(hello());
    assert_eq!(
        bench.commands(),
        [Command::Load(Load { n_ctx: 0, n_batch: 0, threads: 0, repack: Repack::Auto, template: String::new(), spare: false })]
    );
    bench.reply(Reply::LoadProgress { permille: 500 });
    bench.reply(Reply::Loaded(facts()));
    assert_eq!(
        bench.shown(),
        "()Model: alpha-small (9.8 MB, Q8_0), ready. /help for help.\n"
    );
    let ready = State::Ready { model: "alpha-small".try_into().unwrap(), context_tokens: 1024 };
    assert_eq!(bench.events(), [Event::Started, Event::State(State::Loading), Event::State(ready)]);
}

#[test]
fn loading_shows_how_far_it_is() {
    let mut bench = Bench::start(1, &["big.gguf"]);
    bench.reply(hello());
    bench.reply(Reply::LoadProgress { permille: 455 });
    assert_eq!(bench.shown(), "(loading big.gguf: 45 %)");
}

#[test]
fn a_broken_file_gets_one_sentence_and_the_next_model_is_loaded() {
    let mut bench = Bench::start(1, &["mine.gguf", "alpha-small.gguf"]);
    bench.reply(hello());
    bench.commands();
    bench.reply(Reply::LoadFailed { reason: LoadError::Truncated, detail: "tensor 7".into() });
    assert_eq!(
        bench.shown(),
        "()mine.gguf cannot be used: the file is shorter than its header says (tensor 7). alpha-small.gguf is loaded instead.\n"
    );
    assert!(matches!(bench.commands()[..], [Command::Load(_)]));
    bench.reply(Reply::Loaded(facts()));
    assert!(bench.shown().contains("Model: alpha-small (9.8 MB, Q8_0), ready."));
    bench.request(Request::Hello { nonce: 1 });
    bench.request(Request::ShowModel);
    assert!(bench.shown().contains("not used       mine.gguf: the file is shorter than its header says (tensor 7)"));
}

#[test]
fn when_no_file_can_be_loaded_requests_fail_at_once() {
    let mut bench = Bench::start(1, &["mine.gguf"]);
    bench.request(Request::Hello { nonce: 1 });
    bench.reply(hello());
    bench.ask(5, "early");
    bench.reply(Reply::LoadFailed { reason: LoadError::NotGguf, detail: String::new() });
    assert!(bench.shown().contains(
        "mine.gguf cannot be used: the file is not a GGUF model. There is no other model, so nothing can answer."
    ));
    bench.ask(6, "late");
    let failed = |id| Event::Failed { id, failure: Failure::NoModel };
    let events = bench.events();
    assert!(events.contains(&Event::State(State::NoModel)) && events.ends_with(&[failed(5), failed(6)]), "{events:?}");
}

#[test]
fn without_any_file_it_says_so() {
    let mut bench = Bench::start(1, &[]);
    assert_eq!(bench.shown(), format!("{}\n", words::NO_FILE));
    bench.reply(hello());
    assert_eq!(bench.commands(), []);
    bench.request(Request::Hello { nonce: 3 });
    assert_eq!(bench.events().last(), Some(&Event::Hello { nonce: 3, state: State::NoModel }));
}

#[test]
fn an_engine_that_dies_twice_while_loading_condemns_the_file() {
    let mut bench = Bench::start(1, &["mine.gguf", "alpha-small.gguf"]);
    bench.reply(hello());
    bench.reply(Reply::Log { level: Level::Fatal, text: "GGML_ASSERT(x)\n failed".into() });
    bench.server.engine_restarted(bench.now);
    assert_eq!(bench.shown(), "(the engine stopped working (GGML_ASSERT(x) failed) and is started again)");
    bench.reply(hello());
    bench.commands();
    bench.server.engine_restarted(bench.now);
    assert_eq!(
        bench.shown(),
        "()mine.gguf cannot be used: the engine stopped working 2 times while loading it. alpha-small.gguf is loaded instead.\n"
    );
    assert_eq!(bench.commands(), []);
    bench.load();
    assert!(bench.shown().contains("ready"));
}

#[test]
fn an_engine_that_dies_of_every_prompt_condemns_the_file() {
    let mut bench = Bench::start(1, &["mine.gguf", "alpha-small.gguf"]);
    bench.request(Request::Hello { nonce: 1 });
    for id in 0..3 {
        bench.load();
        bench.ask(id, "x");
        bench.server.engine_restarted(bench.now);
    }
    assert!(bench.shown().contains("the engine stopped working 3 times while working with it"));
    bench.load();
    bench.ask(9, "x");
    let generate = loop {
        match bench.commands().pop() {
            Some(Command::Generate(generate)) => break generate,
            other => panic!("{other:?}"),
        }
    };
    bench.reply(done(generate.id, Reason::EndOfText));
    assert!(matches!(bench.events().last(), Some(Event::Done { id: 9, .. })));
}

#[test]
fn deaths_with_answers_between_them_condemn_nothing() {
    let mut bench = Bench::start(1, &["mine.gguf", "alpha-small.gguf"]);
    bench.request(Request::Hello { nonce: 1 });
    for id in 0..10 {
        bench.load();
        bench.ask(2 * id, "x");
        let Some(Command::Generate(generate)) = bench.commands().pop() else { panic!() };
        bench.reply(done(generate.id, Reason::EndOfText));
        bench.ask(2 * id + 1, "x");
        bench.server.engine_restarted(bench.now);
    }
    assert!(!bench.shown().contains("cannot be used"));
}

#[test]
fn a_death_while_answering_fails_the_answer_and_reloads_the_model() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    let id = bench.generating().id;
    bench.ask(6, "y");
    bench.reply(Reply::Text { id, text: "begin".into(), tokens: 1 });
    bench.events();
    bench.server.engine_restarted(bench.now);
    assert_eq!(
        bench.events(),
        [Event::State(State::Loading), Event::Failed { id: 5, failure: Failure::EngineDied }]
    );
    bench.load();
    assert!(bench.shown().ends_with("()alpha-small is ready again.\n"));
    // What waited is worked on, once.
    let commands = bench.commands();
    assert!(matches!(&commands[..], [Command::Metadata { .. }, Command::Generate(_)]), "{commands:?}");
}

#[test]
fn a_hello_without_a_restart_of_the_ring_counts_as_a_death() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    bench.generating();
    bench.reply(hello());
    assert!(bench.events().contains(&Event::Failed { id: 5, failure: Failure::EngineDied }));
    assert!(matches!(bench.commands()[..], [Command::Load(_)]));
}

#[test]
fn a_restarted_server_loads_without_a_hello_and_says_what_is_lost() {
    let mut bench = Bench::start(2, &["alpha-small.gguf"]);
    assert!(matches!(bench.commands()[..], [Command::Load(_)]));
    assert_eq!(bench.shown(), format!("{}\n", words::RESTARTED));
    // Should the engine be new too, its hello asks for the load again.
    bench.reply(hello());
    assert!(matches!(bench.commands()[..], [Command::Load(_)]));
}

#[test]
fn what_the_engine_still_computes_for_an_earlier_life_is_stopped() {
    let mut bench = Bench::start(2, &["alpha-small.gguf"]);
    bench.commands();
    bench.reply(Reply::Text { id: 77, text: "old".into(), tokens: 5 });
    bench.reply(Reply::Text { id: 77, text: "old".into(), tokens: 6 });
    assert_eq!(bench.commands(), [Command::Stop { id: 77 }]);
    assert_eq!(bench.events(), [Event::Started, Event::State(State::Loading)]);
}

#[test]
fn an_engine_of_another_version_is_refused() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    bench.reply(Reply::Hello { version: 99, threads: 1, arena_bytes: 0, model_bytes: 0 });
    assert!(bench.shown().contains("version 99"));
    assert_eq!(bench.commands(), []);
}

#[test]
fn names_out_of_a_file_cannot_disturb_the_screen() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    bench.reply(hello());
    bench.reply(Reply::Loaded(Loaded { name: "evil\x1b[2J\nname".repeat(20), ..facts() }));
    let shown = bench.shown();
    assert!(!shown.contains('\x1b') && shown.lines().count() == 1 && shown.len() < 200, "{shown}");
}

#[test]
fn a_missing_chat_template_and_an_embedding_model_are_said() {
    for (facts, note) in [
        (Loaded { template: Template::Missing, ..facts() }, "The file has no chat template"),
        (Loaded { template: Template::Unknown, ..facts() }, "The engine does not know the file's chat template"),
        (Loaded { can_generate: false, ..facts() }, "it cannot answer"),
    ] {
        let mut bench = Bench::start(1, &["x.gguf"]);
        bench.reply(hello());
        bench.reply(Reply::Loaded(facts));
        assert!(bench.shown().contains(note));
    }
}

// --- answers ----------------------------------------------------------------------------------------------------

#[test]
fn an_answer_streams_and_ends_with_figures() {
    let mut bench = Bench::ready();
    bench.ask(5, "hello");
    let generate = bench.generating();
    assert_eq!(generate.max_tokens, 1024);
    assert_eq!(
        generate.prompt,
        llama_proto::Prompt::Messages(vec![llama_proto::Message {
            role: llama_proto::Role::User,
            content: "hello".into()
        }])
    );
    bench.reply(Reply::PromptProgress { id: generate.id, done: 30, total: 30, reused: 20 });
    bench.reply(Reply::Text { id: generate.id, text: "Hi".into(), tokens: 1 });
    bench.reply(done(generate.id, Reason::EndOfText));
    let figures = Figures {
        prompt_tokens: 30,
        reused_tokens: 20,
        answer_tokens: 23,
        first_us: 150_000,
        answer_us: 578_000,
    };
    assert_eq!(
        bench.events(),
        [
            Event::Prompt { id: 5, done: 30, total: 30, reused: 20 },
            Event::Text { id: 5, text: "Hi".into() },
            Event::Done { id: 5, finish: Finish::End, figures },
        ]
    );
}

#[test]
fn requests_wait_in_order_and_too_many_are_refused() {
    let mut bench = Bench::ready();
    for id in 1..=6 {
        bench.ask(id, "x");
    }
    let mut expected: Vec<Event> = (2..=5).map(|id| Event::Queued { id, before: id as u16 - 1 }).collect();
    expected.push(Event::Failed { id: 6, failure: Failure::Busy { limit: 4 } });
    assert_eq!(bench.events(), expected);
    for id in 1..=5 {
        let engine_id = bench.generating().id;
        bench.reply(done(engine_id, Reason::EndOfText));
        assert!(matches!(bench.events()[..], [Event::Done { id: of, .. }] if of == id));
    }
}

#[test]
fn stop_reaches_the_engine_at_once() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    let id = bench.generating().id;
    assert_eq!(bench.server.stop(0, 5), Stopped::Running);
    assert_eq!(bench.commands(), [Command::Stop { id }]);
    bench.reply(done(id, Reason::Stopped));
    assert!(matches!(bench.events()[..], [Event::Done { id: 5, finish: Finish::Stopped, .. }]));
    assert_eq!(bench.server.stop(0, 5), Stopped::Unknown);
}

#[test]
fn stop_takes_back_what_the_engine_has_not_heard_of() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    bench.ask(6, "y");
    bench.events();
    assert_eq!(bench.server.stop(0, 6), Stopped::Waiting);
    assert_eq!(bench.server.stop(0, 5), Stopped::Running);
    assert_eq!(bench.commands(), []);
    let stopped = |id| Event::Done { id, finish: Finish::Stopped, figures: Figures::default() };
    assert_eq!(bench.events(), [stopped(6), stopped(5)]);
}

#[test]
fn stop_starts_the_next() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    bench.ask(6, "y");
    bench.server.stop(0, 5);
    assert_eq!(bench.generating().prompt, {
        let content = "y".into();
        llama_proto::Prompt::Messages(vec![llama_proto::Message { role: llama_proto::Role::User, content }])
    });
}

#[test]
fn a_long_conversation_is_counted_first_and_refused_with_numbers() {
    let mut bench = Bench::ready();
    bench.ask(5, &"word ".repeat(400));
    let Some(Command::ApplyTemplate { id, add_assistant: true, .. }) = bench.commands().pop() else { panic!() };
    let templated = |tokens| Reply::Templated {
        id,
        template: Template::Model,
        tokens,
        total: 2000,
        start: 0,
        text: "<|im_start|>".into(),
    };
    bench.reply(templated(900));
    assert_eq!(bench.events(), [Event::TooLong { id: 5, tokens: 900, room: 768 }]);
    // The rest of the text is passed over.
    bench.reply(templated(900));
    assert_eq!((bench.events(), bench.commands()), (vec![], vec![]));
}

#[test]
fn a_long_conversation_that_fits_is_answered() {
    let mut bench = Bench::ready();
    bench.ask(5, &"word ".repeat(400));
    let Some(Command::ApplyTemplate { id, .. }) = bench.commands().pop() else { panic!() };
    let (template, text) = (Template::Model, String::from("x"));
    bench.reply(Reply::Templated { id, template, tokens: 500, total: 1, start: 0, text });
    assert_ne!(bench.generating().id, id);
}

#[test]
fn stop_while_counting_ends_it_at_once() {
    let mut bench = Bench::ready();
    bench.ask(5, &"word ".repeat(400));
    let Some(Command::ApplyTemplate { id, .. }) = bench.commands().pop() else { panic!() };
    assert_eq!(bench.server.stop(0, 5), Stopped::Running);
    assert!(matches!(bench.events()[..], [Event::Done { id: 5, finish: Finish::Stopped, .. }]));
    let (template, text) = (Template::Model, String::from("x"));
    bench.commands();
    bench.reply(Reply::Templated { id, template, tokens: 500, total: 1, start: 0, text });
    assert_eq!((bench.events(), bench.commands()), (vec![], vec![]));
}

#[test]
fn the_room_for_a_prompt_leaves_some_for_the_answer() {
    assert_eq!(job::room(1024, 1024), 768);
    assert_eq!(job::room(1024, 100), 924);
    assert_eq!(job::room(1024, 0), 768);
    assert_eq!(job::room(0, 0), 0);
}

#[test]
fn pieces_become_one_message() {
    let mut bench = Bench::ready();
    bench.request(Request::Begin { id: 5 });
    for (role, text, continues) in [
        (Role::System, "be ", false),
        (Role::System, "kind", true),
        (Role::User, "a", false),
        (Role::Assistant, "b", false),
        (Role::User, "c", false),
        (Role::User, "d", true),
    ] {
        bench.request(Request::Message { id: 5, role, text: text.into(), continues });
    }
    bench.request(Request::Generate { id: 5, max_tokens: 7 });
    let generate = bench.generating();
    let llama_proto::Prompt::Messages(messages) = generate.prompt else { panic!() };
    let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!((texts, generate.max_tokens), (vec!["be kind", "a", "b", "cd"], 7));
}

#[test]
fn conversations_that_make_no_sense_fail_with_their_reason() {
    let mut bench = Bench::ready();
    let message =
        |id, role, text: &str, continues| Request::Message { id, role, text: text.into(), continues };
    let generate = |id| Request::Generate { id, max_tokens: 0 };
    let malformed = |id| Event::Failed { id, failure: Failure::Malformed };
    for (requests, event) in [
        (vec![generate(1)], malformed(1)),
        (vec![Request::Begin { id: 2 }, generate(2)], malformed(2)),
        (vec![Request::Begin { id: 3 }, message(3, Role::User, "x", true), generate(3)], malformed(3)),
        (vec![Request::Begin { id: 4 }, message(4, Role::Assistant, "x", false), generate(4)], malformed(4)),
        (vec![Request::Begin { id: 5 }, message(9, Role::User, "x", false), generate(5)], malformed(5)),
        (vec![Request::Begin { id: 6 }, message(6, Role::User, "x", false), generate(7)], malformed(7)),
    ] {
        for request in requests {
            bench.request(request);
        }
        assert_eq!(bench.events(), [event]);
    }
    bench.request(Request::Begin { id: 8 });
    for _ in 0..25 {
        bench.request(message(8, Role::User, &"x".repeat(4096), false));
    }
    bench.request(generate(8));
    assert_eq!(bench.events(), [Event::Failed { id: 8, failure: Failure::TooLarge { limit: 96 * 1024 } }]);
    assert_eq!(bench.commands(), []);
}

#[test]
fn requests_before_the_hello_are_of_an_earlier_life() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    bench.load();
    bench.commands();
    bench.events();
    bench.ask(5, "old");
    assert_eq!((bench.commands(), bench.events()), (vec![], vec![]));
}

#[test]
fn a_hello_drops_what_was_asked_before() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    bench.ask(6, "y");
    let id = bench.generating().id;
    bench.events();
    bench.request(Request::Hello { nonce: 2 });
    assert_eq!(bench.commands(), [Command::Stop { id }]);
    assert!(matches!(bench.events()[..], [Event::Hello { nonce: 2, .. }]));
    bench.reply(done(id, Reason::Stopped));
    assert_eq!(bench.events(), []);
    bench.ask(7, "z");
    bench.generating();
}

#[test]
fn errors_of_the_engine_are_shown_and_the_next_request_works() {
    let mut bench = Bench::ready();
    for (error, failure) in
        [(Error::Compute, Failure::Engine), (Error::OutOfMemory, Failure::Engine), (Error::Unsupported, Failure::Unsupported)]
    {
        bench.ask(5, "x");
        let id = bench.generating().id;
        bench.reply(Reply::Error { id, error, detail: "because".into() });
        assert_eq!(bench.events(), [Event::Failed { id: 5, failure }]);
    }
    assert!(bench.shown().starts_with("The engine cannot do this: the computation failed (because).\n"));
    bench.ask(6, "x");
    bench.generating();
}

#[test]
fn an_unreadable_reply_fails_the_answer_and_the_next_request_works() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    let id = bench.generating().id;
    bench.server.reply_malformed(bench.now);
    assert_eq!(bench.events(), [Event::Failed { id: 5, failure: Failure::Engine }]);
    assert_eq!(bench.commands(), [Command::Stop { id }]);
    bench.ask(6, "x");
    bench.generating();
}

#[test]
fn a_slow_assistant_holds_the_engine_back() {
    let mut bench = Bench::ready();
    bench.ask(5, "x");
    let id = bench.generating().id;
    let mut pieces = 0;
    while bench.server.has_room() {
        bench.reply(Reply::Text { id, text: "0123456789".into(), tokens: 1 });
        pieces += 1;
    }
    assert!(pieces < 2000);
    assert_eq!(bench.events().len(), pieces);
    assert!(bench.server.has_room());
}

#[test]
fn a_silent_engine_is_noticed_and_said_once() {
    let mut bench = Bench::ready();
    bench.now += 1000 * S;
    bench.server.tick(bench.now);
    assert_eq!(bench.shown(), "");
    bench.ask(5, "x");
    bench.generating();
    for _ in 0..1300 {
        bench.now += S / 10;
        bench.server.tick(bench.now);
    }
    assert_eq!(
        bench.shown(),
        "The engine has said nothing for 120 s while it works on an answer. Ctrl-C stops the answer.\n"
    );
}

// --- embeddings -------------------------------------------------------------------------------------------------

#[test]
fn a_text_is_embedded_in_pieces_of_the_protocols_size() {
    let mut bench = Bench::ready();
    bench.request(Request::Embed { id: 5, text: "a text".into() });
    let Some(Command::Embed { id, text }) = bench.commands().pop() else { panic!() };
    assert_eq!(text, "a text");
    let values: Vec<f32> = (0..1500).map(|i| i as f32).collect();
    bench.reply(Reply::Embedding { id, total: 1500, start: 0, values: values[..1024].to_vec() });
    bench.reply(Reply::Embedding { id, total: 1500, start: 1024, values: values[1024..].to_vec() });
    let mut got = Vec::new();
    let events = bench.events();
    for event in &events {
        match event {
            Event::Embedding { id: 5, start, total: 1500, values } => {
                assert_eq!(*start as usize, got.len());
                assert!(values.len() <= VECTOR_CHUNK);
                got.extend_from_slice(values);
            }
            Event::Embedded { id: 5 } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, values);
    assert_eq!(events.last(), Some(&Event::Embedded { id: 5 }));
}

#[test]
fn a_vector_that_makes_no_sense_fails() {
    for (total, start, len) in [(10, 1, 2), (10, 0, 11), (10, 0, 0), (u32::MAX, 0, 1), (10, u32::MAX, 1)] {
        let mut bench = Bench::ready();
        bench.request(Request::Embed { id: 5, text: "x".into() });
        let Some(Command::Embed { id, .. }) = bench.commands().pop() else { panic!() };
        bench.reply(Reply::Embedding { id, total, start, values: vec![0.0; len] });
        assert_eq!(bench.events(), [Event::Failed { id: 5, failure: Failure::Engine }]);
    }
}

#[test]
fn an_embedding_model_embeds_and_does_not_answer() {
    let mut bench = Bench::start(1, &["minilm.gguf"]);
    bench.reply(hello());
    bench.reply(Reply::Loaded(Loaded { can_generate: false, ..facts() }));
    bench.request(Request::Hello { nonce: 1 });
    bench.events();
    bench.commands();
    bench.ask(5, "x");
    assert_eq!(bench.events(), [Event::Failed { id: 5, failure: Failure::Unsupported }]);
    bench.request(Request::Embed { id: 6, text: "x".into() });
    assert!(matches!(bench.commands()[..], [Command::Embed { .. }]));
}

#[test]
fn texts_to_embed_have_limits() {
    let mut bench = Bench::ready();
    bench.request(Request::Embed { id: 5, text: String::new() });
    bench.request(Request::Embed { id: 6, text: "x".repeat(8 * 1024 + 1) });
    assert_eq!(
        bench.events(),
        [
            Event::Failed { id: 5, failure: Failure::Malformed },
            Event::Failed { id: 6, failure: Failure::TooLarge { limit: 8 * 1024 } },
        ]
    );
}

// --- settings and facts -----------------------------------------------------------------------------------------

#[test]
fn settings_reach_the_next_answer() {
    let mut bench = Bench::ready();
    assert_eq!(bench.set("temperature", "0.2"), "temperature is 0.2 from the next answer on.\n");
    assert_eq!(bench.set("Top-K", " 7 "), "top_k is 7 from the next answer on.\n");
    assert_eq!(bench.set("max_tokens", "50"), "max_tokens is 50 from the next answer on.\n");
    assert_eq!(bench.set("seed", "12"), "seed is 12 from the next answer on.\n");
    bench.ask(5, "x");
    let generate = bench.generating();
    let sampling = generate.sampling;
    assert_eq!((sampling.temperature, sampling.top_k, sampling.seed, generate.max_tokens), (0.2, 7, 12, 50));
    bench.reply(done(generate.id, Reason::MaxTokens));
    assert!(matches!(bench.events()[..], [Event::Done { finish: Finish::MaxTokens { limit: 50 }, .. }]));
}

#[test]
fn a_setting_goes_back_to_its_default() {
    let mut bench = Bench::ready();
    let default = Settings::default();
    for entry in &settings::ENTRIES {
        let before = default.value(entry.name);
        bench.set(entry.name, "1");
        assert_eq!(bench.set(entry.name, "default"), format!("{} is {before} from the next answer on.\n", entry.name));
    }
    assert_eq!(bench.server.settings, default);
}

#[test]
fn values_outside_the_range_are_refused_with_the_range() {
    let mut bench = Bench::ready();
    assert_eq!(bench.set("temperature", "9"), "temperature takes a number from 0 to 5; 9 is outside.\n");
    assert_eq!(bench.set("temperature", "-0.1"), "temperature takes a number from 0 to 5; -0.1 is outside.\n");
    assert_eq!(bench.set("temperature", "inf"), "temperature takes a number from 0 to 5; inf is outside.\n");
    assert_eq!(bench.set("temperature", "nan"), "temperature takes a number from 0 to 5, and `nan` is none.\n");
    assert_eq!(bench.set("temperature", "0,2"), "temperature takes a number from 0 to 5, and `0,2` is none.\n");
    assert_eq!(bench.set("top_k", "1.5"), "top_k takes a whole number from 0 to 10000, and `1.5` is none.\n");
    assert_eq!(bench.set("top_k", "-1"), "top_k takes a whole number from 0 to 10000; -1 is outside.\n");
    assert_eq!(
        bench.set("top_k", "99999999999999999999999999999999"),
        "top_k takes a whole number from 0 to 10000; 99999999999999999999999999999999 is outside.\n"
    );
    assert_eq!(bench.set("seed", "x"), "seed takes `random` or a whole number from 0 to 4294967295, and `x` is none.\n");
    assert_eq!(bench.server.settings, Settings::default());
}

#[test]
fn an_unknown_setting_suggests_the_nearest() {
    let mut bench = Bench::ready();
    let shown = bench.set("temprature", "1");
    assert!(shown.starts_with("There is no setting temprature. Did you mean temperature? There are: temperature, top_k,"));
    assert!(bench.set("quux_and_more", "1").starts_with("There is no setting quux_and_more. There are:"));
}

#[test]
fn answers_differ_unless_a_seed_is_set() {
    let mut bench = Bench::ready();
    let mut seeds = Vec::new();
    for id in 0..4 {
        bench.ask(id, "x");
        let generate = bench.generating();
        seeds.push(generate.sampling.seed);
        bench.reply(done(generate.id, Reason::EndOfText));
    }
    seeds.sort();
    seeds.dedup();
    assert_eq!(seeds.len(), 4);
}

#[test]
fn model_shows_facts_settings_and_totals() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    bench.now = 2 * S;
    bench.load();
    let Some(Command::Metadata { id }) = bench.commands().pop() else { panic!() };
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    let entries = vec![entry("general.architecture", "llama"), entry("general.license", "GPL\n2")];
    bench.reply(Reply::Metadata { id, total: 2, start: 0, entries });
    bench.request(Request::Hello { nonce: 1 });
    bench.ask(5, "x");
    let engine_id = bench.generating().id;
    bench.reply(done(engine_id, Reason::EndOfText));
    bench.shown();
    bench.request(Request::ShowModel);
    let shown = bench.shown();
    for part in [
        "alpha-small: llama, 9.2 million parameters, Q8_0, file 9.8 MB\n",
        "context        1024 tokens (trained with 1024)\n",
        "chat template  the file's own (chatml)\n",
        "memory         20.0 MB of 67.1 MB used, 30.0 MB at most: keys and values 4.0 MB, work space 2.0 MB; ",
        "ready 2.0 s after the machine's start\n",
        "temperature    0.2 ",
        "seed           random ",
        "1 answer of 23 tokens; 30 prompt tokens, 20 of them not computed again (prompt cache)\n",
        "file says      general.architecture = llama\n               general.license = GPL 2\n",
    ] {
        assert!(shown.contains(part), "{part:?} is missing in\n{shown}");
    }
}

#[test]
fn model_answers_while_loading_too() {
    let mut bench = Bench::start(1, &["big.gguf"]);
    bench.request(Request::Hello { nonce: 1 });
    bench.request(Request::ShowModel);
    assert!(bench.shown().starts_with("big.gguf (9.8 MB) is being loaded.\n"));
}

#[test]
fn a_new_conversation_makes_the_engine_forget() {
    let mut bench = Bench::ready();
    for _ in 0..1000 {
        bench.request(Request::NewConversation);
    }
    assert_eq!(bench.commands(), [Command::Forget]);
}

#[test]
fn long_texts_are_cut_between_lines() {
    let pages = |text| words::pages(text, 8).collect::<Vec<_>>();
    assert_eq!(pages("one\ntwo\nthree"), ["one\ntwo", "three"]);
    assert_eq!(pages("12345678\nx"), ["12345678", "x"]);
    assert_eq!(pages("1234567890"), ["12345678", "90"]);
    assert_eq!(pages("ééééé"), ["éééé", "é"]);
    assert_eq!(pages(""), [""; 0]);
}

#[test]
fn sizes_and_times_read_well() {
    let sizes = [0, 999, 1000, 9_812_345, 999_499, 999_500, 1_500_000_000, 123_456_789_000];
    let words: Vec<String> = sizes.iter().map(|size| words::bytes(*size)).collect();
    assert_eq!(words, ["0 B", "999 B", "1.0 kB", "9.8 MB", "999 kB", "1.0 MB", "1.5 GB", "123 GB"]);
    assert_eq!(words::bytes(u64::MAX), "18446744 TB");
    assert_eq!(words::count(9_200_000), "9.2 million");
    assert_eq!([words::seconds(0), words::seconds(404_000), words::seconds(1_960_000)], ["0.00 s", "0.40 s", "2.0 s"]);
}

// --- anything, in any order -------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    Ask { text: usize },
    Embed,
    Stop,
    Show,
    New,
    Hello,
    Set(String, String),
    EngineHello,
    EngineDies,
    Loaded,
    LoadFailed,
    Serve,
    Garbage,
    Tick,
    Reply(u32, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..3000).prop_map(|text| Step::Ask { text }),
        1 => Just(Step::Embed),
        2 => Just(Step::Stop),
        1 => Just(Step::Show),
        1 => Just(Step::New),
        1 => Just(Step::Hello),
        1 => ("[a-z_]{0,12}", "\\PC{0,8}").prop_map(|(name, value)| Step::Set(name, value)),
        2 => Just(Step::EngineHello),
        1 => Just(Step::EngineDies),
        4 => Just(Step::Loaded),
        1 => Just(Step::LoadFailed),
        10 => Just(Step::Serve),
        1 => Just(Step::Garbage),
        2 => Just(Step::Tick),
        3 => (any::<u32>(), any::<u8>()).prop_map(|(id, kind)| Step::Reply(id, kind)),
    ]
}

/// A reply of any kind with any id.
fn any_reply(id: u32, kind: u8) -> Reply {
    match kind % 8 {
        0 => Reply::Text { id, text: "stray".into(), tokens: 1 },
        1 => done(id, Reason::EndOfText),
        2 => Reply::Templated { id, template: Template::Model, tokens: id, total: 1, start: 0, text: "x".into() },
        3 => Reply::Embedding { id, total: id, start: id / 2, values: vec![1.0; 3] },
        4 => Reply::Error { id, error: Error::Compute, detail: "stray".into() },
        5 => Reply::PromptProgress { id, done: id, total: 3, reused: id },
        6 => Reply::Log { level: Level::Fatal, text: "stray".into() },
        _ => Reply::LoadProgress { permille: id as u16 },
    }
}

proptest! {
    /// Whatever both peers do: each request is closed exactly once unless a hello dropped it, and at the end a new
    /// one is answered.
    #[test]
    fn every_request_is_closed_once_and_the_next_is_answered(steps in prop::collection::vec(step(), 0..150)) {
        let mut bench = Bench::start(1, &["mine.gguf", "other.gguf", "alpha-small.gguf"]);
        bench.request(Request::Hello { nonce: 0 });
        let mut open: Vec<u64> = Vec::new();
        let mut last = 0;
        let mut engine: VecDeque<Command> = VecDeque::new();
        let mut failed_loads = 0;
        for step in steps {
            bench.now += S / 5;
            match step {
                Step::Ask { text } => {
                    last += 1;
                    open.push(last);
                    bench.ask(last, &"t".repeat(text));
                }
                Step::Embed => {
                    last += 1;
                    open.push(last);
                    bench.request(Request::Embed { id: last, text: "e".into() });
                }
                Step::Stop => { bench.server.stop(0, last); }
                Step::Show => bench.request(Request::ShowModel),
                Step::New => bench.request(Request::NewConversation),
                Step::Hello => {
                    for event in bench.events() {
                        close(&mut open, &event);
                    }
                    bench.request(Request::Hello { nonce: last });
                    open.clear();
                }
                Step::Set(name, value) => {
                    if let (Ok(name), Ok(value)) = (name.as_str().try_into(), value.as_str().try_into()) {
                        bench.request(Request::SetSetting { name, value });
                    }
                }
                Step::EngineHello => { engine.clear(); bench.reply(hello()); }
                Step::EngineDies => {
                    engine.clear();
                    bench.server.engine_restarted(bench.now);
                }
                Step::Loaded => bench.reply(Reply::Loaded(facts())),
                Step::LoadFailed => if failed_loads < 1 {
                    failed_loads += 1;
                    bench.reply(Reply::LoadFailed { reason: LoadError::Malformed, detail: "x".into() });
                },
                Step::Serve => serve(&mut bench, &mut engine),
                Step::Garbage => bench.server.reply_malformed(bench.now),
                Step::Tick => bench.server.tick(bench.now),
                Step::Reply(id, kind) => bench.reply(any_reply(id, kind)),
            }
            for event in bench.events() {
                close(&mut open, &event);
            }
            bench.shown();
        }
        bench.reply(hello());
        engine.clear();
        if matches!(bench.server.engine, Engine::NoModel) {
            return Ok(());
        }
        bench.reply(Reply::Loaded(facts()));
        for _ in 0..3 * QUEUE {
            serve(&mut bench, &mut engine);
        }
        for event in bench.events() {
            close(&mut open, &event);
        }
        prop_assert_eq!(&open, &Vec::<u64>::new());
        bench.ask(last + 1, "last");
        serve(&mut bench, &mut engine);
        let answered = matches!(bench.events().last(), Some(Event::Done { id, .. }) if *id == last + 1);
        prop_assert!(answered);
    }
}

/// An engine that does everything that it is told at once.
fn serve(bench: &mut Bench, engine: &mut VecDeque<Command>) {
    engine.extend(bench.commands());
    while let Some(command) = engine.pop_front() {
        match command {
            Command::Load(_) => bench.reply(Reply::Loaded(facts())),
            Command::Generate(generate) => {
                bench.reply(Reply::Text { id: generate.id, text: "word".into(), tokens: 1 });
                bench.reply(done(generate.id, Reason::EndOfText));
            }
            Command::ApplyTemplate { id, messages, .. } => {
                let tokens = messages.iter().map(|message| message.content.len() as u32 / 3).sum();
                bench.reply(Reply::Templated {
                    id,
                    template: Template::Model,
                    tokens,
                    total: 1,
                    start: 0,
                    text: "x".into(),
                });
            }
            Command::Embed { id, .. } => {
                bench.reply(Reply::Embedding { id, total: 2, start: 0, values: vec![0.6, 0.8] })
            }
            _ => {}
        }
        engine.extend(bench.commands());
    }
}

/// Takes a request off the list that its closing event names.
fn close(open: &mut Vec<u64>, event: &Event) {
    match event {
        Event::Done { id, .. }
        | Event::Embedded { id }
        | Event::TooLong { id, .. }
        | Event::Failed { id, .. } => {
            let at = open.iter().position(|of| of == id).unwrap_or_else(|| panic!("{id} was closed twice: {event:?}"));
            open.remove(at);
        }
        _ => {}
    }
}
