use super::*;
use proptest::prelude::*;

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
