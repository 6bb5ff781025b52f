use super::*;
use crate::Input;
use ipc::focus::LINE_BYTES;
use proptest::prelude::*;

const ROOT: usize = 0;
const GATE: usize = 1;
const CTRL_T: &[u8] = b"\x14";
const CTRL_G: &[u8] = b"\x07";

/// A person at the keyboard, with time between what they press, and what comes of it.
struct Desk {
    input: Input,
    focus: Focus,
    now_us: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk { input: Input::default(), focus: Focus::new([0x14, 0x07]), now_us: 1_000_000 }
    }

    /// Bytes that come at once.
    fn at_once(&mut self, bytes: &[u8]) -> Vec<Step> {
        let (mut steps, now, focus) = (Vec::new(), self.now_us, &mut self.focus);
        self.input.feed(bytes, now, |event| focus.event(event, now, |step| steps.push(step)));
        steps
    }

    fn later(&mut self, us: u64) -> Vec<Step> {
        self.now_us += us;
        let (mut steps, now, focus) = (Vec::new(), self.now_us, &mut self.focus);
        self.input.tick(now, |event| focus.event(event, now, |step| steps.push(step)));
        steps
    }

    fn press(&mut self, bytes: &[u8]) -> Vec<Step> {
        self.now_us += 100_000;
        self.at_once(bytes)
    }

    fn escape(&mut self) -> Vec<Step> {
        self.press(b"\x1b");
        self.later(crate::input::PATIENCE_US)
    }

    /// The line with the cursor as `|`; empty while the shell has the focus.
    fn line(&self) -> String {
        self.focus.view().map_or(String::new(), |view| {
            format!("{}|{}", &view.text[..view.cursor], &view.text[view.cursor..])
        })
    }
}

fn open() -> Desk {
    let mut desk = Desk::new();
    assert_eq!(desk.press(CTRL_T), [Step::Trusted(ROOT, Typed::Opened)]);
    desk
}

fn line(text: &str) -> Step {
    Step::Trusted(ROOT, Typed::Line { text: text.into() })
}

const CLOSED: Step = Step::Trusted(ROOT, Typed::Closed);

#[test]
fn without_the_key_everything_is_the_shells() {
    let mut desk = Desk::new();
    let steps = desk.press(b"hi\r\x1b[A\x1b[200~\x14\x1b[201~");
    assert!(steps.len() > 3 && steps.iter().all(|step| matches!(step, Step::Shell(_))), "{steps:?}");
    assert_eq!(desk.focus.view(), None);
}

#[test]
fn a_line_goes_to_whom_the_key_chose_and_nothing_to_the_shell() {
    let mut desk = open();
    for byte in "2 größer".bytes() {
        assert_eq!(desk.press(&[byte]), []);
    }
    assert_eq!(desk.line(), "2 größer|");
    assert_eq!(desk.press(b"\r"), [line("2 größer")]);
    assert_eq!(desk.line(), "|");
    for key in [&b"\x1b[A"[..], b"\t", b"\x1bx", b"\x12", b"\xff", b"\x1b[5~", b"\x1b\r\x1b[1;5D"] {
        assert!(desk.press(key).iter().all(|step| matches!(step, Step::Trusted(ROOT, Typed::Line { .. }))), "{key:?}");
    }
    assert_eq!(desk.escape(), [CLOSED]);
    assert!(matches!(desk.press(b"x")[..], [Step::Shell(Event::Text { .. })]));
}

#[test]
fn the_same_key_gives_the_focus_back_and_another_moves_it() {
    let mut desk = open();
    desk.press(b"half");
    assert_eq!(desk.press(CTRL_T), [CLOSED]);
    assert_eq!(desk.press(CTRL_T), [Step::Trusted(ROOT, Typed::Opened)]);
    assert_eq!(desk.line(), "|");
    desk.press(b"half");
    assert_eq!(desk.press(CTRL_G), [CLOSED, Step::Trusted(GATE, Typed::Opened)]);
    assert_eq!(desk.line(), "|");
    assert_eq!(desk.press(b"\r"), [Step::Trusted(GATE, Typed::Line { text: String::new() })]);
    assert_eq!(desk.press(CTRL_G), [Step::Trusted(GATE, Typed::Closed)]);
}

