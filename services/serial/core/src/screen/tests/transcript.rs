use super::*;

#[test]
fn an_answer_grows_above_the_input_line() {
    let mut b = Bench::new(40, 10);
    b.lines(ROOT, "AlphaOS 0.1");
    b.edit("what?");
    b.send(SHELL, Item::EditDone);
    for word in ["Type", " /caps:", " it", " lists", " every", " part", " and", " what", " it", " holds."] {
        b.text(LOCAL, word);
    }
    b.edit("next");
    assert_eq!(
        b.rows(),
        [
            "◆ AlphaOS AlphaOS 0.1",
            "> what?",
            "[Local] Type /caps: it lists every part",
            "  and what it holds.",
            "> next"
        ]
    );
    assert_eq!(b.cursor(), (4, 6));
    b.send(LOCAL, Item::End);
    b.send(LOCAL, Item::Lines { style: Style::Dim, text: "alpha-small · 23 tokens".into() });
    assert_eq!(b.rows()[3..], ["  and what it holds.", "  alpha-small · 23 tokens", "> next"]);
    assert!(b.terminal.screen().cell(4, 3).unwrap().dim());
}

#[test]
fn a_token_costs_few_bytes() {
    let mut b = Bench::new(80, 24);
    b.edit("something half typed");
    b.text(LOCAL, "The first");
    let cost = b.text(LOCAL, " word");
    assert!(cost <= 5 + 16, "{cost}");
    let typed = b.edit("something half typed,");
    assert_eq!(typed, 1);
}

#[test]
fn lines_of_others_go_above_the_growing_row_and_each_speaker_is_named() {
    let mut b = Bench::new(40, 12);
    b.edit("");
    b.text(LOCAL, "The answer begins and goes on for more than a row of");
    b.lines(ROUTER, "a decision");
    b.text(LOCAL, " this terminal");
    assert_eq!(
        b.rows(),
        [
            "[Local] The answer begins and goes on",
            "[router] a decision",
            "[Local] for more than a row of this",
            "  terminal",
            ">"
        ]
    );
}

#[test]
fn a_first_row_is_only_moved_down() {
    let mut b = Bench::new(40, 12);
    b.text(LOCAL, "One");
    b.lines(ROUTER, "a decision");
    b.text(LOCAL, " two");
    assert_eq!(b.rows(), ["[router] a decision", "[Local] One two"]);
}

#[test]
fn two_blocks_at_once_stay_apart() {
    let mut b = Bench::new(40, 12);
    b.text(LOCAL, "first speaker ");
    b.text(ROUTER, "second one\nwith two");
    b.text(LOCAL, "goes on");
    b.text(ROUTER, " lines");
    assert_eq!(b.rows(), ["[router] second one", "[Local] first speaker goes on"]);
    b.send(LOCAL, Item::End);
    b.text(ROUTER, " and more");
    assert_eq!(b.rows(), ["[router] second one", "[Local] first speaker goes on", "[router] with two lines and more"]);
}

#[test]
fn tables_keep_their_columns() {
    let mut b = Bench::new(40, 12);
    b.lines(ROOT, "PD      state\nserial  runs\nshell   runs");
    b.lines(ROOT, "clock   runs");
    assert_eq!(b.rows(), ["◆ AlphaOS", "  PD      state", "  serial  runs", "  shell   runs", "  clock   runs"]);
}

#[test]
fn progress_is_replaced_and_removed() {
    let mut b = Bench::new(40, 12);
    b.edit("");
    b.send(ROUTER, Item::Progress { text: "10 %".into() });
    b.text(LOCAL, "words");
    b.send(ROUTER, Item::Progress { text: "20 %".into() });
    assert_eq!(b.rows(), ["[Local] words", "[router] 20 %", ">"]);
    b.send(ROUTER, Item::Progress { text: String::new() });
    assert_eq!(b.rows(), ["[Local] words", ">"]);
}

#[test]
fn a_restart_of_a_speaker_ends_its_block_and_its_input_line() {
    let mut b = Bench::new(40, 12);
    b.edit("abc");
    b.text(LOCAL, "half an ans");
    b.screen.restarted(LOCAL);
    b.screen.restarted(SHELL);
    b.draw();
    b.text(LOCAL, "New");
    assert_eq!(b.rows(), ["[Local] half an ans", "[Local] New"]);
}

#[test]
fn nothing_new_sends_nothing() {
    let mut b = Bench::new(40, 12);
    b.edit("x");
    assert_eq!(b.draw(), b"");
    assert_eq!(b.edit("x"), 0);
}

#[test]
fn white_space_around_an_answer_is_not_shown() {
    let mut b = Bench::new(40, 12);
    b.text(LOCAL, "\n\n  Hi");
    b.text(LOCAL, ".\n\n\n\n\n\nBye\n\n");
    b.send(LOCAL, Item::End);
    b.lines(ROUTER, "next");
    assert_eq!(b.rows(), ["[Local] Hi.", "", "", "  Bye", "[router] next"]);
}
