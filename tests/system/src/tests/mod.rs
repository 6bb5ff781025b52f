//! The tests, by what a person does.

mod boot;
mod commands;
mod death;
mod hostile;
mod input;
mod live;
mod models;
mod modes;
mod network;
mod talk;
mod trusted;

use crate::World;
use alpha::{Boot, Wish};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use system_tests::{
    gguf::{Piece, Speaker},
    machine::Options,
    person::Person,
    Result,
};

/// What a test may take at most on a busy computer. On a quiet one it takes seconds.
const LIMIT: Duration = Duration::from_secs(300);

pub struct Test {
    pub name: String,
    #[allow(clippy::type_complexity)]
    pub run: Box<dyn Fn(&World) -> Result<()>>,
}

/// A test that boots what it needs.
fn test(name: &str, run: impl Fn(&World) -> Result<()> + 'static) -> Test {
    alone_or_shared(name, move |world| {
        // Only one machine at a time: the one that the last test has left ends here.
        drop(world.shared.take());
        run(world)
    })
}

fn alone_or_shared(name: &str, run: impl Fn(&World) -> Result<()> + 'static) -> Test {
    Test { name: name.into(), run: Box::new(run) }
}

pub fn all() -> Vec<Test> {
    let areas = [
        boot::tests(),
        talk::tests(),
        commands::tests(),
        input::tests(),
        trusted::tests(),
        modes::tests(),
        network::tests(),
        death::tests(),
        hostile::tests(),
        live::tests(),
        models::tests(),
    ];
    areas.into_iter().flatten().collect()
}

/// Machines that tests use one after the other: to boot takes longer than most of them. A test that fails takes the
/// machine along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// As people get it without wishes.
    Usual,
    /// Its model counts on and on, at the pace of a real one.
    Counting,
    /// Its model says [`VERBATIM`].
    Verbatim,
}

pub type Machine = (Shared, Person, Boot);

const VERBATIM: &str = "Grüße, 日本 and 😀done.";

fn shared(which: Shared, name: &str, run: impl Fn(&mut Person, &Boot) -> Result<()> + 'static) -> Test {
    alone_or_shared(name, move |world| {
        // Another one ends here.
        let kept = world.shared.take().filter(|(kind, ..)| *kind == which);
        let (_, mut person, boot) = match kept {
            Some(machine) => machine,
            None => start(world, which)?,
        };
        person.machine.terminal.deadline = Instant::now() + LIMIT;
        run(&mut person, &boot)?;
        person.clear_line()?;
        world.shared.replace(Some((which, person, boot)));
        Ok(())
    })
}

fn start(world: &World, which: Shared) -> Result<Machine> {
    let speaker = match which {
        Shared::Usual => None,
        Shared::Counting => Some(("counts.gguf", Speaker::counts(true))),
        Shared::Verbatim => {
            let mut speaker = Speaker::says(["Grüße", ", ", "日本", " and ", "done."]);
            // One character in four tokens.
            speaker.pieces.splice(4..4, "😀".bytes().map(Piece::Byte));
            Some(("verbatim.gguf", speaker))
        }
    };
    let model = speaker.map(|(name, speaker)| world.model(name, |path| speaker.write(path))).transpose()?;
    let boot = world.boot(&Wish { model, ..Wish::default() })?;
    let person = Person::boot(&boot, &Options { open: true, ..limit(LIMIT.as_secs()) })?;
    Ok((which, person, boot))
}

/// The usual machine with another model.
fn with_model(world: &World, model: PathBuf) -> Result<Boot> {
    world.boot(&Wish { model: Some(model), ..Wish::default() })
}

fn limit(seconds: u64) -> Options {
    Options { limit: Duration::from_secs(seconds), ..Options::default() }
}