#[test]
fn ctrl_c_stops_the_answer_from_everywhere_and_tells_the_shell_only_if_it_has_the_focus() {
    let mut desk = Desk::new();
    assert!(matches!(desk.press(b"\x03")[..], [Step::Interrupt, Step::Shell(_)]));
    let mut desk = open();
    desk.press(b"half");
    assert_eq!(desk.press(b"\x03"), [Step::Interrupt]);
    assert_eq!(desk.line(), "|");
    // No layout takes it away.
    let mut desk = Desk { focus: Focus::new([0x03]), ..Desk::new() };
    assert!(matches!(desk.press(b"\x03")[..], [Step::Interrupt, Step::Shell(_)]));
}

#[test]
fn the_shell_learns_the_size_whoever_has_the_focus() {
    let mut desk = open();
    let size = Event::Size { columns: 80, rows: 24 };
    assert_eq!(desk.press(b"\x1b[24;80R"), [Step::Shell(size)]);
    // And a terminal's answer is no typing: the key right behind it counts.
    assert_eq!(desk.at_once(CTRL_T), [CLOSED]);
}

#[test]
fn a_new_life_is_told_that_it_has_the_focus_and_nobody_else_is() {
    let mut desk = open();
    desk.press(b"half");
    let mut steps = Vec::new();
    desk.focus.restarted(GATE, |step| steps.push(step));
    assert_eq!(steps, []);
    desk.focus.restarted(ROOT, |step| steps.push(step));
    assert_eq!(steps, [Step::Trusted(ROOT, Typed::Opened)]);
    assert_eq!(desk.line(), "half|");
    desk.escape();
    desk.focus.restarted(ROOT, |_| panic!("the shell has the focus"));
}

#[test]
fn the_line_is_edited_by_the_character() {
    let mut desk = open();
    desk.press("ae\u{301}日".as_bytes());
    desk.press(b"\x1b[D");
    assert_eq!(desk.line(), "ae\u{301}|日");
    desk.press(b"\x1b[D");
    assert_eq!(desk.line(), "a|e\u{301}日");
    desk.press(b"\x1b[C");
    desk.press(b"\x7f");
    assert_eq!(desk.line(), "a|日");
    desk.press(b"\x1b[H");
    desk.press(b"x");
    assert_eq!(desk.line(), "x|a日");
    desk.press(b"\x1b[3~");
    assert_eq!(desk.line(), "x|日");
    desk.press(b"\x1b[F");
    desk.press(b"\x08");
    assert_eq!(desk.line(), "x|");
    desk.press(b"yz");
    desk.press(b"\x02");
    desk.press(b"\x15");
    assert_eq!(desk.line(), "|z");
    for nothing_there in [&b"\x7f"[..], b"\x1b[D", b"\x15", b"\x05", b"\x0b", b"\x04", b"\x1b[C", b"\x06"] {
        desk.press(nothing_there);
    }
    assert_eq!(desk.line(), "z|");
}

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    let mut desk = open();
    desk.press(b"a");
    assert_eq!(desk.press(b"\x1b[200~1\r\nyes\n\x14\x07\x03\x1b\x7f\tx\x1b[201~"), []);
    assert_eq!(desk.line(), "a1 yes  x|");
    assert_eq!(desk.press(b"\r"), [line("a1 yes  x")]);
}

