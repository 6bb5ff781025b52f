//! What begins with a slash.

use super::{shared, Shared, Test};
use alpha::Boot;
use system_tests::{ensure, person::Person, Result};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "help names every command", help),
        shared(Shared::Usual, "status shows every part of the layout, and no other", status),
        shared(Shared::Usual, "caps shows every part and who it can speak to", caps),
        shared(Shared::Usual, "model shows facts and takes settings", model),
        shared(Shared::Usual, "why says where a prompt went", why),
        shared(Shared::Usual, "log shows what the parts logged", log),
        shared(Shared::Usual, "an unknown command is answered with the nearest known one", unknown),
    ]
}

fn help(person: &mut Person, _: &Boot) -> Result<()> {
    let below = person.command("/help", "/quit")?.join("\n");
    for command in ["/help", "/status", "/caps", "/model", "/new", "/why", "/log", "/quit"] {
        ensure!(below.contains(command), "/help does not name {command}:\n{below}");
    }
    Ok(())
}

fn status(person: &mut Person, boot: &Boot) -> Result<()> {
    let parts = person.status()?;
    let mut names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let mut expected: Vec<&str> = boot.system.pds.iter().filter(|pd| pd.modes.has(0)).map(|pd| pd.name.as_str()).collect();
    expected.push("root");
    names.sort_unstable();
    expected.sort_unstable();
    ensure!(names == expected, "/status shows {names:?}, the layout has {expected:?}");
    for part in &parts {
        ensure!(part.state == "running" && part.starts == 1, "{part:?}");
    }
    Ok(())
}

fn caps(person: &mut Person, boot: &Boot) -> Result<()> {
    let running: Vec<_> = boot.system.pds.iter().filter(|pd| pd.modes.has(0)).collect();
    let last = running.last().map(|pd| pd.name.clone()).unwrap_or_default();
    let below = person.command("/caps", &format!("{last} ("))?.join("\n");
    for pd in running {
        ensure!(below.contains(&format!("{} (", pd.name)), "/caps does not show {}:\n{below}", pd.name);
    }
    // The lines are broken at the terminal's width, so look for the first words.
    for channel in boot.system.channels.iter().filter(|channel| channel.modes.has(0)) {
        let words = channel.what.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        let flat = below.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(flat.contains(&words), "/caps does not show {:?}:\n{below}", channel.what);
    }
    Ok(())
}

fn model(person: &mut Person, _: &Boot) -> Result<()> {
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
    Ok(())
}

fn why(person: &mut Person, _: &Boot) -> Result<()> {
    person.ask("Hello!")?;
    let below = person.command("/why", "ocal")?.join("\n");
    ensure!(below.contains("Local Only"), "/why does not name the mode:\n{below}");
    Ok(())
}

fn log(person: &mut Person, _: &Boot) -> Result<()> {
    person.ask("Hello!")?;
    let below = person.command("/log", "")?;
    ensure!(!below.is_empty(), "/log shows nothing");
    Ok(())
}

fn unknown(person: &mut Person, _: &Boot) -> Result<()> {
    for (typed, meant) in [("/stauts", "/status"), ("/hepl", "/help"), ("/mdoel", "/model")] {
        person.command(typed, meant)?;
    }
    let before = person.figures_seen();
    person.command("/xyzzyxyzzy", "")?;
    ensure!(person.figures_seen() == before, "an unknown command was taken for a question");
    Ok(())
}
