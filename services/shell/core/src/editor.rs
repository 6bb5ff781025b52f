//! The line being edited: text, cursor, and what was cut. It knows characters as people count them, not bytes.

use alloc::string::String;
use unicode_segmentation::GraphemeCursor;

pub struct Editor {
    text: String,
    /// Bytes; always between two characters as people count them, or at least on a character border.
    cursor: usize,
    cut: String,
    limit: usize,
    /// Characters that found no room since the line was last empty or changed otherwise.
    dropped: usize,
}

impl Editor {
    /// `limit`: bytes of text at most.
    pub fn new(limit: usize) -> Editor {
        Editor { text: String::new(), cursor: 0, cut: String::new(), limit, dropped: 0 }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Characters that found no room.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Forgets the count of what found no room.
    pub fn take_dropped(&mut self) -> usize {
        core::mem::take(&mut self.dropped)
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces the whole line; the cursor goes to its end.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.dropped = 0;
        self.insert(text);
    }

    pub fn clear(&mut self) {
        self.set("");
    }

    /// Takes the line out.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        self.dropped = 0;
        core::mem::take(&mut self.text)
    }

    /// Inserts what has room; the rest is counted as dropped. Control characters other than line ends and tabs are
    /// passed over: nothing can be asked with them.
    pub fn insert(&mut self, text: &str) {
        let mut room = self.limit.saturating_sub(self.text.len());
        let mut piece = String::new();
        for c in text.chars() {
            if c.is_control() && c != '\n' && c != '\t' {
                continue;
            }
            // Once something was dropped, what follows is dropped too: no gaps in the middle of a paste.
            if self.dropped > 0 || c.len_utf8() > room {
                self.dropped += 1;
                continue;
            }
            room -= c.len_utf8();
            piece.push(c);
        }
        self.text.insert_str(self.cursor, &piece);
        self.cursor += piece.len();
    }

    /// Puts the cursor to this byte, or to the end if no character begins there.
    pub fn go(&mut self, at: usize) {
        self.cursor = if self.text.is_char_boundary(at) { at } else { self.text.len() };
    }

    fn before(&self, at: usize) -> usize {
        GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        let end = self.text.len();
        GraphemeCursor::new(at, end, true).next_boundary(&self.text, 0).ok().flatten().unwrap_or(end)
    }

    pub fn left(&mut self) {
        self.cursor = self.before(self.cursor);
    }

    pub fn right(&mut self) {
        self.cursor = self.after(self.cursor);
    }

    /// To the beginning of the line of text that the cursor is in.
    pub fn home(&mut self) {
        self.cursor = self.line_start();
    }

    pub fn end(&mut self) {
        self.cursor = self.line_end();
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_before(char::is_alphanumeric);
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_after();
    }

    /// Where the word before the cursor begins.
    fn word_before(&self, in_word: impl Fn(char) -> bool) -> usize {
        let gap = self.text[..self.cursor].trim_end_matches(|c| !in_word(c));
        gap.trim_end_matches(in_word).len()
    }

