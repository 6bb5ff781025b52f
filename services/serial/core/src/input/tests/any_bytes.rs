use super::*;
use proptest::prelude::*;

#[test]
fn known_troublemakers() {
    let corpus: &[&[u8]] = &[
        b"\x1b[200~\x1b[200~\x1b[201~\x1b[201~",
        b"\x1b\x1b\x1b\x1b[A",
        b"\x1b[;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;m",
        b"\x1b[1:2:3;4:5~",
        b"\x1b[\x1b[\x1b[C",
        b"\x1bO\x1bOA",
        b"\x1b[200~\xe6\x97\x1b[201~\xa5",
        b"\x1b]\x1b]\x1b]\x1b\\",
        b"\x1b[M\x1b[A\x1b[A",
        b"\x9b5n\x90\x9d",
        b"\x1b[200~\x1b\x1b[201~",
        b"\x1b[4294967296;4294967296R",
    ];
    for bytes in corpus {
        for cut in 0..=bytes.len() {
            let mut input = Input::default();
            input.feed(&bytes[..cut], 0, |_| ());
            input.feed(&bytes[cut..], 600_000, |_| ());
            input.tick(10_000_000, |_| ());
            let mut events = Vec::new();
            input.feed(b"ok\r", 20_000_000, |event| events.push(event));
            assert_eq!(events, [text("ok"), key(Key::Enter, NONE)], "{} cut at {cut}", bytes.escape_ascii());
        }
    }
}

fn terminal_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|b| vec![b]),
        Just(b"\x1b".to_vec()),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b]".to_vec()),
        Just(b"\x1b[200~".to_vec()),
        Just(b"\x1b[201~".to_vec()),
        Just(b"\x1b[M".to_vec()),
        "[a-zé日0-9;~R]{1,4}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_at_any_time(
        bytes in terminal_bytes(), cuts in proptest::collection::vec((1usize..9, 0u64..2_000_000), 0..30),
    ) {
        let mut input = Input::default();
        let (mut now, mut at) = (0, 0);
        let mut check = |event: Event| {
            let ok = match &event {
                Event::Text { text } => !text.is_empty() && !text.chars().any(char::is_control),
                Event::Paste { text, .. } => !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
                Event::Invalid { bytes } => *bytes > 0,
                Event::Key { key: Key::Char(c), modifiers } => !c.is_control() && (modifiers.control || modifiers.alt),
                _ => true,
            };
            assert!(ok, "{event:?}");
        };
        for (length, wait) in cuts {
            let end = (at + length).min(bytes.len());
            now += wait;
            input.feed(&bytes[at..end], now, &mut check);
            at = end;
        }
        input.feed(&bytes[at..], now, &mut check);
        // Whatever came: after a pause, the person can type.
        now += 2 * PASTE_PATIENCE_US;
        input.tick(now, |_| ());
        let mut events = Vec::new();
        input.feed(b"ok\r", now + 1, |event| events.push(event));
        prop_assert_eq!(events, [text("ok"), key(Key::Enter, NONE)]);
    }

    #[test]
    fn where_bytes_are_cut_makes_no_difference(typed in "[a-zé日😀\u{1}\u{3}\t]{0,40}", cut in 0usize..100) {
        let join = |events: Vec<Event>| {
            let mut shown = String::new();
            for event in events {
                match event {
                    Event::Text { text } => shown.push_str(&text),
                    other => shown.push_str(&format!("<{other:?}>")),
                }
            }
            shown
        };
        let bytes = typed.as_bytes();
        let cut = cut.min(bytes.len());
        let mut events = Vec::new();
        let mut input = Input::default();
        input.feed(&bytes[..cut], 1, |event| events.push(event));
        input.feed(&bytes[cut..], 2, |event| events.push(event));
        prop_assert_eq!(join(events), join(all(bytes)));
    }
}
