//! A terminal at the other end of the machine's serial port.
//!
//! It emulates (crate `vt100`), and it behaves: asked for its size, its cursor or its kind, it answers at once, as a
//! person's terminal does, whether or not the test is looking. It remembers what a harmless session never does, such
//! as setting the window's title.

use crate::{Failure, Result};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Lines that scrolled off the top and are still looked at.
const SCROLLBACK: usize = 20_000;
/// Bytes of a failed test's raw output that are shown.
const RAW_TAIL: usize = 600;

pub struct Terminal {
    shared: Arc<Shared>,
    to_machine: UnixStream,
    /// No wait goes past this moment: a test has one limit, not one for each step.
    pub deadline: Instant,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser<Watcher>,
    raw: Vec<u8>,
    /// When each piece of `raw` arrived: (its end, the time).
    arrivals: Vec<(usize, Instant)>,
    closed: bool,
}

/// What a terminal does on its own, and what should not happen to it.
#[derive(Default)]
struct Watcher {
    replies: Vec<u8>,
    offences: Vec<String>,
}

impl vt100::Callbacks for Watcher {
    fn resize(&mut self, _: &mut vt100::Screen, size: (u16, u16)) {
        self.offences.push(format!("resized the window to {size:?}"));
    }
    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.offences.push(format!("set the icon name {:?}", String::from_utf8_lossy(name)));
    }
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.offences.push(format!("set the window title {:?}", String::from_utf8_lossy(title)));
    }
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], _: &[u8]) {
        self.offences.push("wrote to the clipboard".into());
    }
    fn paste_from_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.offences.push("read the clipboard".into());
    }
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        mark: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        letter: char,
    ) {
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (mark, letter, first) {
            (None, 'n', 5) => self.replies.extend_from_slice(b"\x1b[0n"),
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                let (_, columns) = screen.size();
                let column = column.min(columns - 1);
                self.replies.extend_from_slice(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
            }
            (None, 'c', _) => self.replies.extend_from_slice(b"\x1b[?62;22c"),
            (Some(b'>'), 'c', _) => self.replies.extend_from_slice(b"\x1b[>0;276;0c"),
            (None, 't', 18) => {
                let (rows, columns) = screen.size();
                self.replies.extend_from_slice(format!("\x1b[8;{rows};{columns}t").as_bytes());
            }
            _ => self.offences.push(format!("unknown control sequence {mark:?} {params:?} {letter:?}")),
        }
    }
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        let params: Vec<_> = params.iter().map(|p| String::from_utf8_lossy(p)).collect();
        self.offences.push(format!("operating system command {params:?}"));
    }
}

/// A place in the output; what comes later is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(usize);

/// What a person sees at one moment.
pub struct View<'a> {
    screen: &'a vt100::Screen,
    raw: &'a [u8],
}

impl View<'_> {
    /// The rows of the screen, right ends trimmed.
    pub fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen.size();
        self.screen.rows(0, columns).map(|row| row.trim_end().to_string()).collect()
    }

    pub fn contents(&self) -> String {
        self.screen.contents()
    }

    /// The row with the cursor, and the cursor's column.
    pub fn cursor_row(&self) -> (String, usize) {
        let (row, column) = self.screen.cursor_position();
        (self.rows().get(row as usize).cloned().unwrap_or_default(), column as usize)
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.screen
    }

    /// What was printed since `mark`, control sequences taken out, carriage returns too.
    pub fn printed_since(&self, mark: Mark) -> String {
        plain(&self.raw[mark.0.min(self.raw.len())..])
    }

    pub fn raw_since(&self, mark: Mark) -> &[u8] {
        &self.raw[mark.0.min(self.raw.len())..]
    }
}

impl Terminal {
    /// `stream` is the machine's serial port.
    pub fn new(stream: UnixStream, columns: u16, rows: u16, limit: Duration) -> Result<Self> {
        let parser = vt100::Parser::new_with_callbacks(rows, columns, SCROLLBACK, Watcher::default());
        let shared = Arc::new(Shared {
            state: Mutex::new(State { parser, raw: Vec::new(), arrivals: Vec::new(), closed: false }),
            changed: Condvar::new(),
        });
        let reader = stream.try_clone()?;
        let answers = stream.try_clone()?;
        let for_thread = shared.clone();
        thread::spawn(move || read(&for_thread, reader, answers));
        Ok(Terminal { shared, to_machine: stream, deadline: Instant::now() + limit })
    }

