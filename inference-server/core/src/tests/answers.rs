use super::*;

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
fn the_room_for_a_prompt_leaves_some_for_the_answer() {
    assert_eq!(job::room(1024, 1024), 768);
    assert_eq!(job::room(1024, 100), 924);
    assert_eq!(job::room(1024, 0), 768);
    assert_eq!(job::room(0, 0), 0);
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
