//! The live proof for a person: boots the release image, waits for the prompt, reads the machine's memory from outside and
//! says what was compared, on which bytes, and what was found.
//!
//!     prove [--cores N] [--edges]

use alpha::{cargo::Toolchain, Boot, Programs, Progress, Tree, Variant, Wish};
use live_proof::{compare::Rules, Report};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode, time::Duration};
use system_tests::{live::Proof, machine::Options, person::Person, Failure, Result};

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
    let proof = Proof::new(&programs, &boot, 0)?;
    let mut person = Person::boot(&boot, &Options { limit: LIMIT, ..Options::default() })?;
    let rules = Rules { never_execute: true, closed_kernel: true, iommu: true, lowered: true };
    let (proven, fine) = proof.run(&mut person.machine, &rules, |_, report| {
        show(&boot, &proof, report, edges)?;
        Ok(report.differences.is_empty())
    })?;
    println!("read           {proven}, from outside, while the machine stood still");
    Ok(fine)
}

fn show(boot: &Boot, proof: &Proof, report: &Report, edges: bool) -> Result<()> {
    let model = &report.model;
    println!("image          {}  sha256 {}", boot.image.display(), hash(&boot.image)?);
    println!("kernel         {}  sha256 {}", boot.kernel.display(), hash(&boot.kernel)?);
    let specification: String = proof.expected.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("specification  {}, {} cores, sha256 {specification}", proof.expected.mode, boot.cores);
    let pages: usize = model.spaces.values().map(|space| space.pages.len()).sum();
    println!(
        "found          {} capabilities in {} CNodes, {} threads, {} address spaces with {pages} pages, {} endpoints, {} \
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
    println!("edges          {} between {} pairs", report.edges.len(), pairs.len());
    if edges {
        for ((from, to), why) in pairs {
            println!("    {from} -> {to}: {}", why.join(", "));
        }
    }
    match report.differences.len() {
        0 => println!("differences    none: what runs is what the specification says"),
        count => println!("differences    {count}"),
    }
    for difference in &report.differences {
        println!("    {difference}");
    }
    Ok(())
}

fn hash(file: &Path) -> Result<String> {
    Ok(format!("{:x}", Sha256::digest(fs::read(file)?)))
}
