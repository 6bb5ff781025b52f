use crate::*;
use ipc::display::{Item, Style};
use ipc::keys::{Event, Key, Modifiers};
use ipc::prompts::{Command, PROMPT_BYTES};
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

/// Someone who types, and what comes of it.
#[derive(Default)]
struct Desk {
    shell: Shell,
    actions: Vec<Action>,
}

impl Desk {
    fn event(&mut self, event: Event) -> &mut Self {
        self.actions.extend(self.shell.event(event));
        self
    }

    fn press(&mut self, key: Key) -> &mut Self {
        self.event(Event::Key { key, modifiers: Modifiers::NONE })
    }

    fn control(&mut self, c: char) -> &mut Self {
        self.event(Event::Key { key: Key::Char(c), modifiers: Modifiers::CONTROL })
    }

    fn alt(&mut self, key: Key) -> &mut Self {
        self.event(Event::Key { key, modifiers: Modifiers::ALT })
    }

    fn write(&mut self, text: &str) -> &mut Self {
        let mut at = 0;
        while let Some(piece) = ipc::next_chunk::<{ ipc::keys::TEXT_BYTES }>(text, &mut at) {
            self.event(Event::Text { text: piece.try_into().unwrap() });
        }
        self
    }

    fn paste(&mut self, text: &str) -> &mut Self {
        let mut at = 0;
        while let Some(piece) = ipc::next_chunk::<{ ipc::keys::PASTE_BYTES }>(text, &mut at) {
            self.event(Event::Paste { text: piece.try_into().unwrap(), last: at == text.len() });
        }
        self
    }

    fn enter(&mut self, line: &str) -> Vec<Action> {
        self.write(line).press(Key::Enter).take()
    }

    fn take(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }

    /// The line with `|` for the cursor.
    fn line(&self) -> String {
        let (left, right) = self.shell.editor().text().split_at(self.shell.editor().cursor());
        [left, "|", right].concat()
    }
}

fn errors(actions: &[Action]) -> String {
    let sentences = actions.iter().filter_map(|action| match action {
        Action::Show(Item::Lines { style: Style::Error, text }) => Some(text.as_str()),
        _ => None,
    });
    sentences.collect()
}

fn edits(items: &[Item]) -> Vec<(&str, &str, u32)> {
    let edits = items.iter().filter_map(|item| match item {
        Item::Edit { prompt, text, cursor } => Some((prompt.as_str(), text.as_str(), *cursor)),
        _ => None,
    });
    edits.collect()
}

fn notices(items: &[Item]) -> Vec<&str> {
    let notices = items.iter().filter_map(|item| match item {
        Item::Progress { text } => Some(text.as_str()),
        _ => None,
    });
    notices.collect()
}

#[test]
fn the_first_thing_shown_is_the_line() {
    let mut desk = Desk::default();
    assert_eq!(desk.shell.refresh(), [Item::Edit { prompt: PROMPT.into(), text: "".into(), cursor: 0 }]);
    assert_eq!(desk.shell.refresh(), []);
}

#[test]
fn a_line_becomes_part_of_the_transcript_and_goes_to_router() {
    let mut desk = Desk::default();
    let shown = Item::Edit { prompt: PROMPT.into(), text: "hello there".into(), cursor: 11 };
    let expected = [Action::Show(shown), Action::Show(Item::EditDone), Action::Prompt("hello there".into())];
    assert_eq!(desk.enter("hello there  "), expected);
    assert_eq!(edits(&desk.shell.refresh()), [(PROMPT, "", 0)]);
}

#[test]
fn an_empty_line_does_nothing() {
    let mut desk = Desk::default();
    desk.shell.refresh();
    assert_eq!(desk.enter(""), []);
    assert_eq!(desk.shell.refresh(), []);
    assert_eq!(desk.enter("   "), []);
    assert_eq!(desk.line(), "|");
}

