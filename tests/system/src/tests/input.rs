//! Keys, pastes and what else can come in through the line.

use super::{limit, shared, test, Shared, Test, VERBATIM};
use crate::World;
use alpha::{Boot, Wish};
use system_tests::{
    ensure,
    machine::Options,
    person::{Person, PROMPT},
    Result,
};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "arrows, home, end and word keys move the cursor", moving),
        shared(Shared::Usual, "deleting takes characters, words and lines", deleting),
        shared(Shared::Usual, "the line takes characters of all widths", wide),
        shared(Shared::Usual, "history comes back by arrows and by search", history),
        shared(Shared::Usual, "tab completes commands", completion),
        shared(Shared::Usual, "ctrl-l draws the screen anew", redraw),
        shared(Shared::Usual, "a line of 100 KB is refused or taken, and the next one works", long_line),
        shared(Shared::Usual, "invalid utf-8 does no harm", invalid),
        shared(Shared::Verbatim, "a bracketed paste of a page is one line", paste_bracketed),
        shared(Shared::Verbatim, "a prompt that does not fit into the context is refused with the numbers", too_long),
        shared(Shared::Verbatim, "a raw paste of a page loses nothing", paste_raw),
        shared(Shared::Usual, "what a terminal sends back is not typed", replies_swallowed),
        test("a terminal of 20 columns is enough", narrow),
        shared(Shared::Usual, "a resized terminal is noticed", resized),
    ]
}

fn moving(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("one two three")?;
    person.wait_line("one two three", "one two three")?;
    person.press("home")?;
    person.wait_line("one two three", "")?;
    person.press("right")?;
    person.wait_line("one two three", "o")?;
    person.press("end")?;
    person.wait_line("one two three", "one two three")?;
    person.press("left")?;
    person.wait_line("one two three", "one two thre")?;
    person.press("ctrl-left")?;
    person.wait_line("one two three", "one two ")?;
    person.press("alt-b")?;
    person.wait_line("one two three", "one ")?;
    person.type_text("and ")?;
    person.wait_line("one and two three", "one and ")?;
    person.press("ctrl-a")?;
    person.wait_line("one and two three", "")?;
    person.press("ctrl-right")?;
    person.press("ctrl-e")?;
    person.wait_line("one and two three", "one and two three")?;
    Ok(())
}

fn deleting(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("one two three")?;
    person.press("backspace")?;
    person.wait_line("one two thre", "one two thre")?;
    person.press("ctrl-w")?;
    person.wait_line("one two", "one two ")?;
    person.press("home")?;
    person.press("delete")?;
    person.wait_line("ne two", "")?;
    person.press("right")?;
    person.press("ctrl-k")?;
    person.wait_line("n", "n")?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    Ok(())
}

fn wide(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("äöü 日本")?;
    let seen = |text: &'static str, column: usize| {
        move |view: &system_tests::terminal::View| {
            let (row, at) = view.cursor_row();
            (row == format!("{PROMPT} {text}") && at == column).then_some(())
        }
    };
    let terminal = &person.machine.terminal;
    terminal.wait("wide characters, the cursor behind them", seen("äöü 日本", 10))?;
    person.press("left")?;
    person.machine.terminal.wait("the cursor on the last one", seen("äöü 日本", 8))?;
    person.press("backspace")?;
    person.machine.terminal.wait("one of them gone", seen("äöü 本", 6))?;
    Ok(())
}

fn history(person: &mut Person, _: &Boot) -> Result<()> {
    person.command("/help", "/quit")?;
    person.command("/why", "")?;
    person.type_text("half")?;
    person.wait_line("half", "half")?;
    person.press("up")?;
    person.wait_line("/why", "/why")?;
    person.press("up")?;
    person.wait_line("/help", "/help")?;
    person.press("down")?;
    person.wait_line("/why", "/why")?;
    person.press("down")?;
    person.wait_line("half", "half")?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    let mark = person.mark();
    person.press("ctrl-r")?;
    person.type_text("he")?;
    person.wait_for(mark, "/help")?;
    person.press("end")?;
    person.wait_line("/help", "/help")?;
    Ok(())
}

fn completion(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("/st")?;
    person.wait_line("/st", "/st")?;
    person.press("tab")?;
    person.machine.terminal.wait("/status", |view| {
        view.cursor_row().0.starts_with(&format!("{PROMPT} /status")).then_some(())
    })?;
    Ok(())
}

fn redraw(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("half a line")?;
    person.wait_line("half a line", "half a line")?;
    let before = person.mark();
    person.press("ctrl-l")?;
    person.machine.terminal.wait("the line, drawn anew", |view| {
        let drawn = view.printed_since(before).contains("half a line");
        (drawn && view.cursor_row().0 == format!("{PROMPT} half a line")).then_some(())
    })?;
    Ok(())
}

fn long_line(person: &mut Person, _: &Boot) -> Result<()> {
    let line = "0123456789".repeat(10_000);
    person.type_text(&line)?;
    person.press("enter")?;
    person.press("ctrl-c")?;
    person.wait_prompt()?;
    person.command("/help", "/quit")?;
    ensure!(person.starts("shell")? == 1 && person.starts("serial")? == 1, "a part died of it");
    Ok(())
}

