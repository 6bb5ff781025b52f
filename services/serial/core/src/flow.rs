//! Who is read next. Everybody with a display ring gets one record in a round, and nobody anything while the UART has
//! enough to send: a PD that writes without end fills its own ring, and the others are shown as if it were not there.

use crate::Screen;
use alloc::vec::Vec;
use ipc::display::{Item, RECORD_BYTES};

/// With more than this waiting to be sent, nothing more is read.
pub const ENOUGH: usize = 1024;

/// A display ring.
pub trait Source {
    fn take(&mut self, buffer: &mut [u8]) -> Taken;
}

/// What came out of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Nothing,
    Record(usize),
    /// The producer wrote faster than we read; so many records are gone, 0 if nobody counted.
    Lost(u64),
    /// The producer lives anew.
    Restarted,
    /// What was there is no record.
    Malformed,
}

pub struct Turns {
    buffer: Vec<u8>,
    /// Whose ring gave something since it was last found empty.
    busy: Vec<bool>,
}

impl Turns {
    pub fn new(speakers: usize) -> Turns {
        Turns { buffer: alloc::vec![0; RECORD_BYTES], busy: alloc::vec![false; speakers] }
    }

    /// One round. False if there was nothing to read.
    pub fn round<S: Source>(&mut self, sources: &mut [S], screen: &mut Screen) -> bool {
        let mut any = false;
        for (speaker, source) in sources.iter_mut().enumerate() {
            let taken = source.take(&mut self.buffer);
            any |= taken != Taken::Nothing;
            match taken {
                Taken::Nothing => {
                    if self.busy.get_mut(speaker).is_some_and(core::mem::take) {
                        screen.caught_up(speaker);
                    }
                    continue;
                }
                Taken::Record(length) => match self.buffer.get(..length).map(ipc::decode::<Item>) {
                    Some(Ok(item)) => screen.item(speaker, item),
                    _ => screen.lost(speaker, 1),
                },
                Taken::Lost(records) => screen.lost(speaker, records),
                Taken::Malformed => screen.lost(speaker, 1),
                Taken::Restarted => screen.restarted(speaker),
            }
            if let Some(busy) = self.busy.get_mut(speaker) {
                *busy = true;
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Speaker;
    use ipc::display::Style;

    struct Flood(Vec<u8>);

    impl Source for Flood {
        fn take(&mut self, buffer: &mut [u8]) -> Taken {
            buffer[..self.0.len()].copy_from_slice(&self.0);
            Taken::Record(self.0.len())
        }
    }

    impl Source for Box<dyn Source> {
        fn take(&mut self, buffer: &mut [u8]) -> Taken {
            (**self).take(buffer)
        }
    }

    struct Once(Option<Vec<u8>>);

    impl Source for Once {
        fn take(&mut self, buffer: &mut [u8]) -> Taken {
            let Some(bytes) = self.0.take() else { return Taken::Nothing };
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Taken::Record(bytes.len())
        }
    }

    struct List(Vec<Taken>);

    impl Source for List {
        fn take(&mut self, buffer: &mut [u8]) -> Taken {
            buffer[..4].fill(0xff);
            if self.0.is_empty() {
                return Taken::Nothing;
            }
            self.0.remove(0)
        }
    }

    fn screen(names: &[&str]) -> Screen {
        let speaker = |name: &&str| Speaker { label: name.to_string(), reserved: false, edits: false };
        Screen::new(names.iter().map(speaker), true)
    }

    fn lines(text: &str) -> Vec<u8> {
        let mut record = [0; RECORD_BYTES];
        ipc::encode(&Item::Lines { style: Style::Plain, text: text.into() }, &mut record).unwrap().to_vec()
    }

    #[test]
    fn a_flood_does_not_keep_others_waiting() {
        let mut screen = screen(&["loud", "quiet"]);
        let mut sources: Vec<Box<dyn Source>> =
            vec![Box::new(Flood(lines(&"x".repeat(1000)))), Box::new(Once(Some(lines("hello"))))];
        Turns::new(2).round(&mut sources, &mut screen);
        let mut out = Vec::new();
        screen.take_output(&mut out);
        assert!(String::from_utf8(out).unwrap().contains("hello"));
    }

    #[test]
    fn what_is_lost_is_said_once_when_the_ring_is_empty() {
        let mut screen = screen(&["loud"]);
        let mut sources = [List(vec![Taken::Lost(3), Taken::Record(4), Taken::Malformed, Taken::Lost(0)])];
        let mut turns = Turns::new(1);
        while turns.round(&mut sources, &mut screen) {}
        turns.round(&mut sources, &mut screen);
        let mut out = Vec::new();
        screen.take_output(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("(6 records of output lost)"), "{out}");
        assert_eq!(out.matches("lost").count(), 1);
    }
}