#[test]
fn commands_become_actions() {
    for (line, action) in [
        ("/status", Action::Status),
        ("/caps ", Action::Caps),
        ("/why", Action::Why),
        ("/log", Action::Log),
        ("/quit", Action::Quit),
        ("/new", Action::Private(Command::New)),
        ("/net", Action::Outbound(Outbound::Net)),
        ("/ping h", Action::Outbound(Outbound::Ping("h".try_into().unwrap()))),
        ("/model", Action::Private(Command::Model)),
    ] {
        assert_eq!(Desk::default().enter(line)[2..], [action]);
    }
    assert!(errors(&Desk::default().enter("/stauts")).contains("/status"));
    let [Action::Show(Item::Lines { text, .. })] = &Desk::default().enter("/mode")[2..] else { panic!() };
    assert!(text.contains("press Ctrl-T"), "{text}");
    for action in Desk::default().enter("/help") {
        let Action::Show(item) = action else { panic!("{action:?}") };
        assert!(!matches!(item, Item::Lines { text, .. } if text.len() > ipc::display::TEXT_BYTES));
    }
}

#[test]
fn keys_move_the_cursor() {
    let mut desk = Desk::default();
    assert_eq!(desk.write("one two three").press(Key::Left).line(), "one two thre|e");
    assert_eq!(desk.alt(Key::Left).line(), "one two |three");
    assert_eq!(desk.alt(Key::Char('b')).line(), "one |two three");
    assert_eq!(desk.alt(Key::Char('f')).line(), "one two| three");
    assert_eq!(desk.control('a').press(Key::Right).line(), "o|ne two three");
    assert_eq!(desk.press(Key::Home).press(Key::Left).line(), "|one two three");
    assert_eq!(desk.control('e').press(Key::Right).line(), "one two three|");
    assert_eq!(desk.control('b').control('b').control('f').line(), "one two thre|e");
}

#[test]
fn keys_delete() {
    let mut desk = Desk::default();
    assert_eq!(desk.write("one two three").press(Key::Backspace).line(), "one two thre|");
    assert_eq!(desk.control('w').line(), "one two |");
    assert_eq!(desk.press(Key::Home).press(Key::Delete).line(), "|ne two ");
    assert_eq!(desk.press(Key::Right).control('k').line(), "n|");
    assert_eq!(desk.control('y').control('y').line(), "ne two e two |");
    assert_eq!(desk.control('u').line(), "|");
    assert_eq!(desk.control('d').press(Key::Backspace).control('y').line(), "ne two e two |");
    assert_eq!(desk.press(Key::Home).alt(Key::Char('d')).alt(Key::Char('d')).line(), "| e two ");
    assert_eq!(desk.control('y').line(), "ne two| e two ");
    assert_eq!(desk.alt(Key::Backspace).line(), "ne | e two ");
    assert_eq!(desk.control('c').line(), "|");
}

#[test]
fn what_a_person_sees_as_one_character_is_one() {
    let mut desk = Desk::default();
    desk.write("a👩‍👩‍👧🇩🇪e\u{301}");
    assert_eq!(desk.press(Key::Left).line(), "a👩‍👩‍👧🇩🇪|e\u{301}");
    assert_eq!(desk.press(Key::Backspace).line(), "a👩‍👩‍👧|e\u{301}");
    assert_eq!(desk.press(Key::Backspace).line(), "a|e\u{301}");
    // The letter joins the accent behind it.
    assert_eq!(desk.press(Key::Delete).write("\u{301}").line(), "a\u{301}|");
}

#[test]
fn history_keeps_the_draft() {
    let mut desk = Desk::default();
    desk.enter("/help");
    desk.enter("/why");
    assert_eq!(desk.write("half").press(Key::Up).line(), "/why|");
    assert_eq!(desk.control('p').control('p').line(), "/help|");
    assert_eq!(desk.press(Key::Down).control('n').control('n').line(), "half|");
    desk.press(Key::Up).control('c').press(Key::Down);
    assert_eq!(desk.line(), "|");
}

#[test]
fn a_search_shows_what_it_looks_for_and_where() {
    let mut desk = Desk::default();
    for line in ["help me", "/help", "/why"] {
        desk.enter(line);
    }
    desk.write("half").control('r').write("he");
    assert_eq!(edits(&desk.shell.refresh()), [("search \"he\": ", "/help", 1)]);
    desk.control('r');
    assert_eq!(edits(&desk.shell.refresh()), [("search \"he\": ", "help me", 0)]);
    desk.write("x");
    assert_eq!(edits(&desk.shell.refresh()), [("not found \"hex\": ", "help me", 0)]);
    desk.press(Key::Backspace).press(Key::End);
    assert_eq!(edits(&desk.shell.refresh()), [(PROMPT, "/help", 5)]);
    // Escape brings back what was there, Enter sends what was found.
    assert_eq!(desk.control('r').write("wh").press(Key::Escape).line(), "/help|");
    assert_eq!(desk.control('r').write("wh").press(Key::Enter).take()[2..], [Action::Why]);
    assert_eq!(desk.control('r').control('r').press(Key::Backspace).control('c').line(), "|");
}

