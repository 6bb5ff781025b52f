//! The live proof at the prompt: what lies in the machine's memory is what the specification says.

use super::{limit, test, Test};
use crate::World;
use alpha::{Boot, Wish};
use live_proof::{
    compare::Rules,
    difference::Kind,
    edges::{Edge, Why},
    memory::Memory,
    plant, prove, Report,
};
use std::collections::BTreeSet;
use system_tests::{
    ensure,
    live::Proof,
    live_wall,
    machine::Options,
    person::Person,
    victim::{kill, Signature},
    Failure, Result,
};

/// The goal for a proof of one machine.
const GOAL_S: f32 = 5.0;

/// Proofs while calls and tokens are on their way.
const WHILE_ANSWERING: usize = 5;
/// Changes of the mode, with a proof after each.
const CHANGES: usize = 4;
const LONG_CHANGES: usize = 50;

pub fn tests() -> Vec<Test> {
    vec![
        test("live proof on one core, at the prompt and after parts were killed", |world| proven(world, 1)),
        test("live proof on two cores, at the prompt and after parts were killed", |world| proven(world, 2)),
        test("live proof in each mode, after changes there and back", in_each_mode),
        test("live proof finds every planted fault", planted),
    ]
}

/// On a busy computer a server may look like one that spins.
const RULES: Rules = Rules { never_execute: true, closed_kernel: true, iommu: true, lowered: true };

/// Faults that open a way, and the edge that shows it.
const OPENED: [(&str, &str, &str); 20] = [
    ("an endpoint more", "shell", "inference"),
    ("a notification more", "shell", "assistant"),
    ("a CNode in a PD", "router", "assistant"),
    ("a thread in a PD", "inference", "llama"),
    ("a frame in a PD", "assistant", "shell"),
    ("an address space in a PD", "shell", "assistant"),
    ("a frame of the private side in shell", "assistant", "shell"),
    ("the reader of a ring may write it", "assistant", "router"),
    ("I/O ports in a PD", "shell", "ports 0x3f8-0x3ff"),
    ("an interrupt in a PD", "shell", "irq 20"),
    ("an IO space in a PD", "shell", "device 0x18"),
    ("all interrupts in a PD", "clock", "everything"),
    ("another endpoint than it should be", "shell", "inference"),
    ("the fault endpoint replaced", "llama", "router"),
    ("receiving on an endpoint that one may only call", "llama", "shell"),
    ("a notification held both ways", "shell", "serial"),
    ("an interrupt that tells another PD", "irq 20", "shell"),
    ("an answer to somebody who cannot have called", "router", "assistant"),
    ("a reply kept in a PD's CNode", "router", "shell"),
    ("a device that reaches memory", "assistant", "device 0x18"),
];

fn boot(world: &World, cores: u8) -> Result<(Boot, Proof, Person)> {
    let boot = world.boot(&Wish { cores, ..Wish::default() })?;
    let proof = Proof::new(world.programs()?, &boot, 0)?;
    let person = Person::boot(&boot, &Options { open: true, ..limit(super::LIMIT.as_secs()) })?;
    Ok((boot, proof, person))
}

fn proven(world: &World, cores: u8) -> Result<()> {
    let (boot, proof, mut person) = boot(world, cores)?;
    check(&proof, &boot, 0, &mut person, "at the prompt")?;
    let before = person.figures_seen();
    person.enter("What can you do?")?;
    for moment in 1..=WHILE_ANSWERING {
        check(&proof, &boot, 0, &mut person, &format!("while it answers, moment {moment}"))?;
    }
    person.wait_answer(before)?;
    check(&proof, &boot, 0, &mut person, "after an answer")?;
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
        check(&proof, &boot, 0, &mut person, &format!("after {part} was started again"))?;
    }
    Ok(())
}

fn in_each_mode(world: &World) -> Result<()> {
    let (boot, first, mut person) = boot(world, 1)?;
    let mut proofs = vec![first];
    for mode in 1..boot.system.modes.len() {
        proofs.push(Proof::new(world.programs()?, &boot, mode)?);
    }
    let changes = if world.long { LONG_CHANGES } else { CHANGES };
    for change in 1..=changes {
        let mode = change % proofs.len();
        let title = &boot.system.modes[mode].title;
        person.change_mode(mode + 1, title)?;
        check(&proofs[mode], &boot, mode, &mut person, &format!("after change {change}, in {title}"))?;
        if change % 2 == 0 {
            let mark = person.mark();
            kill(&mut person.machine, &Signature::of(&boot, "router")?)?;
            person.enter("/why")?;
            person.wait_printed(mark, "was started again")?;
            person.clear_line()?;
            check(&proofs[mode], &boot, mode, &mut person, &format!("and after router was started again in {title}"))?;
        }
    }
    Ok(())
}

