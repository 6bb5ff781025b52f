use super::*;
use proptest::prelude::*;

/// Characters that make trouble.
pub(super) fn troublesome() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z ]{1,12}",
        Just("\n".to_string()),
        Just("\x1b[H".to_string()),
        Just("\r".to_string()),
        Just("◆ AlphaOS".to_string()),
        Just("[shell] ".to_string()),
        Just("日本語".to_string()),
        Just("é\u{301}\u{302}\u{303}\u{304}".to_string()),
        Just("👩\u{200d}👩\u{fe0f}🇩🇪".to_string()),
        Just("\u{202e}\u{2066}".to_string()),
        Just("\t".to_string()),
        // The emulation leaves out the replacement character, as no real terminal does.
        any::<char>()
            .prop_filter("drawn", |c| *c != '\u{fffd}' && !('\u{80}'..='\u{9f}').contains(c))
            .prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

pub(super) fn item() -> impl Strategy<Value = Item> {
    let style = prop_oneof![Just(Style::Plain), Just(Style::Dim), Just(Style::Strong), Just(Style::Error)];
    prop_oneof![
        2 => (style.clone(), troublesome()).prop_map(|(style, text)| Item::Lines { style, text }),
        4 => (style, troublesome()).prop_map(|(style, text)| Item::Text { style, text }),
        1 => Just(Item::End),
        1 => troublesome().prop_map(|text| Item::Progress { text }),
        3 => (troublesome(), troublesome(), 0u32..40)
            .prop_map(|(prompt, text, cursor)| Item::Edit { prompt, text, cursor }),
        1 => Just(Item::EditDone),
        1 => Just(Item::Redraw),
    ]
}

proptest! {
    #[test]
    fn whatever_is_sent_the_first_column_is_serials(
        items in proptest::collection::vec((0usize..5, item()), 1..30),
        sizes in proptest::collection::vec((10u16..90, 3u16..30), 0..3),
        (columns, rows) in (12u16..90, 4u16..30),
    ) {
        let mut b = Bench::new(columns, rows);
        for (i, (speaker, item)) in items.iter().cloned().enumerate() {
            b.send(speaker, item);
            if let Some((columns, rows)) = sizes.get(i) {
                b.resize((*columns).max(12), (*rows).max(4));
            }
        }
        // From here on a clean screen shows the same as the one that was patched all along.
        let patched = (b.rows(), b.cursor());
        for row in &patched.0 {
            let own = ["[Local] ", "[shell] ", "[router] ", "◆ AlphaOS ", "  ", "> "].iter().any(|start| {
                row.starts_with(start) || row == start.trim_end()
            });
            prop_assert!(own, "{row:?}");
            let own = row.starts_with("◆ AlphaOS") && items.iter().any(|(speaker, _)| *speaker == ROOT);
            prop_assert!(row.matches('◆').count() == usize::from(own), "{row:?}");
        }
        prop_assert!(b.terminal.callbacks().0.is_empty());
        b.send(SHELL, Item::Redraw);
        let clean = (b.rows(), b.cursor());
        let tail = patched.0.len().min(clean.0.len()).min(3);
        prop_assert_eq!(&patched.0[patched.0.len() - tail..], &clean.0[clean.0.len() - tail..]);
        prop_assert_eq!(patched.1.1, clean.1.1);
    }

    #[test]
    fn an_answer_in_any_pieces_looks_the_same(text in troublesome(), cuts in proptest::collection::vec(1usize..9, 0..20)) {
        let mut whole = Bench::new(40, 24);
        whole.text(LOCAL, &text);
        let mut pieces = Bench::new(40, 24);
        let mut rest: Vec<char> = text.chars().collect();
        for cut in cuts {
            let piece: String = rest.drain(..cut.min(rest.len())).collect();
            pieces.text(LOCAL, &piece);
        }
        pieces.text(LOCAL, &rest.into_iter().collect::<String>());
        prop_assert_eq!(whole.rows(), pieces.rows());
    }
}
