//! The block that is shown growing, and the blocks that wait for it to end.

use super::transcript::{Line, EMPTY_LINES, HISTORY_BYTES};
use super::{clip, Screen};
use crate::cells::{classify, Attr, Class};
use crate::wrap::Wrap;
use alloc::string::String;
use ipc::display::TEXT_BYTES;

/// Bytes of a block that waits for another speaker's to end.
const PENDING_BYTES: usize = TEXT_BYTES;

pub(super) struct Live {
    pub(super) line: Line,
    pub(super) wrap: Wrap,
    pub(super) speaker: usize,
    /// Line ends that came and were not drawn: a block's last ones never are.
    pub(super) ends: usize,
}

impl Live {
    /// The row that grows becomes a line of its own; returns what stands above it. The caller lays it again.
    pub(super) fn split(&mut self) -> Line {
        let text = self.line.text.split_off(self.wrap.row_start());
        let rest = Line { of: self.line.of, attr: self.line.attr, label: false, text };
        core::mem::replace(&mut self.line, rest)
    }
}

impl Screen {
    /// Lets `add` put lines before the row that grows, which then needs its label again.
    pub(super) fn above_live(&mut self, add: impl FnOnce(&mut Screen)) {
        let Some(mut live) = self.live.take() else { return add(self) };
        if !live.wrap.is_first_row() {
            let full = live.split();
            self.remember(full);
        }
        live.line.label = true;
        add(self);
        self.last = Some(live.speaker);
        self.live = Some(live);
        self.lay_live();
    }

    /// Lays the growing line again, after its label or the width has changed.
    pub(super) fn lay_live(&mut self) {
        if let Some(mut live) = self.live.take() {
            live.wrap = self.wrap(&live.line);
            self.fresh.append(&mut live.wrap.done);
            self.live = Some(live);
        }
    }

    pub(super) fn text(&mut self, speaker: usize, attr: Attr, text: &str) {
        if self.live.as_ref().is_some_and(|live| live.speaker != speaker) {
            return self.text_aside(speaker, attr, text);
        }
        for c in text.chars() {
            let white = c == ' ' || c == '\t' || classify(c) == Class::Newline;
            let Some(live) = &mut self.live else {
                // White space at the beginning is only in the way.
                if !white {
                    self.begin(speaker, attr, true);
                    self.text(speaker, attr, c.encode_utf8(&mut [0; 4]));
                }
                continue;
            };
            if classify(c) == Class::Newline {
                live.ends += 1;
                continue;
            }
            if live.ends > 0 {
                let empty = live.ends.min(1 + EMPTY_LINES) - 1;
                self.finish();
                for _ in 0..empty {
                    self.line(Line::said(speaker, attr, false, String::new()));
                }
                self.begin(speaker, attr, false);
            }
            if let Some(live) = &mut self.live {
                live.wrap.put(c, attr, &mut live.line.text);
            }
        }
        if let Some(live) = &mut self.live {
            self.fresh.append(&mut live.wrap.done);
            // A line without end: what was drawn long ago is let go.
            if live.line.text.len() > HISTORY_BYTES / 2 {
                let full = live.split();
                self.remember(full);
                self.lay_live();
            }
        }
    }

    fn begin(&mut self, speaker: usize, attr: Attr, label: bool) {
        let line = Line::said(speaker, attr, label, String::new());
        let mut wrap = self.wrap(&line);
        self.fresh.append(&mut wrap.done);
        self.live = Some(Live { line, wrap, speaker, ends: 0 });
        self.last = Some(speaker);
    }

    /// The growing line is complete.
    fn finish(&mut self) {
        if let Some(live) = self.live.take() {
            self.fresh.extend(live.wrap.finish());
            self.last = Some(live.speaker);
            self.remember(live.line);
        }
    }

    /// A piece of a block while another speaker's is shown growing: whole lines of it are shown above that.
    fn text_aside(&mut self, speaker: usize, attr: Attr, text: &str) {
        let Some(state) = self.speakers.get_mut(speaker) else { return };
        let (attr, mut pending) = state.pending.take().unwrap_or((attr, String::new()));
        pending.push_str(text);
        if let Some(end) = pending.rfind('\n') {
            let rest = pending.split_off(end + 1);
            self.lines(speaker, attr, &pending);
            pending = rest;
        }
        while pending.len() > PENDING_BYTES {
            let rest = pending.split_off(clip(&pending).len());
            self.lines(speaker, attr, &pending);
            pending = rest;
        }
        self.speakers[speaker].pending = Some((attr, pending));
    }

    pub(super) fn end(&mut self, speaker: usize) {
        if let Some((attr, text)) = self.speakers.get_mut(speaker).and_then(|state| state.pending.take()) {
            self.lines(speaker, attr, &text);
        }
        if self.live.as_ref().is_some_and(|live| live.speaker == speaker) {
            self.finish();
            // Whoever waited longest in the list of speakers grows from now on.
            let next = (0..self.speakers.len()).find(|i| self.speakers[*i].pending.is_some());
            if let Some(next) = next {
                if let Some((attr, text)) = self.speakers[next].pending.take() {
                    self.text(next, attr, &text);
                }
            }
        }
    }
}
