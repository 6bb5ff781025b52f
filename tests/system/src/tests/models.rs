//! Other people's model files, good and bad.

use super::{limit, test, with_model, Test};
use crate::World;
use alpha::Wish;
use llama_tests::gguf::{model, Shape, ONE_AND_A_HALF_B};
use std::{fs::File, io::BufWriter};
use system_tests::{
    ensure,
    gguf::broken,
    person::{is_figures, Person},
    Result,
};

/// One of each kind; the tests of llama have hundreds.
const KINDS: [&str; 7] = [
    "zero-length",
    "magic-wrong",
    "header-cut",
    "tokenizer-missing",
    "template-no-text",
    "tensor-shape-wrong",
    "tensors-cut",
];

pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for name in KINDS {
        tests.push(test(&format!("a broken model file: {name}"), move |world| bad(world, name)));
    }
    tests.push(test("a model of 1.5 GiB answers in 3 GiB of memory", large));
    tests
}

/// A bad file gets one clear sentence, in which it is named; the default model answers, and nothing else dies of it.
fn bad(world: &World, name: &'static str) -> Result<()> {
    let bytes = broken().into_iter().find(|(other, _)| *other == name).map(|(_, bytes)| bytes).unwrap_or_default();
    let file = world.model(&format!("{name}.gguf"), |path| Ok(std::fs::write(path, &bytes)?))?;
    let boot = with_model(world, file)?;
    let mut person = Person::boot(&boot, &limit(300))?;
    if name == "template-no-text" {
        // No reason to refuse the model: without a template of its own it gets a plain one.
        ensure!(person.ask("Hello!")?.text == "Hello.", "it does not speak");
        return person.quit();
    }
    let answer = person.ask("Hello!")?;
    ensure!(!answer.text.is_empty() && answer.figures.contains("alpha-small"), "not the default model: {answer:?}");
    let transcript = person.machine.terminal.transcript();
    let said: Vec<&String> = transcript.iter().filter(|line| line.starts_with("[model]") && line.contains(name)).collect();
    ensure!(said.len() == 1, "one sentence, not {}:\n{}", said.len(), transcript.join("\n"));
    ensure!(!transcript.join("\n").contains("panicked"), "a panic is no sentence:\n{}", transcript.join("\n"));
    for part in person.status()? {
        ensure!(part.name == "llama" || part.starts == 1, "{} died of it", part.name);
    }
    person.quit()
}

fn large(world: &World) -> Result<()> {
    let path = world.kept("1.5b.gguf")?;
    let gguf = model(&Shape { ..ONE_AND_A_HALF_B });
    if !path.metadata().is_ok_and(|meta| meta.len() == gguf.len()) {
        gguf.write(&mut BufWriter::with_capacity(1 << 22, File::create(&path)?))?;
    }
    ensure!(gguf.len() > 3 << 29, "the file has only {} bytes", gguf.len());
    let boot = world.boot(&Wish { model: Some(path.clone()), memory: Some(3 << 30), ..Wish::default() })?;
    let mut person = Person::boot(&boot, &limit(600))?;
    person.command("/model set max_tokens 4", "4")?;
    person.enter("Hi")?;
    person.wait_transcript("figures of an answer", |lines| lines.iter().any(|line| is_figures(line)).then_some(()))?;
    let status = person.status()?;
    ensure!(status.iter().all(|part| part.starts == 1), "a part died of it: {status:?}");
    // 1.5 GiB are not kept for the next run.
    std::fs::remove_file(path)?;
    person.quit()
}
