use super::*;
use display::Style;
use ipc::inference::CONVERSATION_BYTES;
use proptest::prelude::*;

const MS: u64 = 1000;

/// An assistant with a reader of its screen and of its requests.
struct Bench {
    assistant: Assistant,
    now: u64,
    /// What a person reads: one line per `Lines` line, answers between brackets.
    screen: String,
    progress: String,
    open: bool,
}

impl Bench {
    /// Greeted, with a model.
    fn ready() -> Self {
        let mut bench = Bench::away();
        bench.greet(ready());
        bench
    }

    fn away() -> Self {
        Bench::start(1)
    }

    fn start(start: u64) -> Self {
        Bench {
            assistant: Assistant::new(start),
            now: 5_000_000,
            screen: String::new(),
            progress: String::new(),
            open: false,
        }
    }

    fn greet(&mut self, state: State) {
        match self.requests().pop() {
            Some(Request::Hello { nonce }) => self.event(Event::Hello { nonce, state }),
            other => panic!("{other:?} instead of a hello"),
        }
    }

    fn ask(&mut self, text: &str) {
        self.assistant.item(Item::Prompt { id: 1, text: text.into() }, self.now);
    }

    fn command(&mut self, command: Command) {
        self.assistant.item(Item::Command(command), self.now);
    }

    fn event(&mut self, event: Event) {
        self.assistant.event(event, self.now);
    }

    fn text(&mut self, id: u64, text: &str) {
        self.event(Event::Text { id, text: text.into() });
    }

    fn done(&mut self, id: u64, finish: Finish) {
        let figures = Figures {
            prompt_tokens: 10,
            reused_tokens: 0,
            answer_tokens: 23,
            first_us: 150 * MS,
            answer_us: 578 * MS,
        };
        self.event(Event::Done { id, finish, figures });
    }

    fn answer(&mut self, text: &str) -> u64 {
        let id = self.generate().0;
        self.text(id, text);
        self.done(id, Finish::End);
        id
    }

    /// All requests that are ready to go.
    fn requests(&mut self) -> Vec<Request> {
        let mut all = Vec::new();
        while let Some(request) = self.assistant.next_request() {
            all.push(request.clone());
            self.assistant.request_sent();
        }
        all
    }

    /// The conversation that was sent, put together again as inference does it.
    fn generate(&mut self) -> (u64, Vec<(Role, String)>) {
        let requests = self.requests();
        let begin = requests.iter().position(|request| matches!(request, Request::Begin { .. })).expect("a request");
        let Request::Begin { id } = requests[begin] else { unreachable!() };
        let mut messages: Vec<(Role, String)> = Vec::new();
        for request in &requests[begin + 1..] {
            match request {
                Request::Message { id: of, role, text, continues } => {
                    assert_eq!(*of, id);
                    assert!(text.len() <= TEXT_BYTES);
                    match continues {
                        true => messages.last_mut().unwrap().1.push_str(text),
                        false => messages.push((*role, text.clone())),
                    }
                }
                Request::Generate { id: of, .. } => assert_eq!(*of, id),
                other => panic!("{other:?} within a conversation"),
            }
        }
        assert!(matches!(requests.last(), Some(Request::Generate { .. })));
        (id, messages)
    }

    /// Reads everything shown so far.
    fn shown(&mut self) -> String {
        while let Some(item) = self.assistant.next_shown() {
            match item {
                display::Item::Lines { text, .. } => {
                    self.screen.push_str(text);
                    self.screen.push('\n');
                }
                display::Item::Text { text, style } => {
                    assert_eq!(*style, Style::Plain);
                    if !self.open {
                        self.screen.push('[');
                    }
                    self.open = true;
                    self.screen.push_str(text);
                }
                display::Item::End => {
                    assert!(self.open, "an end without a block");
                    self.open = false;
                    self.screen.push_str("]\n");
                }
                display::Item::Progress { text } => self.progress = text.clone(),
                other => panic!("the assistant may not send {other:?}"),
            }
            self.assistant.shown();
        }
        core::mem::take(&mut self.screen)
    }
}

