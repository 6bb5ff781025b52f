//! What all PDs show, composed into one terminal's output.
//!
//! The terminal scrolls as usual: no second screen, so the person can scroll back and copy. Below the last line of the
//! transcript lies what still changes, redrawn in place:
//!
//! ```text
//! [shell] /help for help.            transcript
//! > how do I see ...                 transcript: an input line that was finished
//! [Local] Type /caps: it lists       transcript: rows of an answer that are full
//!   every part and what it h         the row that grows
//! [model] loading 45 %               progress lines
//! > the next quest                   the input line
//! ```
//!
//! **Who speaks.** The first column belongs to this module. It holds `[name] ` where somebody begins to speak, the
//! marker and a name for root and the trusted path, `> ` for the input line, and a space before everything else. No
//! text of a PD ever begins there, whatever it contains and however wide it is: characters are made fit to be shown
//! ([`crate::cells`]), and rows end before the last column, so that the terminal never wraps by itself.
//!
//! **Few bytes.** A terminal on a serial line is slow. What is drawn is remembered; only what differs is sent.

use crate::cells::{classify, tab_columns, Attr, Cell, Class, MARKER};
use crate::wrap::{width, Row, Wrap};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use ipc::display::{Item, Style, TEXT_BYTES};

/// Assumed until the terminal says otherwise.
pub const COLUMNS: u16 = 80;
pub const ROWS: u16 = 24;
/// Believed at least and at most, whatever the terminal says.
const MIN_COLUMNS: u16 = 12;
const MAX_COLUMNS: u16 = 500;
const MIN_ROWS: u16 = 4;
const MAX_ROWS: u16 = 300;

/// Columns before rows that begin with no label.
const INDENT: u16 = 2;
/// Columns that text has at least beside a label; else the label stands alone.
const BESIDE_LABEL: u16 = 8;
/// Bytes and lines of the transcript that can be drawn again.
const HISTORY_BYTES: usize = 64 * 1024;
const HISTORY_LINES: usize = 600;
/// Bytes of a block that waits for another speaker's to end.
const PENDING_BYTES: usize = TEXT_BYTES;
/// Empty lines in a row that are shown at most.
const EMPTY_LINES: usize = 2;
const PROGRESS_ROWS: usize = 4;

/// Somebody with a display ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    pub label: String,
    /// Root or the trusted path: the marker goes in front.
    pub reserved: bool,
    /// May send the input line.
    pub edits: bool,
}

struct State {
    label: Row,
    reserved: bool,
    edits: bool,
    progress: String,
    /// A block that grows while another one is shown growing.
    pending: Option<(Attr, String)>,
    lost: u64,
}

/// A line of the transcript.
struct Line {
    speaker: Option<usize>,
    attr: Attr,
    label: bool,
    text: String,
}

struct Live {
    line: Line,
    wrap: Wrap,
    speaker: usize,
    /// Line ends that came and were not drawn: a block's last ones never are.
    ends: usize,
}

impl Live {
    /// The row that grows becomes a line of its own; returns what stands above it. The caller lays it again.
    fn split(&mut self) -> Line {
        let text = self.line.text.split_off(self.wrap.row_start());
        let rest = Line { speaker: self.line.speaker, attr: self.line.attr, label: false, text };
        core::mem::replace(&mut self.line, rest)
    }
}

#[derive(Default)]
struct Edit {
    prompt: String,
    text: String,
    cursor: usize,
}

pub struct Screen {
    speakers: Vec<State>,
    columns: u16,
    rows: u16,
    measured: bool,
    history: VecDeque<Line>,
    history_bytes: usize,
    live: Option<Live>,
    /// Whose line stands last in the transcript.
    last: Option<usize>,
    edit: Option<Edit>,
    /// First row of a tall input line that is shown.
    edit_top: usize,
    /// Finished rows that were not drawn yet.
    fresh: Vec<Row>,
    pen: Pen,
    changed: bool,
    redraw: bool,
    ask: bool,
}

