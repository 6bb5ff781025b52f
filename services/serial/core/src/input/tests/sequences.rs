use super::super::sequence::STRING;
use super::*;

#[test]
fn what_a_terminal_says_by_itself_is_no_input() {
    let replies: [&[u8]; 19] = [
        b"\x1b[0n",
        b"\x1b[?62;22c",
        b"\x1b[>0;276;0c",
        b"\x1b[=1;2c",
        b"\x1bP!|00000000\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]l/quit\x07",
        b"\x1b]L/quit\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b^x\x1b\\",
        b"\x1b[?2026;2$y",
        b"\x1b[I\x1b[O",
        b"\x1b[<0;10;20M\x1b[<0;10;20m",
        b"\x1b[M abc"[..6].as_ref(),
        b"\x1b[3;10;20t",
        b"\x1b[24~\x1b[[A\x1bOP\x1b[15;5~",
        b"\x1b[1;2R",
        b"\x1b[?1u",
    ];
    for bytes in replies {
        assert_eq!(all(bytes), [], "{}", bytes.escape_ascii());
    }
}

#[test]
fn reports_of_the_size_are_read() {
    assert_eq!(all(b"\x1b[24;80R"), [Event::Size { columns: 80, rows: 24 }]);
    assert_eq!(all(b"\x1b[8;50;200t"), [Event::Size { columns: 200, rows: 50 }]);
    assert_eq!(all(b"\x1b[99999999999;80R"), [Event::Size { columns: 80, rows: u16::MAX }]);
}

#[test]
fn a_report_between_two_letters_leaves_no_trace() {
    assert_eq!(all(b"a\x1b[?62;22cb"), [text("ab")]);
}

#[test]
fn an_unfinished_sequence_does_not_swallow_what_is_typed_later() {
    for start in [&b"\x1b["[..], b"\x1b]0;title", b"\x1bP", b"\x1bO", b"\x1b[M", b"\x1b[1;"] {
        let mut input = Input::default();
        let mut events = Vec::new();
        input.feed(start, 1_000_000, |event| events.push(event));
        input.feed(b"hello", 2_000_000, |event| events.push(event));
        assert_eq!(events, [text("hello")], "{}", start.escape_ascii());
    }
}

#[test]
fn ctrl_c_gets_through_whatever_came_before() {
    for start in [&b"\x1b"[..], b"\x1b[", b"\x1b[12;", b"\x1b]0;x", b"\x1bO", b"\xf0\x9f"] {
        let events = all(&[start, b"\x03"].concat());
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Key { key: Key::Char('c'), modifiers } if modifiers.control)),
            "{}: {events:?}",
            start.escape_ascii()
        );
    }
}

#[test]
fn a_string_without_end_is_given_up() {
    let mut bytes = b"\x1b]".to_vec();
    bytes.extend(vec![b'x'; STRING as usize + 1]);
    bytes.extend(b"hi");
    assert_eq!(all(&bytes), [text("hi")]);
}
