//! What `/help` shows.

use crate::commands::{COMMANDS, SETTINGS};
use crate::say::{GATE_KEY, TRUSTED_KEY};
use alloc::format;
use alloc::string::String;

const KEYS: [(&str, &str); 15] = [
    ("Enter", "send the line; Alt-Enter begins another one in the same prompt"),
    ("Ctrl-C", "stop the answer and clear the line"),
    ("Tab", "complete a command or a setting"),
    ("Up Down", "earlier lines and back (Ctrl-P Ctrl-N)"),
    ("Ctrl-R", "search earlier lines; again: the next older one; Esc: back"),
    ("Left Right", "move by a character (Ctrl-B Ctrl-F)"),
    ("Ctrl-Left Right", "move by a word (Alt-B Alt-F)"),
    ("Home End", "move to the beginning or the end of the line (Ctrl-A Ctrl-E)"),
    ("Backspace Delete", "delete a character (Ctrl-H Ctrl-D)"),
    ("Ctrl-W Alt-D", "delete the word to the left, to the right"),
    ("Ctrl-U Ctrl-K", "delete the line to the left, to the right"),
    ("Ctrl-Y", "insert what was deleted last"),
    ("Ctrl-L", "draw the screen anew"),
    (TRUSTED_KEY, "type to AlphaOS itself, past the shell; again, or Esc: back"),
    (GATE_KEY, "type to gate, which confirms what leaves, in a mode that has it"),
];

pub fn text() -> String {
    let mut text = String::from("What you type goes to the model, unless it begins with /:\n");
    for entry in &COMMANDS {
        text += &format!("  {:<10} {}\n", entry.name, entry.what);
        if entry.name == "/model" {
            text += "  /model set NAME VALUE changes a setting; VALUE default: as it was\n";
            text += &format!("  NAME is one of {}\n", SETTINGS.join(", "));
        }
        if entry.name == "/fetch" {
            text += "  /fetch HOST PORT TEXT, with \\n, \\r, \\t, \\\\ and \\xNN in it; or /fetch http://HOST/PATH\n";
        }
    }
    text += "Keys:\n";
    for (key, what) in KEYS {
        text += &format!("  {key:<16} {what}\n");
    }
    text += "A paste of many lines is one prompt.";
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_names_every_command_and_setting() {
        let text = super::text();
        for name in super::COMMANDS.iter().map(|entry| entry.name).chain(super::SETTINGS) {
            assert!(text.contains(name), "{name}");
        }
    }
}
