//! The person at the machine: types, waits for what comes, reads it. What the screen looks like is known here and
//! nowhere else in the tests.

use crate::{
    ensure,
    machine::{Machine, Options},
    terminal::{Mark, View},
    Failure, Result,
};
use alpha::Boot;
use std::{
    thread,
    time::{Duration, Instant},
};

/// What stands before the line that one types.
pub const PROMPT: &str = ">";
/// What stands before the name of a part of the trusted path, and of nobody else.
pub const MARKER: &str = "◆";
/// Longer than serial takes for the pause inside a paste.
const PAUSE: Duration = Duration::from_millis(100);
/// Who answers here.
pub const LABEL: &str = "[Local]";

pub struct Person {
    pub machine: Machine,
}

/// An answer as it was shown.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Without label and figures.
    pub text: String,
    /// The line below it.
    pub figures: String,
}

impl Answer {
    pub fn tokens(&self) -> Option<u64> {
        let part = self.figures.split(" · ").find(|part| part.ends_with(" tokens") || part.ends_with(" token"))?;
        part.split_whitespace().next()?.parse().ok()
    }

    pub fn tokens_per_second(&self) -> Option<f64> {
        self.figures.split(" · ").find_map(|part| part.trim().strip_suffix(" tok/s"))?.parse().ok()
    }

    pub fn was_stopped(&self) -> bool {
        self.figures.contains("stopped")
    }
}

/// One row of `/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub side: String,
    pub state: String,
    pub starts: u64,
    /// As it is written there, with its unit.
    pub memory: String,
}

impl Person {
    /// Boots and waits until the prompt is there.
    pub fn boot(boot: &Boot, options: &Options) -> Result<Self> {
        let person = Person { machine: Machine::start(boot, options)? };
        let terminal = &person.machine.terminal;
        let refused = |view: &View| view.contents().contains("AlphaOS cannot start");
        terminal.wait("the prompt", |view| (at_prompt(view) || refused(view)).then_some(()))?;
        ensure!(!terminal.look(refused), "{}", terminal.failure("it does not start"));
        Ok(person)
    }

    /// Until an empty line waits for what is typed.
    pub fn wait_prompt(&self) -> Result<()> {
        self.machine.terminal.wait("the prompt", |view| at_prompt(view).then_some(()))
    }

    /// Until the line that is being typed reads so, and the cursor stands after `left` of it.
    pub fn wait_line(&self, text: &str, left: &str) -> Result<()> {
        let row = format!("{PROMPT} {text}");
        let column = format!("{PROMPT} {left}").chars().count();
        let what = format!("the line {row:?} with the cursor in column {column}");
        self.machine.terminal.wait(&what, |view| {
            let (seen, at) = view.cursor_row();
            (seen.trim_end() == row.trim_end() && at == column).then_some(())
        })
    }

    pub fn mark(&self) -> Mark {
        self.machine.terminal.mark()
    }

    pub fn press(&mut self, key: &str) -> Result<()> {
        self.machine.terminal.press(key)
    }

    /// Presses a key a moment after the last one. On the trusted path nothing else counts.
    pub fn press_later(&mut self, key: &str) -> Result<()> {
        thread::sleep(PAUSE);
        self.press(key)
    }

    /// Until the trusted path to root has the focus, and its line reads so, with the cursor at the end.
    pub fn wait_trusted(&self, text: &str) -> Result<()> {
        self.wait_trusted_by("AlphaOS", text)
    }

    /// The same for another part of the trusted path.
    pub fn wait_trusted_by(&self, label: &str, text: &str) -> Result<()> {
        let row = format!("{MARKER} {label}> {text}");
        let column = row.chars().count();
        self.machine.terminal.wait(&format!("the line {row:?}"), |view| {
            let (seen, at) = view.cursor_row();
            (seen == row.trim_end() && at == column).then_some(())
        })
    }

    pub fn type_text(&mut self, text: &str) -> Result<()> {
        self.machine.terminal.type_text(text)
    }

    /// Types a line and Enter, and waits until it stands in the transcript.
    pub fn enter(&mut self, line: &str) -> Result<Mark> {
        let mark = self.mark();
        self.type_text(line)?;
        self.press("enter")?;
        Ok(mark)
    }

