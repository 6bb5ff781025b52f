//! The tests, by what a person does.

mod boot;
mod commands;
mod death;
mod input;
mod models;
mod talk;

use crate::World;
use alpha::{Boot, Wish};
use std::{path::PathBuf, time::Duration};
use system_tests::{gguf::Speaker, machine::Options, person::Person, Result};

pub struct Test {
    pub name: String,
    #[allow(clippy::type_complexity)]
    pub run: Box<dyn Fn(&World) -> Result<()>>,
}

fn test(name: &str, run: impl Fn(&World) -> Result<()> + 'static) -> Test {
    Test { name: name.into(), run: Box::new(run) }
}

pub fn all() -> Vec<Test> {
    [boot::tests(), talk::tests(), commands::tests(), input::tests(), death::tests(), models::tests()]
        .into_iter()
        .flatten()
        .collect()
}

/// A machine that people get without wishes.
fn usual(world: &World) -> Result<Person> {
    Person::boot(&world.boot(&Wish::default())?, &Options::default())
}

/// The usual machine with another model.
fn with_model(world: &World, model: PathBuf) -> Result<Boot> {
    world.boot(&Wish { model: Some(model), ..Wish::default() })
}

/// A machine whose model counts on and on, at the pace of a real one.
fn counting(world: &World, options: &Options) -> Result<(Person, Boot)> {
    let model = world.model("counts.gguf", |path| Speaker::counts(true).write(path))?;
    let boot = with_model(world, model)?;
    Ok((Person::boot(&boot, options)?, boot))
}

fn limit(seconds: u64) -> Options {
    Options { limit: Duration::from_secs(seconds), ..Options::default() }
}