#[test]
fn tab_completes_and_lists() {
    let mut desk = Desk::default();
    desk.shell.refresh();
    assert_eq!(desk.write("/st").press(Key::Tab).line(), "/status|");
    assert_eq!(desk.control('u').write("/mo").press(Key::Tab).line(), "/mode|");
    assert_eq!(notices(&desk.shell.refresh()), ["/model  /mode"]);
    assert_eq!(desk.control('u').write("/model set rep").press(Key::Tab).line(), "/model set repeat_|");
    assert_eq!(notices(&desk.shell.refresh()), ["repeat_penalty  repeat_last"]);
    assert_eq!(desk.write("l").press(Key::Tab).line(), "/model set repeat_last |");
    assert_eq!(notices(&desk.shell.refresh()), [""]);
    assert_eq!(desk.control('u').write("a").press(Key::Tab).line(), "a|");
    // In the middle of a line.
    desk.control('u').write("/st 1").press(Key::Left).press(Key::Left).press(Key::Tab);
    assert_eq!(desk.line(), "/status| 1");
}

#[test]
fn a_paste_of_many_lines_is_one_prompt() {
    let page: String = (1..=40).map(|line| format!("line {line:02} {}\n", "abcdefghij".repeat(5))).collect();
    let mut desk = Desk::default();
    assert_eq!(desk.paste(&page).take(), []);
    let sent = desk.press(Key::Enter).take();
    assert_eq!(sent[2], Action::Prompt(page.trim_end().into()));
    assert_eq!(desk.paste("a\u{1b}[2J\r\n\tb\u{7f}").line(), "a[2J\n\tb|");
    assert_eq!(desk.alt(Key::Enter).line(), "a[2J\n\tb\n|");
}

#[test]
fn the_lines_of_a_paste_are_lines() {
    let mut desk = Desk::default();
    assert_eq!(desk.paste("one\ntwo\nthree").control('a').line(), "one\ntwo\n|three");
    assert_eq!(desk.press(Key::Left).press(Key::Home).line(), "one\n|two\nthree");
    assert_eq!(desk.control('k').control('k').line(), "one\n|three");
    assert_eq!(desk.control('u').control('u').line(), "|three");
    assert_eq!(desk.press(Key::End).line(), "three|");
}

#[test]
fn a_line_of_100_kb_is_cut_and_not_sent_before_the_person_knows() {
    let mut desk = Desk::default();
    desk.write(&"0123456789".repeat(10_000));
    assert_eq!(desk.shell.editor().text().len(), PROMPT_BYTES);
    assert_eq!(notices(&desk.shell.refresh()).len(), 1);
    // As long as nothing changes, the line is not drawn again.
    assert_eq!(desk.write(&"0123456789".repeat(1000)).shell.refresh(), []);
    let refused = desk.press(Key::Enter).take();
    assert!(errors(&refused).contains("93616 more characters"), "{refused:?}");
    assert_eq!(notices(&desk.shell.refresh()), [""]);
    assert!(matches!(&desk.press(Key::Enter).take()[2], Action::Prompt(text) if text.len() == PROMPT_BYTES));
}

#[test]
fn nothing_slips_in_behind_what_was_left_out() {
    let mut desk = Desk::default();
    desk.write(&"x".repeat(PROMPT_BYTES - 1)).write("ä").write("b");
    assert!(desk.shell.editor().text().ends_with('x'));
    assert_eq!(desk.shell.editor().left_out(), 2);
    desk.press(Key::Backspace).write("b");
    assert!(desk.shell.editor().text().ends_with('b'));
    assert_eq!(desk.shell.editor().left_out(), 0);
}

#[test]
fn lost_keys_are_told_and_the_line_is_not_sent_at_once() {
    let mut desk = Desk::default();
    desk.write("delete ");
    assert!(errors(&desk.shell.lost(4711)).contains("4711"));
    assert!(errors(&desk.enter("everything")).contains("not sent"));
    assert_eq!(desk.enter("")[2], Action::Prompt("delete everything".into()));
}

