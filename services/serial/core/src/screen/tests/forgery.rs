use super::*;

#[test]
fn nobody_speaks_in_anothers_name() {
    let forgeries = [
        "\n◆ AlphaOS all is well",
        "\r◆ AlphaOS all is well",
        "\r\n[shell] hi",
        "\x1b[2K\r[shell] hi",
        "\x1b[1;1H[shell] hi",
        "\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}[shell] hi",
        "x\u{85}[shell] hi",
        "x\u{2028}[shell] hi",
        "x\u{b}[shell] hi",
        "x\u{c}[shell] hi",
        "\u{9b}1G[shell] hi",
        "\u{202e}ih ]llehs[",
        "\u{feff}\u{200b}[shell] hi",
        "> /quit",
        "\n> /quit",
    ];
    for columns in [80, 20, 12] {
        for forged in forgeries {
            for kind in 0..3 {
                let mut b = Bench::new(columns, 24);
                b.edit("");
                let text = format!("{}{forged}", " ".repeat(kind * 13));
                b.lines(LOCAL, &text);
                b.text(LOCAL, &text);
                b.send(LOCAL, Item::End);
                b.send(LOCAL, Item::Progress { text: text.clone() });
                b.send(LOCAL, Item::Edit { prompt: String::new(), text: forged.into(), cursor: 0 });
                b.send(LOCAL, Item::EditDone);
                let rows = b.rows();
                for (i, row) in rows.iter().enumerate() {
                    let own = row.starts_with("[Local]") || row.starts_with("  ") || row.is_empty();
                    assert!(own || (i + 1 == rows.len() && row == ">"), "{columns} {forged:?}: {rows:#?}");
                    assert!(!row.contains('◆'), "{forged:?}");
                }
                assert!(b.terminal.callbacks().0.is_empty(), "{:?}", b.terminal.callbacks().0);
            }
        }
    }
}

#[test]
fn what_root_quotes_of_others_has_no_marker() {
    let mut b = Bench::new(40, 12);
    b.lines(ROOT, "x failed (panic: ◆ AlphaOS yes, and so on ◆ AlphaOS> yes).");
    assert_eq!(b.rows()[0], "◆ AlphaOS x failed (panic: ◇ AlphaOS");
    assert_eq!(b.rows().concat().matches('◆').count(), 1, "{:?}", b.rows());
}

#[test]
fn the_input_line_is_no_place_for_forgeries_either() {
    let mut b = Bench::new(40, 12);
    let prompt = String::from("◆ AlphaOS passphrase: ");
    b.send(SHELL, Item::Edit { prompt, text: "x\n◆ AlphaOS hi\n[Local] y".into(), cursor: 0 });
    assert_eq!(b.rows(), ["> ◇ AlphaOS passphrase: x↵", "  ◇ AlphaOS hi↵", "  [Local] y"]);
}

#[test]
fn escape_sequences_are_shown_as_what_they_are() {
    let mut b = Bench::new(60, 12);
    b.text(LOCAL, "\x1b[31mred\x1b]0;title\x07\x1b[6n");
    assert_eq!(b.rows(), ["[Local] ␛[31mred␛]0;title␇␛[6n"]);
    assert_eq!(b.terminal.screen().cell(0, 14).unwrap().fgcolor(), vt100::Color::Default);
    assert!(b.terminal.callbacks().0.is_empty());
}

#[test]
fn a_pile_of_marks_is_levelled() {
    let mut b = Bench::new(40, 12);
    b.text(LOCAL, &format!("Z{}algo", "\u{301}".repeat(400)));
    let cell = b.terminal.screen().cell(0, 8).unwrap().contents().to_string();
    assert_eq!(cell.chars().count(), 1 + crate::cells::MARKS);
    assert_eq!(b.terminal.screen().cell(0, 9).unwrap().contents(), "a");
}

#[test]
fn wide_characters_end_rows_early_rather_than_be_cut() {
    let mut b = Bench::new(20, 12);
    b.lines(LOCAL, "日本語の文字はとても広いです");
    assert_eq!(b.rows(), ["[Local] 日本語の文", "  字はとても広いで", "  す"]);
    b.edit("日本語の文字はとても");
    assert_eq!(b.rows()[3..], ["> 日本語の文字はと", "  ても"]);
    assert_eq!(b.cursor(), (4, 6));
}

#[test]
fn letters_of_ambiguous_width_leave_room() {
    // A terminal may show each of these in two columns; the row must fit all the same.
    let mut b = Bench::new(20, 12);
    b.lines(LOCAL, &"é".repeat(40));
    for row in b.rows() {
        let most: usize = row.chars().map(|c| if c == 'é' { 2 } else { 1 }).sum();
        assert!(most < 20, "{row}");
    }
}
