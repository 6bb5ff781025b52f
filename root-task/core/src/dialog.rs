//! What root and the person say to each other on the trusted path: modes are shown and changed there.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use crate::report::title;
use ipc::focus::Typed;
use spec::{System, Trust};

/// What root does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Nothing,
    Show(String),
    /// To this mode.
    Change(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The focus is elsewhere.
    #[default]
    Away,
    Choosing,
    /// The person has seen what this mode has, and is asked whether they want it.
    Confirming(usize),
}

#[derive(Clone, Debug, Default)]
pub struct Dialog {
    state: State,
}

impl Dialog {
    /// `confined`: an IOMMU keeps devices to their own memory.
    pub fn typed(&mut self, typed: &Typed, system: &System, mode: usize, confined: bool) -> Step {
        match (self.state, typed) {
            (_, Typed::Opened) => {
                self.state = State::Choosing;
                Step::Show(choices(system, mode))
            }
            (_, Typed::Closed) => {
                self.state = State::Away;
                Step::Nothing
            }
            (State::Away, Typed::Line { .. }) => Step::Nothing,
            (State::Choosing, Typed::Line { text }) => match chosen(text, system) {
                Some(to) if to == mode => Step::Show(format!("The mode is {} already.", title(system, mode))),
                Some(to) => {
                    self.state = State::Confirming(to);
                    Step::Show(preview(system, mode, to, confined))
                }
                None => Step::Show(format!("Type a number from 1 to {}, or Escape to go back.", system.modes.len())),
            },
            (State::Confirming(to), Typed::Line { text }) => {
                self.state = State::Choosing;
                if text.trim().eq_ignore_ascii_case("yes") {
                    Step::Change(to)
                } else {
                    Step::Show(format!("Nothing changed. The mode is {}.", title(system, mode)))
                }
            }
        }
    }
}

/// A mode by its number as shown, or by its name.
fn chosen(text: &str, system: &System) -> Option<usize> {
    let text = text.trim();
    let number = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let by_name = || system.modes.iter().position(|m| m.name == text || m.title.eq_ignore_ascii_case(text));
    number.filter(|n| *n < system.modes.len()).or_else(by_name)
}

fn choices(system: &System, now: usize) -> String {
    let mut text = String::from("This goes to root alone. Modes:");
    for (i, mode) in system.modes.iter().enumerate() {
        let _ = write!(text, "\n  {}  {}", i + 1, mode.title);
        if i == now {
            text.push_str("  (now)");
        }
    }
    text.push_str("\nType a number and Enter, or Escape to go back.");
    text
}

/// What comes, what goes, what is made anew.
fn preview(system: &System, from: usize, to: usize, confined: bool) -> String {
    let names = |keep: &dyn Fn(&spec::Pd) -> bool| {
        let names: Vec<&str> = system.pds.iter().filter(|pd| keep(pd)).map(|pd| pd.name.as_str()).collect();
        names.join(", ")
    };
    let mut text = format!("{}:", title(system, to));
    let mut line = |what: &str, names: String| {
        if !names.is_empty() {
            let _ = write!(text, "\n  {what}: {names}");
        }
    };
    line("is made", names(&|pd| pd.modes.has(to) && !pd.modes.has(from)));
    line("is destroyed", names(&|pd| !pd.modes.has(to) && pd.modes.has(from)));
    let anew = |pd: &spec::Pd| pd.trust == Trust::Public && pd.modes.has(to) && pd.modes.has(from);
    line("is made anew and forgets what was typed", names(&anew));
    for function in &system.pci {
        let driver = system.pds.get(usize::from(function.driver)).filter(|pd| pd.modes.has(to));
        match driver {
            Some(driver) => line(&format!("holds the device {}", function.name), driver.name.clone()),
            None => line("held by nobody but root", format!("the device {}", function.name)),
        }
    }
    let wire = crate::reach::to_devices(system, to);
    line("can send to the wire", wire.freely.join(", "));
    line("can send to it what you confirm", wire.guarded.join(", "));
    if wire.freely.is_empty() && wire.guarded.is_empty() {
        text.push_str("\n  nobody can send to the wire");
    }
    for pd in system.pds.iter().filter(|pd| pd.modes.has(to) && !pd.modes.has(from)) {
        if let Some(sentence) = crate::report::dma(system, pd, confined) {
            let _ = write!(text, "\n  {sentence}");
        }
    }
    text.push_str("\nType yes and Enter to change, anything else to leave it.");
    text
}
