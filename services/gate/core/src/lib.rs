//! Gate without its protection domain: one request at a time is shown in full, and goes when the person says yes.
//!
//! What an answer needs to count, in this order, each step seen by gate itself:
//!
//! 1. the whole request has been taken by serial for the screen;
//! 2. *after* that the person pressed the key that gives gate the focus;
//! 3. the first line that they typed then is `yes`;
//! 4. the request is still the same, and its time is not over.
//!
//! A request never changes after it was shown. Whatever comes between (another request, a death, the focus given back)
//! means no. [`Gate::turn`] looks at the sources in the order that this needs.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod visible;
pub mod words;

use alloc::{collections::VecDeque, string::String};
use core::fmt;
use ipc::display::{Item, Style, TEXT_BYTES};
use ipc::focus::Typed;
use ipc::outbound::{Request, RECORD_BYTES};
use sha2::{Digest, Sha256};

/// Requests that wait at most while one is being answered.
pub const QUEUE: usize = 4;
/// How long the person may think.
pub const TIMEOUT_US: u64 = 60_000_000;
/// What a flood of requests is told of at most once in.
const COMPLAINT_US: u64 = 5_000_000;
/// Requests taken in a turn at most: router may write faster than anyone reads.
const TAKEN: usize = 2 * QUEUE;

/// What a source had.
pub enum Came<T> {
    Nothing,
    One(T),
    /// A record was lost or makes no sense, or its producer died.
    Broken,
}

/// What gate stands on.
pub trait Ends {
    /// From router.
    fn request(&mut self) -> Came<Request>;
    /// From serial, while the focus is here.
    fn typed(&mut self) -> Came<Typed>;
    /// Puts a record onto the way to the screen; false if there is no room now.
    fn show(&mut self, item: &Item) -> bool;
    /// Serial has taken all that was put onto the way.
    fn all_taken(&mut self) -> bool;
    /// Keeps what was decided. What is to leave does so after this has returned, or not at all.
    fn record(&mut self, decision: &Decision);
    /// To cloud.
    fn send(&mut self, request: &Request);
}

/// What became of a request, for the record.
pub struct Decision<'a> {
    pub verdict: Verdict,
    pub request: &'a Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Confirmed,
    Refused,
    Closed,
    TimedOut,
}

/// The request that the person is asked about.
struct Asked {
    /// Counts from 1; no two questions have the same.
    number: u64,
    request: Request,
    /// When it was begun to be shown, or was shown in full.
    since_us: u64,
    shown: bool,
}

pub struct Gate {
    waiting: VecDeque<Request>,
    asked: Option<Asked>,
    numbers: u64,
    focus: Focus,
    /// What is to be shown and found no room yet.
    screen: VecDeque<Item>,
    /// Requests that were refused since the last sentence about it.
    too_many: u64,
    broken: u64,
    complained_us: Option<u64>,
}

/// What the person types here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    /// Does not come here.
    Elsewhere,
    /// Is the answer to the request of this number, which was on the screen when they pressed the key.
    Answers(u64),
    /// Answers nothing.
    Nothing,
}

impl Gate {
    /// `start` counts the starts of this protection domain, from 1.
    pub fn new(start: u64) -> Gate {
        let mut gate = Gate {
            waiting: VecDeque::new(),
            asked: None,
            numbers: 0,
            focus: Focus::Elsewhere,
            screen: VecDeque::new(),
            too_many: 0,
            broken: 0,
            complained_us: None,
        };
        if start > 1 {
            gate.say(Style::Error, words::STARTED_ANEW);
        }
        gate
    }

    /// Does what can be done now; says whether there may be more.
    pub fn turn(&mut self, ends: &mut impl Ends, now_us: u64) -> bool {
        // Serial takes what is shown and gives what is typed. If it had taken everything *before* the focus ring was
        // found empty, then what it puts there from now on was typed later than that.
        let all_taken = self.screen.is_empty() && ends.all_taken();
        let on_its_way = self.asked.as_ref().filter(|asked| !asked.shown).map(|asked| asked.number);
        let mut any = false;
        loop {
            match ends.typed() {
                Came::Nothing => break,
                Came::One(typed) => self.typed(typed, ends, now_us),
                Came::Broken => self.serial_broke(ends, now_us),
            }
            any = true;
        }
        if let Some(asked) = self.asked.as_mut().filter(|asked| all_taken && Some(asked.number) == on_its_way) {
            asked.shown = true;
            asked.since_us = now_us;
        }
        if self.asked.as_ref().is_some_and(|asked| now_us.saturating_sub(asked.since_us) >= TIMEOUT_US) {
            self.decide(Verdict::TimedOut, ends, now_us);
        }
        for _ in 0..TAKEN {
            match ends.request() {
                Came::Nothing => break,
                Came::One(request) => self.request(request, ends, now_us),
                Came::Broken => self.broken += 1,
            }
            any = true;
        }
        self.complain(now_us);
        while let Some(item) = self.screen.front() {
            if !ends.show(item) {
                break;
            }
            self.screen.pop_front();
            any = true;
        }
        any
    }

    fn request(&mut self, request: Request, ends: &mut impl Ends, now_us: u64) {
        match request {
            // Nothing leaves for it, and cloud is on router's side.
            Request::NetStatus { .. } => ends.send(&request),
            request if self.asked.is_none() => self.ask(request, now_us),
            request if self.waiting.len() < QUEUE => {
                self.waiting.push_back(request);
                self.say(Style::Dim, &words::waits(self.waiting.len()));
            }
            _ => self.too_many += 1,
        }
    }