fn ready() -> State {
    State::Ready { model: Name::try_from("alpha-small").unwrap(), context_tokens: 2048 }
}

#[test]
fn an_answer_streams_and_ends_with_measured_figures() {
    let mut bench = Bench::ready();
    bench.ask("hello");
    let (id, messages) = bench.generate();
    assert_eq!(messages, [(Role::User, "hello".into())]);
    bench.now += 200 * MS;
    bench.text(id, " Hi");
    bench.text(id, " there.");
    assert_eq!(bench.shown(), "[Hi there.");
    bench.done(id, Finish::End);
    assert_eq!(bench.shown(), "]\nalpha-small · 23 tokens · 38 tok/s · first word 0.2 s\n");
}

#[test]
fn the_conversation_goes_along() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.answer("first");
    bench.ask("two");
    assert_eq!(
        bench.generate().1,
        [(Role::User, "one".into()), (Role::Assistant, "first".into()), (Role::User, "two".into())]
    );
}

#[test]
fn long_messages_travel_in_pieces() {
    let mut bench = Bench::ready();
    let prompt = "é".repeat(8000);
    bench.ask(&prompt);
    assert_eq!(bench.generate().1, [(Role::User, prompt)]);
}

#[test]
fn prompts_wait_while_an_answer_runs_and_it_is_said() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.ask("two");
    bench.ask("three");
    assert_eq!(bench.shown(), "queued, 1 before it\nqueued, 2 before it\n");
    bench.answer("first");
    assert_eq!(bench.generate().1.last().unwrap().1, "two");
}

#[test]
fn the_queue_is_bounded() {
    let mut bench = Bench::ready();
    for _ in 0..=QUEUE {
        bench.ask("x");
    }
    bench.shown();
    bench.ask("one too many");
    assert!(bench.shown().starts_with("8 prompts wait already; this one was dropped."));
}

#[test]
fn control_c_stops_the_answer_and_what_was_said_stays() {
    let mut bench = Bench::ready();
    bench.ask("one");
    let (id, _) = bench.generate();
    bench.text(id, "some ");
    bench.text(id, "words");
    assert_eq!(bench.assistant.interrupt(bench.now), Some(id));
    assert_eq!(bench.assistant.interrupt(bench.now), None);
    bench.text(id, " that were on their way");
    bench.done(id, Finish::Stopped);
    let shown = bench.shown();
    assert!(shown.starts_with("[some words]\nstopped · alpha-small · "), "{shown}");
    bench.ask("two");
    assert_eq!(bench.generate().1[1], (Role::Assistant, "some words".into()));
}

#[test]
fn control_c_with_nothing_running_does_nothing() {
    let mut bench = Bench::ready();
    assert_eq!(bench.assistant.interrupt(bench.now), None);
    assert_eq!(bench.shown(), "");
}

#[test]
fn control_c_before_the_request_left_takes_it_back() {
    let mut bench = Bench::ready();
    bench.ask("one");
    assert_eq!(bench.assistant.interrupt(bench.now), None);
    assert_eq!(bench.requests(), []);
    assert_eq!(bench.shown(), "stopped · alpha-small\n");
    bench.ask("two");
    assert_eq!(bench.generate().1, [(Role::User, "two".into())]);
}

#[test]
fn control_c_starts_the_next_in_the_queue() {
    let mut bench = Bench::ready();
    bench.ask("one");
    let (id, _) = bench.generate();
    bench.ask("two");
    assert_eq!(bench.assistant.interrupt(bench.now), Some(id));
    bench.done(id, Finish::Stopped);
    assert_eq!(bench.generate().1, [(Role::User, "two".into())]);
}

