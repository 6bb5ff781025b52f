use super::*;

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
fn a_new_conversation_makes_the_engine_forget() {
    let mut bench = Bench::ready();
    for _ in 0..1000 {
        bench.request(Request::NewConversation);
    }
    assert_eq!(bench.commands(), [Command::Forget]);
}