fn invalid(person: &mut Person, _: &Boot) -> Result<()> {
    person.machine.terminal.type_bytes(b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5\x80\x80\x80\xe2\x82")?;
    person.type_text("ok")?;
    person.machine.terminal.wait("what was typed behind it", |view| view.cursor_row().0.ends_with("ok").then_some(()))?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    // A character that never ends, then a key.
    person.machine.terminal.type_bytes(b"\xe2\x82\x1b[D\x1b[\xff\x1b\x1b\x1b")?;
    person.press("ctrl-u")?;
    person.command("/help", "/quit")?;
    ensure!(person.status()?.iter().all(|part| part.starts == 1), "a part died of it");
    Ok(())
}

/// Lines of 60 characters. To the model of this test every character is a token, and its context holds 2048.
fn page(lines: usize) -> String {
    (1..=lines).map(|line| format!("line {line:02} {}\n", "abcdefghij".repeat(5))).collect()
}

fn paste_bracketed(person: &mut Person, _: &Boot) -> Result<()> {
    let on = person.machine.terminal.look(|view| view.screen().bracketed_paste());
    ensure!(on, "serial does not ask for bracketed paste");
    let before = person.figures_seen();
    paste(person, 20)?;
    ensure!(person.figures_seen() == before, "the paste was sent before Enter");
    person.press("enter")?;
    let answer = person.wait_answer(before)?;
    ensure!(answer.text == VERBATIM, "{answer:?}");
    ensure!(person.figures_seen() == before + 1, "one paste, {} answers", person.figures_seen() - before);
    Ok(())
}

fn paste(person: &mut Person, lines: usize) -> Result<()> {
    person.type_text(&format!("\u{1b}[200~{}\u{1b}[201~", page(lines)))?;
    let last = format!("line {lines}");
    person.machine.terminal.wait("the page's end in the input line", |view| view.contents().contains(&last).then_some(()))
}

fn too_long(person: &mut Person, _: &Boot) -> Result<()> {
    let mark = person.mark();
    paste(person, 60)?;
    person.press("enter")?;
    person.wait_printed(mark, "Please shorten it.")?;
    person.wait_prompt()?;
    ensure!(person.ask("Hello!")?.text == VERBATIM, "no answer to the next prompt");
    Ok(())
}

/// Without paste marks each line is a line: all of them are answered, none is lost or mixed up.
fn paste_raw(person: &mut Person, _: &Boot) -> Result<()> {
    let lines = 6;
    let text: String = (1..=lines).map(|line| format!("line {line} {}\r", "abcdefghij".repeat(5))).collect();
    person.type_text(&text)?;
    person.wait_answer(lines - 1)?;
    let transcript = person.machine.terminal.transcript().join("\n");
    for line in 1..=lines {
        ensure!(transcript.contains(&format!("{PROMPT} line {line} abcdefghij")), "line {line} is lost:\n{transcript}");
    }
    Ok(())
}

fn replies_swallowed(person: &mut Person, _: &Boot) -> Result<()> {
    // Late answers of a terminal to questions that nobody asked now.
    person.type_text("\u{1b}[24;80R\u{1b}[8;24;80t\u{1b}[?62;22c\u{1b}[0n\u{1b}]11;rgb:0000/0000/0000\u{1b}\\\u{1b}[I\u{1b}[O")?;
    person.type_text("x")?;
    person.wait_line("x", "x")?;
    Ok(())
}

fn narrow(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &Options { columns: 20, rows: 10, ..limit(180) })?;
    person.type_text("a line that is longer than the terminal is wide")?;
    person.machine.terminal.wait("the end of a wrapped line", |view| {
        view.contents().split_whitespace().collect::<String>().ends_with("iswide").then_some(())
    })?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    let mark = person.enter("Hello!")?;
    // The figures are wrapped too.
    person.wait_printed(mark, "first word")?;
    person.wait_prompt()?;
    person.quit()
}

fn resized(person: &mut Person, _: &Boot) -> Result<()> {
    person.machine.terminal.resize(40, 12);
    // Nothing tells the machine; it asks again when something is entered or the screen is drawn anew.
    person.press("ctrl-l")?;
    person.command("/help", "/quit")?;
    let text = "x".repeat(60);
    person.type_text(&text)?;
    person.machine.terminal.wait("a line wrapped at 40 columns", |view| {
        let rows = view.rows();
        let last = rows.iter().rposition(|row| !row.is_empty())?;
        let (first, second) = (rows.get(last.checked_sub(1)?)?, &rows[last]);
        // Later rows begin below the first letter.
        (format!("{first}{}", second.strip_prefix("  ")?) == format!("{PROMPT} {text}")).then_some(())
    })?;
    person.clear_line()?;
    person.machine.terminal.resize(80, 24);
    person.press("ctrl-l")?;
    Ok(())
}