impl Screen {
    /// `first`: the system starts; else serial does, and who knows what stands where the cursor is.
    pub fn new(speakers: impl IntoIterator<Item = Speaker>, first: bool) -> Screen {
        let speakers = speakers.into_iter().map(|speaker| State {
            label: label(&speaker),
            reserved: speaker.reserved,
            edits: speaker.edits,
            progress: String::new(),
            pending: None,
            lost: 0,
        });
        Screen {
            speakers: speakers.collect(),
            columns: COLUMNS,
            rows: ROWS,
            measured: false,
            history: VecDeque::new(),
            history_bytes: 0,
            live: None,
            last: None,
            edit: None,
            edit_top: 0,
            fresh: Vec::new(),
            pen: Pen::new(first),
            changed: true,
            redraw: false,
            ask: true,
        }
    }

    // --- what comes in ------------------------------------------------------------------------------------------

    /// Shows what a PD sent. Whatever it is, it costs a bounded amount of memory and output.
    pub fn item(&mut self, speaker: usize, item: Item) {
        let Some(state) = self.speakers.get_mut(speaker) else { return };
        self.changed = true;
        match item {
            Item::Lines { style, text } => {
                self.end(speaker);
                self.lines(speaker, attr(style), clip(&text));
            }
            Item::Text { style, text } => self.text(speaker, attr(style), clip(&text)),
            Item::End => self.end(speaker),
            Item::Progress { text } => state.progress = clip(&text).into(),
            Item::Edit { prompt, text, cursor } if state.edits => {
                self.edit = Some(Edit { prompt: clip(&prompt).into(), text, cursor: cursor as usize });
            }
            Item::EditDone if state.edits => self.edit_done(),
            Item::Redraw if state.edits => {
                self.redraw = true;
                self.ask = true;
            }
            Item::Edit { .. } | Item::EditDone | Item::Redraw => {}
        }
    }

    /// Records of this speaker did not arrive, or made no sense. Said when [`Screen::caught_up`] is next called.
    pub fn lost(&mut self, speaker: usize, records: u64) {
        if let Some(state) = self.speakers.get_mut(speaker) {
            state.lost = state.lost.saturating_add(records.max(1));
        }
    }

    /// All that this speaker has sent was shown.
    pub fn caught_up(&mut self, speaker: usize) {
        let lost = self.speakers.get_mut(speaker).map_or(0, |state| core::mem::take(&mut state.lost));
        if lost > 0 {
            let records = if lost == 1 { "record" } else { "records" };
            self.lines(speaker, Attr::Dim, &format!("({lost} {records} of output lost)"));
            self.changed = true;
        }
    }

    /// The speaker died and lives again: what it had begun will not go on.
    pub fn restarted(&mut self, speaker: usize) {
        self.end(speaker);
        let Some(state) = self.speakers.get_mut(speaker) else { return };
        state.progress.clear();
        if state.edits {
            self.edit = None;
        }
        self.changed = true;
    }

