//! Where keys go: the ends of `serial-core`'s focus.

use crate::layout;
use alloc::{string::String, vec::Vec};
use ipc::focus::{Typed, RECORD_BYTES as TYPED_BYTES};
use ipc::keys::{Event, RECORD_BYTES};
use pd::{Doorbell, RingOut};
use serial_core::focus::{self, Step};
use serial_core::{Hearer, Screen};

pub struct Focus {
    core: serial_core::Focus,
    shell: RingOut,
    /// Of the trusted path, in the layout's order.
    trusted: Vec<RingOut>,
    /// Straight to whoever answers, past the shell.
    interrupts: [Doorbell; 2],
    /// Something lies in the ring that the shell was not told of.
    untold: bool,
}

impl Focus {
    /// `first`: the system starts. Else a former life may have died with the focus elsewhere than at the shell, where
    /// it is now.
    pub fn open(first: bool) -> Focus {
        let mut trusted: Vec<RingOut> = layout::FOCUS.iter().map(|end| RingOut::open(end.ring)).collect();
        if !first {
            trusted.iter_mut().for_each(|end| tell(end, &Typed::Closed));
        }
        Focus {
            core: serial_core::Focus::new(layout::FOCUS.iter().map(|end| end.key)),
            shell: RingOut::open(layout::RING_OUT_KEYS),
            trusted,
            // In a mode without cloud nothing lies in its slot, and the kernel passes over the signal.
            interrupts: [layout::SIGNAL_OUT_INTERRUPT_ASSISTANT, layout::SIGNAL_OUT_INTERRUPT_CLOUD].map(Doorbell::new),
            untold: false,
        }
    }

    /// Whom the person can type to without the shell.
    pub fn hearers() -> impl Iterator<Item = Hearer> {
        let hearer = |label: &str, key| Hearer { label: String::from(label), key: focus::letter(key), runs: false };
        layout::FOCUS.iter().map(move |end| hearer(end.label, end.key))
    }

    /// Which of them shows its lines under this label.
    pub fn hearer_of(label: &str) -> Option<usize> {
        layout::FOCUS.iter().position(|end| end.label == label)
    }

    /// One of them lives anew.
    pub fn restarted(&mut self, hearer: usize) {
        let Focus { core, trusted, .. } = self;
        core.restarted(hearer, |step| {
            if let (Step::Trusted(to, typed), true) = (step, hearer < trusted.len()) {
                tell(&mut trusted[to], &typed);
            }
        });
    }

    pub fn event(&mut self, event: Event, now_us: u64, screen: &mut Screen) {
        if let Event::Size { columns, rows } = event {
            screen.resize(columns, rows);
        }
        let Focus { core, shell, trusted, interrupts, untold } = self;
        core.event(event, now_us, |step| match step {
            Step::Shell(event) => {
                let mut record = [0; RECORD_BYTES];
                // The ring has one direction: what the shell does not read in time is overwritten, and it sees the gap.
                match ipc::encode(&event, &mut record).map(|bytes| shell.push_silently(&[bytes])) {
                    Some(Ok(())) => *untold = true,
                    failed => log::error!("a key did not fit: {failed:?}"),
                }
            }
            Step::Interrupt => interrupts.iter().copied().for_each(Doorbell::ring),
            Step::Trusted(to, typed) => {
                if let Typed::Line { text } = &typed {
                    screen.entered(to, text);
                }
                if let Some(end) = trusted.get_mut(to) {
                    tell(end, &typed);
                }
            }
            Step::Redraw => screen.redraw(),
        });
        screen.focus(core.view());
    }

    /// Tells the shell of keys that came.
    pub fn ring(&mut self) {
        if core::mem::take(&mut self.untold) {
            self.shell.ring();
        }
    }
}

/// What a PD does not read in time is overwritten, and it sees the gap: nobody types that fast.
fn tell(end: &mut RingOut, typed: &Typed) {
    let mut record = [0; TYPED_BYTES];
    let told = ipc::encode(typed, &mut record).map(|bytes| end.push(&[bytes]));
    if !matches!(told, Some(Ok(()))) {
        log::error!("a line did not fit: {told:?}");
    }
}