    /// Types bytes as they are. Blocks while the machine does not take them, as a line does.
    pub fn type_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.to_machine.write_all(bytes).map_err(|error| Failure::new(format!("the serial line is closed: {error}")))
    }

    pub fn type_text(&mut self, text: &str) -> Result<()> {
        self.type_bytes(text.as_bytes())
    }

    pub fn press(&mut self, key: &str) -> Result<()> {
        self.type_bytes(key_bytes(key))
    }

    pub fn mark(&self) -> Mark {
        Mark(self.shared.state.lock().unwrap().raw.len())
    }

    /// Looks once.
    pub fn look<T>(&self, see: impl FnOnce(&View) -> T) -> T {
        let state = self.shared.state.lock().unwrap();
        see(&View { screen: state.parser.screen(), raw: &state.raw })
    }

    /// Looks at every change until `see` says `Some`.
    pub fn wait<T>(&self, what: &str, mut see: impl FnMut(&View) -> Option<T>) -> Result<T> {
        let mut state = self.shared.state.lock().unwrap();
        loop {
            if let Some(value) = see(&View { screen: state.parser.screen(), raw: &state.raw }) {
                return Ok(value);
            }
            let why = match (state.closed, self.deadline.checked_duration_since(Instant::now())) {
                (true, _) => "the machine has gone",
                (_, None) => "the time is up",
                (_, Some(left)) => {
                    state = self.shared.changed.wait_timeout(state, left).unwrap().0;
                    continue;
                }
            };
            drop(state);
            return Err(self.failure(format!("waited for {what}: {why}")));
        }
    }

    /// Waits until `text` stands on the screen or in the output since `mark`.
    pub fn wait_text(&self, mark: Mark, text: &str) -> Result<()> {
        self.wait(&format!("{text:?}"), |view| {
            (view.printed_since(mark).contains(text) || view.contents().contains(text)).then_some(())
        })
    }

    /// Waits until the output since `mark` contains `text`; says when that output arrived.
    pub fn wait_printed(&self, mark: Mark, text: &str) -> Result<Instant> {
        self.wait(&format!("{text:?}"), |view| view.printed_since(mark).contains(text).then_some(()))?;
        Ok(self.arrival(mark, |printed| printed.contains(text)))
    }

    /// When the output since `mark` first satisfied `enough`.
    pub fn arrival(&self, mark: Mark, enough: impl Fn(&str) -> bool) -> Instant {
        let state = self.shared.state.lock().unwrap();
        let later: Vec<_> = state.arrivals.iter().filter(|(end, _)| *end > mark.0).collect();
        let at = later.partition_point(|(end, _)| !enough(&plain(&state.raw[mark.0..*end])));
        later.get(at).or(later.last()).map_or_else(Instant::now, |(_, time)| *time)
    }

    /// Everything that was ever shown and not drawn over: the lines that scrolled away and the screen, with lines
    /// that the terminal wrapped put together again.
    pub fn transcript(&self) -> Vec<String> {
        let mut state = self.shared.state.lock().unwrap();
        let (height, columns) = state.parser.screen().size();
        let screen = state.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let mut above = screen.scrollback();
        let mut rows = Vec::new();
        loop {
            screen.set_scrollback(above);
            let take = above.min(height as usize);
            let all: Vec<_> = screen.rows(0, columns).enumerate().map(|(i, r)| (r, screen.row_wrapped(i as u16))).collect();
            let end = if above == 0 { all.len() } else { take };
            rows.extend(all.into_iter().take(end));
            if above == 0 {
                break;
            }
            above -= take;
        }
        screen.set_scrollback(0);
        let mut lines = Vec::new();
        let mut line = String::new();
        for (row, wrapped) in rows {
            line.push_str(&row);
            if !wrapped {
                lines.push(std::mem::take(&mut line).trim_end().to_string());
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// A person drags the window's corner. A serial line carries no word of it.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.shared.state.lock().unwrap().parser.screen_mut().set_size(rows, columns);
    }

    /// What was done to the terminal that no program of ours has a reason to do.
    pub fn offences(&self) -> Vec<String> {
        let state = self.shared.state.lock().unwrap();
        let screen = state.parser.screen();
        let mut offences = state.parser.callbacks().offences.clone();
        if screen.alternate_screen() {
            offences.push("left the alternate screen on".into());
        }
        if screen.application_keypad() || screen.application_cursor() {
            offences.push("left application keys on".into());
        }
        if screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None {
            offences.push("left mouse reports on".into());
        }
        offences
    }

    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().unwrap().closed
    }

    pub fn raw(&self) -> Vec<u8> {
        self.shared.state.lock().unwrap().raw.clone()
    }

    /// A failure that shows the last screen and the tail of the raw bytes.
    pub fn failure(&self, what: impl Into<String>) -> Failure {
        let state = self.shared.state.lock().unwrap();
        let screen = state.parser.screen();
        let (_, columns) = screen.size();
        let mut text = format!("{}\n  last screen:\n", what.into());
        let rows: Vec<_> = screen.rows(0, columns).collect();
        let used = rows.iter().rposition(|row| !row.trim_end().is_empty()).map_or(0, |last| last + 1);
        for row in &rows[..used] {
            text.push_str(&format!("  | {}\n", row.trim_end()));
        }
        let tail = &state.raw[state.raw.len().saturating_sub(RAW_TAIL)..];
        text.push_str(&format!("  last {} of {} bytes: {}", tail.len(), state.raw.len(), tail.escape_ascii()));
        Failure::new(text)
    }
}