#[test]
fn a_conversation_that_does_not_fit_loses_its_oldest_turns_and_says_so() {
    let mut bench = Bench::ready();
    for number in 0..6 {
        bench.ask(&format!("{number}{}", "p".repeat(100)));
        bench.answer(&"a".repeat(100));
    }
    bench.shown();
    bench.ask("last");
    let (id, messages) = bench.generate();
    assert_eq!(messages.len(), 13);
    bench.event(Event::TooLong { id, tokens: 1800, room: 1500 });
    let (id, messages) = bench.generate();
    assert_eq!((messages.len(), &messages[0].1[..1]), (7, "3"));
    assert_eq!(bench.shown(), "");
    bench.text(id, "ok");
    assert_eq!(
        bench.shown(),
        "The conversation has outgrown the model's context of 2048 tokens: its oldest 3 turns are forgotten.\n[ok"
    );
}

#[test]
fn an_estimate_that_was_too_low_is_repeated_until_it_fits() {
    let mut bench = Bench::ready();
    for _ in 0..3 {
        bench.ask("question");
        bench.answer("answer");
    }
    bench.shown();
    bench.ask("last");
    let (id, messages) = loop {
        match bench.generate() {
            (id, messages) if messages.len() > 1 => bench.event(Event::TooLong { id, tokens: 1501, room: 1500 }),
            alone => break alone,
        }
    };
    assert_eq!(messages, [(Role::User, "last".into())]);
    bench.text(id, "ok");
    assert_eq!(
        bench.shown(),
        "The conversation has outgrown the model's context of 2048 tokens: all of its 3 turns so far are forgotten.\n[ok"
    );
}

#[test]
fn a_prompt_that_alone_does_not_fit_is_refused_with_numbers() {
    let mut bench = Bench::ready();
    bench.ask("long");
    let (id, _) = bench.generate();
    bench.ask("next");
    bench.shown();
    bench.event(Event::TooLong { id, tokens: 3000, room: 1500 });
    assert_eq!(
        bench.shown(),
        "This prompt takes 3000 tokens, and the model's context has room for 1500. Please shorten it.\n"
    );
    assert_eq!(bench.generate().1, [(Role::User, "next".into())]);
}

#[test]
fn what_one_request_cannot_carry_is_dropped_from_the_front() {
    let mut bench = Bench::ready();
    let turns = 2 * CONVERSATION_BYTES / 16000;
    for _ in 0..turns {
        bench.ask(&"p".repeat(8000));
        bench.answer(&"a".repeat(8000));
    }
    bench.ask("last");
    let (_, messages) = bench.generate();
    let bytes: usize = messages.iter().map(|message| message.1.len()).sum();
    assert!(bytes <= CONVERSATION_BYTES && bytes > CONVERSATION_BYTES - 16001, "{bytes}");
}

#[test]
fn when_inference_dies_the_answer_is_lost_and_the_conversation_kept() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.answer("first");
    bench.ask("two");
    let (id, _) = bench.generate();
    bench.text(id, "beginning");
    bench.shown();
    bench.assistant.inference_restarted(bench.now);
    assert_eq!(
        bench.shown(),
        "]\nThe inference server stopped working: the rest of this answer is lost, the conversation is kept. Please ask again.\n"
    );
    bench.event(Event::Started);
    bench.ask("three");
    bench.greet(State::Loading);
    let (id, messages) = bench.generate();
    assert_eq!(messages.len(), 5);
    bench.event(Event::State(ready()));
    bench.text(id, "works");
    assert_eq!(bench.shown(), "[works");
}

#[test]
fn a_prompt_without_a_word_of_answer_is_asked_again_once_when_inference_dies() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.generate();
    bench.shown();
    bench.assistant.inference_restarted(bench.now);
    assert_eq!(bench.shown(), format!("{}\n", words::ASKED_AGAIN));
    bench.greet(State::Loading);
    let (id, messages) = bench.generate();
    assert_eq!(messages, [(Role::User, "one".into())]);
    bench.event(Event::State(ready()));
    bench.text(id, "works");
    assert_eq!(bench.shown(), "[works");
    bench.done(id, Finish::End);
    bench.shown();

    bench.ask("two");
    for life in 1..=2 {
        bench.generate();
        bench.shown();
        bench.assistant.inference_restarted(bench.now);
        if life == 1 {
            bench.greet(State::Loading);
        }
    }
    assert!(bench.shown().starts_with("The inference server stopped working: this answer is lost"));
}

