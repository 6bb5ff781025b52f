use super::*;

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