    fn ask(&mut self, request: Request, now_us: u64) {
        self.numbers += 1;
        self.asked = Some(Asked { number: self.numbers, request, since_us: now_us, shown: false });
        self.show_asked();
    }

    fn show_asked(&mut self) {
        let Some(asked) = &self.asked else { return };
        let lines = words::request(&asked.request);
        // Many lines in a record, so that they stay together on the screen.
        let mut text = String::new();
        for line in lines {
            if text.len() + 1 + line.len() > TEXT_BYTES {
                self.say(Style::Plain, &core::mem::take(&mut text));
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
        }
        self.say(Style::Plain, &text);
        self.say(Style::Strong, &words::question(TIMEOUT_US));
    }

    /// Serial died, or something that was typed is lost. What serial took before may never have been on the screen.
    fn serial_broke(&mut self, ends: &mut impl Ends, now_us: u64) {
        let asked = self.asked.as_ref().map(|asked| asked.number);
        self.closed(ends, now_us);
        match &mut self.asked {
            Some(again) if Some(again.number) == asked => {
                // A question of its own: what was found out about the last one does not hold for it.
                self.numbers += 1;
                again.number = self.numbers;
                again.shown = false;
                again.since_us = now_us;
                self.show_asked();
            }
            _ => {}
        }
    }

    fn typed(&mut self, typed: Typed, ends: &mut impl Ends, now_us: u64) {
        match typed {
            Typed::Opened => {
                self.closed(ends, now_us);
                self.focus = match &self.asked {
                    Some(asked) if asked.shown => Focus::Answers(asked.number),
                    Some(_) => {
                        self.say(Style::Error, words::NOT_SHOWN_YET);
                        Focus::Nothing
                    }
                    None => {
                        self.say(Style::Dim, words::NOTHING_WAITS);
                        Focus::Nothing
                    }
                };
            }
            Typed::Line { text } => match (self.focus, &self.asked) {
                (Focus::Answers(number), Some(asked)) if number == asked.number => {
                    // One answer for each time that the key was pressed.
                    self.focus = Focus::Nothing;
                    let verdict = if text.trim() == "yes" { Verdict::Confirmed } else { Verdict::Refused };
                    self.decide(verdict, ends, now_us);
                }
                (_, Some(_)) => self.say(Style::Error, words::NOT_AN_ANSWER),
                (_, None) => self.say(Style::Dim, words::NOTHING_WAITS),
            },
            Typed::Closed => self.closed(ends, now_us),
        }
    }

    /// What is typed goes elsewhere. Who goes without an answer has said no.
    fn closed(&mut self, ends: &mut impl Ends, now_us: u64) {
        let focus = core::mem::replace(&mut self.focus, Focus::Elsewhere);
        if self.asked.as_ref().is_some_and(|asked| focus == Focus::Answers(asked.number)) {
            self.decide(Verdict::Closed, ends, now_us);
        }
    }

    /// The end of the request that was asked about; the next one's turn.
    fn decide(&mut self, verdict: Verdict, ends: &mut impl Ends, now_us: u64) {
        let Some(asked) = self.asked.take() else { return };
        ends.record(&Decision { verdict, request: &asked.request });
        match verdict {
            Verdict::Confirmed => {
                ends.send(&asked.request);
                self.say(Style::Strong, &words::sent(&asked.request));
            }
            Verdict::Refused => self.say(Style::Strong, &words::refused()),
            Verdict::Closed => self.say(Style::Strong, &words::closed()),
            Verdict::TimedOut => self.say(Style::Strong, &words::timed_out(TIMEOUT_US)),
        }
        if let Some(next) = self.waiting.pop_front() {
            self.ask(next, now_us);
        }
    }

    /// Says what was refused: not once for each, or who floods gate floods the screen.
    fn complain(&mut self, now_us: u64) {
        let lately = self.complained_us.is_some_and(|then| now_us.saturating_sub(then) < COMPLAINT_US);
        if lately || self.too_many + self.broken == 0 {
            return;
        }
        self.complained_us = Some(now_us);
        match core::mem::take(&mut self.too_many) {
            0 => {}
            refused => self.say(Style::Error, &words::too_many(refused, QUEUE)),
        }
        if core::mem::take(&mut self.broken) > 0 {
            self.say(Style::Error, words::UNREADABLE);
        }
    }

    fn say(&mut self, style: Style, text: &str) {
        self.screen.push_back(Item::Lines { style, text: text.into() });
    }
}

/// A line for the log: what was decided, about which bytes.
impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Refused => "refused",
            Verdict::Closed => "not answered",
            Verdict::TimedOut => "timed out",
        };
        write!(f, "{verdict}: sha256 ")?;
        // Of the record as it goes to cloud: host, port and bytes. It stands first, for a line of the log is short.
        let mut record = [0; RECORD_BYTES];
        for byte in Sha256::digest(ipc::encode(self.request, &mut record).unwrap_or_default()) {
            write!(f, "{byte:02x}")?;
        }
        match self.request {
            Request::Fetch { id, host, port, payload } => {
                write!(f, ", request {id}: {} bytes to port {port} of {host}", payload.len())
            }
            Request::Ping { id, host } => write!(f, ", request {id}: ping {host}"),
            Request::NetStatus { id } => write!(f, ", request {id}: network status"),
        }
    }
}

#[cfg(test)]
mod tests;