#[test]
fn when_the_engine_dies_the_next_prompt_in_the_queue_is_asked() {
    let mut bench = Bench::ready();
    bench.ask("one");
    let (id, _) = bench.generate();
    bench.ask("two");
    bench.shown();
    bench.event(Event::State(State::Loading));
    bench.event(Event::Failed { id, failure: Failure::EngineDied });
    assert_eq!(
        bench.shown(),
        "The engine that runs the model stopped working: this answer is lost, the conversation is kept. Please ask again.\n"
    );
    assert_eq!(bench.generate().1, [(Role::User, "two".into())]);
}

#[test]
fn a_prompt_before_inference_is_up_waits_for_it() {
    let mut bench = Bench::away();
    bench.ask("early");
    bench.now += 2_000 * MS;
    bench.assistant.tick(bench.now);
    bench.shown();
    assert_eq!(bench.progress, words::AWAY);
    bench.greet(State::Loading);
    bench.assistant.tick(bench.now);
    bench.shown();
    assert_eq!(bench.progress, words::LOADING);
    let (id, _) = bench.generate();
    bench.event(Event::State(ready()));
    bench.text(id, "here");
    assert_eq!(bench.shown(), "[here");
    assert_eq!(bench.progress, "");
}

#[test]
fn a_hello_to_an_earlier_start_is_not_taken_for_ours() {
    let mut bench = Bench::away();
    bench.event(Event::Hello { nonce: 7, state: ready() });
    bench.ask("early");
    assert!(matches!(bench.requests()[..], [Request::Hello { .. }]));
    assert_eq!(bench.requests(), []);
}

#[test]
fn a_restart_of_inference_during_the_greeting_is_greeted_again() {
    let mut bench = Bench::away();
    let Some(Request::Hello { nonce: first }) = bench.requests().pop() else { panic!() };
    bench.event(Event::Started);
    bench.event(Event::Hello { nonce: first, state: ready() });
    bench.ask("x");
    bench.greet(ready());
    bench.generate();
}

#[test]
fn without_a_model_a_prompt_is_answered_by_a_sentence() {
    let mut bench = Bench::away();
    bench.greet(State::NoModel);
    bench.ask("x");
    assert_eq!(bench.shown(), "No model is loaded, so nothing can answer. /model says why.\n");
    assert_eq!(bench.requests(), []);
}

#[test]
fn new_begins_a_conversation_and_forgets_the_old_one() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.answer("first");
    bench.shown();
    bench.command(Command::New);
    assert_eq!(bench.shown(), "A new conversation begins; the one before, of 1 turn, is forgotten.\n");
    assert_eq!(bench.requests(), [Request::NewConversation]);
    bench.ask("two");
    assert_eq!(bench.generate().1, [(Role::User, "two".into())]);
}

#[test]
fn new_waits_its_turn() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.command(Command::New);
    bench.ask("two");
    bench.answer("first");
    let requests = bench.requests();
    assert_eq!(requests[0], Request::NewConversation);
    assert_eq!(requests.iter().filter(|request| matches!(request, Request::Message { .. })).count(), 1);
}

#[test]
fn commands_for_inference_do_not_wait_for_an_answer() {
    let mut bench = Bench::ready();
    bench.ask("one");
    bench.generate();
    bench.command(Command::Model);
    let (name, value) = ("temperature".try_into().unwrap(), "0.2".try_into().unwrap());
    bench.command(Command::ModelSet { name, value });
    assert!(matches!(bench.requests()[..], [Request::ShowModel, Request::SetSetting { .. }]));
}

#[test]
fn commands_are_bounded_while_inference_is_away() {
    let mut bench = Bench::away();
    for _ in 0..100 {
        bench.command(Command::Model);
    }
    bench.greet(ready());
    assert!(bench.requests().len() <= COMMANDS);
    assert!(bench.shown().contains(words::COMMANDS_FULL));
}

