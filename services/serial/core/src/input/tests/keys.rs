use super::*;

#[test]
fn letters_of_all_lengths_come_together() {
    assert_eq!(all("aé日😀".as_bytes()), [text("aé日😀")]);
}

#[test]
fn a_long_run_comes_in_pieces() {
    let events = all("ä".repeat(100).as_bytes());
    assert_eq!(events.len(), 4);
    assert_eq!(events[0], text(&"ä".repeat(32)));
}

#[test]
fn invalid_bytes_are_counted_and_what_follows_is_read() {
    assert_eq!(all(b"a\xff\xfeb"), [text("ab"), Event::Invalid { bytes: 2 }]);
    assert_eq!(all(b"\xe6\x97x"), [text("x"), Event::Invalid { bytes: 2 }]);
    assert_eq!(all(b"\xc3\xc3\xa9"), [text("é"), Event::Invalid { bytes: 1 }]);
    // Overlong, surrogate, beyond the end.
    assert_eq!(all(b"\xc0\x80"), [Event::Invalid { bytes: 2 }]);
    assert_eq!(all(b"\xed\xa0\x80"), [Event::Invalid { bytes: 3 }]);
    assert_eq!(all(b"\xf5\x80\x80\x80"), [Event::Invalid { bytes: 4 }]);
}

#[test]
fn a_character_may_arrive_in_pieces() {
    let mut input = Input::default();
    let mut events = Vec::new();
    for (i, byte) in "日".bytes().enumerate() {
        input.feed(&[byte], 1000 + i as u64, |event| events.push(event));
    }
    assert_eq!(events, [text("日")]);
}

#[test]
fn an_escape_behind_half_a_character_is_an_escape() {
    assert_eq!(all(b"\xe6\x1b[A"), [key(Key::Up, NONE), Event::Invalid { bytes: 1 }]);
    assert_eq!(all(b"\xe6\x03"), [key(Key::Char('c'), CONTROL), Event::Invalid { bytes: 1 }]);
}

#[test]
fn control_keys() {
    assert_eq!(all(b"\x03"), [key(Key::Char('c'), CONTROL)]);
    assert_eq!(
        all(b"\x01\x1a\x1c\x1f\0"),
        [
            key(Key::Char('a'), CONTROL),
            key(Key::Char('z'), CONTROL),
            key(Key::Char('\\'), CONTROL),
            key(Key::Char('_'), CONTROL),
            key(Key::Char(' '), CONTROL),
        ]
    );
    assert_eq!(all(b"\t\x7f\x08"), [key(Key::Tab, NONE), key(Key::Backspace, NONE), key(Key::Backspace, NONE)]);
}

#[test]
fn return_and_line_feed_together_are_one_enter() {
    assert_eq!(
        all(b"a\r\nb\nc\r\r"),
        [
            text("a"),
            key(Key::Enter, NONE),
            text("b"),
            key(Key::Enter, NONE),
            text("c"),
            key(Key::Enter, NONE),
            key(Key::Enter, NONE),
        ]
    );
}

#[test]
fn arrows_and_their_relatives() {
    let plain = [
        (&b"\x1b[A"[..], Key::Up),
        (b"\x1bOB", Key::Down),
        (b"\x1b[C", Key::Right),
        (b"\x1bOD", Key::Left),
        (b"\x1b[H", Key::Home),
        (b"\x1bOF", Key::End),
        (b"\x1b[1~", Key::Home),
        (b"\x1b[8~", Key::End),
        (b"\x1b[3~", Key::Delete),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1bOM", Key::Enter),
    ];
    for (bytes, which) in plain {
        assert_eq!(all(bytes), [key(which, NONE)], "{}", bytes.escape_ascii());
    }
    assert_eq!(all(b"\x1b[1;5C"), [key(Key::Right, CONTROL)]);
    assert_eq!(all(b"\x1b[1;3D"), [key(Key::Left, Modifiers::ALT)]);
    assert_eq!(all(b"\x1b[1;2A"), [key(Key::Up, Modifiers::SHIFT)]);
    assert_eq!(all(b"\x1b[3;5~"), [key(Key::Delete, CONTROL)]);
    assert_eq!(all(b"\x1b[Z"), [key(Key::Tab, Modifiers::SHIFT)]);
    assert_eq!(all(b"\x1b[99;5u"), [key(Key::Char('c'), CONTROL)]);
    assert_eq!(all(b"\x1b[27;5;13~"), [key(Key::Enter, CONTROL)]);
}

#[test]
fn alt_with_a_key() {
    assert_eq!(all(b"\x1bb"), [key(Key::Char('b'), Modifiers::ALT)]);
    assert_eq!(all("\x1bé".as_bytes()), [key(Key::Char('é'), Modifiers::ALT)]);
    assert_eq!(all(b"\x1b\x7f"), [key(Key::Backspace, Modifiers::ALT)]);
    assert_eq!(all(b"\x1b\rx"), [key(Key::Enter, Modifiers::ALT), text("x")]);
}

#[test]
fn a_lone_escape_is_a_key_after_a_moment() {
    let mut input = Input::default();
    let mut events = Vec::new();
    input.feed(b"\x1b", 1_000_000, |event| events.push(event));
    input.tick(1_000_000 + PATIENCE_US - 1, |event| events.push(event));
    assert_eq!(events, []);
    input.tick(1_000_000 + PATIENCE_US, |event| events.push(event));
    assert_eq!(events, [key(Key::Escape, NONE)]);
}

#[test]
fn a_key_long_after_an_escape_is_a_key_of_its_own() {
    let mut input = Input::default();
    let mut events = Vec::new();
    input.feed(b"\x1b", 1_000_000, |event| events.push(event));
    input.feed(b"b", 2_000_000, |event| events.push(event));
    assert_eq!(events, [key(Key::Escape, NONE), text("b")]);
}
