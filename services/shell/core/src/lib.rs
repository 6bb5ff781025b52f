//! Shell without its protection domain: keys in, the input line and a few sentences out, and what the person asks of
//! others.
//!
//! The protection domain feeds in what arrives ([`Shell::event`], [`Shell::keys_lost`], [`Shell::serial_restarted`]),
//! sends what is to be shown ([`Shell::display`]), and carries out what was asked ([`Shell::next_action`], [`act`]).
//!
//! An input line is never sent as something else than what the person saw: when characters were dropped or keys were
//! lost, Enter says so, and the next Enter sends.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod act;
pub mod commands;
mod editor;
mod history;

pub use act::{act, Action};

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use commands::{Completion, Parsed};
use editor::Editor;
use history::History;
use ipc::display::{Item, Style, TEXT_BYTES};
use ipc::keys::{Event, Key, Modifiers};
use ipc::next_chunk;
use ipc::prompts::{Command, PROMPT_BYTES};

pub struct Shell {
    editor: Editor,
    history: History,
    search: Option<Search>,
    items: Vec<Item>,
    actions: VecDeque<Action>,
    /// The input line as serial knows it.
    shown: Option<Item>,
    /// What went wrong since the last Enter, and whether it was said.
    invalid: Trouble,
    lost: Trouble,
    full_said: bool,
}

/// Ctrl-R: the line shows the newest match of `text` that is not newer than `back`.
struct Search {
    text: String,
    back: usize,
    found: bool,
    /// What was being typed.
    draft: String,
}

#[derive(Default)]
struct Trouble {
    count: u64,
    said: bool,
}

impl Trouble {
    /// What is to be said now: the first trouble at once, all that follow with the next Enter.
    fn add(&mut self, count: u64) -> Option<u64> {
        self.count = self.count.saturating_add(count);
        (!core::mem::replace(&mut self.said, true)).then(|| core::mem::take(&mut self.count))
    }

    fn rest(&mut self) -> Option<u64> {
        self.said = false;
        Some(core::mem::take(&mut self.count)).filter(|count| *count > 0)
    }
}

impl Shell {
    /// `start` counts the starts of this protection domain, from 1.
    pub fn new(start: u64) -> Shell {
        let mut shell = Shell {
            editor: Editor::new(PROMPT_BYTES),
            history: History::default(),
            search: None,
            items: Vec::new(),
            actions: VecDeque::new(),
            shown: None,
            invalid: Trouble::default(),
            lost: Trouble::default(),
            full_said: false,
        };
        match start {
            0 | 1 => shell.say(Style::Dim, "/help for help."),
            _ => shell.say(Style::Error, "The shell was started again. The input line and the history are lost."),
        }
        shell
    }

    // --- what comes out -----------------------------------------------------------------------------------------

    /// Takes what is to be shown: sentences, and the input line if it changed.
    pub fn display(&mut self) -> Vec<Item> {
        let line = self.line();
        if self.shown.as_ref() != Some(&line) {
            self.items.push(line.clone());
            self.shown = Some(line);
        }
        core::mem::take(&mut self.items)
    }

