//! Characters of others made fit to be shown: one cell at a time, and nothing that a terminal would obey.

use unicode_width::UnicodeWidthChar;

/// The marker of root and the trusted path. Nobody else can show it, or what looks like it.
pub const MARKER: char = '◆';
const NOT_THE_MARKER: char = '◇';
/// Combining marks on one character at most; the rest of a pile is dropped.
pub const MARKS: usize = 3;
const TAB: u16 = 4;

/// How a cell looks. Serial alone turns this into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attr {
    Plain,
    Dim,
    Strong,
    Error,
    /// A speaker's name.
    Label,
    /// Marker and name of root and the trusted path.
    Reserved,
}

impl Attr {
    /// Parameters of "select graphic rendition", after a reset.
    pub fn code(self) -> &'static str {
        match self {
            Attr::Plain => "",
            Attr::Dim => "2",
            Attr::Strong => "1",
            Attr::Error => "31",
            Attr::Label => "36",
            Attr::Reserved => "1;35",
        }
    }
}

/// A character with its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The base, then its marks; `\0` ends.
    glyph: [char; 1 + MARKS],
    /// Columns.
    pub width: u8,
    /// Columns on a terminal that takes ambiguous characters for wide ones. Wrapping counts with this, so that no
    /// terminal ever wraps a row by itself and shows the rest of it in the first column.
    pub most: u8,
    pub attr: Attr,
}

impl Cell {
    /// What [`classify`] has let through.
    pub fn new(shown: char, width: u8, most: u8, attr: Attr) -> Cell {
        let mut glyph = ['\0'; 1 + MARKS];
        glyph[0] = shown;
        Cell { glyph, width, most, attr }
    }

    pub fn space() -> Cell {
        Cell::new(' ', 1, 1, Attr::Plain)
    }

    /// The marker, which nothing but serial's own labels begins with.
    pub fn marker() -> Cell {
        Cell::new(MARKER, 1, 2, Attr::Reserved)
    }

    pub fn is_space(&self) -> bool {
        self.glyph[0] == ' '
    }

    /// Says whether there was room for the mark.
    pub fn add_mark(&mut self, mark: char) -> bool {
        match self.glyph.iter_mut().find(|c| **c == '\0') {
            Some(free) => {
                *free = mark;
                true
            }
            None => false,
        }
    }

    pub fn chars(&self) -> impl Iterator<Item = char> + '_ {
        self.glyph.iter().copied().take_while(|c| *c != '\0')
    }

    pub fn bytes(&self) -> usize {
        self.chars().map(char::len_utf8).sum()
    }

    pub fn is_ascii(&self) -> bool {
        self.glyph[0].is_ascii() && self.glyph[1] == '\0'
    }
}

/// What becomes of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not shown.
    Nothing,
    Newline,
    /// Spaces up to the next stop.
    Tab,
    /// Goes onto the character before it.
    Mark,
    Shown {
        shown: char,
        width: u8,
        most: u8,
    },
}

/// Of anybody's text. The marker is in none, root's neither: root quotes what others say of their deaths.
pub fn classify(c: char) -> Class {
    let one = |shown| Class::Shown { shown, width: 1, most: 1 };
    match c {
        ' '..='~' => one(c),
        '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => Class::Newline,
        '\t' => Class::Tab,
        '\r' => Class::Nothing,
        // Control bytes become their pictures: what an escape sequence would have done is seen, not done.
        '\0'..='\x1f' => picture(char::from_u32(0x2400 + c as u32).unwrap_or('?')),
        '\x7f' => picture('␡'),
        '\u{80}'..='\u{9f}' => picture('\u{fffd}'),
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => one(' '),
        _ if is_invisible(c) => Class::Nothing,
        _ if resembles_marker(c) => picture(NOT_THE_MARKER),
        _ => match c.width() {
            None | Some(0) => Class::Mark,
            Some(width) => {
                // Letters with accents and symbols, beside what the tables call ambiguous.
                let doubtful = matches!(c, '\u{a1}'..='\u{2ff}' | '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
                let most = if doubtful { 2 } else { c.width_cjk().unwrap_or(width).max(width).min(2) };
                Class::Shown { shown: c, width: width.min(2) as u8, most: most as u8 }
            }
        },
    }
}

fn picture(shown: char) -> Class {
    Class::Shown { shown, width: 1, most: 2 }
}

/// Format characters (among them all that turn the direction of writing), fillers, variation selectors, tags: they
/// change how other characters look, or hide, and terminals disagree about their width.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn resembles_marker(c: char) -> bool {
    matches!(c,
        MARKER | '\u{25c8}' | '\u{2666}' | '\u{29eb}' | '\u{2b16}'..='\u{2b19}' | '\u{2b25}' | '\u{2b27}'
        | '\u{2b29}'..='\u{2b2a}' | '\u{2bc1}' | '\u{1f536}'..='\u{1f539}' | '\u{1f4a0}')
}

/// Columns up to the next tab stop, from column `at` of the text.
pub fn tab_columns(at: u16) -> u16 {
    TAB - at % TAB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_reaches_the_terminal_that_it_would_obey() {
        for c in '\0'..=char::MAX {
            if let Class::Shown { shown, width, most } = classify(c) {
                assert!(!shown.is_control(), "{c:?}");
                assert!((1..=2).contains(&width) && (width..=2).contains(&most), "{c:?}");
                assert!(shown != MARKER);
            }
        }
    }

    #[test]
    fn direction_overrides_and_zero_width_characters_are_dropped() {
        for c in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{fe0f}', '\u{e0041}'] {
            assert_eq!(classify(c), Class::Nothing, "{c:?}");
        }
    }

    #[test]
    fn escape_is_seen_and_not_obeyed() {
        assert!(matches!(classify('\x1b'), Class::Shown { shown: '␛', .. }));
        assert!(matches!(classify('\u{9b}'), Class::Shown { shown: '\u{fffd}', .. }));
    }

    #[test]
    fn a_cell_takes_few_marks() {
        let mut cell = Cell::new('e', 1, 1, Attr::Plain);
        let taken = (0..100).filter(|_| cell.add_mark('\u{301}')).count();
        assert_eq!(taken, MARKS);
        assert_eq!(cell.bytes(), 1 + 2 * MARKS);
    }
}
