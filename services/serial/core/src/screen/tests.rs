use super::*;
use proptest::prelude::*;

const ROOT: usize = 0;
const SHELL: usize = 1;
const LOCAL: usize = 2;
const ROUTER: usize = 3;

struct Bench {
    screen: Screen,
    terminal: vt100::Parser<Watcher>,
    bytes: usize,
}

#[derive(Default)]
struct Watcher(Vec<String>);

impl vt100::Callbacks for Watcher {
    fn unhandled_csi(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        if (params.first().map(|p| p[0]), c) != (Some(6), 'n') {
            self.0.push(format!("{params:?} {c}"));
        }
    }
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0.push(format!("title {title:?}"));
    }
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.0.push(format!("clipboard {data:?}"));
    }
    fn unhandled_escape(&mut self, _: &mut vt100::Screen, a: Option<u8>, b: Option<u8>, c: u8) {
        self.0.push(format!("escape {a:?} {b:?} {c}"));
    }
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.0.push("bell".into());
    }
}

impl Bench {
    fn new(columns: u16, rows: u16) -> Bench {
        let speaker = |label: &str, reserved, edits| Speaker { label: label.into(), reserved, edits };
        let speakers = [
            speaker("AlphaOS", true, false),
            speaker("shell", false, true),
            speaker("Local", false, false),
            speaker("router", false, false),
        ];
        let mut screen = Screen::new(speakers, true);
        screen.resize(columns, rows);
        let terminal = vt100::Parser::new_with_callbacks(rows, columns, 5000, Watcher::default());
        let mut bench = Bench { screen, terminal, bytes: 0 };
        bench.draw();
        bench
    }

    fn draw(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.screen.take_output(&mut out);
        self.terminal.process(&out);
        self.bytes += out.len();
        out
    }

    fn send(&mut self, speaker: usize, item: Item) -> usize {
        self.screen.item(speaker, item);
        self.draw().len()
    }

    fn lines(&mut self, speaker: usize, text: &str) -> usize {
        self.send(speaker, Item::Lines { style: Style::Plain, text: text.into() })
    }

    fn text(&mut self, speaker: usize, text: &str) -> usize {
        self.send(speaker, Item::Text { style: Style::Plain, text: text.into() })
    }

    fn edit(&mut self, text: &str) -> usize {
        self.edit_at(text, text.len())
    }

    fn edit_at(&mut self, text: &str, cursor: usize) -> usize {
        self.send(SHELL, Item::Edit { prompt: String::new(), text: text.into(), cursor: cursor as u32 })
    }

    fn rows(&self) -> Vec<String> {
        let screen = self.terminal.screen();
        let mut rows: Vec<_> = screen.rows(0, screen.size().1).map(|row| row.trim_end().to_string()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    fn cursor(&self) -> (u16, u16) {
        self.terminal.screen().cursor_position()
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.screen_mut().set_size(rows, columns);
        self.screen.resize(columns, rows);
        self.draw();
    }
}

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
fn an_edit_in_the_middle_sends_the_rest_of_the_row_only() {
    let mut b = Bench::new(80, 24);
    b.edit_at("hello world", 5);
    assert_eq!(b.cursor(), (0, 7));
    let cost = b.edit_at("hello, world", 6);
    assert!(cost <= 7 + 5, "{cost}");
    assert_eq!(b.rows(), ["> hello, world"]);
    assert_eq!(b.cursor(), (0, 8));
    b.edit_at("hello", 5);
    assert_eq!(b.rows(), ["> hello"]);
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

#[test]
fn a_long_input_line_takes_several_rows_and_scrolls_when_it_fills_the_screen() {
    let mut b = Bench::new(20, 10);
    b.edit(&"a".repeat(16));
    b.edit(&"a".repeat(17));
    assert_eq!(b.cursor(), (0, 19));
    b.edit(&"a".repeat(18));
    assert_eq!(b.rows(), ["> aaaaaaaaaaaaaaaaa", "  a"]);
    assert_eq!(b.cursor(), (1, 3));
    b.lines(ROUTER, "above");
    assert_eq!(b.rows(), ["[router] above", "> aaaaaaaaaaaaaaaaa", "  a"]);
    let long: String = (0..400).map(|i| char::from(b'a' + (i / 17 % 26) as u8)).collect();
    b.edit(&long);
    let rows = b.rows();
    assert_eq!(rows.len(), 10 - 2 - 2 + 1);
    assert!(rows.last().unwrap().contains('x'), "{rows:?}");
    b.edit_at(&long, 0);
    let rows = b.rows();
    assert!(rows[rows.len() - 6].starts_with("> aaa"), "{rows:?}");
    b.edit("");
    assert_eq!(b.rows(), ["[router] above", ">"]);
}

#[test]
fn a_hundred_kilobytes_in_the_input_line_are_drawn_in_bounded_output() {
    let mut b = Bench::new(80, 24);
    let cost = b.edit(&"x".repeat(100_000));
    assert!(cost < 24 * 90, "{cost}");
    b.send(SHELL, Item::EditDone);
    b.edit("");
    assert_eq!(b.rows().last().unwrap(), ">");
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

/// Characters that make trouble.
fn troublesome() -> impl Strategy<Value = String> {
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

fn item() -> impl Strategy<Value = Item> {
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
            prop_assert!(!row.contains('◆') || items.iter().any(|(speaker, _)| *speaker == ROOT), "{row:?}");
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
