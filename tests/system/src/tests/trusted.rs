//! The trusted path: what the person types to root itself.

use super::{limit, shared, test, Shared, Test};
use crate::World;
use alpha::{Boot, Wish};
use system_tests::{
    ensure,
    machine::Options,
    person::Person,
    victim::{kill, Signature},
    Result,
};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "ctrl-t leads to root, escape back to the half-typed line", there_and_back),
        shared(Shared::Usual, "what is typed to root never reaches the shell", unheard),
        shared(Shared::Usual, "no paste opens the trusted path or answers there", pasted),
        shared(Shared::Counting, "ctrl-c stops an answer while the focus is at root", stopped),
        test("serial killed while the focus is at root", killed),
        test("the trusted path on a terminal of 20 columns", narrow),
    ]
}

fn there_and_back(person: &mut Person, _: &Boot) -> Result<()> {
    let mark = person.mark();
    person.enter("/mode")?;
    person.wait_printed(mark, "press Ctrl-T")?;
    person.wait_prompt()?;
    person.type_text("half a line")?;
    person.press("left")?;
    person.wait_line("half a line", "half a lin")?;
    let mark = person.mark();
    person.press_later("ctrl-t")?;
    person.wait_printed(mark, "1 Local Only (now)")?;
    person.wait_for(mark, "Escape or Ctrl-T goes back.")?;
    person.wait_trusted("")?;
    person.type_text("99")?;
    person.wait_trusted("99")?;
    let mark = person.mark();
    person.press_later("enter")?;
    person.wait_printed(mark, "Type a number from 1 to")?;
    person.wait_trusted("")?;
    person.type_text("not sent")?;
    person.wait_trusted("not sent")?;
    person.press_later("escape")?;
    person.wait_line("half a line", "half a lin")?;
    person.type_text("!")?;
    person.wait_line("half a lin!e", "half a lin!")?;
    // What was not sent is gone, and the same key leads back as well.
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.press_later("ctrl-t")?;
    person.wait_line("half a lin!e", "half a lin!")
}

fn unheard(person: &mut Person, _: &Boot) -> Result<()> {
    person.command("/why", "")?;
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.type_text("a secret")?;
    person.wait_trusted("a secret")?;
    let mark = person.mark();
    person.press_later("enter")?;
    person.wait_printed(mark, "Type a number")?;
    // Keys that would do something to the shell's line.
    for key in ["up", "tab", "ctrl-r", "page-up"] {
        person.press(key)?;
    }
    person.type_text("/help")?;
    person.wait_trusted("/help")?;
    person.press_later("escape")?;
    person.wait_prompt()?;
    person.press("up")?;
    person.wait_line("/why", "/why")
}

fn pasted(person: &mut Person, _: &Boot) -> Result<()> {
    person.type_text("\u{1b}[200~a\u{14}b\u{1b}[201~")?;
    person.wait_line("ab", "ab")?;
    // A terminal that marks no paste.
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    person.type_text("x\u{14}y")?;
    person.wait_line("xy", "xy")?;

    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.type_text("\u{1b}[200~1\r\u{14}\u{1b}[201~")?;
    person.wait_trusted("1 ")?;
    let mark = person.mark();
    person.type_text("\u{7f}\r")?;
    person.wait_for(mark, "Enter came as in a paste")?;
    person.wait_trusted("1")?;
    person.press_later("enter")?;
    person.wait_printed(mark, "The mode is Local Only already.")?;
    person.press_later("escape")?;
    person.wait_line("xy", "xy")
}

fn stopped(person: &mut Person, _: &Boot) -> Result<()> {
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_printed(mark, "5 6")?;
    person.type_text("half")?;
    person.wait_line("half", "half")?;
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.type_text("12")?;
    person.wait_trusted("12")?;
    person.press("ctrl-c")?;
    let answer = person.wait_answer(before)?;
    ensure!(answer.was_stopped(), "{answer:?}");
    person.wait_trusted("")?;
    person.press_later("escape")?;
    // The shell was not told.
    person.wait_line("half", "half")
}

fn killed(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &Options { open: true, ..limit(300) })?;
    let serial = Signature::of(&boot, "serial")?;
    person.type_text("half")?;
    person.wait_line("half", "half")?;
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.type_text("1")?;
    person.wait_trusted("1")?;
    let mark = person.mark();
    kill(&mut person.machine, &serial)?;
    // It dies of its next step; should its next life read this, the shell has nothing to do for it.
    person.press("right")?;
    person.wait_printed(mark, "serial failed (")?;
    person.wait_printed(mark, "was started again")?;
    person.wait_line("half", "half")?;
    person.type_text("!")?;
    person.wait_line("half!", "half!")?;
    let mark = person.mark();
    person.press_later("ctrl-t")?;
    person.wait_printed(mark, "1 Local Only (now)")?;
    person.wait_trusted("")?;
    person.press_later("escape")?;
    person.wait_line("half!", "half!")?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    person.quit()
}

fn narrow(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &Options { columns: 20, rows: 10, ..limit(180) })?;
    let mark = person.mark();
    person.press_later("ctrl-t")?;
    person.wait_printed(mark, "Local Only (now)")?;
    person.wait_trusted("")?;
    person.type_text("a line longer than a row")?;
    person.machine.terminal.wait("a wrapped line behind one marker", |view| {
        let rows = view.rows();
        let first = rows.iter().rposition(|row| row.starts_with("◆ AlphaOS> a"))?;
        let below = rows[first + 1..].iter().all(|row| row.is_empty() || row.starts_with("  "));
        (below && view.contents().split_whitespace().collect::<String>().ends_with("thanarow")).then_some(())
    })?;
    person.press_later("escape")?;
    person.wait_prompt()?;
    person.quit()
}