    /// The terminal has said how large it is.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let columns = columns.clamp(MIN_COLUMNS, MAX_COLUMNS);
        let rows = rows.clamp(MIN_ROWS, MAX_ROWS);
        // The first time the terminal did not change, only what is known of it; what was drawn stands as drawn if it
        // fitted. Later the terminal may have moved everything.
        let stands = !self.measured && columns >= self.columns && self.pen.drawn.len() <= usize::from(rows);
        self.measured = true;
        if (columns, rows) == (self.columns, self.rows) {
            return;
        }
        self.redraw |= !stands;
        (self.columns, self.rows) = (columns, rows);
        self.changed = true;
        if stands {
            // Its full rows were drawn in the old width.
            if let Some(live) = &mut self.live {
                if !live.wrap.is_first_row() {
                    let full = live.split();
                    self.remember(full);
                }
            }
            self.lay_live();
        }
    }

    pub fn size(&self) -> (u16, u16) {
        (self.columns, self.rows)
    }

    // --- the transcript -----------------------------------------------------------------------------------------

    fn usable(&self) -> u16 {
        self.columns - 1
    }

    fn reserved(&self, speaker: Option<usize>) -> bool {
        speaker.and_then(|speaker| self.speakers.get(speaker)).is_some_and(|state| state.reserved)
    }

    fn head(&self, line: &Line) -> Row {
        match line.speaker.filter(|_| line.label).and_then(|speaker| self.speakers.get(speaker)) {
            Some(state) => state.label.clone(),
            None => (0..INDENT).map(|_| Cell::space()).collect(),
        }
    }

    /// Rows for a line. A label that leaves no room beside it gets a row of its own.
    fn wrap(&self, line: &Line) -> Wrap {
        let (mut head, usable) = (self.head(line), self.usable());
        let mut alone = None;
        if line.label && width(&head) + BESIDE_LABEL > usable {
            while width(&head) > usable {
                head.pop();
            }
            alone = Some(core::mem::replace(&mut head, (0..INDENT).map(|_| Cell::space()).collect()));
        }
        let mut wrap = Wrap::new(head, usable, INDENT);
        wrap.done.extend(alone);
        let reserved = self.reserved(line.speaker);
        // The text is what this very function let through before; it does not change again.
        let mut same = String::new();
        for c in line.text.chars() {
            wrap.put(c, line.attr, reserved, &mut same);
        }
        wrap
    }

    fn rows_of(&self, line: &Line) -> Vec<Row> {
        if line.speaker.is_none() {
            let mut rows = Vec::new();
            lay_edit("", &line.text, usize::MAX, self.usable(), |row, cell| put(&mut rows, row, cell));
            return rows;
        }
        self.wrap(line).finish()
    }

    fn remember(&mut self, line: Line) {
        self.history_bytes += line.text.len();
        self.history.push_back(line);
        while self.history.len() > HISTORY_LINES || self.history_bytes > HISTORY_BYTES {
            let Some(line) = self.history.pop_front() else { break };
            self.history_bytes -= line.text.len();
        }
    }

    /// A whole line, below all others but above the row that grows.
    fn line(&mut self, line: Line) {
        let rows = self.rows_of(&line);
        self.fresh.extend(rows);
        self.last = line.speaker;
        self.remember(line);
    }

    /// Whole lines of one speaker.
    fn lines(&mut self, speaker: usize, attr: Attr, text: &str) {
        let reserved = self.reserved(Some(speaker));
        let mut lines: Vec<String> = Vec::new();
        let (mut text, mut empty) = (text, 0);
        while !text.is_empty() {
            let mut line = String::new();
            text = one_line(text, reserved, &mut line);
            empty = if line.trim().is_empty() { empty + 1 } else { 0 };
            if empty <= EMPTY_LINES {
                lines.push(line);
            }
        }
        if lines.is_empty() {
            return;
        }
        self.above_live(|screen| {
            let mut label = screen.last != Some(speaker);
            if label && lines.len() > 1 {
                // Tables stay tables if no line has a label before it.
                screen.line(Line { speaker: Some(speaker), attr, label, text: String::new() });
                label = false;
            }
            for text in lines {
                screen.line(Line { speaker: Some(speaker), attr, label, text });
                label = false;
            }
        });
    }

    /// Lets `add` put lines before the row that grows, which then needs its label again.
    fn above_live(&mut self, add: impl FnOnce(&mut Screen)) {
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
    fn lay_live(&mut self) {
        if let Some(mut live) = self.live.take() {
            live.wrap = self.wrap(&live.line);
            self.fresh.append(&mut live.wrap.done);
            self.live = Some(live);
        }
    }

    fn text(&mut self, speaker: usize, attr: Attr, text: &str) {
        if self.live.as_ref().is_some_and(|live| live.speaker != speaker) {
            return self.text_aside(speaker, attr, text);
        }
        let reserved = self.reserved(Some(speaker));
        for c in text.chars() {
            let white = c == ' ' || c == '\t' || classify(c, reserved) == Class::Newline;
            let Some(live) = &mut self.live else {
                // White space at the beginning is only in the way.
                if !white {
                    self.begin(speaker, attr, true);
                    self.text(speaker, attr, c.encode_utf8(&mut [0; 4]));
                }
                continue;
            };
            if classify(c, reserved) == Class::Newline {
                live.ends += 1;
                continue;
            }
            if live.ends > 0 {
                let empty = live.ends.min(1 + EMPTY_LINES) - 1;
                self.finish();
                for _ in 0..empty {
                    self.line(Line { speaker: Some(speaker), attr, label: false, text: String::new() });
                }
                self.begin(speaker, attr, false);
            }
            if let Some(live) = &mut self.live {
                live.wrap.put(c, attr, reserved, &mut live.line.text);
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
        let line = Line { speaker: Some(speaker), attr, label, text: String::new() };
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

    fn end(&mut self, speaker: usize) {
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

    fn edit_done(&mut self) {
        if let Some(edit) = &mut self.edit {
            let text = core::mem::take(&mut edit.text);
            *edit = Edit::default();
            self.edit_top = 0;
            self.above_live(|screen| screen.line(Line { speaker: None, attr: Attr::Plain, label: false, text }));
            // The window may have another size by now, and this is a good moment to notice.
            self.ask = true;
        }
    }

    // --- drawing ------------------------------------------------------------------------------------------------

    /// Appends what the terminal must be sent so that it shows everything that came in.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        if core::mem::take(&mut self.changed) {
            if core::mem::take(&mut self.redraw) {
                self.pen.clear(out);
                self.draw_again();
            }
            let mut rows = core::mem::take(&mut self.fresh);
            let finished = rows.len();
            let cursor = self.region(&mut rows);
            self.pen.draw(rows, finished, cursor, out);
        }
        if core::mem::take(&mut self.ask) {
            out.extend_from_slice(ASK_SIZE);
        }
    }

    /// What may still change: the growing row, progress, the input line. Returns the cursor's place among `rows`.
    fn region(&mut self, rows: &mut Vec<Row>) -> (usize, u16) {
        let usable = self.usable();
        rows.extend(self.live.as_ref().map(|live| live.wrap.row.clone()));
        let room = PROGRESS_ROWS.min(usize::from(self.rows) / 4);
        let progress = self.speakers.iter().filter(|state| !state.progress.is_empty());
        rows.extend(progress.take(room).map(|state| progress_row(state, usable)));

        let top = rows.len();
        let Some(edit) = &self.edit else {
            rows.push(Row::new());
            return (top, 0);
        };
        let height = usize::from(self.rows).saturating_sub(room + 2).max(1);
        let place = lay_edit(&edit.prompt, &edit.text, edit.cursor, usable, |_, _| ());
        let first = self.edit_top.min(place.rows.saturating_sub(height));
        self.edit_top = first.clamp((place.row + 1).saturating_sub(height), place.row);
        let shown = self.edit_top..self.edit_top + height;
        lay_edit(&edit.prompt, &edit.text, edit.cursor, usable, |row, cell| {
            if shown.contains(&row) {
                put(rows, top + row - shown.start, cell);
            }
        });
        (top + place.row - self.edit_top, place.column)
    }

    /// Puts the end of the transcript, as much as the screen holds, among the rows to draw.
    fn draw_again(&mut self) {
        self.fresh.clear();
        let mut region = Vec::new();
        self.lay_live();
        let live_rows = core::mem::take(&mut self.fresh);
        self.region(&mut region);
        let room = usize::from(self.rows).saturating_sub(region.len());
        let mut parts = alloc::vec![live_rows];
        let mut count = parts[0].len();
        for line in self.history.iter().rev() {
            if count >= room {
                break;
            }
            let rows = self.rows_of(line);
            count += rows.len();
            parts.push(rows);
        }
        self.fresh = parts.into_iter().rev().flatten().collect();
        self.fresh.drain(..self.fresh.len().saturating_sub(room));
    }
}

/// Where the cursor stands when it is sent as far as it goes: the size. Its place is kept and restored.
pub const ASK_SIZE: &[u8] = b"\x1b7\x1b[999;999H\x1b[6n\x1b8";

fn attr(style: Style) -> Attr {
    match style {
        Style::Plain => Attr::Plain,
        Style::Dim => Attr::Dim,
        Style::Strong => Attr::Strong,
        Style::Error => Attr::Error,
    }
}

/// What a record may hold.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `[name] `, or the marker and the name.
fn label(speaker: &Speaker) -> Row {
    let text = match speaker.reserved {
        true => format!("{MARKER} {} ", speaker.label),
        false => format!("[{}] ", speaker.label),
    };
    let attr = if speaker.reserved { Attr::Reserved } else { Attr::Label };
    let mut wrap = Wrap::new(Row::new(), MIN_COLUMNS.max(40), 0);
    let mut shown = String::new();
    for c in text.chars() {
        wrap.put(c, attr, speaker.reserved, &mut shown);
    }
    wrap.done.into_iter().next().unwrap_or(wrap.row)
}

/// Puts the first line of `text` as it is shown into `line` and returns the rest.
fn one_line<'a>(text: &'a str, reserved: bool, line: &mut String) -> &'a str {
    let mut wrap = Wrap::new(Row::new(), u16::MAX, 0);
    for (at, c) in text.char_indices() {
        if !wrap.put(c, Attr::Plain, reserved, line) {
            return &text[at + c.len_utf8()..];
        }
    }
    ""
}