#[test]
fn a_slow_screen_holds_the_answer_back() {
    let mut bench = Bench::ready();
    bench.ask("long");
    let (id, _) = bench.generate();
    let mut sent = String::new();
    while bench.assistant.takes_events() {
        let piece = format!("{} ", sent.len());
        bench.text(id, &piece);
        sent.push_str(&piece);
    }
    assert!(sent.len() < 64 * 1024);
    assert_eq!(bench.shown(), format!("[{sent}"));
    assert!(bench.assistant.takes_events());
}

#[test]
fn loss_on_the_way_in_is_said() {
    let mut bench = Bench::ready();
    bench.assistant.item_lost();
    assert_eq!(bench.shown(), format!("{}\n", words::ITEM_LOST));
}

#[test]
fn a_restart_of_the_assistant_is_said() {
    assert_eq!(Bench::start(2).shown(), format!("{}\n", words::RESTARTED));
    assert_eq!(Bench::start(1).shown(), "");
}

#[test]
fn an_answer_that_was_cut_says_where_and_why() {
    let mut bench = Bench::ready();
    bench.ask("x");
    let (id, _) = bench.generate();
    bench.text(id, "y");
    bench.done(id, Finish::MaxTokens { limit: 1024 });
    assert!(bench.shown().ends_with("The answer was cut at 1024 tokens; /model set max_tokens changes that.\n"));
    bench.ask("x");
    let (id, _) = bench.generate();
    bench.text(id, "y");
    bench.done(id, Finish::ContextFull);
    assert!(bench.shown().ends_with("The answer was cut: the model's context of 2048 tokens is full.\n"));
}

#[test]
fn an_empty_answer_is_said_and_not_kept() {
    let mut bench = Bench::ready();
    bench.ask("x");
    bench.answer(" \n ");
    assert!(bench.shown().starts_with(words::EMPTY_ANSWER));
    assert_eq!(bench.assistant.turns(), 0);
}

#[test]
fn a_huge_answer_is_shown_whole_and_kept_in_part() {
    let mut bench = Bench::ready();
    bench.ask("x");
    let (id, _) = bench.generate();
    let mut shown = String::new();
    for _ in 0..40 {
        bench.text(id, &"word ".repeat(200));
        shown += &bench.shown();
    }
    bench.done(id, Finish::End);
    shown += &bench.shown();
    assert_eq!(shown.matches("word word ").count(), 4000);
    assert!(shown.ends_with("Only the first 32 KiB of this answer stay in the conversation.\n"));
}

#[test]
fn a_long_prompt_shows_how_far_it_was_read() {
    let mut bench = Bench::ready();
    bench.ask("x");
    let (id, _) = bench.generate();
    bench.event(Event::Prompt { id, done: 128, total: 1800, reused: 0 });
    bench.shown();
    assert_eq!(bench.progress, "");
    bench.now += 1_100 * MS;
    bench.event(Event::Prompt { id, done: 256, total: 1800, reused: 0 });
    bench.shown();
    assert_eq!(bench.progress, "reading the conversation: 256 of 1800 tokens");
    bench.text(id, "y");
    bench.shown();
    assert_eq!(bench.progress, "");
}

#[test]
fn times_read_well() {
    let line = |us| words::figures(false, None, None, Some(us));
    assert_eq!(line(40_000), "first word 0.04 s");
    assert_eq!(line(200_000), "first word 0.2 s");
    assert_eq!(line(1_949_000), "first word 1.9 s");
    assert_eq!(line(61_000_000), "first word 61 s");
    assert_eq!(line(9_960_000), "first word 10 s");
    let speed = |tokens, us| {
        let figures = Figures { answer_tokens: tokens, answer_us: us, ..Figures::default() };
        words::figures(false, None, Some(figures), None)
    };
    assert_eq!(speed(1, 0), "1 token");
    assert_eq!(speed(11, 2_000_000), "11 tokens · 5.0 tok/s");
    assert_eq!(speed(101, 2_000_000), "101 tokens · 50 tok/s");
}

