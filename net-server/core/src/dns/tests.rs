use super::*;
use proptest::prelude::*;

/// A response to `question`, with records of (name, type, data); names may be pointers.
fn response(question: &[u8], code: u16, records: &[(&[u8], u16, &[u8])]) -> std::vec::Vec<u8> {
    let mut message = question.to_vec();
    message[2..4].copy_from_slice(&(0x8180 | code).to_be_bytes());
    message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (name, kind, data) in records {
        message.extend_from_slice(name);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        message.extend_from_slice(&(data.len() as u16).to_be_bytes());
        message.extend_from_slice(data);
    }
    message
}

/// A pointer to the name in the question.
const ASKED: &[u8] = &[0xc0, 12];

fn found(answer: Option<Answer>) -> std::vec::Vec<String> {
    match answer {
        Some(Answer::Addresses(addresses)) => addresses.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn host_names_are_taken_and_nothing_else() {
    assert_eq!(name("Example.org").as_deref(), Some(&b"\x07example\x03org\0"[..]));
    assert_eq!(name("a_b-c.d."), name("A_B-C.D"));
    let long = "x".repeat(63);
    let longest = [long.as_str(); 4].join(".");
    assert!(name(&longest[2..]).is_some_and(|name| name.len() == NAME_BYTES));
    for bad in ["", ".", "a..b", "..", "-a.b", "a b", "ä.de", "a/b", "a\0b", &"x".repeat(64), &longest] {
        assert_eq!(name(bad), None, "{bad}");
    }
}

#[test]
fn addresses_are_read_through_aliases_in_any_order() {
    let host = name("www.example.org").unwrap();
    let question = question(7, &host, Kind::A);
    let plain = response(&question, 0, &[(ASKED, 1, &[10, 0, 0, 1]), (ASKED, 1, &[10, 0, 0, 2])]);
    assert_eq!(found(answer(&plain, 7, &host, Kind::A)), ["10.0.0.1", "10.0.0.2"]);

    let alias = b"\x04real\x07example\x03org\0";
    // `real`, and then the second label of the name asked for.
    let pointed = b"\x04real\xc0\x10";
    let (first, second): (_, (&[u8], _, &[u8])) = ((ASKED, ALIAS, &pointed[..]), (alias, 1, &[10, 0, 0, 3]));
    for records in [[first, second], [second, first]] {
        assert_eq!(found(answer(&response(&question, 0, &records), 7, &host, Kind::A)), ["10.0.0.3"]);
    }
    // An address of somebody else is not ours.
    let foreign = response(&question, 0, &[(alias, 1, &[10, 0, 0, 3])]);
    assert!(found(answer(&foreign, 7, &host, Kind::A)).is_empty());
    // Nor is one of another kind.
    let other = response(&question, 0, &[(ASKED, 28, &[0xfe; 16])]);
    assert!(found(answer(&other, 7, &host, Kind::A)).is_empty());
    // An alias that leads round in a circle ends.
    let circle = response(&question, 0, &[(ASKED, ALIAS, ASKED)]);
    assert!(found(answer(&circle, 7, &host, Kind::A)).is_empty());
}

#[test]
fn what_answers_another_question_is_no_answer() {
    let host = name("example.org").unwrap();
    let question = question(7, &host, Kind::Aaaa);
    let good = response(&question, 0, &[(ASKED, 28, &[0x20; 16])]);
    assert_eq!(found(answer(&good, 7, &host, Kind::Aaaa)), ["2020:2020:2020:2020:2020:2020:2020:2020"]);
    assert_eq!(answer(&good, 8, &host, Kind::Aaaa), None);
    assert_eq!(answer(&good, 7, &host, Kind::A), None);
    assert_eq!(answer(&good, 7, &name("example.com").unwrap(), Kind::Aaaa), None);
    // The question itself.
    assert_eq!(answer(&question, 7, &host, Kind::Aaaa), None);
}

#[test]
fn failures_have_their_kinds() {
    let host = name("example.org").unwrap();
    let question = question(7, &host, Kind::A);
    let code = |code| answer(&response(&question, code, &[]), 7, &host, Kind::A);
    assert_eq!(code(3), Some(Answer::Unknown));
    assert_eq!(code(2), Some(Answer::Failed { code: 2 }));
    assert_eq!(code(5), Some(Answer::Failed { code: 5 }));
    assert_eq!(code(0), Some(Answer::Addresses(Vec::new())));
}

#[test]
fn pointers_that_lead_forward_or_round_are_refused() {
    for message in [&[0xc0, 0][..], &[0xc0, 2, 0xc0, 0], &[0xc0, 5, 1, b'a', 0], &[0xc0], &[63, 1], &[0x40, 0]] {
        assert_eq!(expand(message, 0), None, "{message:?}");
    }
    // A name of endless length made of one label, again and again.
    assert_eq!(expand(&[1, b'a', 0xc0, 0], 0), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_message_is_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let host = name("www.example.org").unwrap();
        let question = question(7, &host, Kind::A);
        let mut message = response(&question, 0, &[(ASKED, ALIAS, b"\x04real\xc0\x10"), (ASKED, 1, &[1, 2, 3, 4])]);
        for (at, byte) in damage {
            let at = at.index(message.len());
            message[at] = byte;
        }
        let end = cut.index(message.len() + 1);
        answer(&message[..end], 7, &host, Kind::A);
    }

    #[test]
    fn a_name_is_what_its_letters_say(text in "[a-z0-9_]{1,9}(\\.[a-z0-9_-]{1,20}){0,5}") {
        if let Some(host) = name(&text) {
            let question = question(1, &host, Kind::A);
            prop_assert_eq!(expand(&question, HEADER_BYTES).map(|(name, _)| name), Some(host));
        }
    }
}