fn read(shared: &Shared, mut from: UnixStream, mut answers: UnixStream) {
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let mut state = shared.state.lock().unwrap();
        if count == 0 {
            state.closed = true;
            shared.changed.notify_all();
            return;
        }
        state.parser.process(&buffer[..count]);
        state.raw.extend_from_slice(&buffer[..count]);
        let end = state.raw.len();
        state.arrivals.push((end, Instant::now()));
        let replies = std::mem::take(&mut state.parser.callbacks_mut().replies);
        shared.changed.notify_all();
        drop(state);
        // A closed line shows at the next read.
        let _ = answers.write_all(&replies);
    }
}

/// Text without control sequences and control characters other than line feeds.
pub fn plain(bytes: &[u8]) -> String {
    struct Plain(String);
    impl vte::Perform for Plain {
        fn print(&mut self, c: char) {
            self.0.push(c);
        }
        fn execute(&mut self, byte: u8) {
            if byte == b'\n' {
                self.0.push('\n');
            }
        }
    }
    let mut out = Plain(String::new());
    vte::Parser::new().advance(&mut out, bytes);
    out.0
}

/// What a terminal sends for a key, as xterm does. Anything that is no name stands for itself.
fn key_bytes(key: &str) -> &[u8] {
    match key {
        "enter" => b"\r",
        "tab" => b"\t",
        "escape" => b"\x1b",
        "backspace" => b"\x7f",
        "delete" => b"\x1b[3~",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "home" => b"\x1b[H",
        "end" => b"\x1b[F",
        "page-up" => b"\x1b[5~",
        "page-down" => b"\x1b[6~",
        "ctrl-left" => b"\x1b[1;5D",
        "ctrl-right" => b"\x1b[1;5C",
        "alt-b" => b"\x1bb",
        "alt-f" => b"\x1bf",
        "alt-d" => b"\x1bd",
        "ctrl-a" => b"\x01",
        "ctrl-c" => b"\x03",
        "ctrl-d" => b"\x04",
        "ctrl-e" => b"\x05",
        "ctrl-k" => b"\x0b",
        "ctrl-l" => b"\x0c",
        "ctrl-r" => b"\x12",
        "ctrl-g" => b"\x07",
        "ctrl-t" => b"\x14",
        "ctrl-u" => b"\x15",
        "ctrl-w" => b"\x17",
        other => other.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(columns: u16, rows: u16) -> (Terminal, UnixStream) {
        let (ours, machine) = UnixStream::pair().unwrap();
        (Terminal::new(ours, columns, rows, Duration::from_secs(5)).unwrap(), machine)
    }

    #[test]
    fn answers_what_a_terminal_is_asked() {
        let (_terminal, mut machine) = pair(80, 24);
        machine.write_all(b"\x1b[18t\x1b[999;999H\x1b[6n\x1b[c").unwrap();
        let expected = b"\x1b[8;24;80t\x1b[24;80R\x1b[?62;22c";
        let mut seen = vec![0; expected.len()];
        machine.read_exact(&mut seen).unwrap();
        assert_eq!(seen, expected);
    }

    #[test]
    fn waits_for_output_and_keeps_what_scrolled_away() {
        let (terminal, mut machine) = pair(10, 3);
        let mark = terminal.mark();
        machine.write_all(b"one\r\ntwo\r\nthree\r\nabcdefghijklm\r\n> ").unwrap();
        terminal.wait("prompt", |view| (view.cursor_row().0 == ">").then_some(())).unwrap();
        assert_eq!(terminal.transcript(), ["one", "two", "three", "abcdefghijklm", ">"]);
        terminal.wait_printed(mark, "three").unwrap();
    }

    #[test]
    fn sees_what_is_done_to_the_terminal() {
        let (terminal, mut machine) = pair(80, 24);
        assert!(terminal.offences().is_empty());
        machine.write_all(b"\x1b]0;owned\x07\x1b[?1049hx").unwrap();
        terminal.wait("x", |view| view.contents().contains('x').then_some(())).unwrap();
        let offences = terminal.offences().join(", ");
        assert!(offences.contains("window title \"owned\"") && offences.contains("alternate screen"), "{offences}");
    }

    #[test]
    fn a_failure_shows_the_screen() {
        let (mut terminal, mut machine) = pair(80, 24);
        machine.write_all(b"here \x1b[1mI am").unwrap();
        terminal.wait("text", |view| view.contents().contains("am").then_some(())).unwrap();
        terminal.deadline = Instant::now();
        let failure = terminal.wait::<()>("more", |_| None).unwrap_err().to_string();
        assert!(failure.contains("waited for more") && failure.contains("| here I am"), "{failure}");
        assert!(failure.contains(r"\x1b[1m"), "{failure}");
    }
}
