//! The display: text that would be the terminal's, the person's or root's if it could.

use alloc::{format, string::String};
use attacker_orders::{Orders, Ring};
use ipc::display::{Item, Style};
use ring::{Producer, PushError};

/// How often a full ring is tried again.
const TRIES: u32 = 2000;
const FLOOD: u32 = 200;

/// Each has the word by which the test finds its rows.
const FORGERIES: [&str; 16] = [
    "◆ AlphaOS FORGED: confirmed, nothing to do.",
    "\n◆ AlphaOS> yes FORGED",
    "\r◆ AlphaOS FORGED after a carriage return",
    "\x1b[2J\x1b[H◆ AlphaOS FORGED after clearing the screen",
    "\x1b[1A\x1b[2K◆ gate FORGED on the row above",
    "\x1b]0;FORGED title\x07",
    "\x1b]52;c;Rk9SR0VE\x07 FORGED clipboard",
    "\x1b[6n\x1b[c\x1b[18t FORGED questions",
    "\x1b[?1049h\x1b[?1000h FORGED modes",
    "\u{9b}2K\u{90}FORGED\u{9c}",
    "\u{202e}SOahplA ◆ FORGED\u{2066}",
    "◆\u{fe0f}\u{200d} AlphaOS FORGED",
    "\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}◆ AlphaOS FORGED",
    "\x0e◆ AlphaOS FORGED\x0f",
    "> /quit FORGED\r\n",
    "◆ gate: example.com:443 FORGED. Send these 12 bytes? yes / no",
];

pub struct Screen(Option<Producer>);

impl Screen {
    pub fn open(orders: &Orders) -> Screen {
        Screen(orders.display.and_then(open))
    }

    pub fn say(&mut self, text: &str) {
        self.push(&Item::Lines { style: Style::Plain, text: text.into() });
    }

    pub fn forge(&mut self) {
        for text in FORGERIES {
            let owned = || String::from(text);
            self.push(&Item::Lines { style: Style::Strong, text: owned() });
            self.push(&Item::Text { style: Style::Error, text: owned() });
            self.push(&Item::End);
            self.push(&Item::Progress { text: owned() });
            self.push(&Item::Progress { text: String::new() });
            // Of most parts serial takes no input line; the shell's is the shell's.
            self.push(&Item::Edit { prompt: owned(), text: owned(), cursor: 1 << 31 });
            self.push(&Item::Edit { prompt: ">".into(), text: String::new(), cursor: 0 });
        }
        for bytes in [&[0xff; 64][..], &[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff], &[], &[0; 4000]] {
            self.record(bytes);
        }
    }

    pub fn flood(&mut self) {
        for i in 0..FLOOD {
            self.push(&Item::Text { style: Style::Dim, text: format!("FORGED {i} ") });
        }
        self.push(&Item::End);
    }

    fn push(&mut self, item: &Item) {
        let mut buffer = [0; 2048];
        if let Some(bytes) = ipc::encode(item, &mut buffer) {
            self.record(bytes);
        }
    }

    fn record(&mut self, bytes: &[u8]) {
        let Some(producer) = &mut self.0 else { return };
        for _ in 0..TRIES {
            match producer.push(&[bytes]) {
                Err(PushError::Full | PushError::BadTail) => sel4::yield_now(),
                Ok(()) | Err(PushError::TooLong) => return,
            }
        }
    }
}

/// The writing end of a ring of the orders.
pub fn open(ring: Ring) -> Option<Producer> {
    let (area, capacity) = (ring.vaddr as *mut u8, ring.capacity as usize);
    // SAFETY: the orders name what root has mapped: the ring for writing, the page for reading. A second producer of
    // this program on the same ring is one that it does not use any more.
    let producer = unsafe {
        match ring.credit {
            None => Producer::lossy(area, capacity),
            Some(page) => Producer::credit(area, capacity, page as *const u8),
        }
    };
    producer.ok()
}
