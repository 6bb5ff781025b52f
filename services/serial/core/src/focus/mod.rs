//! Where the person's keys go: to the shell, or, by a key of the layout, as whole lines to a PD of the trusted path.
//!
//! While the trusted path has the focus, the shell gets nothing of what is typed, nor that something is. The line is
//! edited here and shown by serial itself, so nobody between the person and that PD can read or change it.
//!
//! **Text is no hand on the keyboard.** What the terminal marks as pasted is text only. Where it does not mark it, or
//! the text forges the end mark, a paste still comes faster than a person types: the keys that move the focus, and Enter
//! on the trusted path, count only if nothing was typed right before them. Thus no text that a person was talked into
//! pasting opens the trusted path and answers there.

mod line;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use ipc::focus::Typed;
use ipc::keys::{Event, Key};
use line::Line;

/// What a person presses comes so long after what they pressed before; a paste does not.
pub const PAUSE_US: u64 = 30_000;

/// What comes of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Shell(Event),
    /// Ctrl-C: whoever answers is to stop.
    Interrupt,
    /// For the PD of this number.
    Trusted(usize, Typed),
    /// The screen is to be drawn anew.
    Redraw,
}

pub struct Focus {
    /// The letter that is pressed with Ctrl, for each PD of the trusted path.
    keys: Vec<char>,
    /// Who has the focus; `None`: the shell.
    at: Option<usize>,
    line: Line,
    /// Enter came as in a paste.
    hasty: bool,
    typed_us: Option<u64>,
}

/// The line of the PD that has the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    pub trusted: usize,
    pub text: &'a str,
    /// In bytes.
    pub cursor: usize,
    /// Enter came right behind the text, as in a paste, and did not count.
    pub hasty: bool,
}

impl Focus {
    /// `keys`: the control characters of the layout.
    pub fn new(keys: impl IntoIterator<Item = u8>) -> Focus {
        let keys = keys.into_iter().map(letter).collect();
        Focus { keys, at: None, line: Line::default(), hasty: false, typed_us: None }
    }

    /// The line to be shown instead of the shell's.
    pub fn view(&self) -> Option<View<'_>> {
        let (text, cursor, hasty) = (self.line.text(), self.line.cursor(), self.hasty);
        self.at.map(|trusted| View { trusted, text, cursor, hasty })
    }

    pub fn event(&mut self, event: Event, now_us: u64, mut out: impl FnMut(Step)) {
        // The terminal says this by itself.
        if let Event::Size { .. } = event {
            return out(Step::Shell(event));
        }
        let before = self.typed_us.replace(now_us);
        self.hasty = false;
        let alone = before.is_none_or(|before| now_us.saturating_sub(before) >= PAUSE_US);
        if control(&event) == Some('c') {
            out(Step::Interrupt);
        } else if let Some(end) = control(&event).and_then(|c| self.keys.iter().position(|key| *key == c)) {
            if alone {
                self.switch(end, &mut out);
            }
            return;
        }
        match self.at {
            Some(at) => self.trusted(at, event, alone, &mut out),
            None => out(Step::Shell(event)),
        }
    }

    /// A PD of the trusted path lives anew. The focus stays where the person's key has put it: what they type meanwhile
    /// must not end up in the shell. The new life is told that it has the focus.
    pub fn restarted(&mut self, end: usize, mut out: impl FnMut(Step)) {
        if self.at == Some(end) {
            out(Step::Trusted(end, Typed::Opened));
        }
    }

    /// A key of the layout: to its PD, or back if that has the focus.
    fn switch(&mut self, end: usize, out: &mut impl FnMut(Step)) {
        let from = self.at;
        self.close(out);
        if from != Some(end) {
            self.at = Some(end);
            out(Step::Trusted(end, Typed::Opened));
        }
    }

    fn close(&mut self, out: &mut impl FnMut(Step)) {
        self.line = Line::default();
        if let Some(at) = self.at.take() {
            out(Step::Trusted(at, Typed::Closed));
        }
    }

    fn trusted(&mut self, at: usize, event: Event, alone: bool, out: &mut impl FnMut(Step)) {
        let line = &mut self.line;
        match event {
            Event::Text { text } => line.insert(&text),
            Event::Paste { text, .. } => line.insert(&text),
            Event::Key { key: Key::Char(c), modifiers } if modifiers.control => match c.to_ascii_lowercase() {
                'a' => line.home(),
                'b' => line.left(),
                'c' => *line = Line::default(),
                'd' => line.delete_right(),
                'e' => line.end(),
                'f' => line.right(),
                'k' => line.delete_to_end(),
                'l' => out(Step::Redraw),
                'u' => line.delete_to_home(),
                _ => {}
            },
            Event::Key { key, .. } => match key {
                Key::Enter if alone => out(Step::Trusted(at, Typed::Line { text: line.take() })),
                Key::Enter => self.hasty = true,
                Key::Escape if alone => self.close(out),
                Key::Backspace => line.delete_left(),
                Key::Delete => line.delete_right(),
                Key::Left => line.left(),
                Key::Right => line.right(),
                Key::Home => line.home(),
                Key::End => line.end(),
                _ => {}
            },
            Event::Size { .. } | Event::Invalid { .. } => {}
        }
    }
}

/// The letter that is pressed with Ctrl for a control character.
pub fn letter(control: u8) -> char {
    char::from(control | 0x60)
}

fn control(event: &Event) -> Option<char> {
    match event {
        Event::Key { key: Key::Char(c), modifiers } if modifiers.control => Some(c.to_ascii_lowercase()),
        _ => None,
    }
}
