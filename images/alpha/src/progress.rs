//! One line that says what is being done; on a terminal it is drawn over and over, elsewhere each step gets a line.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the line is drawn.
const DRAW: Duration = Duration::from_millis(120);

pub struct Progress {
    line: Option<Line>,
    start: Instant,
    last: String,
}

/// The thread that draws. It ends, and takes the line away, when its sender is dropped.
struct Line {
    steps: Sender<String>,
    thread: JoinHandle<()>,
}

impl Progress {
    pub fn new() -> Progress {
        let start = Instant::now();
        let line = io::stderr().is_terminal().then(|| {
            let (steps, received) = mpsc::channel::<String>();
            let thread = thread::spawn(move || {
                let mut what = String::new();
                for turn in 0.. {
                    match received.recv_timeout(DRAW) {
                        Ok(step) => what = step,
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                    if !what.is_empty() {
                        draw(&format!("{} {what}  {}", ['-', '\\', '|', '/'][turn % 4], elapsed(start)));
                    }
                }
                draw("");
            });
            Line { steps, thread }
        });
        Progress { line, start, last: String::new() }
    }

    pub fn step(&mut self, what: &str) {
        if what == self.last {
            return;
        }
        self.last = what.to_owned();
        match &self.line {
            Some(line) => drop(line.steps.send(what.to_owned())),
            None => eprintln!("[{:6.1} s] {what}", self.start.elapsed().as_secs_f64()),
        }
    }

    /// Takes the line away before something else uses the terminal.
    pub fn finish(&mut self) {
        if let Some(Line { steps, thread }) = self.line.take() {
            drop(steps);
            let _ = thread.join();
        }
    }
}

/// Draws over the line. Without automatic wrapping (`?7`), so that a narrow terminal cuts it instead of filling up.
fn draw(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r\x1b[?7l\x1b[K{text}\x1b[?7h");
    let _ = out.flush();
}

fn elapsed(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    match seconds {
        0..=59 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

impl Default for Progress {
    fn default() -> Self {
        Progress::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
