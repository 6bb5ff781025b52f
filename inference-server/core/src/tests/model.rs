use super::*;
use crate::words;
use llama_proto::Repack;

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
    let generate = match bench.commands().pop() {
        Some(Command::Generate(generate)) => generate,
        other => panic!("{other:?}"),
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
