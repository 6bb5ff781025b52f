//! Which key does what.

use crate::commands::{parse, Typed};
use crate::complete::{complete, Completion};
use crate::editor::{Editor, Reach};
use crate::history::History;
use crate::search::Search;
use crate::outbound::Outbound;
use crate::{help, say};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::display::{Item, Style};
use ipc::keys::{Event, Key, Modifiers};
use ipc::prompts::{Command, PROMPT_BYTES};

/// Serial draws `> ` itself; this comes behind it.
pub const PROMPT: &str = "";

/// What the protection domain is to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Show(Item),
    /// Ask router to have this answered.
    Prompt(String),
    /// Send this to the private side, by way of router.
    Private(Command),
    /// Hand this to router for the network.
    Outbound(Outbound),
    Why,
    Status,
    Caps,
    Log,
    Quit,
}

pub struct Shell {
    editor: Editor,
    history: History,
    search: Option<Search>,
    /// Shown beside the line until the next key.
    hint: String,
    /// Bytes that were no UTF-8 came since the line began.
    invalid: bool,
    /// Keys of this line were lost.
    lost: bool,
    /// The notice on the screen.
    noticed: String,
    /// The line must be shown whether it changed or not.
    stale: bool,
}

impl Default for Shell {
    fn default() -> Self {
        Shell {
            editor: Editor::new(PROMPT_BYTES),
            history: History::default(),
            search: None,
            hint: String::new(),
            invalid: false,
            lost: false,
            noticed: String::new(),
            stale: true,
        }
    }
}

impl Shell {
    pub fn editor(&self) -> &Editor {
        &self.editor
    }