fn progress_row(state: &State, usable: u16) -> Row {
    let mut row = state.label.clone();
    let mut used: u16 = row.iter().map(|cell| u16::from(cell.most)).sum();
    for c in state.progress.chars() {
        let cell = match classify(c, state.reserved) {
            Class::Shown { shown, width, most } => Cell::new(shown, width, most, Attr::Dim),
            Class::Newline | Class::Tab => Cell::space(),
            Class::Nothing | Class::Mark => continue,
        };
        used += u16::from(cell.most);
        row.push(cell);
    }
    while used > usable {
        used -= row.pop().map_or(used, |cell| u16::from(cell.most));
    }
    row
}

fn put(rows: &mut Vec<Row>, row: usize, cell: Cell) {
    if rows.len() <= row {
        rows.resize_with(row + 1, Row::new);
    }
    rows[row].push(cell);
}

struct Place {
    rows: usize,
    /// Of the cursor.
    row: usize,
    column: u16,
}

struct EditLayout<F> {
    usable: u16,
    row: usize,
    column: u16,
    used: u16,
    each: F,
}

impl<F: FnMut(usize, Cell)> EditLayout<F> {
    fn cell(&mut self, cell: Cell) {
        if self.used + u16::from(cell.most) > self.usable {
            self.next_row();
        }
        self.column += u16::from(cell.width);
        self.used += u16::from(cell.most);
        (self.each)(self.row, cell);
    }

