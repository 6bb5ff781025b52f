//! Start and end of the machine.

use super::{limit, test, Test};
use crate::World;
use alpha::Wish;
use std::process::Command;
use std::time::Duration;
use system_tests::{ensure, machine::run_host, person::Person, Failure, Result};

pub fn tests() -> Vec<Test> {
    let mut tests = vec![test("a model that does not fit is refused before the machine starts", too_large)];
    // No more cores than the host has: the kernel's lock is handed on in order, and a virtual core that the host does
    // not run holds up all others.
    let host = std::thread::available_parallelism().map_or(1, usize::from);
    for (cores, memory) in [(1, 768), (2, 1024), (4, 1024)].into_iter().filter(|(cores, _)| usize::from(*cores) <= host) {
        let name = format!("{cores} cores and {memory} MiB: it says what it is, answers, and quit ends the machine");
        tests.push(test(&name, move |world| boots(world, cores, memory)));
    }
    tests
}

/// The banner's facts are the image's own: nothing typed in.
fn boots(world: &World, cores: u8, mib: u64) -> Result<()> {
    let boot = world.boot(&Wish { cores, memory: Some(mib << 20), ..Wish::default() })?;
    let mut person = Person::boot(&boot, &limit(300))?;
    // A sentence may go over several rows.
    let shown = person.machine.terminal.transcript().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let system = &boot.system;
    let model = system.model.as_ref().ok_or_else(|| Failure::new("the image has no model"))?;
    let expected = [
        system.name.clone(),
        system.kernel.clone(),
        system.platform.clone(),
        if cores == 1 { "1 core ".into() } else { format!("{cores} cores") },
        if mib == 1024 { "1 GiB".into() } else { format!("{mib} MiB") },
        format!("{} protection domains started in", system.pds.iter().filter(|pd| pd.modes.has(0)).count()),
        format!("Mode: {}", system.modes[0].title),
        "Nothing but root could reach a network device".into(),
    ];
    for part in expected {
        ensure!(shown.contains(&part), "the screen does not say {part:?}:\n{shown}");
    }
    // It is loaded while the person types already.
    let stem = model.name.trim_end_matches(".gguf");
    person.wait_transcript("the model's sentence", |lines| {
        lines.iter().any(|line| line.starts_with("[model] ") && line.contains(stem)).then_some(())
    })?;
    ensure!(!person.ask("Hello!")?.text.is_empty(), "an empty answer");
    person.quit()
}

/// 8 GiB of model in 1 GiB: a sentence with both numbers, at once, and no QEMU.
fn too_large(world: &World) -> Result<()> {
    let model = world.model("too-large.gguf", |path| {
        let file = std::fs::File::create(path)?;
        Ok(file.set_len(8 << 30)?)
    })?;
    let mut command = Command::new(world.script());
    command.arg("run").arg("--memory").arg("1G").arg("--model").arg(&model);
    let (status, said) = run_host(&mut command, Duration::from_secs(300))?;
    std::fs::remove_file(&model)?;
    ensure!(!status.success(), "it was not refused; it said:\n{said}");
    ensure!(said.contains("8192 MiB") && said.contains("has 1024 MiB"), "the numbers are missing:\n{said}");
    ensure!(!said.contains("panicked"), "a panic is no sentence:\n{said}");
    Ok(())
}
