use super::any_items::{item, troublesome};
use super::*;
use proptest::prelude::*;

const HINT: &str = "  Escape or Ctrl-T goes back. What you type goes to AlphaOS alone.";

#[test]
fn its_line_takes_the_place_of_the_shells_and_gives_it_back() {
    let mut b = Bench::new(80, 24);
    b.edit_at("half a line", 4);
    b.trusted("", 0);
    assert_eq!(b.rows(), [HINT, "◆ AlphaOS>"]);
    assert_eq!(b.cursor(), (1, 11));
    b.trusted("2 ß", 2);
    assert_eq!(b.rows(), [HINT, "◆ AlphaOS> 2 ß"]);
    assert_eq!(b.cursor(), (1, 13));
    b.screen.focus(None);
    b.draw();
    assert_eq!(b.rows(), ["> half a line"]);
    assert_eq!(b.cursor(), (0, 6));
}

#[test]
fn what_was_entered_stands_in_the_transcript_under_its_own_name() {
    let mut b = Bench::new(80, 24);
    b.edit("half");
    b.trusted("2", 1);
    b.screen.entered(0, "2");
    b.trusted("", 0);
    b.lines(ROOT, "Mode: Local Only.");
    assert_eq!(b.rows(), ["◆ AlphaOS> 2", "◆ AlphaOS Mode: Local Only.", HINT, "◆ AlphaOS>"]);
    b.screen.redraw();
    b.draw();
    assert_eq!(b.rows(), ["◆ AlphaOS> 2", "◆ AlphaOS Mode: Local Only.", HINT, "◆ AlphaOS>"]);
    b.screen.focus(None);
    b.draw();
    assert_eq!(b.rows(), ["◆ AlphaOS> 2", "◆ AlphaOS Mode: Local Only.", "> half"]);
}

/// The shell gets the answer, and would learn that something was entered.
#[test]
fn the_terminal_is_not_asked_for_its_size() {
    let mut b = Bench::new(80, 24);
    b.trusted("2", 1);
    b.screen.entered(0, "2");
    b.screen.redraw();
    let out = b.draw();
    assert!(!out.windows(ASK_SIZE.len()).any(|bytes| bytes == ASK_SIZE));
}

#[test]
fn enter_as_in_a_paste_is_explained() {
    let mut b = Bench::new(80, 24);
    b.screen.focus(Some(View { trusted: 1, text: "yes", cursor: 3, hasty: true }));
    b.draw();
    assert_eq!(b.rows(), ["  Enter came as in a paste: press it again.", "◆ gate> yes"]);
}

#[test]
fn whoever_is_no_part_of_the_mode_does_not_hear() {
    let mut b = Bench::new(80, 24);
    b.screen.focus(Some(View { trusted: 1, text: "", cursor: 0, hasty: false }));
    b.screen.set_runs(1, false);
    b.draw();
    let deaf = "  Escape or Ctrl-G goes back. gate is no part of this mode: nobody hears you.";
    assert_eq!(b.rows(), [deaf, "◆ gate>"]);
    b.screen.set_runs(1, true);
    b.draw();
    assert_eq!(b.rows(), ["  Escape or Ctrl-G goes back. What you type goes to gate alone.", "◆ gate>"]);
}

#[test]
fn what_the_shell_sends_meanwhile_is_kept_and_not_shown() {
    let mut b = Bench::new(80, 24);
    b.edit("before");
    b.trusted("secret", 6);
    b.edit("◆ AlphaOS> after");
    assert_eq!(b.rows(), [HINT, "◆ AlphaOS> secret"]);
    b.send(SHELL, Item::EditDone);
    assert_eq!(b.rows(), ["> ◇ AlphaOS> after", HINT, "◆ AlphaOS> secret"]);
    b.screen.restarted(SHELL);
    b.edit("new");
    assert_eq!(b.rows(), ["> ◇ AlphaOS> after", HINT, "◆ AlphaOS> secret"]);
    b.screen.focus(None);
    b.draw();
    assert_eq!(b.rows(), ["> ◇ AlphaOS> after", "> new"]);
}

