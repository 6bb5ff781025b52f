use super::*;
use ipc::keys::{Pasted, Text, PASTE_BYTES, TEXT_BYTES as KEY_TEXT_BYTES};
use ipc::router::{self, Decision, Engine, Reason};
use ipc::{supervisor, CallError, Reply, Transport};
use proptest::prelude::*;

struct Bench {
    shell: Shell,
    transcript: Vec<String>,
    line: (String, String, usize),
    redraws: usize,
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench { shell: Shell::new(1), transcript: Vec::new(), line: Default::default(), redraws: 0 };
        bench.show();
        bench
    }

    fn show(&mut self) {
        for item in self.shell.display() {
            match item {
                Item::Lines { text, .. } => self.transcript.extend(text.lines().map(String::from)),
                Item::Edit { prompt, text, cursor } => self.line = (prompt, text, cursor as usize),
                Item::EditDone => {
                    self.transcript.push(format!("> {}", self.line.1));
                    self.line = Default::default();
                }
                Item::Redraw => self.redraws += 1,
                other => panic!("{other:?}"),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.shell.event(event);
        self.show();
    }

    fn typed(&mut self, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<KEY_TEXT_BYTES>(text, &mut at) {
            self.event(Event::Text { text: Text::try_from(piece).unwrap() });
        }
    }

    fn paste(&mut self, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<PASTE_BYTES>(text, &mut at) {
            self.event(Event::Paste { text: Pasted::try_from(piece).unwrap(), last: at == text.len() });
        }
    }

    fn key(&mut self, key: Key) {
        self.event(Event::Key { key, modifiers: Modifiers::NONE });
    }

    fn control(&mut self, c: char) {
        self.event(Event::Key { key: Key::Char(c), modifiers: Modifiers::CONTROL });
    }

    fn enter(&mut self, text: &str) -> Option<Action> {
        self.typed(text);
        self.key(Key::Enter);
        self.shell.next_action()
    }

    fn text(&self) -> &str {
        &self.line.1
    }

    fn last(&self) -> &str {
        self.transcript.last().map_or("", String::as_str)
    }
}

#[test]
fn it_begins_with_a_hint() {
    assert_eq!(Bench::new().transcript, ["/help for help."]);
}

#[test]
fn a_prompt_goes_to_the_router_and_into_the_transcript() {
    let mut b = Bench::new();
    assert_eq!(b.enter("hello there"), Some(Action::Prompt("hello there".into())));
    assert_eq!((b.last(), b.text()), ("> hello there", ""));
}

#[test]
fn commands_go_where_they_belong() {
    let mut b = Bench::new();
    assert_eq!(b.enter("/status"), Some(Action::Status));
    assert_eq!(b.enter("/caps"), Some(Action::Caps));
    assert_eq!(b.enter("/log"), Some(Action::Log));
    assert_eq!(b.enter("/quit"), Some(Action::Quit));
    assert_eq!(b.enter("/why"), Some(Action::Why));
    assert_eq!(b.enter("/new"), Some(Action::Private(Command::New)));
    assert_eq!(b.enter("/model"), Some(Action::Private(Command::Model)));
    let set = Command::ModelSet { name: "seed".try_into().unwrap(), value: "7".try_into().unwrap() };
    assert_eq!(b.enter("/model set seed 7"), Some(Action::Private(set)));
    assert_eq!(b.enter("/help"), None);
    assert!(b.transcript.iter().any(|line| line.starts_with("/caps ")));
    assert_eq!(b.enter("/sttaus"), None);
    assert_eq!(b.last(), "There is no command /sttaus. Did you mean /status?");
}

#[test]
fn an_empty_line_does_nothing() {
    let mut b = Bench::new();
    assert_eq!(b.enter("   "), None);
    assert_eq!((b.transcript.len(), b.text()), (1, ""));
}

#[test]
fn editing_keys() {
    let mut b = Bench::new();
    b.typed("hello wrld");
    b.key(Key::Left);
    b.key(Key::Left);
    b.key(Key::Left);
    b.typed("o");
    assert_eq!(b.line, ("".into(), "hello world".into(), 8));
    b.event(Event::Key { key: Key::Left, modifiers: Modifiers::CONTROL });
    assert_eq!(b.line.2, 6);
    b.control('k');
    b.control('a');
    b.control('y');
    assert_eq!(b.text(), "worldhello ");
    b.control('e');
    b.control('w');
    assert_eq!(b.text(), "");
}

#[test]
fn up_and_down() {
    let mut b = Bench::new();
    b.enter("one");
    b.enter("two");
    b.typed("dra");
    b.key(Key::Up);
    b.key(Key::Up);
    assert_eq!(b.text(), "one");
    b.key(Key::Down);
    b.key(Key::Down);
    assert_eq!(b.text(), "dra");
}

#[test]
fn search_finds_and_escape_gives_the_draft_back() {
    let mut b = Bench::new();
    b.enter("what is seL4");
    b.enter("what is alpha");
    b.typed("draft");
    b.control('r');
    b.typed("wh");
    assert_eq!(b.line, ("search ‘wh’: ".into(), "what is alpha".into(), 0));
    b.control('r');
    assert_eq!(b.text(), "what is seL4");
    b.control('r');
    assert!(b.line.0.starts_with("nothing found"));
    b.key(Key::Escape);
    assert_eq!(b.line, ("".into(), "draft".into(), 5));
    b.control('r');
    b.typed("sel");
    assert!(b.line.0.starts_with("nothing found"));
    b.key(Key::Backspace);
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), Some(Action::Prompt("what is seL4".into())));
}

