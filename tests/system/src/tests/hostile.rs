//! Hostile servers: an attacker in the place of each untrusted part. The system goes on, nobody is fooled, and nothing
//! private is on the wire. docs/hostile.md says what is tried and what is not.

use super::{limit, test, Test};
use crate::World;
use alpha::{build::further_program, Boot, Progress, Wish};
use attacker_orders::End;
use std::fs;
use system_tests::{
    ensure,
    gguf::Speaker,
    hostile::{finds, forged_rows, orders},
    machine::{Folder, Machine, Options},
    person::Person,
    terminal::Mark,
    Failure, Result,
};

/// The model's only answer, and what an attacker on the private side wants to pass on.
const CANARY: &str = "Quetzal-27-Canary";
const NETWORK: usize = 2;

/// How the lives of each untrusted part's attacker end. llama is not here: docs/hostile.md says why.
const PARTS: [(&str, &[End]); 6] = [
    ("shell", &[End::FalseFault, End::ReadKernel, End::FalsePanic]),
    ("router", &[End::FalsePanic, End::WrongReceive, End::RunData]),
    ("cloud", &[End::UnknownCall, End::FalsePanic, End::ReadUnmapped]),
    ("net", &[End::PortOut, End::FalseFault, End::WriteReadOnly]),
    ("assistant", &[End::UnknownCall, End::WriteReadOnly, End::Overflow]),
    ("inference", &[End::FalseFault, End::Privileged, End::FalsePanic]),
];
const PRIVATE: [&str; 2] = ["assistant", "inference"];
/// They are there only with a network.
const OUTSIDE: [&str; 2] = ["cloud", "net"];
/// One on each side takes all the time it gets in its first life, for longer than root takes to find out who does.
const SPINNERS: [&str; 2] = ["router", "inference"];
const SPIN_MS: u64 = 6000;

pub fn tests() -> Vec<Test> {
    let mut tests = vec![test("every untrusted part has its attacker", all_parts)];
    for (part, _) in PARTS {
        tests.push(test(&format!("an attacker in the place of {part}"), move |world| attacked(world, &[part])));
    }
    tests.push(test("attackers on both sides, in pairs", pairs));
    tests
}

fn all_parts(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let untrusted = boot.system.pds.iter().filter(|pd| pd.trust != spec::Trust::Trusted && pd.name != "llama");
    let mut names: Vec<&str> = untrusted.map(|pd| pd.name.as_str()).collect();
    let mut parts = PARTS.map(|(part, _)| part);
    names.sort_unstable();
    parts.sort_unstable();
    ensure!(names == parts, "the layout has {names:?}, attacked are {parts:?}");
    Ok(())
}

/// One pair; all of them in the long form.
fn pairs(world: &World) -> Result<()> {
    let public = PARTS.iter().map(|(part, _)| *part).filter(|part| !PRIVATE.contains(part));
    let all: Vec<[&str; 2]> = public.flat_map(|public| PRIVATE.map(|private| [private, public])).collect();
    let some = if world.long { all } else { vec![["assistant", "cloud"]] };
    for pair in some {
        attacked(world, &pair).map_err(|failure| Failure::new(format!("{}: {failure}", pair.join(" and "))))?;
    }
    Ok(())
}

/// The image with the attacker in these places. All else in it is as people get it.
fn boot(world: &World, parts: &[&str]) -> Result<Boot> {
    let model = world.model("canary.gguf", |path| Speaker::says([CANARY, "."]).write(path))?;
    let wish = Wish { model: Some(model), ..Wish::default() };
    let usual = world.boot(&wish)?;
    let mut progress = Progress::new();
    let built = further_program(&world.tree, world.toolchain(), "attacker", &mut progress);
    progress.finish();
    let attacker = fs::read(built.map_err(say)?)?;
    let folder = Folder::new()?;
    let mut programs = world.programs()?.clone();
    for (part, ends) in PARTS.iter().filter(|(part, _)| parts.contains(part)) {
        let canary = if PRIVATE.contains(part) { CANARY } else { "" };
        let spin_ms = if parts == [*part] && SPINNERS.contains(part) { SPIN_MS } else { 0 };
        let mut program = attacker.clone();
        orders(&usual.system, part, ends, spin_ms, canary)?.write(&mut program).map_err(Failure::new)?;
        let file = folder.0.join(part);
        fs::write(&file, program)?;
        let table = programs.layout.pds.iter().find(|pd| pd.name == **part);
        let name = table.map(|pd| pd.program.name().to_owned()).unwrap_or_default();
        ensure!(programs.files.insert(name, file).is_some(), "{part} has no program");
    }
    let boot = alpha::image::make(&world.tree, &programs, &wish).map_err(say)?;
    // The same parts with the same authority: only what they run is another thing.
    let mut same = boot.system.clone();
    same.hash = usual.system.hash;
    for (pd, was) in same.pds.iter_mut().zip(&usual.system.pds) {
        pd.image = was.image.clone();
        pd.threads.clone_from(&was.threads);
    }
    ensure!(same == usual.system, "the attacker's image differs in more than its programs");
    Ok(boot)
}