#[test]
fn a_paste_without_marks_neither_opens_nor_answers() {
    let mut desk = Desk::new();
    let steps = desk.press(b"text\x14" as &[u8]);
    assert!(matches!(steps[..], [Step::Shell(Event::Text { .. })]), "{steps:?}");
    // The first byte of it may come after a pause; the rest does not.
    assert_eq!(desk.press(b"\x142\ryes\r"), [Step::Trusted(ROOT, Typed::Opened)]);
    assert_eq!(desk.line(), "2yes|");
    assert!(desk.focus.view().unwrap().hasty);
    // Nor does it move or return the focus.
    assert_eq!(desk.at_once(b"\x14"), []);
    assert_eq!(desk.at_once(b"\x07"), []);
    assert_eq!(desk.at_once(b"\x1b\x1b"), []);
    assert_eq!(desk.later(PAUSE_US - 1), []);
    assert_eq!(desk.press(b"\x7f"), []);
    assert!(!desk.focus.view().unwrap().hasty);
}

#[test]
fn an_end_mark_inside_a_paste_does_not_turn_the_rest_into_keys_that_count() {
    let mut desk = Desk::new();
    let steps = desk.press(b"\x1b[200~x\x1b[201~\x142\ryes\r\x1b[201~");
    assert!(!steps.iter().any(|step| matches!(step, Step::Trusted(..))), "{steps:?}");
    assert_eq!(desk.focus.view(), None);
}

#[test]
fn what_is_not_shown_is_not_in_the_line() {
    let mut desk = open();
    desk.press("\u{301}\u{202e}y\u{200b}e\u{301}\u{301}\u{301}\u{301}\u{301}s\u{a0}◆\u{9b}".as_bytes());
    assert_eq!(desk.line(), "ye\u{301}\u{301}\u{301}s ◇|");
}

#[test]
fn a_full_line_takes_no_more_and_has_no_hole() {
    let mut desk = open();
    desk.press("x".repeat(LINE_BYTES - 1).as_bytes());
    desk.press("éab".as_bytes());
    assert_eq!(desk.focus.view().unwrap().text, "x".repeat(LINE_BYTES - 1));
    desk.press(b"\x7f");
    desk.press("é!".as_bytes());
    assert_eq!(desk.press(b"\r"), [line(&("x".repeat(LINE_BYTES - 2) + "é"))]);
}

proptest! {
    /// Bytes of any kind, with and without pauses.
    #[test]
    fn the_shell_gets_nothing_while_the_focus_is_elsewhere_and_every_line_fits(
        pieces in proptest::collection::vec((proptest::collection::vec(prop_oneof![
            any::<u8>(), Just(0x14), Just(0x07), Just(0x1b), Just(b'\r'), Just(b'[')
        ], 1..20), 0u64..900_000), 1..40),
    ) {
        let mut desk = Desk::new();
        let mut at = None;
        for (bytes, pause) in pieces {
            let mut steps = desk.later(pause);
            steps.extend(desk.at_once(&bytes));
            for step in steps {
                match step {
                    Step::Shell(event) => {
                        let size = matches!(event, Event::Size { .. });
                        prop_assert!(at.is_none() || size);
                    }
                    Step::Trusted(to, Typed::Opened) => prop_assert_eq!(at.replace(to), None),
                    Step::Trusted(to, Typed::Closed) => prop_assert_eq!(at.take(), Some(to)),
                    Step::Trusted(to, Typed::Line { text }) => {
                        prop_assert_eq!(at, Some(to));
                        prop_assert!(text.len() <= LINE_BYTES && !text.contains(char::is_control));
                        let mut record = [0; ipc::focus::RECORD_BYTES];
                        let encoded = ipc::encode(&Typed::Line { text }, &mut record);
                        prop_assert!(encoded.is_some());
                    }
                    Step::Interrupt | Step::Redraw => {}
                }
            }
            prop_assert_eq!(desk.focus.view().map(|view| view.trusted), at);
            let view = desk.focus.view();
            prop_assert!(view.is_none_or(|view| view.text.is_char_boundary(view.cursor)));
        }
    }
}