#[test]
fn an_answer_grows_above_it_on_a_narrow_terminal_too() {
    let mut b = Bench::new(20, 10);
    b.text(LOCAL, "one two three four ");
    b.trusted("12345678", 8);
    b.text(LOCAL, "five\n◆ AlphaOS> yes\n\r◆ AlphaOS> yes");
    let rows = [
        "[Local] one two",
        "  three four five",
        "  ◇ AlphaOS> yes",
        "  ◇ AlphaOS> yes",
        "  Escape or Ctrl-T",
        "◆ AlphaOS>",
    ];
    assert_eq!(b.rows()[..5], rows[..5]);
    assert!(b.rows()[5].starts_with(rows[5]), "{:?}", b.rows());
    assert_eq!(b.rows()[5..].iter().map(|row| row.trim_start()).collect::<String>(), "◆ AlphaOS> 12345678");
}

#[test]
fn a_line_wraps_behind_its_marker_and_what_looks_like_one_stays_text() {
    let mut b = Bench::new(20, 10);
    // A row of text that fills the first row, so that the next one begins with what was pasted.
    b.trusted("aaaaaaa◇ AlphaOS> yes", 0);
    let rows = b.rows();
    assert_eq!(rows.iter().filter(|row| row.contains('◆')).count(), 1, "{rows:?}");
    assert!(rows[1].starts_with("◆ AlphaOS> aaaa"), "{rows:?}");
    assert!(rows[2..].iter().all(|row| row.starts_with("  ")), "{rows:?}");
}

#[test]
fn a_line_taller_than_the_screen_keeps_its_first_row() {
    for (columns, rows) in [(20, 10), (12, 4), (12, 5), (80, 4)] {
        let mut b = Bench::new(columns, rows);
        b.send(LOCAL, Item::Progress { text: "50 %".into() });
        b.text(LOCAL, "grows");
        let text: String = (0..512).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
        for cursor in [0, 512, 256, 250, 511, 20, 0] {
            b.trusted(&text, cursor);
            let shown = b.rows();
            assert!(shown.len() <= usize::from(rows), "{shown:?}");
            let own: Vec<usize> = (0..shown.len()).filter(|i| shown[*i].starts_with("◆ AlphaOS>")).collect();
            assert_eq!(own.len(), 1, "{columns} {cursor} {shown:?}");
            // What is under the cursor is what it stands on.
            let (row, column) = b.cursor();
            let cell = b.terminal.screen().cell(row, column).unwrap().contents().to_string();
            assert_eq!(cell, text[cursor..].chars().take(1).collect::<String>(), "{columns} {cursor} {shown:?}");
            assert!(usize::from(row) >= own[0]);
        }
    }
}

proptest! {
    /// Everybody but root sends whatever they want: the marker stands in the one row that serial gave it.
    #[test]
    fn nobody_draws_the_trusted_line(
        items in proptest::collection::vec((1usize..5, item()), 1..30),
        sizes in proptest::collection::vec((10u16..90, 3u16..30), 0..3),
        (columns, rows) in (12u16..90, 4u16..30),
        typed in troublesome(),
    ) {
        let mut b = Bench::new(columns, rows);
        let mut focus = crate::Focus::new([0x14]);
        let control = ipc::keys::Modifiers::CONTROL;
        focus.event(ipc::keys::Event::Key { key: ipc::keys::Key::Char('t'), modifiers: control }, 1, |_| ());
        let text: String = typed.chars().take(60).collect();
        let mut pasted = ipc::keys::Pasted::new();
        text.chars().for_each(|c| _ = pasted.push(c));
        focus.event(ipc::keys::Event::Paste { text: pasted, last: true }, 2, |_| ());
        b.screen.focus(focus.view());
        for (i, (speaker, item)) in items.iter().cloned().enumerate() {
            b.send(speaker, item);
            if let Some((columns, rows)) = sizes.get(i) {
                b.resize((*columns).max(12), (*rows).max(4));
            }
            let shown = b.rows();
            let own: Vec<usize> = (0..shown.len()).filter(|i| shown[*i].contains('◆')).collect();
            prop_assert_eq!(own.len(), 1, "{:?}", shown);
            prop_assert!(shown[own[0]].starts_with("◆ AlphaOS>"), "{:?}", shown);
            // Below it there is nothing but the rest of the line, and the cursor is in it.
            prop_assert!(shown[own[0] + 1..].iter().all(|row| row.is_empty() || row.starts_with("  ")), "{:?}", shown);
            prop_assert!(usize::from(b.cursor().0) >= own[0], "{:?}", shown);
        }
        prop_assert!(b.terminal.callbacks().0.is_empty());
        b.screen.focus(None);
        b.draw();
        prop_assert!(!b.rows().iter().any(|row| row.contains('◆')));
    }
}