#[test]
fn ctrl_c_clears_and_ctrl_l_redraws() {
    let mut b = Bench::new();
    b.typed("something");
    b.control('c');
    assert_eq!(b.text(), "");
    b.control('l');
    assert_eq!(b.redraws, 1);
    b.control('d');
    assert_eq!(b.last(), "/quit leaves.");
}

#[test]
fn tab_completes_commands_and_shows_choices() {
    let mut b = Bench::new();
    b.typed("/st");
    b.key(Key::Tab);
    assert_eq!(b.text(), "/status ");
    b.control('u');
    b.typed("/model set t");
    b.key(Key::Tab);
    assert_eq!(b.last(), "temperature  top_k  top_p");
    assert_eq!(b.text(), "/model set t");
    b.typed("e");
    b.key(Key::Tab);
    assert_eq!(b.text(), "/model set temperature ");
}

#[test]
fn a_paste_of_a_page_is_one_prompt() {
    let mut b = Bench::new();
    let page: String = (0..40).map(|i| format!("line {i} of the page\n")).collect();
    b.paste(&page);
    assert_eq!(b.text(), page);
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), Some(Action::Prompt(page.trim().into())));
}

#[test]
fn a_line_of_a_hundred_kilobytes_says_what_was_dropped_and_is_not_sent_unasked() {
    let mut b = Bench::new();
    b.typed(&"x".repeat(100_000));
    assert_eq!(b.last(), "The line is full: it holds 16384 bytes.");
    assert_eq!(b.transcript.len(), 2);
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), None);
    assert_eq!(b.transcript[2], "The line is too long: 83616 characters beyond 16384 bytes were dropped.");
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), Some(Action::Prompt("x".repeat(PROMPT_BYTES))));
}

#[test]
fn lost_keys_are_said_and_the_line_is_not_sent_unasked() {
    let mut b = Bench::new();
    b.typed("rm everything ");
    b.shell.keys_lost(5);
    b.shell.keys_lost(2);
    b.typed("here");
    assert_eq!(b.last(), "Keys were typed faster than they could be read: at least 5 are lost.");
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), None);
    assert!(b.transcript.iter().any(|line| line.contains("at least 2 are lost")));
    b.key(Key::Enter);
    assert_eq!(b.shell.next_action(), Some(Action::Prompt("rm everything here".into())));
}

#[test]
fn invalid_bytes_are_said_twice_at_most() {
    let mut b = Bench::new();
    for _ in 0..1000 {
        b.event(Event::Invalid { bytes: 3 });
        b.typed("a");
    }
    b.key(Key::Enter);
    assert_eq!(
        b.transcript[1..3],
        [
            "3 bytes that are no UTF-8 came from the keyboard and were passed over.",
            "2997 bytes that are no UTF-8 came from the keyboard and were passed over."
        ]
    );
    assert_eq!(b.transcript.len(), 4);
}

#[test]
fn after_a_restart_of_serial_the_line_is_sent_again() {
    let mut b = Bench::new();
    b.typed("half");
    assert_eq!(b.shell.display(), []);
    b.shell.serial_restarted();
    assert_eq!(b.shell.display(), [Item::Edit { prompt: "".into(), text: "half".into(), cursor: 4 }]);
}

#[test]
fn help_fits_into_records_and_its_tables_stay_whole() {
    let mut b = Bench::new();
    b.typed("/help");
    b.shell.event(Event::Key { key: Key::Enter, modifiers: Modifiers::NONE });
    let mut whole = String::new();
    for item in b.shell.display() {
        if let Item::Lines { text, .. } = item {
            assert!(text.len() <= TEXT_BYTES);
            // A record ends where a line does, else serial would break the line there.
            whole.push_str(&text);
            whole.push('\n');
        }
    }
    assert_eq!(whole.trim_end(), commands::help());
}

