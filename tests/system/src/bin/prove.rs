//! `alpha prove`, for a person who distrusts us. It proves the statement on the specification (docs/wall.md), then boots
//! the release image, goes through all modes as a person would, and in each reads the machine's memory from outside
//! (docs/live-proof.md). It says what was proven, and on which bytes.
//!
//!     prove [--cores N] [--edges]

use alpha::{cargo::Toolchain, Boot, Programs, Progress, Tree, Variant, Wish};
use live_proof::{compare::Rules, Report};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode, time::Duration};
use system_tests::{live::Proof, live_wall, machine::Options, person::Person, Failure, Result};

/// For the boot on a busy computer.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut wish, mut edges) = (Wish::default(), false);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut wish.cores) {
            ("--edges", _) => edges = true,
            ("--cores", cores) => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) => *cores = number,
                None => return fail("--cores wants a number"),
            },
            _ => return fail(&format!("{argument} is not understood: prove [--cores N] [--edges]")),
        }
    }
    match prove(&wish, edges) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => fail(&failure.to_string()),
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("prove: {why}");
    ExitCode::FAILURE
}

/// Whether the running system is what the specification says.
fn prove(wish: &Wish, edges: bool) -> Result<bool> {
    let say = |error: alpha::Error| Failure::new(error.to_string());
    let tree = Tree::find().map_err(say)?;
    let toolchain = Toolchain::find(&tree).map_err(say)?;
    let mut progress = Progress::new();
    let programs = Programs::build(&tree, &toolchain, Variant::Release, &mut progress).map_err(say)?;
    progress.finish();
    let boot = alpha::image::make(&tree, &programs, wish).map_err(say)?;
    println!("image          {}  sha256 {}", boot.image.display(), hash(&boot.image)?);
    println!("kernel         {}  sha256 {}", boot.kernel.display(), hash(&boot.kernel)?);
    println!("specification  sha256 {}, {} cores", hex(&boot.proof.specification), boot.cores);
    println!("\nOn the specification: no path leads from a private part to the wire, whoever of the untrusted is taken over.");
    for mode in &boot.proof.modes {
        let certificate = format!("{:x}", Sha256::digest(&mode.certificate));
        let (name, private, edges) = (&mode.mode, mode.private, mode.edges);
        println!("  {name}: holds; private data on {private} of {edges} edges; certificate sha256 {certificate}");
    }
    for driver in &boot.proof.masters {
        println!("  It rests on the IOMMU: without one the device of {driver} could reach all memory.");
    }
    println!("\nOn the running system: what the kernel's memory says, against the specification.");
    let mut person = Person::boot(&boot, &Options { limit: LIMIT, ..Options::default() })?;
    let rules = Rules { never_execute: true, closed_kernel: true, iommu: true, lowered: true };
    let mut fine = true;
    for (number, mode) in boot.system.modes.iter().enumerate() {
        if number > 0 {
            person.change_mode(number + 1, &mode.title)?;
        }
        fine &= live(&programs, &boot, number, &mut person, &rules, edges)?;
    }
    if boot.system.modes.len() > 1 {
        // Back where it started: nothing may be left.
        person.change_mode(1, &boot.system.modes[0].title)?;
        fine &= live(&programs, &boot, 0, &mut person, &rules, false)?;
    }
    person.quit()?;
    println!("\n{}", if fine { "Proven." } else { "NOT proven: see the differences above." });
    Ok(fine)
}

/// The live proof in a mode that the machine is in.
fn live(programs: &Programs, boot: &Boot, mode: usize, person: &mut Person, rules: &Rules, edges: bool) -> Result<bool> {
    let proof = Proof::new(programs, boot, mode)?;
    let (proven, fine) = proof.run(&mut person.machine, rules, |_, report| {
        println!("  {}:", boot.system.modes[mode].title);
        show(report, edges);
        // The same statement once more, on what was found.
        let holds = live_wall::holds(&boot.system, mode, &report.edges);
        match &holds {
            Ok(()) => println!("    statement    holds on these edges too: no way from a private part to the wire"),
            Err(violation) => println!("    statement    VIOLATED: {violation}"),
        }
        Ok(report.differences.is_empty() && holds.is_ok())
    })?;
    println!("    read         {proven}, from outside, while the machine stood still");
    Ok(fine)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn show(report: &Report, edges: bool) {
    let model = &report.model;
    let pages: usize = model.spaces.values().map(|space| space.pages.len()).sum();
    println!(
        "    found        {} capabilities in {} CNodes, {} threads, {} address spaces with {pages} pages, {} endpoints, {} \
         notifications",
        model.slots.len(),
        model.cnodes.len(),
        model.threads.len(),
        model.spaces.len(),
        model.endpoints.len(),
        model.notifications.len(),
    );
    let mut pairs: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for edge in &report.edges {
        let why = format!("{:?}", edge.why).to_lowercase();
        let known = pairs.entry((&edge.from, &edge.to)).or_default();
        if !known.contains(&why) {
            known.push(why);
        }
    }
    println!("    edges        {} between {} pairs", report.edges.len(), pairs.len());
    if edges {
        for ((from, to), why) in pairs {
            println!("        {from} -> {to}: {}", why.join(", "));
        }
    }
    match report.differences.len() {
        0 => println!("    differences  none: what runs is what the specification says"),
        count => println!("    differences  {count}"),
    }
    for difference in &report.differences {
        println!("        {difference}");
    }
}

fn hash(file: &Path) -> Result<String> {
    Ok(format!("{:x}", Sha256::digest(fs::read(file)?)))
}
