//! Root's lines to the person, and the log lines of everyone.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};

use ipc::display::{Item, Style, TEXT_BYTES};
use ring::{Consumer, Producer};
use root_core::fault::clean;
use sel4::Notification;
use spec::System;

use crate::{kernel, memory::Memory, shared::Shared, slots::Slot, Failure};

/// Log lines kept for `/log`.
const LOG_LINES: usize = 200;
/// Bytes of one log line.
const LINE_BYTES: usize = 256;
/// Lines taken from one PD at a time, so that a talkative one keeps root no longer than that.
const LINES_AT_ONCE: usize = 64;
/// Sentences that wait for room on the display ring.
const WAITING: usize = 64;

pub struct Voice {
    display: Producer,
    doorbell: Slot,
    waiting: VecDeque<Item>,
    logs: Vec<Log>,
    lines: VecDeque<String>,
}

struct Log {
    name: String,
    ring: Consumer,
}

impl Voice {
    pub fn open(system: &System, shared: &Shared, memory: &mut Memory) -> Result<Voice, Failure> {
        let wrong = |_| Failure::Specification("a ring of root's with an impossible size");
        let end = &system.root.display;
        // SAFETY: `Shared::map_root` mapped both ends where the specification says, for as long as root lives, and root
        // is the only producer.
        let display = unsafe {
            match end.credit_vaddr {
                Some(page) => Producer::credit(end.vaddr as *mut u8, end.capacity as usize, page as *const u8),
                None => Producer::lossy(end.vaddr as *mut u8, end.capacity as usize),
            }
        }
        .map_err(wrong)?;
        let mut logs = Vec::new();
        for (pd, end) in &system.root.logs {
            let name = system.pds.get(*pd as usize).ok_or(Failure::Specification("a log of no PD"))?.name.clone();
            // SAFETY: as above; root is the only consumer.
            let ring = unsafe { Consumer::lossy(end.vaddr as *const u8, end.capacity as usize) }.map_err(wrong)?;
            logs.push(Log { name, ring });
        }
        let doorbell = match system.root.signals.iter().find(|cap| cap.slot == end.doorbell) {
            Some(cap) => {
                let slot = memory.slots.take(1)?;
                kernel::mint(shared.object(cap.object)?, slot, kernel::rights(cap.rights), kernel::badge(cap.badge))?;
                slot
            }
            None => 0,
        };
        Ok(Voice { display, doorbell, waiting: VecDeque::new(), logs, lines: VecDeque::new() })
    }

    /// News for the person, which also goes to the log.
    pub fn say(&mut self, style: Style, text: &str) {
        for line in text.lines() {
            self.note("root", line);
        }
        self.show(style, text);
    }

    /// Shows lines to the person. Waits for nobody: what does not fit now goes out with a later tick.
    pub fn show(&mut self, style: Style, text: &str) {
        // Whole lines, packed into as few records as possible.
        let mut record = String::new();
        for line in text.lines() {
            if !record.is_empty() && record.len() + line.len() + 1 > TEXT_BYTES {
                self.queue(Item::Lines { style, text: core::mem::take(&mut record) });
            }
            if !record.is_empty() {
                record.push('\n');
            }
            record.push_str(&clean(line.as_bytes(), TEXT_BYTES - 8));
        }
        self.queue(Item::Lines { style, text: record });
        self.flush();
    }

    fn queue(&mut self, item: Item) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(item);
    }

    fn flush(&mut self) {
        let mut buffer = [0; TEXT_BYTES + 64];
        let mut sent = false;
        while let Some(item) = self.waiting.front() {
            match ipc::encode(item, &mut buffer) {
                Some(bytes) if self.display.push(&[bytes]).is_err() => break,
                _ => {
                    self.waiting.pop_front();
                    sent = true;
                }
            }
        }
        if sent && self.doorbell != 0 {
            Notification(self.doorbell).signal();
        }
    }

    /// Takes what PDs have logged, and sends what had no room before.
    pub fn tick(&mut self) {
        self.flush();
        let mut buffer = [0; LINE_BYTES];
        for i in 0..self.logs.len() {
            for _ in 0..LINES_AT_ONCE {
                let line = match self.logs[i].ring.pop(&mut buffer) {
                    Ok(None) => break,
                    Ok(Some(length)) => clean(&buffer[..length], LINE_BYTES),
                    Err(ring::PopError::Lost { bytes, .. }) => format!("({bytes} bytes of log lost)"),
                    Err(ring::PopError::Restarted { .. }) => String::from("(started again)"),
                    Err(ring::PopError::TooSmall { .. }) => String::from("(a line too long to keep)"),
                    Err(ring::PopError::Corrupt) => String::from("(its log ring makes no sense)"),
                };
                let name = self.logs[i].name.clone();
                self.note(&name, &line);
            }
        }
    }

    fn note(&mut self, who: &str, line: &str) {
        if self.lines.len() == LOG_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{who}: {}", clean(line.as_bytes(), LINE_BYTES)));
    }

    /// Shows the latest log lines.
    pub fn show_log(&mut self, count: usize) {
        self.tick();
        let skip = self.lines.len().saturating_sub(count);
        let mut text = String::new();
        for line in self.lines.iter().skip(skip) {
            text.push_str(line);
            text.push('\n');
        }
        self.show(Style::Plain, if text.is_empty() { "Nothing was logged yet." } else { text.trim_end() });
    }
}
