//! What begins with a slash.

use super::{test, usual, Test};
use crate::World;
use system_tests::{ensure, Result};

pub fn tests() -> Vec<Test> {
    vec![
        test("help names every command", help),
        test("status shows every part of the layout, and no other", status),
        test("caps shows every part and who it can speak to", caps),
        test("model shows facts and takes settings", model),
        test("why says where a prompt went", why),
        test("log shows what the parts logged", log),
        test("an unknown command is answered with the nearest known one", unknown),
    ]
}

fn help(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    let below = person.command("/help", "/quit")?.join("\n");
    for command in ["/help", "/status", "/caps", "/model", "/new", "/why", "/log", "/quit"] {
        ensure!(below.contains(command), "/help does not name {command}:\n{below}");
    }
    person.quit()
}

fn status(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    let boot = world.boot(&alpha::Wish::default())?;
    let parts = person.status()?;
    let mut names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let mut expected: Vec<&str> = boot.system.pds.iter().map(|pd| pd.name.as_str()).collect();
    expected.push("root");
    names.sort_unstable();
    expected.sort_unstable();
    ensure!(names == expected, "/status shows {names:?}, the layout has {expected:?}");
    for part in &parts {
        ensure!(part.state == "running" && part.starts == 1, "{part:?}");
    }
    person.quit()
}

fn caps(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    let boot = world.boot(&alpha::Wish::default())?;
    let last = boot.system.pds.last().map(|pd| pd.name.clone()).unwrap_or_default();
    let below = person.command("/caps", &format!("{last} ("))?.join("\n");
    for pd in &boot.system.pds {
        ensure!(below.contains(&format!("{} (", pd.name)), "/caps does not show {}:\n{below}", pd.name);
    }
    // The lines are broken at the terminal's width, so look for the first words.
    for channel in &boot.system.channels {
        let words = channel.what.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        let flat = below.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(flat.contains(&words), "/caps does not show {:?}:\n{below}", channel.what);
    }
    person.quit()
}

fn model(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    let below = person.command("/model", "temperature")?.join("\n");
    ensure!(below.contains("alpha-small"), "/model does not name the model:\n{below}");
    person.command("/model set temperature 0.2", "0.2")?;
    let below = person.command("/model", "temperature")?.join("\n");
    ensure!(below.contains("0.2"), "the setting does not stick:\n{below}");
    for wrong in ["/model set temperature hot", "/model set colour red", "/model set temperature -1"] {
        let below = person.command(wrong, " ")?.join("\n");
        ensure!(!below.trim().is_empty() && !below.contains("panicked"), "{wrong}: {below}");
    }
    let below = person.command("/model", "temperature")?.join("\n");
    ensure!(below.contains("0.2"), "a wrong setting changed a right one:\n{below}");
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer");
    person.quit()
}

fn why(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    person.ask("Hello!")?;
    let below = person.command("/why", "ocal")?.join("\n");
    ensure!(below.contains("Local Only"), "/why does not name the mode:\n{below}");
    person.quit()
}

fn log(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    person.ask("Hello!")?;
    let below = person.command("/log", "")?;
    ensure!(!below.is_empty(), "/log shows nothing");
    person.quit()
}

fn unknown(world: &World) -> Result<()> {
    let mut person = usual(world)?;
    for (typed, meant) in [("/stauts", "/status"), ("/hepl", "/help"), ("/modl", "/model")] {
        person.command(typed, meant)?;
    }
    let before = person.figures_seen();
    person.command("/xyzzyxyzzy", "")?;
    ensure!(person.figures_seen() == before, "an unknown command was taken for a question");
    person.quit()
}