fn attacked(world: &World, parts: &[&str]) -> Result<()> {
    let boot = boot(world, parts)?;
    let folder = Folder::new()?;
    let wire = folder.0.join("wire");
    let record = format!("filter-dump,id=wire,netdev=net,file={}", wire.display());
    // Wide enough that what belongs together stands in one row.
    let options = Options { columns: 200, rows: 50, extra: vec!["-object".into(), record.into()], ..limit(200) };
    let mut person = Person { machine: Machine::start(&boot, &options)? };
    let outcome = session(&mut person, parts);
    // Whatever else went wrong, this is worse.
    drop(person);
    let wire = fs::read(&wire)?;
    let found = finds(&wire, CANARY);
    ensure!(found.is_empty(), "the canary is on the wire: {}", found.join(", "));
    outcome?;
    // In Local Only nothing is; in Network somebody asks for an address.
    ensure!(parts.contains(&"net") || wire.len() > 300, "{} bytes on the wire: it was not looked at", wire.len());
    Ok(())
}

fn session(person: &mut Person, parts: &[&str]) -> Result<()> {
    let (outside, here): (Vec<&str>, Vec<&str>) = parts.iter().partition(|part| OUTSIDE.contains(part));
    let public: Vec<&str> = parts.iter().copied().filter(|part| !PRIVATE.contains(part)).collect();
    let shell = !parts.contains(&"shell");
    if let Some(part) = SPINNERS.iter().find(|part| parts == [**part]) {
        person.wait_printed(Mark::default(), &format!("{part} takes all the time it gets"))?;
    }
    wait_rounds(person, Mark::default(), &here)?;
    if shell {
        usable(person, parts)?;
    }
    let mark = person.mark();
    change_to_network(person, shell)?;
    // The public side is made anew with the mode, and begins again.
    wait_rounds(person, mark, &public)?;
    if shell {
        usable(person, parts)?;
    }
    if !outside.is_empty() {
        answers_nevertheless(person, parts)?;
    }
    // Back by the trusted path, which no shell is needed for.
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.press_later("escape")?;
    unfooled(person)
}

/// Until the attackers in these places have died of all their ends, and the person was told.
fn wait_rounds(person: &Person, mark: Mark, parts: &[&str]) -> Result<()> {
    for (part, ends) in PARTS.iter().filter(|(part, _)| parts.contains(part)) {
        // The first death, and the last: between them root may say more.
        person.wait_printed(mark, &format!("{part} failed ("))?;
        person.wait_printed(mark, &format!("{} times in a row", ends.len()))?;
        person.wait_printed(mark, &format!("{part} was started again."))?;
        // It has nothing to say it on.
        if *part != "net" {
            person.wait_printed(mark, &format!("round {} is over", ends.len() + 1))?;
        }
    }
    unfooled(person)
}

/// Nobody drew what is root's, nobody commanded the terminal.
fn unfooled(person: &Person) -> Result<()> {
    let terminal = &person.machine.terminal;
    let rows = terminal.transcript();
    let forged = forged_rows(&rows);
    ensure!(forged.is_empty(), "the reserved marker was drawn: {forged:#?}");
    let offences = terminal.offences();
    ensure!(offences.is_empty(), "the terminal was used: {}", offences.join("; "));
    Ok(())
}

/// The person's commands still work, and show who dies.
fn usable(person: &mut Person, parts: &[&str]) -> Result<()> {
    person.clear_line()?;
    let mark = person.enter("/help")?;
    person.wait_printed(mark, "A paste of many lines is one prompt.")?;
    person.wait_prompt()?;
    for row in &person.status_in_noise()? {
        let attacked = parts.contains(&row.name.as_str());
        let untouched = row.starts == 1 && row.state == "running";
        ensure!(attacked || untouched, "{} suffers from the attack: {row:?}", row.name);
    }
    person.wait_prompt()?;
    Ok(())
}

/// Who has no part in an answer cannot hinder it.
fn answers_nevertheless(person: &mut Person, parts: &[&str]) -> Result<()> {
    if parts.iter().any(|part| PRIVATE.contains(part)) {
        return Ok(());
    }
    let answer = person.ask("Say it.")?;
    ensure!(answer.text.contains(CANARY), "the answer was {:?}", answer.text);
    Ok(())
}

/// With no word of the shell's, which may be the attacker.
fn change_to_network(person: &mut Person, shell: bool) -> Result<()> {
    if shell {
        return person.change_mode(NETWORK, "Network").map(drop);
    }
    let mark = person.mark();
    person.press_later("ctrl-t")?;
    person.wait_trusted("")?;
    person.type_text(&NETWORK.to_string())?;
    person.wait_trusted(&NETWORK.to_string())?;
    person.press_later("enter")?;
    person.wait_printed(mark, "Type yes and Enter")?;
    person.wait_trusted("")?;
    person.type_text("yes")?;
    person.wait_trusted("yes")?;
    person.press_later("enter")?;
    person.wait_printed(mark, "Mode: Network. Changed in")?;
    person.wait_trusted("")?;
    person.press_later("escape")
}

fn say(error: alpha::Error) -> Failure {
    Failure::new(error.to_string())
}
