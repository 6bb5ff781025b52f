use super::*;

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    assert_eq!(
        all(b"\x1b[200~one\rtwo\r\nthree\n\x03\x1b[A\tx\x1b[201~y"),
        [paste("one\ntwo\nthree\n[A\tx", true), text("y"),]
    );
}

#[test]
fn a_paste_comes_in_pieces() {
    let bytes = [b"\x1b[200~".to_vec(), vec![b'p'; 1200], b"\x1b[201~".to_vec()].concat();
    let events = all(&bytes);
    let lengths: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Paste { text, last } => (text.len(), *last),
            _ => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(lengths, [(512, false), (512, false), (176, true)]);
}

#[test]
fn a_paste_without_end_ends_by_itself() {
    let mut input = Input::default();
    let mut events = Vec::new();
    input.feed(b"\x1b[200~abc\x1b[2", 1, |event| events.push(event));
    input.feed(b"\x03", 1 + PASTE_PATIENCE_US, |event| events.push(event));
    assert_eq!(events, [paste("abc", false), paste("[2", true), key(Key::Char('c'), CONTROL)]);
}
