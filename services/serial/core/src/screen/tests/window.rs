use super::*;

#[test]
fn the_screen_scrolls_and_stays_whole() {
    let mut b = Bench::new(30, 6);
    b.edit("here");
    for i in 0..50 {
        b.text(LOCAL, &format!("line {i}\n"));
    }
    b.text(LOCAL, "the end");
    assert_eq!(b.rows(), ["  line 46", "  line 47", "  line 48", "  line 49", "  the end", "> here"]);
}

#[test]
fn a_narrower_window_is_drawn_again() {
    let mut b = Bench::new(80, 24);
    b.lines(LOCAL, "one two three four five six seven eight nine ten");
    b.text(LOCAL, "eleven twelve thirteen fourteen fifteen");
    b.edit("input");
    b.resize(24, 8);
    let rows = b.rows();
    assert_eq!(
        rows[rows.len() - 5..],
        ["  eight nine ten", "[Local] eleven twelve", "  thirteen fourteen", "  fifteen", "> input"]
    );
    b.text(LOCAL, " sixteen");
    assert_eq!(b.rows()[b.rows().len() - 2..], ["  fifteen sixteen", "> input"]);
}

#[test]
fn learning_that_the_terminal_is_wider_moves_nothing() {
    let mut b = Bench::new(80, 24);
    b.screen = Screen::new([Speaker { label: "x".into(), reserved: false, edits: false }], true);
    b.terminal = vt100::Parser::new_with_callbacks(24, 120, 100, Watcher::default());
    b.lines(0, "hello");
    b.text(0, &"word ".repeat(20));
    b.screen.resize(120, 24);
    let out = b.draw();
    assert!(!out.windows(4).any(|w| w == b"\x1b[2J"));
    b.text(0, &"more ".repeat(20));
    let rows = b.rows();
    assert_eq!(rows.len(), 4, "{rows:#?}");
    assert!(rows[2].len() > 100 && rows[3].starts_with("  more"), "{rows:#?}");
}

#[test]
fn redraw_shows_the_end_of_the_transcript() {
    let mut b = Bench::new(30, 6);
    for i in 0..20 {
        b.lines(ROUTER, &format!("line {i}"));
    }
    b.edit("typed");
    let before = b.rows();
    b.terminal.process(b"\x1b[3;7Hgarbage from elsewhere\x1b[31m");
    b.send(SHELL, Item::Redraw);
    let after = b.rows();
    assert_eq!(before[1..], after[1..]);
    assert_eq!(after[0], "  line 15");
    assert_eq!(b.cursor(), (5, 7));
}

#[test]
fn a_new_life_of_serial_begins_on_a_clean_row() {
    let mut b = Bench::new(40, 12);
    b.lines(ROUTER, "before");
    b.edit("half typed");
    // It died within a sequence.
    b.terminal.process(b"\x1b[12;");
    b.screen = Screen::new([Speaker { label: "shell".into(), reserved: false, edits: true }], false);
    b.send(0, Item::Edit { prompt: String::new(), text: "half typed".into(), cursor: 10 });
    assert_eq!(b.rows(), ["[router] before", "> half typed"]);
}

#[test]
fn the_terminal_is_asked_for_its_size() {
    let mut b = Bench::new(40, 12);
    b.edit("x");
    b.screen.item(SHELL, Item::Redraw);
    assert!(b.draw().ends_with(ASK_SIZE));
    assert_eq!(b.cursor(), (0, 3));
    b.screen.item(SHELL, Item::EditDone);
    assert!(b.draw().ends_with(ASK_SIZE));
}