    /// Takes what serial sent.
    pub fn event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Key { key, modifiers } => {
                self.hint.clear();
                return self.key(key, modifiers);
            }
            Event::Text { text } => {
                self.hint.clear();
                self.text(&text);
            }
            Event::Paste { text, .. } => {
                self.hint.clear();
                self.accept();
                self.editor.insert(&clean(&text));
            }
            // Serial asks for the size when it begins or draws anew: it may not know the line.
            Event::Size { .. } => self.stale = true,
            Event::Invalid { .. } => self.invalid = true,
        }
        Vec::new()
    }

    /// Records of the ring from serial were overwritten before they were read, or make no sense. 0: nobody knows how
    /// many bytes.
    pub fn lost(&mut self, bytes: u64) -> Vec<Action> {
        self.lost = true;
        match bytes {
            0 => error("Keys were lost."),
            _ => error(&format!("Keys were lost: {bytes} bytes on their way from serial.")),
        }
    }

    /// Serial began anew: it knows nothing of the line, and `bytes` of what it sent before were not read.
    pub fn serial_restarted(&mut self, bytes: u64) -> Vec<Action> {
        self.stale = true;
        self.noticed.clear();
        match bytes {
            0 => Vec::new(),
            _ => self.lost(bytes),
        }
    }

    /// What is to be shown when no more keys wait: nothing if nothing changed.
    pub fn refresh(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let notice = match (self.editor.left_out(), self.invalid) {
            (1.., _) => format!("The line is full at {PROMPT_BYTES} bytes; what follows is left out."),
            (0, true) if self.hint.is_empty() => "Bytes that are no UTF-8 were left out.".into(),
            _ => self.hint.clone(),
        };
        if notice != self.noticed {
            items.push(Item::Progress { text: notice.clone() });
            self.noticed = notice;
        }
        if self.editor.take_changed() | core::mem::take(&mut self.stale) {
            items.push(self.line());
        }
        items
    }

    fn line(&self) -> Item {
        Item::Edit {
            prompt: self.search.as_ref().map_or(PROMPT.into(), Search::prompt),
            text: self.editor.text().into(),
            cursor: self.editor.cursor() as u32,
        }
    }

    fn text(&mut self, text: &str) {
        let text = clean(text);
        match &mut self.search {
            Some(search) => {
                self.stale = true;
                show(&mut self.editor, search.add(&text, &self.history));
            }
            None => self.editor.insert(&text),
        }
    }

    fn key(&mut self, key: Key, modifiers: Modifiers) -> Vec<Action> {
        if let (Key::Char(c), false, false) = (key, modifiers.control, modifiers.alt) {
            self.text(c.encode_utf8(&mut [0; 4]));
            return Vec::new();
        }
        if self.search_key(key, modifiers) {
            self.stale = true;
            return Vec::new();
        }
        self.accept();
        let word = if modifiers.control || modifiers.alt { Reach::Word } else { Reach::One };
        let editor = &mut self.editor;
        match key {
            Key::Char(c) if modifiers.control => return self.control(c.to_ascii_lowercase()),
            Key::Char(c) => match c.to_ascii_lowercase() {
                'b' => editor.left(Reach::Word),
                'f' => editor.right(Reach::Word),
                'd' => editor.kill_right(Reach::Word),
                _ => {}
            },
            Key::Enter if modifiers.alt => editor.insert("\n"),
            Key::Enter => return self.enter(),
            Key::Tab => self.tab(),
            Key::Backspace if word == Reach::Word => editor.kill_left(Reach::Word),
            Key::Backspace => editor.delete_left(),
            Key::Delete if word == Reach::Word => editor.kill_right(Reach::Word),
            Key::Delete => editor.delete_right(),
            Key::Left => editor.left(word),
            Key::Right => editor.right(word),
            Key::Home => editor.left(Reach::Line),
            Key::End => editor.right(Reach::Line),
            Key::Up => self.older(),
            Key::Down => self.newer(),
            Key::PageUp | Key::PageDown | Key::Escape => {}
        }
        Vec::new()
    }

    fn control(&mut self, c: char) -> Vec<Action> {
        let editor = &mut self.editor;
        match c {
            'a' => editor.left(Reach::Line),
            'b' => editor.left(Reach::One),
            'c' => self.drop_line(),
            'd' => editor.delete_right(),
            'e' => editor.right(Reach::Line),
            'f' => editor.right(Reach::One),
            'h' => editor.delete_left(),
            'i' => self.tab(),
            'j' | 'm' => return self.enter(),
            'k' => editor.kill_right(Reach::Line),
            'l' => {
                self.stale = true;
                return [Action::Show(Item::Redraw)].into();
            }
            'n' => self.newer(),
            'p' => self.older(),
            'r' => {
                self.search = Some(Search::new(editor.text()));
                self.stale = true;
            }
            'u' => editor.kill_left(Reach::Line),
            'w' => editor.kill_left(Reach::Blank),
            'y' => editor.yank(),
            _ => {}
        }
        Vec::new()
    }

    /// A key while the person searches; `false` if it ends the search and does what it does elsewhere.
    fn search_key(&mut self, key: Key, modifiers: Modifiers) -> bool {
        let Some(search) = &mut self.search else { return false };
        let found = match key {
            Key::Char('r' | 'R') if modifiers.control => search.again(&self.history, self.editor.text()),
            Key::Char('h' | 'H') if modifiers.control => search.remove(&self.history),
            Key::Backspace => search.remove(&self.history),
            Key::Escape => return self.end_search(),
            _ => return false,
        };
        show(&mut self.editor, found);
        true
    }

    /// Back to what stood in the line before.
    fn end_search(&mut self) -> bool {
        if let Some(search) = self.search.take() {
            self.editor.set(&search.before);
        }
        true
    }

    /// Goes on with what the search has found.
    fn accept(&mut self) {
        if self.search.take().is_some() {
            self.history.leave();
            self.stale = true;
        }
    }

    fn older(&mut self) {
        if let Some(line) = self.history.older(self.editor.text()) {
            self.editor.set(line);
        }
    }

    fn newer(&mut self) {
        if let Some(line) = self.history.newer() {
            self.editor.set(&line);
        }
    }

    fn tab(&mut self) {
        let (range, with) = match complete(&self.editor.text()[..self.editor.cursor()]) {
            Completion::Nothing => return,
            Completion::One { range, with } => (range, with),
            Completion::Several { range, with, all } => {
                self.hint = all.join("  ");
                (range, with)
            }
        };
        self.editor.replace(range, &with);
    }

    fn drop_line(&mut self) {
        self.editor.clear();
        self.history.leave();
        self.invalid = false;
        self.lost = false;
    }

    fn enter(&mut self) -> Vec<Action> {
        // Never send what is not what the person typed: say so, and let a second Enter decide.
        let left_out = self.editor.left_out();
        if left_out > 0 {
            self.editor.accept_left_out();
            return error(&format!(
                "The line holds {PROMPT_BYTES} bytes, and {left_out} more characters were left out. It was not sent: \
                 Enter sends it without them, Ctrl-C drops it."
            ));
        }
        if core::mem::take(&mut self.lost) {
            return error("Keys of this line were lost. It was not sent: Enter sends it as it is, Ctrl-C drops it.");
        }
        let text = String::from(self.editor.text().trim_end());
        self.drop_line();
        if text.trim().is_empty() {
            return Vec::new();
        }
        self.history.push(&text);
        self.stale = true;
        let cursor = text.len() as u32;
        let edit = Item::Edit { prompt: PROMPT.into(), text: text.clone(), cursor };
        let mut actions = Vec::from([Action::Show(edit), Action::Show(Item::EditDone)]);
        match parse(&text) {
            Typed::Prompt => actions.push(Action::Prompt(text)),
            Typed::Help => actions.extend(say::lines(Style::Plain, &help::text()).into_iter().map(Action::Show)),
            Typed::Status => actions.push(Action::Status),
            Typed::Caps => actions.push(Action::Caps),
            Typed::Why => actions.push(Action::Why),
            Typed::Log => actions.push(Action::Log),
            Typed::Mode => actions.extend(say::lines(Style::Plain, &say::mode()).into_iter().map(Action::Show)),
            Typed::Quit => actions.push(Action::Quit),
            Typed::Private(command) => actions.push(Action::Private(command)),
            Typed::Outbound(outbound) => actions.push(Action::Outbound(outbound)),
            Typed::Wrong(sentence) => actions.extend(error(&sentence)),
        }
        actions
    }
}

/// A line that a search has found, with the cursor where it fits.
fn show(editor: &mut Editor, found: Option<(&str, usize)>) {
    if let Some((line, at)) = found {
        editor.set(line);
        editor.move_to(at);
    }
}

fn error(sentence: &str) -> Vec<Action> {
    say::lines(Style::Error, sentence).into_iter().map(Action::Show).collect()
}

/// Text without what is no text.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
