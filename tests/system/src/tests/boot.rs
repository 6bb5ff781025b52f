//! Start and end of the machine.

use super::{limit, test, usual, Test};
use crate::World;
use alpha::Wish;
use std::process::Command;
use std::time::Duration;
use system_tests::{ensure, machine::run_host, person::Person, Failure, Result};

pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        test("boot says what the machine is", banner),
        test("quit ends the machine", quit),
        test("a model that does not fit is refused before the machine starts", too_large),
    ];
    for cores in [1, 2, 4] {
        tests.push(test(&format!("boots and answers on {cores} cores"), move |world| on_cores(world, cores)));
    }
    tests
}

/// The banner's facts are the image's own: nothing typed in.
fn banner(world: &World) -> Result<()> {
    for (cores, memory) in [(2, 1 << 30), (1, 768 << 20)] {
        let boot = world.boot(&Wish { cores, memory: Some(memory), ..Wish::default() })?;
        let person = Person::boot(&boot, &limit(120))?;
        let shown = person.machine.terminal.transcript().join("\n");
        let system = &boot.system;
        let cores = if cores == 1 { "1 core ".to_string() } else { format!("{cores} cores") };
        let model = system.model.as_ref().ok_or_else(|| Failure::new("the image has no model"))?;
        let stem = model.name.trim_end_matches(".gguf").to_string();
        let expected = [
            system.name.clone(),
            system.kernel.clone(),
            system.platform.clone(),
            cores,
            if memory == 1 << 30 { "1 GiB".into() } else { "768 MiB".into() },
            format!("{} protection domains started in", system.pds.len()),
            format!("Mode: {}", system.mode),
            "Nothing but root could reach a network device".into(),
            stem,
        ];
        for part in expected {
            ensure!(shown.contains(&part), "the screen does not say {part:?}:\n{shown}");
        }
        person.quit()?;
    }
    Ok(())
}

fn quit(world: &World) -> Result<()> {
    usual(world)?.quit()
}

fn on_cores(world: &World, cores: u8) -> Result<()> {
    let boot = world.boot(&Wish { cores, ..Wish::default() })?;
    let mut person = Person::boot(&boot, &limit(180))?;
    let answer = person.ask("Hello!")?;
    ensure!(!answer.text.is_empty(), "an empty answer");
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
    ensure!(said.contains("8 GiB") && said.contains("1 GiB"), "the numbers are missing:\n{said}");
    ensure!(!said.contains("panicked"), "a panic is no sentence:\n{said}");
    Ok(())
}