#[derive(Clone, Debug)]
enum Step {
    Ask,
    New,
    Command,
    Text,
    Done,
    TooLong,
    Failed,
    Interrupt,
    Restart,
    Greet,
    Pump,
    Show,
    Stray(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Ask),
        1 => Just(Step::New),
        1 => Just(Step::Command),
        6 => Just(Step::Text),
        3 => Just(Step::Done),
        1 => Just(Step::TooLong),
        1 => Just(Step::Failed),
        1 => Just(Step::Interrupt),
        1 => Just(Step::Restart),
        4 => Just(Step::Greet),
        6 => Just(Step::Pump),
        3 => Just(Step::Show),
        1 => any::<u64>().prop_map(Step::Stray),
    ]
}

proptest! {
    /// Whatever inference and the person do, in whatever order: blocks open and close in pairs (the bench checks
    /// that), every text shown is one that belongs to the running request, nothing grows without bound, and in the
    /// end a new prompt is answered.
    #[test]
    fn whatever_happens_the_next_prompt_is_answered(steps in prop::collection::vec(step(), 0..120)) {
        let mut bench = Bench::away();
        let mut asked: Option<u64> = None;
        let mut nonce = None;
        for step in steps {
            bench.now += 10 * MS;
            match step {
                Step::Ask => bench.ask("question"),
                Step::New => bench.command(Command::New),
                Step::Command => bench.command(Command::Model),
                Step::Interrupt => { bench.assistant.interrupt(bench.now); }
                Step::Restart => {
                    bench.assistant.inference_restarted(bench.now);
                    bench.event(Event::Started);
                    (asked, nonce) = (None, None);
                }
                Step::Greet => if let Some(nonce) = nonce.take() {
                    bench.event(Event::Hello { nonce, state: ready() });
                }
                Step::Pump => for request in bench.requests() {
                    match request {
                        Request::Hello { nonce: new } => nonce = Some(new),
                        Request::Generate { id, .. } => asked = Some(id),
                        _ => {}
                    }
                }
                Step::Show => drop(bench.shown()),
                Step::Stray(id) => bench.text(id, "never asked"),
                Step::Text => if let Some(id) = asked { bench.text(id, "word ") },
                Step::Done => if let Some(id) = asked.take() { bench.done(id, Finish::End) },
                Step::TooLong => if let Some(id) = asked.take() {
                    bench.event(Event::TooLong { id, tokens: 2000, room: 1500 });
                },
                Step::Failed => if let Some(id) = asked.take() {
                    bench.event(Event::Failed { id, failure: Failure::EngineDied });
                },
            }
        }
        // Let it come to rest: answer whatever is still asked for.
        for _ in 0..3 * QUEUE {
            for request in bench.requests() {
                match request {
                    Request::Hello { nonce: new } => nonce = Some(new),
                    Request::Generate { id, .. } => asked = Some(id),
                    _ => {}
                }
            }
            if let Some(nonce) = nonce.take() {
                bench.event(Event::Hello { nonce, state: ready() });
            }
            if let Some(id) = asked.take() {
                bench.done(id, Finish::End);
            }
        }
        prop_assert!(!bench.shown().contains("never asked"));
        bench.ask("last");
        let (id, messages) = bench.generate();
        prop_assert_eq!(&messages.last().unwrap().1, "last");
        bench.text(id, "answer");
        bench.done(id, Finish::End);
        prop_assert!(bench.shown().contains("[answer]"));
    }

    /// Text arrives on the screen byte for byte, however it was cut.
    #[test]
    fn no_text_is_lost(pieces in prop::collection::vec("\\PC{0,3000}", 0..20)) {
        let mut bench = Bench::ready();
        bench.ask("x");
        let (id, _) = bench.generate();
        let mut shown = String::new();
        for piece in &pieces {
            bench.text(id, piece);
            shown += &bench.shown();
        }
        bench.done(id, Finish::End);
        let whole = pieces.concat();
        let expected = whole.trim_start();
        shown += &bench.shown();
        if expected.is_empty() {
            prop_assert!(shown.starts_with(words::EMPTY_ANSWER));
        } else {
            let block = format!("[{expected}]\n");
            prop_assert!(shown.starts_with(&block));
        }
    }
}