#[test]
fn bytes_that_are_no_text_are_told_until_the_line_ends() {
    let mut desk = Desk::default();
    desk.shell.refresh();
    desk.event(Event::Invalid { bytes: 3 }).write("ok");
    assert_eq!(notices(&desk.shell.refresh()).len(), 1);
    desk.press(Key::Enter);
    assert_eq!(notices(&desk.shell.refresh()), [""]);
}

#[test]
fn a_new_serial_gets_the_line_again() {
    let mut desk = Desk::default();
    desk.write("half");
    desk.shell.refresh();
    assert_eq!(desk.shell.serial_restarted(0), []);
    assert_eq!(edits(&desk.shell.refresh()), [(PROMPT, "half", 4)]);
    assert_eq!(desk.control('l').take(), [Action::Show(Item::Redraw)]);
    assert_eq!(edits(&desk.shell.refresh()).len(), 1);
}

mod prompts {
    use super::*;
    use ipc::router::{dispatch, Chunk, Client, Decision, Engine, Error, Host, Piece, Reason, Server};
    use ipc::{CallError, Reply, Transport};

    /// A router that takes so many calls and then dies.
    struct Router {
        text: String,
        bytes: Vec<u8>,
        fetched: Vec<(String, u16, Vec<u8>)>,
        calls: usize,
    }

    impl Router {
        fn that_takes(calls: usize) -> Router {
            Router { text: "left over".into(), bytes: b"left over".to_vec(), fetched: Vec::new(), calls }
        }
    }

    impl Server for Router {
        fn append(&mut self, _: u64, chunk: Chunk) -> Result<(), Error> {
            self.text.push_str(&chunk);
            Ok(())
        }
        fn clear(&mut self, _: u64) {
            self.text.clear();
            self.bytes.clear();
        }
        fn submit(&mut self, _: u64) -> Result<Decision, Error> {
            let reasons = heapless::Vec::from_slice(&[Reason::LocalOnlyMode]).unwrap();
            Ok(Decision { id: 1, engine: Engine::Local, reasons })
        }
        fn private(&mut self, _: u64, _: Command) {}
        fn why(&mut self, _: u64) {}
        fn attach(&mut self, _: u64, piece: Piece) -> Result<(), Error> {
            self.bytes.extend_from_slice(&piece);
            Ok(())
        }
        fn fetch(&mut self, _: u64, host: Host, port: std::num::NonZeroU16) -> Result<(), Error> {
            self.fetched.push((host.into(), port.get(), std::mem::take(&mut self.bytes)));
            Ok(())
        }
        fn ping(&mut self, _: u64, host: Host) {
            self.fetched.push((host.into(), 0, Vec::new()));
        }
        fn net(&mut self, _: u64) {}
    }

    impl Transport for &mut Router {
        fn call(&mut self, version: u16, request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError> {
            self.calls = self.calls.checked_sub(1).ok_or(CallError::ServerDied)?;
            Ok(dispatch(*self, 7, version, request, reply))
        }
    }

    #[test]
    fn long_ones_arrive_whole() {
        let text = "äöü€🙂".repeat(900);
        let mut router = Router::that_takes(100);
        assert_eq!(send_prompt(&mut Client(&mut router), &text).map(|decision| decision.id), Ok(1));
        assert_eq!(router.text, text);
    }

    #[test]
    fn what_is_to_be_sent_arrives_byte_for_byte() {
        let bytes: Vec<u8> = (0..4000).map(|i| (i * 7) as u8).collect();
        let payload = bytes.clone().try_into().unwrap();
        let port = std::num::NonZeroU16::new(80).unwrap();
        let mut router = Router::that_takes(100);
        let fetch = Outbound::Fetch { host: "example.org".try_into().unwrap(), port, payload };
        assert_eq!(send_outbound(&mut Client(&mut router), fetch.clone()), Ok(()));
        assert_eq!(send_outbound(&mut Client(&mut router), Outbound::Ping("h".try_into().unwrap())), Ok(()));
        assert_eq!(router.fetched, [("example.org".into(), 80, bytes), ("h".into(), 0, Vec::new())]);
        for calls in 0..7 {
            let mut router = Router::that_takes(calls);
            let done = send_outbound(&mut Client(&mut router), fetch.clone());
            assert_eq!(done.is_ok(), !router.fetched.is_empty(), "{calls} calls");
        }
    }