/// No difference, the edges are the layout's channels, and the statement holds on them.
fn check(proof: &Proof, boot: &Boot, mode: usize, person: &mut Person, when: &str) -> Result<()> {
    let (proven, report) = proof.run(&mut person.machine, &RULES, |_, report| {
        live_wall::holds(&boot.system, mode, &report.edges)
            .map_err(|violation| Failure::new(format!("{when}, on what was found: {violation}")))?;
        // One edge more, and it does not.
        if let Some(driver) = boot.system.pci.iter().find_map(|f| boot.system.pds.get(usize::from(f.driver)).filter(|pd| pd.modes.has(mode))) {
            let leak = Edge { from: "llama".into(), to: driver.name.clone(), why: Why::Memory, what: "a planted page".into() };
            let leaky: Vec<Edge> = report.edges.iter().cloned().chain([leak]).collect();
            ensure!(live_wall::holds(&boot.system, mode, &leaky).is_err(), "a way out that was planted is not found");
        }
        Ok(report.differences.is_empty().then(|| summary(report, proof)).ok_or_else(|| lines(&report.differences)))
    })?;
    let report = report.map_err(|found| person.machine.terminal.failure(format!("{when}:\n{found}")))?;
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
    let is_party = |edge: &&Edge| names.contains(edge.from.as_str()) && names.contains(edge.to.as_str());
    // The layout does not list root's power over all.
    let edges = report.edges.iter().filter(is_party).filter(|edge| edge.why != Why::Power);
    let edges: BTreeSet<(&str, &str)> = edges.map(|edge| (edge.from.as_str(), edge.to.as_str())).collect();
    let channels: BTreeSet<(&str, &str)> =
        proof.expected.channels.iter().map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    let without = edges.difference(&channels).map(|(from, to)| format!("{from} -> {to} is no channel of the layout"));
    let missing = channels.difference(&edges).map(|(from, to)| format!("the channel {from} -> {to} is not there"));
    (counts, without.chain(missing).collect())
}

fn planted(world: &World) -> Result<()> {
    let (_, proof, mut person) = boot(world, 1)?;
    let (_, (found, missed)) = proof.run(&mut person.machine, &RULES, |memory, report| {
        ensure!(report.differences.is_empty(), "before anything was planted:\n{}", lines(&report.differences));
        let (mut found, mut missed) = (0, Vec::new());
        let mut opened = OPENED.to_vec();
        for fault in plant::faults() {
            match find(fault, memory, report, &proof) {
                Ok(with) => {
                    found += 1;
                    // The way that it opens is seen in the edges, too.
                    let new = |from: &str, to: &str| {
                        let mut new = with.edges.iter().filter(|edge| !report.edges.contains(edge));
                        new.any(|edge| edge.from == from && edge.to == to)
                    };
                    opened.retain(|(name, from, to)| *name != fault.name || !new(from, to));
                }
                Err(failure) => missed.push(format!("{}: {failure}", fault.name)),
            }
            memory.weed();
        }
        // What was planted is gone again.
        let after = prove_with(memory, &proof)?;
        ensure!(after.differences.is_empty(), "after all was weeded:\n{}", lines(&after.differences));
        missed.extend(opened.iter().map(|(name, from, to)| format!("{name}: no new edge from {from} to {to}")));
        Ok((found, missed))
    })?;
    ensure!(missed.is_empty(), "these faults were not found:\n{}", lines(&missed));
    println!("\n  {found} planted faults of {} kinds", Kind::ALL.len());
    Ok(())
}

/// Plants one fault and looks for what was not there without it.
fn find(fault: &plant::Fault, memory: &mut Memory, report: &Report, proof: &Proof) -> Result<Report> {
    fault.plant(memory, &proof.formats, &proof.expected, report).map_err(say)?;
    let with = prove_with(memory, proof)?;
    let new: Vec<_> = with.differences.iter().filter(|difference| !report.differences.contains(difference)).collect();
    let found = new.iter().any(|difference| difference.kind == fault.kind && difference.sentence.contains(fault.says));
    ensure!(found, "no {:?} with {:?}; what was found is:\n{}", fault.kind, fault.says, lines(&new));
    Ok(with)
}

fn prove_with(memory: &Memory, proof: &Proof) -> Result<Report> {
    prove(memory, &proof.formats, &proof.expected, &RULES).map_err(say)
}

fn say(error: live_proof::Error) -> Failure {
    Failure::new(error.to_string())
}