    /// What is to be done next. What is to be shown belongs before it.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn line(&self) -> Item {
        let (text, cursor) = (self.editor.text(), self.editor.cursor() as u32);
        let prompt = match &self.search {
            None => String::new(),
            Some(search) => {
                let what = if search.found { "search" } else { "nothing found for" };
                format!("{what} \u{2018}{}\u{2019}: ", search.text)
            }
        };
        Item::Edit { prompt, text: text.into(), cursor }
    }

    /// A sentence for the person.
    pub fn say(&mut self, style: Style, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<TEXT_BYTES>(text, &mut at) {
            self.items.push(Item::Lines { style, text: piece.into() });
        }
    }

    // --- what comes in ------------------------------------------------------------------------------------------

    /// Records of the keys ring were overwritten before they were read; 0 if nobody knows how many.
    pub fn keys_lost(&mut self, records: u64) {
        if let Some(count) = self.lost.add(records.max(1)) {
            self.say_lost(count);
        }
    }

    fn say_lost(&mut self, count: u64) {
        self.say(Style::Error, &format!("Keys were typed faster than they could be read: at least {count} are lost."));
    }

    /// Serial knows nothing of the input line.
    pub fn serial_restarted(&mut self) {
        self.shown = None;
    }

    pub fn event(&mut self, event: Event) {
        match event {
            Event::Text { text } => match &mut self.search {
                Some(search) => {
                    search.text.push_str(&text);
                    self.search_from_here();
                }
                None => self.insert(&text),
            },
            Event::Paste { text, .. } => {
                self.search = None;
                self.insert(&text);
            }
            Event::Key { key, modifiers } => self.key(key, modifiers),
            // Serial wraps the line; nothing here depends on the width.
            Event::Size { .. } => {}
            Event::Invalid { bytes } => {
                if let Some(count) = self.invalid.add(bytes.into()) {
                    self.say_invalid(count);
                }
            }
        }
    }

    fn say_invalid(&mut self, count: u64) {
        let bytes = if count == 1 { "byte that is" } else { "bytes that are" };
        self.say(Style::Error, &format!("{count} {bytes} no UTF-8 came from the keyboard and were passed over."));
    }

    fn insert(&mut self, text: &str) {
        self.editor.insert(text);
        if self.editor.dropped() > 0 && !core::mem::replace(&mut self.full_said, true) {
            self.say(Style::Error, &format!("The line is full: it holds {PROMPT_BYTES} bytes."));
        }
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) {
        if self.search.is_some() && self.search_key(key, modifiers) {
            return;
        }
        let Modifiers { control, alt, .. } = modifiers;
        let editor = &mut self.editor;
        match (key, control, alt) {
            (Key::Char('c'), true, _) => {
                editor.clear();
                self.history.leave();
                self.calm();
            }
            (Key::Char('l'), true, _) => self.items.push(Item::Redraw),
            (Key::Char('r'), true, _) => self.search_begin(),
            (Key::Char('d'), true, _) if editor.is_empty() => self.say(Style::Dim, "/quit leaves."),
            (Key::Char('d'), true, _) | (Key::Delete, false, false) => editor.delete(),
            (Key::Char('h'), true, _) | (Key::Backspace, _, false) => editor.backspace(),
            (Key::Char('a'), true, _) | (Key::Home, ..) => editor.home(),
            (Key::Char('e'), true, _) | (Key::End, ..) => editor.end(),
            (Key::Left, false, false) | (Key::Char('b'), true, _) => editor.left(),
            (Key::Right, false, false) | (Key::Char('f'), true, _) => editor.right(),
            (Key::Left, ..) | (Key::Char('b' | 'B'), _, true) => editor.word_left(),
            (Key::Right, ..) | (Key::Char('f' | 'F'), _, true) => editor.word_right(),
            (Key::Delete, ..) | (Key::Char('d' | 'D'), _, true) => editor.cut_word_right(),
            (Key::Backspace, _, true) => editor.cut_word_left(),
            (Key::Char('k'), true, _) => editor.cut_to_end(),
            (Key::Char('u'), true, _) => editor.cut_to_start(),
            (Key::Char('w'), true, _) => editor.cut_word(),
            (Key::Char('y'), true, _) => editor.paste_cut(),
            (Key::Char('t'), true, _) => editor.transpose(),
            (Key::Up, ..) | (Key::Char('p'), true, _) => {
                if let Some(line) = self.history.older(editor.text()) {
                    editor.set(line);
                }
            }
            (Key::Down, ..) | (Key::Char('n'), true, _) => {
                if let Some(line) = self.history.newer() {
                    editor.set(&line);
                }
            }
            (Key::Tab, false, false) if !modifiers.shift => self.complete(),
            (Key::Enter, _, true) => self.insert("\n"),
            (Key::Enter, ..) => self.enter(),
            (Key::Char(c), false, false) => self.insert(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }

    // --- Ctrl-R -------------------------------------------------------------------------------------------------

    fn search_begin(&mut self) {
        self.history.leave();
        let draft = self.editor.take();
        self.search = Some(Search { text: String::new(), back: 0, found: true, draft });
    }

    /// A key during a search. False: the search is over, and the key means what it always means.
    fn search_key(&mut self, key: Key, modifiers: Modifiers) -> bool {
        let Some(search) = &mut self.search else { return false };
        match (key, modifiers.control) {
            (Key::Char('r'), true) => {
                search.back += usize::from(search.found && !search.text.is_empty());
                self.search_from_here();
            }
            (Key::Backspace, _) | (Key::Char('h'), true) => {
                search.text.pop();
                search.back = 0;
                self.search_from_here();
            }
            (Key::Char('c' | 'g'), true) | (Key::Escape, _) => {
                let draft = core::mem::take(&mut search.draft);
                self.search = None;
                self.editor.set(&draft);
            }
            (Key::Char('l'), true) => self.items.push(Item::Redraw),
            _ => {
                self.search = None;
                return false;
            }
        }
        true
    }

    fn search_from_here(&mut self) {
        let Some(search) = &mut self.search else { return };
        if search.text.is_empty() {
            search.found = true;
            return self.editor.clear();
        }
        let found = self.history.search(&search.text, search.back);
        search.found = found.is_some();
        if let Some((back, at)) = found {
            search.back = back;
            let line = String::from(self.history.get(back).unwrap_or_default());
            self.editor.set(&line);
            self.editor.go(at);
        }
    }

    // --- Enter and Tab ------------------------------------------------------------------------------------------

    fn complete(&mut self) {
        let before = &self.editor.text()[..self.editor.cursor()];
        match commands::complete(before) {
            Completion::Nothing => {}
            Completion::Insert { from, text } => self.editor.complete(from, &text),
            Completion::Choices(names) => self.say(Style::Dim, &names.join("  ")),
        }
    }

    /// Nothing went wrong with the line that begins now.
    fn calm(&mut self) {
        self.invalid = Trouble::default();
        self.lost = Trouble::default();
        self.full_said = false;
    }

    /// Whether the line is what the person typed. If not, says what happened to it.
    fn is_whole(&mut self) -> bool {
        let dropped = self.editor.take_dropped();
        let lost = core::mem::take(&mut self.lost);
        if let Some(count) = self.invalid.rest() {
            self.say_invalid(count);
        }
        if lost.count > 0 {
            self.say_lost(lost.count);
        }
        if dropped > 0 {
            let characters = if dropped == 1 { "character" } else { "characters" };
            self.say(
                Style::Error,
                &format!("The line is too long: {dropped} {characters} beyond {PROMPT_BYTES} bytes were dropped."),
            );
        }
        self.full_said = false;
        let whole = dropped == 0 && !lost.said;
        if !whole {
            self.say(Style::Error, "Enter sends the line as it stands, Ctrl-C clears it.");
        }
        whole
    }

    fn enter(&mut self) {
        if self.editor.text().trim().is_empty() {
            self.editor.clear();
            self.calm();
            return;
        }
        if !self.is_whole() {
            return;
        }
        let line = self.line();
        if self.shown.as_ref() != Some(&line) {
            self.items.push(line);
        }
        self.items.push(Item::EditDone);
        self.shown = None;
        let text = self.editor.take();
        self.history.add(&text);
        self.calm();
        match commands::parse(&text) {
            Parsed::Prompt(prompt) => self.actions.push_back(Action::Prompt(prompt.into())),
            Parsed::Help => self.say(Style::Plain, &commands::help()),
            Parsed::Status => self.actions.push_back(Action::Status),
            Parsed::Caps => self.actions.push_back(Action::Caps),
            Parsed::Log => self.actions.push_back(Action::Log),
            Parsed::Quit => self.actions.push_back(Action::Quit),
            Parsed::Why => self.actions.push_back(Action::Why),
            Parsed::New => self.actions.push_back(Action::Private(Command::New)),
            Parsed::Model => self.actions.push_back(Action::Private(Command::Model)),
            Parsed::ModelSet { name, value } => match (name.try_into(), value.try_into()) {
                (Ok(name), Ok(value)) => self.actions.push_back(Action::Private(Command::ModelSet { name, value })),
                // `parse` has looked at the lengths.
                _ => {}
            },
            Parsed::Wrong(sentence) => self.say(Style::Error, &sentence),
        }
    }
}

#[cfg(test)]
mod tests;