    fn next_row(&mut self) {
        self.row += 1;
        (self.column, self.used) = (INDENT, INDENT);
        for _ in 0..INDENT {
            (self.each)(self.row, Cell::space());
        }
    }
}

/// Lays the input line: serial's own `> `, what it is for, the text. Rows are cut between characters. `each` gets the
/// cells, at least one of each row.
fn lay_edit(prompt: &str, text: &str, cursor: usize, usable: u16, each: impl FnMut(usize, Cell)) -> Place {
    let mut layout = EditLayout { usable, row: 0, column: 0, used: 0, each };
    layout.cell(Cell::new('>', 1, 1, Attr::Strong));
    layout.cell(Cell::space());
    let mut place = None;
    // A character is held back until its marks are known.
    let mut held: Option<Cell> = None;
    let pieces = prompt.chars().map(|c| (None, c)).chain(text.char_indices().map(|(at, c)| (Some(at), c)));
    for (at, c) in pieces {
        let class = classify(c, false);
        match class {
            Class::Nothing => continue,
            Class::Mark => {
                if let Some(cell) = &mut held {
                    cell.add_mark(c);
                }
                continue;
            }
            _ => {}
        }
        if let Some(cell) = held.take() {
            layout.cell(cell);
        }
        if place.is_none() && at.is_some_and(|at| at >= cursor) {
            place = Some((layout.row, layout.column));
        }
        match class {
            Class::Shown { shown, width, most } => {
                let attr = if at.is_some() { Attr::Plain } else { Attr::Dim };
                held = Some(Cell::new(shown, width, most, attr));
            }
            Class::Newline => {
                layout.cell(Cell::new('↵', 1, 2, Attr::Dim));
                layout.next_row();
            }
            _ => {
                for _ in 0..tab_columns(layout.column - INDENT) {
                    layout.cell(Cell::space());
                }
            }
        }
    }
    if let Some(cell) = held {
        layout.cell(cell);
    }
    let (row, column) = place.unwrap_or((layout.row, layout.column));
    Place { rows: layout.row + 1, row, column }
}

/// What the terminal shows below the finished part of the transcript, and where its cursor is.
struct Pen {
    drawn: Vec<Row>,
    row: usize,
    /// Unknown behind characters about whose width terminals disagree.
    column: Option<u16>,
    attr: Attr,
    /// To be sent before anything else.
    preface: Option<&'static str>,
}