    /// Waits for a text in the output since `mark`.
    pub fn wait_for(&self, mark: Mark, text: &str) -> Result<()> {
        self.machine.terminal.wait_text(mark, text)
    }

    /// Waits for a text that is written after `mark`, wherever the screen's rows break.
    pub fn wait_printed(&self, mark: Mark, text: &str) -> Result<()> {
        let text = joined(text);
        let seen = |view: &View| joined(&view.printed_since(mark)).contains(&text).then_some(());
        self.machine.terminal.wait(&format!("{text:?}, written anew"), seen)
    }

    /// Asks and waits for the whole answer.
    pub fn ask(&mut self, prompt: &str) -> Result<Answer> {
        let before = self.figures_seen();
        self.enter(prompt)?;
        self.wait_answer(before)
    }

    /// How many answers have ended so far.
    pub fn figures_seen(&self) -> usize {
        self.machine.terminal.transcript().iter().filter(|line| is_figures(line)).count()
    }

    /// Waits for one more ended answer than `before`.
    pub fn wait_answer(&self, before: usize) -> Result<Answer> {
        let terminal = &self.machine.terminal;
        let mut pieces = 0;
        loop {
            let transcript = terminal.transcript();
            let ends: Vec<usize> = (0..transcript.len()).filter(|i| is_figures(&transcript[*i])).collect();
            // The row is complete when the next one is there.
            if ends.len() > before && ends[before] + 1 < transcript.len() {
                let end = ends[before];
                let start = transcript[..end].iter().rposition(|line| line.contains(LABEL));
                let start = start.ok_or_else(|| terminal.failure(format!("no {LABEL} above {:?}", transcript[end])))?;
                let text = transcript[start..end].join("\n").replacen(LABEL, "", 1).trim().to_string();
                return Ok(Answer { text, figures: transcript[end].trim().to_string() });
            }
            // Look again when something has come.
            terminal.wait("the end of an answer", |view| {
                let length = view.raw_since(Mark::default()).len();
                (length != std::mem::replace(&mut pieces, length)).then_some(())
            })?;
        }
    }

    /// The first text of an answer that comes after `mark`; says when.
    pub fn wait_first_word(&self, mark: Mark) -> Result<Instant> {
        let spoken = |printed: &str| {
            printed.rsplit_once(LABEL).is_some_and(|(_, said)| said.trim_start().chars().next().is_some())
        };
        self.machine.terminal.wait("the first word", |view| spoken(&view.printed_since(mark)).then_some(()))?;
        Ok(self.machine.terminal.arrival(mark, spoken))
    }

    /// Runs a command, waits until `expected` is shown and gives the lines below the command.
    pub fn command(&mut self, command: &str, expected: &str) -> Result<Vec<String>> {
        let echo = format!("{PROMPT} {command}");
        let same = |lines: &[String]| lines.iter().filter(|line| line.trim_end() == echo).count();
        let before = same(&self.machine.terminal.transcript());
        self.enter(command)?;
        self.wait_transcript(&format!("{expected:?} below {echo:?}"), |lines| {
            let at = lines.iter().rposition(|line| line.trim_end() == echo).filter(|_| same(lines) > before)?;
            let below = &lines[at + 1..];
            let below = match below.split_last() {
                Some((last, rest)) if last.trim_end() == PROMPT => rest,
                _ => return None,
            };
            below.iter().any(|line| line.contains(expected)).then(|| below.to_vec())
        })
    }

    /// Waits until the transcript is as wanted.
    pub fn wait_transcript<T>(&self, what: &str, see: impl Fn(&[String]) -> Option<T>) -> Result<T> {
        let mut pieces = usize::MAX;
        loop {
            if let Some(value) = see(&self.machine.terminal.transcript()) {
                return Ok(value);
            }
            self.machine.terminal.wait(what, |view| {
                let length = view.raw_since(Mark::default()).len();
                (length != std::mem::replace(&mut pieces, length)).then_some(())
            })?;
        }
    }

