mod any_items;
mod forgery;
mod input_line;
mod transcript;
mod trusted;
mod window;

use super::*;
use crate::focus::View;

const ROOT: usize = 0;
const SHELL: usize = 1;
const LOCAL: usize = 2;
const ROUTER: usize = 3;

struct Bench {
    screen: Screen,
    terminal: vt100::Parser<Watcher>,
    bytes: usize,
}

#[derive(Default)]
struct Watcher(Vec<String>);

impl vt100::Callbacks for Watcher {
    fn unhandled_csi(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        if (params.first().map(|p| p[0]), c) != (Some(6), 'n') {
            self.0.push(format!("{params:?} {c}"));
        }
    }
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0.push(format!("title {title:?}"));
    }
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.0.push(format!("clipboard {data:?}"));
    }
    fn unhandled_escape(&mut self, _: &mut vt100::Screen, a: Option<u8>, b: Option<u8>, c: u8) {
        self.0.push(format!("escape {a:?} {b:?} {c}"));
    }
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.0.push("bell".into());
    }
}

impl Bench {
    fn new(columns: u16, rows: u16) -> Bench {
        let speaker = |label: &str, reserved, edits| Speaker { label: label.into(), reserved, edits };
        let speakers = [
            speaker("AlphaOS", true, false),
            speaker("shell", false, true),
            speaker("Local", false, false),
            speaker("router", false, false),
        ];
        let mut screen = Screen::new(speakers, true);
        let hearer = |label: &str, key| Hearer { label: label.into(), key, runs: true };
        screen.set_hearers([hearer("AlphaOS", 't'), hearer("gate", 'g')]);
        screen.resize(columns, rows);
        let terminal = vt100::Parser::new_with_callbacks(rows, columns, 5000, Watcher::default());
        let mut bench = Bench { screen, terminal, bytes: 0 };
        bench.draw();
        bench
    }

    fn draw(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.screen.take_output(&mut out);
        self.terminal.process(&out);
        self.bytes += out.len();
        out
    }

    fn send(&mut self, speaker: usize, item: Item) -> usize {
        self.screen.item(speaker, item);
        self.draw().len()
    }

    fn lines(&mut self, speaker: usize, text: &str) -> usize {
        self.send(speaker, Item::Lines { style: Style::Plain, text: text.into() })
    }

    fn text(&mut self, speaker: usize, text: &str) -> usize {
        self.send(speaker, Item::Text { style: Style::Plain, text: text.into() })
    }

    fn edit(&mut self, text: &str) -> usize {
        self.edit_at(text, text.len())
    }

    fn edit_at(&mut self, text: &str, cursor: usize) -> usize {
        self.send(SHELL, Item::Edit { prompt: String::new(), text: text.into(), cursor: cursor as u32 })
    }

    /// The first of the trusted path has the focus, and the person has typed this.
    fn trusted(&mut self, text: &str, cursor: usize) -> usize {
        self.screen.focus(Some(View { trusted: 0, text, cursor, hasty: false }));
        self.draw().len()
    }

    fn rows(&self) -> Vec<String> {
        let screen = self.terminal.screen();
        let mut rows: Vec<_> = screen.rows(0, screen.size().1).map(|row| row.trim_end().to_string()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    fn cursor(&self) -> (u16, u16) {
        self.terminal.screen().cursor_position()
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.screen_mut().set_size(rows, columns);
        self.screen.resize(columns, rows);
        self.draw();
    }
}