/// Pasted text comes between marks.
const PASTE_MARKS: &str = "\x1b[?2004h";

impl Pen {
    fn new(first: bool) -> Pen {
        // In a later life the former one may have died in the middle of a sequence, with the cursor in the input line.
        let preface = if first { "\x1b[m\r\x1b[J" } else { "\x18\x1b[m\r\x1b[J" };
        Pen { drawn: alloc::vec![Row::new()], row: 0, column: Some(0), attr: Attr::Plain, preface: Some(preface) }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(preface) = self.preface.take() {
            out.extend_from_slice(preface.as_bytes());
            out.extend_from_slice(PASTE_MARKS.as_bytes());
        }
    }

    /// Empties the visible part of the screen.
    fn clear(&mut self, out: &mut Vec<u8>) {
        *self = Pen::new(true);
        self.preface = Some("\x1b[m\x1b[H\x1b[2J");
        self.begin(out);
    }

    /// Draws rows over those that were drawn last. The first `finished` are not changed any more. `cursor`: where among
    /// `rows` it ends.
    fn draw(&mut self, mut rows: Vec<Row>, finished: usize, cursor: (usize, u16), out: &mut Vec<u8>) {
        self.begin(out);
        let old = core::mem::take(&mut self.drawn);
        for (i, row) in rows.iter().enumerate() {
            match old.get(i) {
                Some(old) => self.patch(i, old, row, out),
                None => {
                    self.go_row(i - 1, out);
                    out.extend_from_slice(b"\r\n");
                    (self.row, self.column) = (i, Some(0));
                    self.write(row, out);
                }
            }
        }
        if rows.len() < old.len() {
            self.go(rows.len(), 0, out);
            self.pick(Attr::Plain, out);
            out.extend_from_slice(b"\x1b[J");
        }
        self.go(cursor.0, cursor.1, out);
        self.pick(Attr::Plain, out);
        self.drawn = rows.split_off(finished);
        self.row -= finished;
    }

    fn patch(&mut self, i: usize, old: &Row, new: &Row, out: &mut Vec<u8>) {
        let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        if same == old.len() && same == new.len() {
            return;
        }
        self.go(i, width(&new[..same]), out);
        self.write(&new[same..], out);
        let old_most: u16 = old.iter().map(|cell| u16::from(cell.most)).sum();
        if old_most > width(new) && old.len() > same {
            self.pick(Attr::Plain, out);
            out.extend_from_slice(b"\x1b[K");
        }
    }

    fn write(&mut self, cells: &[Cell], out: &mut Vec<u8>) {
        for cell in cells {
            if !cell.is_space() {
                self.pick(cell.attr, out);
            }
            for c in cell.chars() {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            self.column = self.column.filter(|_| cell.is_ascii()).map(|column| column + u16::from(cell.width));
        }
    }

    fn pick(&mut self, attr: Attr, out: &mut Vec<u8>) {
        if attr == self.attr {
            return;
        }
        let reset = if self.attr == Attr::Plain || attr == Attr::Plain { "" } else { "0;" };
        sequence(out, format_args!("{reset}{}m", attr.code()));
        self.attr = attr;
    }

    fn go_row(&mut self, row: usize, out: &mut Vec<u8>) {
        match (row.abs_diff(self.row), row < self.row) {
            (0, _) => {}
            (1, true) => sequence(out, format_args!("A")),
            (n, true) => sequence(out, format_args!("{n}A")),
            (1, false) => sequence(out, format_args!("B")),
            (n, false) => sequence(out, format_args!("{n}B")),
        }
        self.row = row;
    }

    fn go(&mut self, row: usize, column: u16, out: &mut Vec<u8>) {
        self.go_row(row, out);
        match self.column {
            Some(at) if at == column => {}
            _ if column == 0 => out.push(b'\r'),
            Some(at) if at > column && at - column <= 3 => out.extend((column..at).map(|_| 8)),
            _ => sequence(out, format_args!("{}G", column + 1)),
        }
        self.column = Some(column);
    }
}

fn sequence(out: &mut Vec<u8>, rest: core::fmt::Arguments) {
    let mut text = heapless::String::<24>::new();
    // A sequence of ours is far shorter.
    let _ = write!(text, "\x1b[{rest}");
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