    /// Where the word behind the cursor ends.
    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let behind = word.trim_start_matches(char::is_alphanumeric);
        // Marks on the last letter belong to it.
        let at = self.text.len() - behind.len();
        match GraphemeCursor::new(at, self.text.len(), true).is_boundary(&self.text, 0) {
            Ok(false) => self.after(at),
            _ => at,
        }
    }

    fn remove(&mut self, from: usize, to: usize) -> String {
        self.cursor = from;
        if from < to {
            self.dropped = 0;
        }
        self.text.drain(from..to).collect()
    }

    fn cut_out(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.remove(from, to);
        }
    }

    pub fn backspace(&mut self) {
        self.remove(self.before(self.cursor), self.cursor);
    }

    pub fn delete(&mut self) {
        self.remove(self.cursor, self.after(self.cursor));
    }

    pub fn cut_to_end(&mut self) {
        // At the end of one of several lines the line end itself goes.
        let end = self.line_end();
        let end = if end == self.cursor { self.after(end) } else { end };
        self.cut_out(self.cursor, end);
    }

    pub fn cut_to_start(&mut self) {
        self.cut_out(self.line_start(), self.cursor);
    }

    /// The word before the cursor, up to white space.
    pub fn cut_word(&mut self) {
        self.cut_out(self.word_before(|c| !c.is_whitespace()), self.cursor);
    }

    /// The letters and digits before the cursor.
    pub fn cut_word_left(&mut self) {
        self.cut_out(self.word_before(char::is_alphanumeric), self.cursor);
    }

    pub fn cut_word_right(&mut self) {
        self.cut_out(self.cursor, self.word_after());
    }

    pub fn paste_cut(&mut self) {
        let cut = core::mem::take(&mut self.cut);
        self.insert(&cut);
        self.cut = cut;
    }

    /// Exchanges the characters around the cursor; at the end the last two.
    pub fn transpose(&mut self) {
        let second = if self.cursor == self.text.len() { self.before(self.cursor) } else { self.cursor };
        let (first, end) = (self.before(second), self.after(second));
        if first < second && second < end {
            let behind: String = self.text[first..second].into();
            self.text.drain(first..second);
            self.text.insert_str(first + end - second, &behind);
            self.cursor = end;
        }
    }

    /// Replaces the bytes `from..` up to the cursor.
    pub fn complete(&mut self, from: usize, with: &str) {
        self.remove(from, self.cursor);
        self.insert(with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::new(64);
        let cursor = text.find('|').unwrap_or(text.len());
        editor.set(&text.replace('|', ""));
        editor.cursor = cursor;
        editor
    }

    fn shown(editor: &Editor) -> String {
        format!("{}|{}", &editor.text[..editor.cursor], &editor.text[editor.cursor..])
    }

    fn after(text: &str, act: impl FnOnce(&mut Editor)) -> String {
        let mut editor = editor(text);
        act(&mut editor);
        shown(&editor)
    }

    #[test]
    fn one_step_is_one_character_as_people_count_them() {
        assert_eq!(after("ae\u{301}|b", Editor::left), "a|e\u{301}b");
        assert_eq!(after("👩\u{200d}👩\u{200d}👧|", Editor::backspace), "|");
        assert_eq!(after("|🇩🇪x", Editor::right), "🇩🇪|x");
        assert_eq!(after("|e\u{301}x", Editor::delete), "|x");
        assert_eq!(after("|", Editor::left), "|");
        assert_eq!(after("a|", Editor::right), "a|");
    }

    #[test]
    fn words() {
        assert_eq!(after("one two-three|", Editor::word_left), "one two-|three");
        assert_eq!(after("one two  |", Editor::word_left), "one |two  ");
        assert_eq!(after("|  one two", Editor::word_right), "  one| two");
        assert_eq!(after("one two-three|", Editor::cut_word), "one |");
        assert_eq!(after("one two-three|", Editor::cut_word_left), "one two-|");
        assert_eq!(after("one| two", Editor::cut_word_right), "one|");
        assert_eq!(after("|", Editor::cut_word), "|");
    }

    #[test]
    fn cut_and_paste() {
        assert_eq!(after("one| two", Editor::cut_to_end), "one|");
        assert_eq!(after("one| two", Editor::cut_to_start), "| two");
        let back = after("one| two", |e| {
            e.cut_to_end();
            e.home();
            e.paste_cut();
        });
        assert_eq!(back, " two|one");
    }

    #[test]
    fn lines_of_a_paste_are_lines() {
        assert_eq!(after("one\ntw|o\nthree", Editor::home), "one\n|two\nthree");
        assert_eq!(after("one\ntw|o\nthree", Editor::end), "one\ntwo|\nthree");
        assert_eq!(after("one|\ntwo", Editor::cut_to_end), "one|two");
    }

    #[test]
    fn transposition() {
        assert_eq!(after("ab|", Editor::transpose), "ba|");
        assert_eq!(after("a|b", Editor::transpose), "ba|");
        assert_eq!(after("|ab", Editor::transpose), "|ab");
        assert_eq!(after("a|", Editor::transpose), "a|");
        assert_eq!(after("xe\u{301}|", Editor::transpose), "e\u{301}x|");
    }

    #[test]
    fn what_has_no_room_is_counted_and_leaves_no_gap() {
        let mut editor = Editor::new(5);
        editor.insert("abcdé!xyz");
        assert_eq!((editor.text(), editor.dropped()), ("abcd", 5));
        editor.backspace();
        editor.insert("Z");
        assert_eq!((editor.text(), editor.dropped()), ("abcZ", 0));
    }

    #[test]
    fn control_characters_are_no_text() {
        assert_eq!(after("|", |e| e.insert("a\x1b\x07b\nc\t")), "ab\nc\t|");
    }

    proptest! {
        #[test]
        fn any_keys_keep_text_and_cursor_whole(keys in proptest::collection::vec((0u8..20, "[a-zé日👩\u{301}\u{200d}🇩 \n]{0,3}"), 0..80)) {
            let mut e = Editor::new(48);
            for (key, text) in keys {
                match key {
                    0 => e.left(), 1 => e.right(), 2 => e.home(), 3 => e.end(), 4 => e.word_left(), 5 => e.word_right(),
                    6 => e.backspace(), 7 => e.delete(), 8 => e.cut_to_end(), 9 => e.cut_to_start(), 10 => e.cut_word(),
                    11 => e.cut_word_left(), 12 => e.cut_word_right(), 13 => e.paste_cut(), 14 => e.transpose(),
                    _ => e.insert(&text),
                }
                prop_assert!(e.text.len() <= 48);
                prop_assert!(e.text.is_char_boundary(e.cursor));
            }
        }
    }
}