    /// Changes the mode on the trusted path: the mode's number, yes, and back to the shell. Gives what root said.
    pub fn change_mode(&mut self, number: usize, title: &str) -> Result<String> {
        let mark = self.mark();
        self.press_later("ctrl-t")?;
        self.wait_trusted("")?;
        self.type_text(&number.to_string())?;
        self.wait_trusted(&number.to_string())?;
        self.press_later("enter")?;
        self.wait_printed(mark, "Type yes and Enter")?;
        self.wait_trusted("")?;
        self.type_text("yes")?;
        self.wait_trusted("yes")?;
        self.press_later("enter")?;
        self.wait_printed(mark, &format!("Mode: {title}. Changed in"))?;
        self.wait_trusted("")?;
        let shown = self.machine.terminal.look(|view| view.printed_since(mark));
        self.press_later("escape")?;
        self.wait_prompt()?;
        Ok(joined(&shown))
    }

    /// `/status`, read.
    pub fn status(&mut self) -> Result<Vec<Part>> {
        // llama's row is the last.
        let lines = self.command("/status", "llama")?;
        let parts: Vec<Part> = lines.iter().filter_map(|line| read_part(line)).collect();
        match parts.is_empty() {
            true => Err(self.machine.terminal.failure("/status shows no part")),
            false => Ok(parts),
        }
    }

    /// The same while others write so much that root's lines need not come right behind the command.
    pub fn status_in_noise(&mut self) -> Result<Vec<Part>> {
        let mark = self.enter("/status")?;
        self.machine.terminal.wait("the rows of /status", |view| {
            let parts: Vec<Part> = view.printed_since(mark).lines().filter_map(read_part).collect();
            parts.iter().any(|part| part.name == "llama").then_some(parts)
        })
    }

    pub fn starts(&mut self, name: &str) -> Result<u64> {
        let parts = self.status()?;
        let part = parts.iter().find(|part| part.name == name);
        part.map(|part| part.starts).ok_or_else(|| Failure::new(format!("/status does not show {name}")))
    }

    /// Leaves an empty line to whoever comes next.
    pub fn clear_line(&mut self) -> Result<()> {
        self.press("end")?;
        self.press("ctrl-u")?;
        self.wait_prompt()
    }

    /// `/quit`, and QEMU ends.
    pub fn quit(mut self) -> Result<()> {
        self.enter("/quit")?;
        let status = self.machine.wait_end()?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("QEMU ended with {status}: {}", self.machine.errors()))),
        }
    }
}

/// A text with each break between its words as one space.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An empty input line with the cursor behind the prompt.
pub fn at_prompt(view: &View) -> bool {
    let (row, column) = view.cursor_row();
    row.trim_end() == PROMPT && column >= PROMPT.len()
}

/// `alpha-small · 23 tokens · 38 tok/s · first word 0.2 s`
pub fn is_figures(line: &str) -> bool {
    line.contains(" · ") && line.split(" · ").any(|part| {
        part.trim().strip_suffix(" tokens").or(part.trim().strip_suffix(" token")).is_some_and(|n| n.parse::<u64>().is_ok())
    })
}

fn read_part(line: &str) -> Option<Part> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let side = words.iter().position(|word| ["private", "public", "trusted"].contains(word))?;
    let name = words.get(side.checked_sub(1)?)?;
    let unit = words.iter().rposition(|word| ["B", "KiB", "MiB", "GiB", "TiB"].contains(word))?;
    let starts = words.get(unit.checked_sub(2)?)?.parse().ok()?;
    let state = words.get(side + 1..unit - 2)?.join(" ");
    let memory = words[unit - 1..=unit].join(" ");
    Some(Part { name: (*name).into(), side: words[side].into(), state, starts, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_recognised() {
        assert!(is_figures("  alpha-small · 23 tokens · 38 tok/s · first word 0.2 s"));
        assert!(is_figures("stopped · alpha-small · 1 token"));
        assert!(!is_figures("two · parts"));
    }

    #[test]
    fn a_row_of_status_is_read() {
        let part = read_part("assistant  private  running         2    2.2 MiB").unwrap();
        assert_eq!((part.name.as_str(), part.state.as_str(), part.starts), ("assistant", "running", 2));
        assert_eq!(part.memory, "2.2 MiB");
        let part = read_part("  llama      private  in 0.4 s        3     96 MiB").unwrap();
        assert_eq!((part.state.as_str(), part.starts), ("in 0.4 s", 3));
        assert_eq!(read_part("part       side     state      starts     memory"), None);
    }
}