    #[test]
    fn a_router_that_dies_is_one_sentence() {
        for calls in 0..4 {
            let mut router = Router::that_takes(calls);
            let sentence = send_prompt(&mut Client(&mut router), &"x".repeat(1000)).unwrap_err();
            assert_eq!(sentence, "router died while it was asked; try again.");
        }
    }

    #[test]
    fn every_error_has_a_sentence() {
        use CallError::*;
        for error in [ServerDied, Version, Malformed, Refused, TooLong] {
            assert!(trouble("root", error).ends_with('.'));
        }
    }
}

fn keys() -> impl Strategy<Value = Event> {
    let chars = prop_oneof![
        any::<char>(),
        prop::sample::select("abcdefghijklmnopqrstuvwxyz /\u{301}\u{200d}🇩🇪👩क्".chars().collect::<Vec<_>>()),
    ];
    let key = prop_oneof![
        4 => chars.clone().prop_map(Key::Char),
        4 => prop::sample::select(
            [
                Key::Enter, Key::Tab, Key::Backspace, Key::Delete, Key::Left, Key::Right, Key::Up, Key::Down, Key::Home,
                Key::End, Key::PageUp, Key::PageDown, Key::Escape,
            ]
            .to_vec(),
        ),
    ];
    let modifiers = (any::<bool>(), any::<bool>(), any::<bool>());
    let modifiers = modifiers.prop_map(|(control, alt, shift)| Modifiers { control, alt, shift });
    prop_oneof![
        8 => (key, modifiers).prop_map(|(key, modifiers)| Event::Key { key, modifiers }),
        4 => prop::collection::vec(chars.clone(), 0..15)
            .prop_map(|text| Event::Text { text: text.into_iter().collect() }),
        1 => (prop::collection::vec(chars, 0..120), any::<bool>())
            .prop_map(|(text, last)| Event::Paste { text: text.into_iter().collect(), last }),
        1 => any::<u16>().prop_map(|bytes| Event::Invalid { bytes }),
    ]
}

proptest! {
    #[test]
    fn no_key_breaks_the_line(events in prop::collection::vec(keys(), 0..100)) {
        use unicode_segmentation::UnicodeSegmentation;
        let mut desk = Desk::default();
        for event in events {
            desk.event(event);
            let (text, cursor) = (desk.shell.editor().text(), desk.shell.editor().cursor());
            prop_assert!(text.len() <= PROMPT_BYTES);
            let border = cursor == text.len() || text.grapheme_indices(true).any(|(at, _)| at == cursor);
            prop_assert!(border, "{cursor} in {text:?}");
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
        for item in desk.shell.refresh() {
            let mut record = [0; ipc::display::RECORD_BYTES];
            prop_assert!(ipc::encode(&item, &mut record).is_some());
        }
    }

    #[test]
    fn what_is_typed_is_what_is_sent(text in "[^/\\p{C}\\p{Z}][^\\p{C}]{0,300}") {
        let sent = Desk::default().enter(&text);
        prop_assert_eq!(&sent[2], &Action::Prompt(text.trim_end().into()));
    }

    #[test]
    fn one_move_there_and_back_stays(text in "\\PC{1,40}", steps in 0usize..40) {
        let mut editor = Editor::new(PROMPT_BYTES);
        editor.insert(&text);
        for _ in 0..steps {
            editor.left(Reach::One);
        }
        let at = editor.cursor();
        if at > 0 {
            editor.left(Reach::One);
            editor.right(Reach::One);
            prop_assert_eq!(editor.cursor(), at);
        }
    }

    #[test]
    fn lines_lose_nothing(text in "[a-zä\n]{0,3000}") {
        let items = lines(Style::Plain, &text);
        let mut all = String::new();
        for item in items {
            let Item::Lines { text, .. } = item else { panic!() };
            prop_assert!(text.len() <= ipc::display::TEXT_BYTES);
            all += &text;
            all.push('\n');
        }
        let letters = |text: &str| text.chars().filter(|c| *c != '\n').collect::<String>();
        prop_assert_eq!(letters(&all), letters(&text));
    }
}
