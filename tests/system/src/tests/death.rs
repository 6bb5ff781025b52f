//! Parts that die: the person is told in a sentence, and the system answers again.

use super::{limit, shared, test, Shared, Test};
use crate::World;
use alpha::{Boot, Wish};
use system_tests::{
    ensure,
    machine::Options,
    person::Person,
    terminal::Mark,
    victim::{jump_to_stack, kill, Signature},
    Result,
};

/// All of the layout. Root is not here: what it is for, nobody does for it.
const PARTS: [&str; 7] = ["serial", "clock", "shell", "router", "assistant", "inference", "llama"];

pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        test("the list of parts to kill is the layout's", all_parts),
        shared(Shared::Usual, "nobody dies of anything in an ordinary session", nobody_dies),
    ];
    for part in PARTS {
        let name = format!("{part} killed while idle");
        tests.push(shared(Shared::Usual, &name, move |person, boot| idle(person, boot, part)));
    }
    for part in PARTS {
        let name = format!("{part} killed while answering");
        tests.push(shared(Shared::Counting, &name, move |person, boot| answering(person, boot, part)));
    }
    tests.push(shared(Shared::Usual, "a part that jumps into its stack is stopped there", jumps_into_data));
    tests.push(test("a part that keeps failing is started ever later", backs_off));
    tests.push(test("a screen that keeps failing is told of without it", mute));
    tests
}

fn all_parts(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let names: Vec<&str> = boot.system.pds.iter().filter(|pd| pd.modes.has(0)).map(|pd| pd.name.as_str()).collect();
    ensure!(names == PARTS, "the layout has {names:?}");
    Ok(())
}

/// What the person sees of it.
fn sentence(part: &str) -> String {
    format!("{part} failed (")
}

fn idle(person: &mut Person, boot: &Boot, part: &str) -> Result<()> {
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer before");
    let before = person.status()?;
    let mark = person.mark();
    kill(&mut person.machine, &Signature::of(boot, part)?)?;
    wake(person, part)?;
    person.wait_printed(mark, &sentence(part))?;
    back(person, mark, part)?;
    person.clear_line()?;
    for (then, now) in before.iter().zip(person.status()?) {
        let expected = then.starts + u64::from(then.name == part);
        ensure!(now.name == then.name && now.starts == expected, "{part} was killed: {then:?} became {now:?}");
    }
    ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
    Ok(())
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

/// Until the part lives again, and, where the person needs that to go on, is at work.
fn back(person: &Person, mark: Mark, part: &str) -> Result<()> {
    person.wait_printed(mark, "was started again")?;
    match part {
        "shell" => person.wait_printed(mark, "so is the history"),
        _ => Ok(()),
    }
}

/// The stack can be written, so it cannot be executed: the processor refuses the first instruction there.
fn jumps_into_data(person: &mut Person, boot: &Boot) -> Result<()> {
    let part = "router";
    let pd = boot.system.pds.iter().find(|pd| pd.name == part);
    let threads = pd.iter().flat_map(|pd| &pd.threads);
    let stacks: Vec<_> = threads.map(|thread| thread.stack_top - thread.stack_bytes..thread.stack_top).collect();
    let mark = person.mark();
    jump_to_stack(&mut person.machine, &Signature::of(boot, part)?)?;
    wake(person, part)?;
    person.wait_printed(mark, &sentence(part))?;
    back(person, mark, part)?;
    let said = person.machine.terminal.look(|view| view.printed_since(mark));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let address = said
        .split_once("it jumped to address 0x")
        .and_then(|(_, rest)| u64::from_str_radix(rest.split(|c: char| !c.is_ascii_hexdigit()).next()?, 16).ok());
    ensure!(
        address.is_some_and(|address| stacks.iter().any(|stack| stack.contains(&address))),
        "{part} did not die of a jump into its stack {stacks:x?}: {said}"
    );
    person.clear_line()?;
    ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
    Ok(())
}

fn answering(person: &mut Person, boot: &Boot, part: &str) -> Result<()> {
    let starts = person.starts(part)?;
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_printed(mark, "5 6")?;
    let mark = person.mark();
    kill(&mut person.machine, &Signature::of(boot, part)?)?;
    if ["shell", "router"].contains(&part) {
        person.enter("/why")?;
    }
    person.wait_printed(mark, &sentence(part))?;
    back(person, mark, part)?;
    // Of the answer that ran, what the dead part held is lost; whoever is left goes on with it.
    match part {
        "assistant" => person.wait_printed(mark, "the conversation so far is lost")?,
        "inference" | "llama" => person.wait_printed(mark, "Please ask again.")?,
        _ => {
            person.press("ctrl-c")?;
            person.wait_answer(before)?;
        }
    }
    person.clear_line()?;
    ensure!(person.starts(part)? > starts, "/status does not count the start of {part}");
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_printed(mark, "5 6")?;
    person.press("ctrl-c")?;
    person.wait_answer(before).map(drop)
}

/// The clock drives root's own restarts, so it is the hardest case; the others follow the same rule.
fn backs_off(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &Options { open: true, ..limit(300) })?;
    for part in ["inference", "clock"] {
        let signature = Signature::of(&boot, part)?;
        for failure in 1..=3 {
            let mark = person.mark();
            kill(&mut person.machine, &signature)?;
            person.wait_printed(mark, &sentence(part))?;
            if failure > 1 {
                person.wait_printed(mark, &format!("{failure} times in a row"))?;
            }
            person.wait_printed(mark, "was started again")?;
        }
        person.wait_prompt()?;
        ensure!(person.starts(part)? == 4, "/status does not count the starts of {part}");
        ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
    }
    person.quit()
}

/// Serial draws everything, so root says itself why nothing is drawn.
fn mute(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &Options { open: true, ..limit(300) })?;
    let signature = Signature::of(&boot, "serial")?;
    let mark = person.mark();
    for failure in 1..=3 {
        kill(&mut person.machine, &signature)?;
        person.press("ctrl-u")?;
        let said = if failure < 3 { format!("{failure} times in a row") } else { "which writes to this screen, failed 3 times".into() };
        // The first time there is no number.
        let said = if failure == 1 { sentence("serial") } else { said };
        person.wait_for(mark, &said)?;
        if failure < 3 {
            person.wait_printed(mark, "was started again")?;
        }
    }
    person.wait_prompt()?;
    ensure!(person.starts("serial")? == 4, "/status does not count the starts of serial");
    ensure!(!person.ask("Hello again!")?.text.is_empty(), "no answer after");
    person.quit()
}

fn nobody_dies(person: &mut Person, _: &Boot) -> Result<()> {
    for line in ["/help", "/caps", "/model", "/why", "/log"] {
        person.command(line, "")?;
    }
    person.ask("What can you do?")?;
    person.command("/new", "")?;
    for part in person.status()? {
        ensure!(part.starts == 1, "{} was started {} times", part.name, part.starts);
    }
    Ok(())
}
