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
//! While the trusted path has the focus, its line stands where the input line stood, behind the marker and its name;
//! what the shell sends of its own meanwhile is kept, and shown when the focus is back.
//!
//! **Who speaks.** The first column belongs to this module. It holds `[name] ` where somebody begins to speak, the
//! marker and a name for root and the trusted path, `> ` for the input line, and a space before everything else. No
//! text of a PD ever begins there, whatever it contains and however wide it is: characters are made fit to be shown
//! ([`crate::cells`]), and rows end before the last column, so that the terminal never wraps by itself.
//!
//! **Few bytes.** A terminal on a serial line is slow. What is drawn is remembered; only what differs is sent.

mod edit;
mod growing;
mod pen;
mod region;
#[cfg(test)]
mod tests;
mod transcript;
mod trusted;

use crate::cells::{Attr, Cell};
use crate::wrap::{Row, Wrap};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use edit::Edit;
use growing::Live;
use ipc::display::{Item, Style, TEXT_BYTES};
use pen::Pen;
use transcript::Line;
use trusted::Trusted;
pub use trusted::Hearer;

/// Assumed until the terminal says otherwise.
pub const COLUMNS: u16 = 80;
pub const ROWS: u16 = 24;
/// Believed at least and at most, whatever the terminal says.
const MIN_COLUMNS: u16 = 12;
const MAX_COLUMNS: u16 = 500;
const MIN_ROWS: u16 = 4;
const MAX_ROWS: u16 = 300;

/// Columns of a label at most.
const LABEL: u16 = 40;
/// Columns before rows that begin with no label.
const INDENT: u16 = 2;

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
    edits: bool,
    progress: String,
    /// A block that grows while another one is shown growing.
    pending: Option<(Attr, String)>,
    lost: u64,
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
    trusted: Trusted,
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
            trusted: Trusted::default(),
            fresh: Vec::new(),
            pen: Pen::new(first),
            changed: true,
            redraw: false,
            ask: true,
        }
    }

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

    fn usable(&self) -> u16 {
        self.columns - 1
    }

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
    match speaker.reserved {
        true => marked(&format!(" {} ", speaker.label)),
        false => cells(&format!("[{}] ", speaker.label), Attr::Label, LABEL),
    }
}

/// The marker, and behind it a name.
fn marked(text: &str) -> Row {
    let mut row = cells(text, Attr::Reserved, LABEL - Cell::marker().width as u16);
    row.insert(0, Cell::marker());
    row
}

/// As much of a text as fits into a row of so many columns.
fn cells(text: &str, attr: Attr, columns: u16) -> Row {
    let mut wrap = Wrap::new(Row::new(), columns, 0);
    let mut shown = String::new();
    for c in text.chars() {
        wrap.put(c, attr, &mut shown);
    }
    wrap.done.into_iter().next().unwrap_or(wrap.row)
}
