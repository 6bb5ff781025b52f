//! Parts that die: the person is told in a sentence, and the system answers again.

use super::{counting, limit, test, usual, Test};
use crate::World;
use alpha::Wish;
use system_tests::{
    ensure,
    machine::Options,
    person::Person,
    victim::{kill, Signature},
    Result,
};

/// All of the layout. Root is not here: what it is for, nobody does for it.
const PARTS: [&str; 7] = ["serial", "clock", "shell", "router", "assistant", "inference", "llama"];

pub fn tests() -> Vec<Test> {
    let mut tests = vec![test("the list of parts to kill is the layout's", all_parts)];
    for part in PARTS {
        tests.push(test(&format!("{part} killed while idle"), move |world| idle(world, part)));
        tests.push(test(&format!("{part} killed while answering"), move |world| answering(world, part)));
    }
    tests.push(test("a part that keeps failing is started ever later", backs_off));
    tests.push(test("nobody dies of anything in an ordinary session", nobody_dies));
    tests
}

fn all_parts(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let names: Vec<&str> = boot.system.pds.iter().map(|pd| pd.name.as_str()).collect();
    ensure!(names == PARTS, "the layout has {names:?}");
    Ok(())
}

fn open(seconds: u64) -> Options {
    Options { open: true, ..limit(seconds) }
}

/// What the person sees of it.
fn sentence(part: &str) -> String {
    format!("{part} failed (")
}

fn idle(world: &World, part: &str) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &open(180))?;
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer before");
    let mark = person.mark();
    kill(&mut person.machine, &Signature::of(&boot, part)?)?;
    wake(&mut person, part)?;
    person.wait_for(mark, &sentence(part))?;
    person.wait_for(mark, "was started again")?;
    recovered(&mut person, part)
}

/// Makes an idle part take its next step, as a person would without knowing. Those with a clock of their own need none.
fn wake(person: &mut Person, part: &str) -> Result<()> {
    match part {
        "serial" | "shell" => person.press("ctrl-u"),
        "router" => person.enter("/why").map(drop),
        "llama" => person.enter("Hello?").map(drop),
        _ => Ok(()),
    }
}

fn answering(world: &World, part: &str) -> Result<()> {
    let (mut person, boot) = counting(world, &open(240))?;
    let mark = person.enter("count")?;
    person.wait_for(mark, "5 6")?;
    let mark = person.mark();
    kill(&mut person.machine, &Signature::of(&boot, part)?)?;
    if ["shell", "router"].contains(&part) {
        person.enter("/why")?;
    }
    person.wait_for(mark, &sentence(part))?;
    person.wait_for(mark, "was started again")?;
    // Of the answer that ran, what the dead part held may be lost; whoever is left may go on with it.
    person.press("ctrl-c")?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    ensure!(person.starts(part)? >= 2, "/status does not count the start of {part}");
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_for(mark, "5 6")?;
    person.press("ctrl-c")?;
    person.wait_answer(before)?;
    person.quit()
}

fn recovered(person: &mut Person, part: &str) -> Result<()> {
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    ensure!(person.starts(part)? == 2, "/status does not count the start of {part}");
    for other in person.status()? {
        ensure!(other.name == part || other.starts == 1, "{} died with {part}", other.name);
    }
    ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
    person.enter("/quit")?;
    person.machine.wait_end().map(drop)
}

/// The clock drives root's own restarts, so it is the hardest case; the others follow the same rule.
fn backs_off(world: &World) -> Result<()> {
    for part in ["inference", "clock"] {
        let boot = world.boot(&Wish::default())?;
        let mut person = Person::boot(&boot, &open(240))?;
        let signature = Signature::of(&boot, part)?;
        for failure in 1..=3 {
            let mark = person.mark();
            kill(&mut person.machine, &signature)?;
            person.wait_for(mark, &sentence(part))?;
            if failure > 1 {
                person.wait_for(mark, &format!("{failure} times in a row"))?;
            }
            person.wait_for(mark, "was started again")?;
        }
        person.wait_prompt()?;
        ensure!(person.starts(part)? == 4, "/status does not count the starts of {part}");
        ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
        person.quit()?;
    }
    Ok(())
}

fn nobody_dies(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    for line in ["/help", "/caps", "/model", "/why", "/log"] {
        person.command(line, "")?;
    }
    person.ask("What can you do?")?;
    person.command("/new", "")?;
    for part in person.status()? {
        ensure!(part.starts == 1, "{} was started {} times", part.name, part.starts);
    }
    person.quit()
}