// --- calls --------------------------------------------------------------------------------------------------------

#[derive(Default)]
struct FakeRouter {
    prompt: String,
    submitted: Vec<String>,
    calls: usize,
    dies_at: Option<usize>,
}

impl router::Server for FakeRouter {
    fn append(&mut self, _: u64, chunk: router::Chunk) -> Result<(), router::Error> {
        self.prompt.push_str(&chunk);
        Ok(())
    }
    fn clear(&mut self, _: u64) {
        self.prompt.clear();
    }
    fn submit(&mut self, _: u64) -> Result<Decision, router::Error> {
        self.submitted.push(core::mem::take(&mut self.prompt));
        let mut reasons = heapless::Vec::new();
        reasons.push(Reason::LocalOnlyMode).unwrap();
        Ok(Decision { id: 1, engine: Engine::Local, reasons })
    }
    fn private(&mut self, _: u64, _: Command) {}
    fn why(&mut self, _: u64) {}
}

impl Transport for &mut FakeRouter {
    fn call(&mut self, version: u16, request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError> {
        self.calls += 1;
        if self.dies_at == Some(self.calls) {
            self.prompt.clear();
            return Err(CallError::ServerDied);
        }
        Ok(router::dispatch(*self, 1, version, request, reply))
    }
}

struct NoRoot;

impl Transport for NoRoot {
    fn call(&mut self, _: u16, _: &[u8], _: &mut [u8]) -> Result<Reply, CallError> {
        Err(CallError::ServerDied)
    }
}

fn perform(action: Action, router: &mut FakeRouter) -> Result<(), &'static str> {
    act(action, &mut router::Client(router), &mut supervisor::Client(NoRoot))
}

#[test]
fn a_long_prompt_arrives_whole() {
    let mut router = FakeRouter { prompt: "left over".into(), ..Default::default() };
    let text: String = "aé日😀".repeat(1200);
    assert_eq!(perform(Action::Prompt(text.clone()), &mut router), Ok(()));
    assert_eq!(router.submitted, [text]);
}

#[test]
fn a_death_on_the_way_is_one_sentence_and_nothing_is_sent_twice() {
    for dies_at in 1..=4 {
        let mut router = FakeRouter { dies_at: Some(dies_at), ..Default::default() };
        let result = perform(Action::Prompt("x".repeat(1000)), &mut router);
        assert!(result.unwrap_err().contains("died"), "{dies_at}");
        assert_eq!((router.calls, router.submitted.len()), (dies_at, 0));
    }
    assert_eq!(perform(Action::Status, &mut FakeRouter::default()), Err("Root did not answer."));
}

fn event() -> impl Strategy<Value = Event> {
    let key = prop_oneof![
        proptest::char::any().prop_map(Key::Char),
        proptest::char::range('a', 'z').prop_map(Key::Char),
        Just(Key::Enter),
        Just(Key::Tab),
        Just(Key::Backspace),
        Just(Key::Delete),
        Just(Key::Left),
        Just(Key::Right),
        Just(Key::Up),
        Just(Key::Down),
        Just(Key::Home),
        Just(Key::End),
        Just(Key::PageUp),
        Just(Key::Escape),
    ];
    let modifiers = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(control, alt, shift)| Modifiers {
        control,
        alt,
        shift,
    });
    prop_oneof![
        3 => "[a-z/ é日\u{301}👩🇩]{0,8}".prop_map(|text| Event::Text { text: Text::try_from(text.as_str()).unwrap() }),
        4 => (key, modifiers).prop_map(|(key, modifiers)| Event::Key { key, modifiers }),
        1 => ("[a-z\n\t]{0,20}", any::<bool>())
            .prop_map(|(text, last)| Event::Paste { text: Pasted::try_from(text.as_str()).unwrap(), last }),
        1 => any::<u16>().prop_map(|bytes| Event::Invalid { bytes }),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(columns, rows)| Event::Size { columns, rows }),
    ]
}

proptest! {
    #[test]
    fn any_keys_leave_a_line_that_can_be_shown(events in proptest::collection::vec(event(), 0..120)) {
        let mut b = Bench::new();
        for event in events {
            b.event(event);
            prop_assert!(b.line.1.is_char_boundary(b.line.2));
            prop_assert!(b.line.1.len() <= PROMPT_BYTES);
            while let Some(action) = b.shell.next_action() {
                if let Action::Prompt(text) = action {
                    prop_assert!(!text.trim().is_empty());
                }
            }
        }
    }
}
