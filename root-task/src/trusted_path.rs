//! What the person types to root: serial hands it over when the person's key says so, and nobody else can.

use alloc::format;

use ipc::{display::Style, focus};
use ring::Consumer;
use root_core::{
    dialog::{Dialog, Step},
    report,
};
use spec::System;

use crate::{supervisor::Supervisor, Failure};

/// Lines taken at a time.
const AT_ONCE: usize = 16;

/// Root's end of the trusted path, if the layout has one.
pub struct TrustedPath {
    ring: Option<Consumer>,
    dialog: Dialog,
}

impl TrustedPath {
    pub fn open(system: &System) -> Result<TrustedPath, Failure> {
        let ring = match &system.root.focus {
            // SAFETY: `Shared::map_root` mapped the ring where the specification says, for as long as root lives, and
            // root is the only consumer.
            Some(end) => Some(
                unsafe { Consumer::lossy(end.vaddr as *const u8, end.capacity as usize) }
                    .map_err(|_| Failure::Specification("a ring of root's with an impossible size"))?,
            ),
            None => None,
        };
        Ok(TrustedPath { ring, dialog: Dialog::default() })
    }
}

impl Supervisor {
    /// Does what the person has typed to root.
    pub fn listen(&mut self) {
        let mut record = [0; focus::RECORD_BYTES];
        for _ in 0..AT_ONCE {
            let Some(ring) = &mut self.trusted_path.ring else { return };
            let typed = match ring.pop(&mut record) {
                Ok(None) => return,
                Ok(Some(length)) => ipc::decode(&record[..length]),
                // Serial started again: whatever was being asked is over.
                Err(_) => Ok(focus::Typed::Closed),
            };
            let Ok(typed) = typed else { continue };
            match self.trusted_path.dialog.typed(&typed, &self.system, self.mode, self.iommu.is_some()) {
                Step::Nothing => {}
                Step::Show(text) => self.voice.show(Style::Plain, &text),
                Step::Change(to) => self.change(to),
            }
        }
    }

    fn change(&mut self, to: usize) {
        match self.change_mode(to) {
            Ok(us) => {
                let took = us / 1000;
                let mut text = format!("Mode: {}. Changed in {took} ms.", report::title(&self.system, self.mode));
                if !report::reaches_network(&self.system, self.mode) {
                    text.push_str(" Nothing but root could reach a network device.");
                }
                self.voice.say(Style::Plain, &text);
            }
            Err(failure) => {
                let (wanted, now) = (report::title(&self.system, to), report::title(&self.system, self.mode));
                let text = format!("{wanted} cannot be entered: {failure}. The mode is {now}.");
                self.voice.say(Style::Error, &text);
            }
        }
    }
}
