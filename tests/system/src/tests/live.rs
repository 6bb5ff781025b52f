//! The live proof at the prompt: what lies in the machine's memory is what the specification says.

use super::{limit, test, Test};
use crate::World;
use alpha::{Boot, Wish};
use live_proof::{compare::Rules, difference::Kind, edges::Why, memory::Memory, plant, prove, Report};
use std::collections::BTreeSet;
use system_tests::{
    ensure,
    live::Proof,
    machine::Options,
    person::Person,
    victim::{kill, Signature},
    Failure, Result,
};

/// The goal for a proof of one machine.
const GOAL_S: f32 = 5.0;

pub fn tests() -> Vec<Test> {
    vec![
        test("live proof on one core, at the prompt and after parts were killed", |world| proven(world, 1)),
        test("live proof on two cores, at the prompt and after parts were killed", |world| proven(world, 2)),
        test("live proof finds every planted fault", planted),
    ]
}

/// The kernel does not set the never-execute bit yet: any page can be executed.
fn rules() -> Rules {
    Rules { never_execute: false, lowered: true }
}

fn boot(world: &World, cores: u8) -> Result<(Boot, Proof, Person)> {
    let boot = world.boot(&Wish { cores, ..Wish::default() })?;
    let proof = Proof::new(world.programs()?, &boot)?;
    let person = Person::boot(&boot, &Options { open: true, ..limit(super::LIMIT.as_secs()) })?;
    Ok((boot, proof, person))
}

fn proven(world: &World, cores: u8) -> Result<()> {
    let (boot, proof, mut person) = boot(world, cores)?;
    check(&proof, &mut person, "at the prompt")?;
    person.ask("Hello!")?;
    check(&proof, &mut person, "after an answer")?;
    for part in ["router", "llama", "serial"] {
        let mark = person.mark();
        kill(&mut person.machine, &Signature::of(&boot, part)?)?;
        match part {
            "router" => person.enter("/why").map(drop)?,
            "llama" => person.enter("Hello?").map(drop)?,
            _ => person.press("ctrl-u")?,
        }
        person.wait_printed(mark, "was started again")?;
        person.clear_line()?;
        check(&proof, &mut person, &format!("after {part} was started again"))?;
    }
    Ok(())
}

/// No difference, and the edges are the layout's channels.
fn check(proof: &Proof, person: &mut Person, when: &str) -> Result<()> {
    let (proven, report) = proof.run(&mut person.machine, &rules(), |_, report| {
        ensure!(report.differences.is_empty(), "{when}:\n{}", lines(&report.differences));
        Ok(summary(report, proof))
    })?;
    let (counts, wrong) = report;
    println!("\n  live proof {when}: {counts}; {proven}");
    ensure!(wrong.is_empty(), "{when}, edges and channels differ:\n{}", lines(&wrong));
    let seconds = proven.stood_still.as_secs_f32();
    if seconds > GOAL_S {
        println!("  that is more than the goal of {GOAL_S} s");
    }
    Ok(())
}

fn lines<T: std::fmt::Display>(list: &[T]) -> String {
    list.iter().map(|line| format!("  {line}\n")).collect()
}

/// What was found, in numbers, and the pairs of PDs that edges and channels do not agree about.
fn summary(report: &Report, proof: &Proof) -> (String, Vec<String>) {
    let model = &report.model;
    let pages: usize = model.spaces.values().map(|space| space.pages.len()).sum();
    let counts = format!(
        "{} capabilities, {} threads, {} address spaces with {pages} pages, {} edges",
        model.slots.len(),
        model.threads.len(),
        model.spaces.len(),
        report.edges.len()
    );
    let names: BTreeSet<&str> =
        proof.expected.pds.iter().map(|pd| pd.name.as_str()).chain(std::iter::once("root")).collect();
    let parties = |from: &str, to: &str| names.contains(from) && names.contains(to);
    // Root has power over all, and every PD reports its faults to root: the layout does not list that.
    let given = |why: Why, from: &str, to: &str| why == Why::Power || from == "root" || to == "root";
    let edges = report.edges.iter().filter(|edge| parties(&edge.from, &edge.to) && !given(edge.why, &edge.from, &edge.to));
    let edges: BTreeSet<(&str, &str)> = edges.map(|edge| (edge.from.as_str(), edge.to.as_str())).collect();
    let channels = proof.expected.channels.iter().filter(|(from, to, _)| from != "root" && to != "root");
    let channels: BTreeSet<(&str, &str)> = channels.map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    let without = edges.difference(&channels).map(|(from, to)| format!("{from} -> {to} is no channel of the layout"));
    let missing = channels.difference(&edges).map(|(from, to)| format!("the channel {from} -> {to} is not there"));
    (counts, without.chain(missing).collect())
}

fn planted(world: &World) -> Result<()> {
    let (_, proof, mut person) = boot(world, 1)?;
    let (_, missed) = proof.run(&mut person.machine, &rules(), |memory, report| {
        ensure!(report.differences.is_empty(), "before anything was planted:\n{}", lines(&report.differences));
        let mut missed = Vec::new();
        for fault in plant::FAULTS {
            let found = find(fault, memory, report, &proof);
            memory.weed();
            if let Err(failure) = found {
                missed.push(format!("{}: {failure}", fault.name));
            }
        }
        // What was planted is gone again.
        let after = prove(memory, &proof.formats, &proof.expected, &rules()).map_err(say)?;
        ensure!(after.differences.is_empty(), "after all was weeded:\n{}", lines(&after.differences));
        Ok(missed)
    })?;
    ensure!(missed.is_empty(), "of {} faults these were not found:\n{}", plant::FAULTS.len(), lines(&missed));
    println!("\n  {} planted faults of {} kinds", plant::FAULTS.len(), Kind::ALL.len());
    Ok(())
}

/// Plants one fault and looks for it.
fn find(fault: &plant::Fault, memory: &mut Memory, report: &Report, proof: &Proof) -> Result<()> {
    fault.plant(memory, &proof.formats, &proof.expected, report).map_err(say)?;
    let rules = Rules { never_execute: fault.kind == Kind::PageExecute, ..rules() };
    let with = prove(memory, &proof.formats, &proof.expected, &rules).map_err(say)?;
    let found = with.differences.iter().any(|difference| difference.kind == fault.kind);
    ensure!(found, "no {:?}; what was found is:\n{}", fault.kind, lines(&with.differences));
    Ok(())
}

fn say(error: live_proof::Error) -> Failure {
    Failure::new(error.to_string())
}
