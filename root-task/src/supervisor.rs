//! After boot: waits for faults, requests and ticks, and keeps the system alive.

use alloc::{format, string::String, vec::Vec};
use ipc::display::Style;
use root_core::{
    fault::{clean, Fault},
    report,
    restart::{Life, State},
};
use sel4::{Endpoint, Message};
use spec::{label, System};

use crate::{
    arch,
    clock::Clock,
    domain::{Domain, Parts},
    iommu::Iommu,
    memory::Memory,
    pci::Pci,
    shared::Shared,
    trusted_path::TrustedPath,
    voice::Voice,
    watch::{Verdict, Watch},
    window::Window,
    Failure,
};

/// Bytes of a panic message that are kept.
const PANIC_BYTES: usize = 400;

/// Failures in a row of the console's server after which root does not count on it to tell the person.
const MUTE_AFTER: u32 = 3;

pub struct Supervisor {
    /// Index into [`System::modes`].
    pub mode: usize,
    /// Changes of the mode so far.
    pub switches: u64,
    pub pci: Pci,
    pub iommu: Option<Iommu>,
    pub trusted_path: TrustedPath,
    pub system: System,
    pub payload: &'static [u8],
    pub shared: Shared,
    pub memory: Memory,
    pub window: Window,
    pub watch: Watch,
    pub clock: Clock,
    pub voice: Voice,
    pub children: Vec<Child>,
    /// Slot of the I/O port capability that switches the machine off.
    pub power_off: u64,
    /// Ticks since the person wanted to leave.
    pub leaving: Option<u32>,
    pub image_bytes: u64,
}

/// One PD under supervision.
pub struct Child {
    /// `None`: no mode had it yet.
    pub domain: Option<Domain>,
    pub life: Life,
    pub last_failure: Option<String>,
    /// It spun and was put below its neighbours.
    pub lowered: bool,
}

impl Supervisor {
    pub fn run(mut self) -> ! {
        let endpoint = Endpoint(self.shared.root_endpoint);
        loop {
            let message = endpoint.recv();
            let badge = message.badge.0;
            let pd = (badge & label::BADGE_PD_MASK) as usize;
            if badge & label::BADGE_FAULT != 0 {
                self.fault(pd, &message);
            } else if badge & label::BADGE_REQUEST != 0 {
                crate::request::answer(&mut self, badge, &message);
            } else {
                if self.system.root.focus.is_some_and(|ring| badge & ring.bit != 0) {
                    self.listen();
                }
                if badge & self.system.root.tick_bit != 0 {
                    self.tick();
                }
            }
        }
    }

    /// A PD faulted or panicked: it is destroyed here and now, so nothing is ever replied to it.
    fn fault(&mut self, pd: usize, message: &Message) {
        if pd >= self.children.len() || self.children[pd].life.state != State::Running {
            return;
        }
        let fault = if message.label() == label::PANIC {
            Fault::Panic { message: panic_text(message) }
        } else {
            sel4::Fault::read(message.label(), |i| message.word(i))
                .and_then(arch::fault)
                .unwrap_or(Fault::Strange { label: message.label() })
        };
        self.bury(pd, &fault);
    }

    /// Destroys a PD that failed, tells the person in one sentence, and starts it again when its time has come.
    pub fn bury(&mut self, pd: usize, fault: &Fault) {
        // Its last log lines, before its ring starts anew.
        self.voice.tick();
        let now = self.clock.now_us();
        let name = self.system.pds[pd].name.clone();
        let child = &mut self.children[pd];
        let reason = format!("{fault}");
        let delay = child.life.failed(now);
        child.last_failure = Some(reason.clone());
        if let Err(failure) = self.stop(pd) {
            self.voice.say(Style::Error, &format!("{name} failed ({reason}) and cannot be cleared away: {failure}."));
            return;
        }
        if delay == 0 {
            let sentence = format!("{name} failed ({reason}) and was started again.");
            self.revive(pd, &sentence);
        } else {
            if self.sends_ticks(pd) {
                self.watch.alarm(self.clock.counter_in(delay));
            }
            let times = self.children[pd].life.failures_in_a_row();
            if times >= MUTE_AFTER && self.drives_console(pd) {
                crate::last_words(&format!("\nAlphaOS: {name}, which writes to this screen, failed {times} times in a row ({reason}).\n"));
            }
            self.voice.say(
                Style::Error,
                &format!(
                    "{name} failed ({reason}), {times} times in a row; it is started again in {}.",
                    report::seconds(delay)
                ),
            );
        }
    }

    /// Whether everything that root says goes through this PD.
    fn drives_console(&self, pd: usize) -> bool {
        let console = crate::console_ports(&self.system).map(spec::Object::Ports);
        self.system.pds[pd].caps.iter().any(|cap| Some(cap.object) == console)
    }

    /// Whether root's own tick comes from this PD: then nothing but root's alarm will tell when its wait is over.
    fn sends_ticks(&self, pd: usize) -> bool {
        let root = spec::Object::Notification(self.system.root.notification);
        self.system.pds[pd].caps.iter().any(|cap| cap.object == root)
    }

    fn revive(&mut self, pd: usize, sentence: &str) {
        let now = self.clock.now_us();
        let epoch = self.children[pd].life.starts + 1;
        match self.start(pd, epoch) {
            Ok(()) => {
                self.children[pd].life.started(now);
                self.children[pd].lowered = false;
                self.voice.say(Style::Error, sentence);
            }
            Err(failure) => {
                let name = &self.system.pds[pd].name;
                self.voice.say(Style::Error, &format!("{name} cannot be started again: {failure}."));
            }
        }
    }

    /// Destroys a PD. Its devices are silenced first: none writes into memory that is about to be somebody else's.
    pub fn stop(&mut self, pd: usize) -> Result<(), Failure> {
        for function in self.system.pci.iter().filter(|function| usize::from(function.driver) == pd) {
            // Off the bus it is in any case, which comes first.
            if let Err(failure) = self.pci.silence(function, &self.system, &self.shared, &mut self.window) {
                self.voice.say(Style::Error, &format!("{}: {failure}.", function.name));
            }
        }
        self.children[pd].domain.as_ref().map_or(Ok(()), Domain::destroy)
    }

    /// Makes a PD that is not there, for the first time or again.
    pub fn start(&mut self, pd: usize, epoch: u64) -> Result<(), Failure> {
        for function in self.system.pci.iter().filter(|function| usize::from(function.driver) == pd) {
            self.pci.enable(function, &self.system, &self.shared, &mut self.window)?;
        }
        let child = &mut self.children[pd];
        let mut parts = Parts {
            system: &self.system,
            payload: self.payload,
            shared: &self.shared,
            memory: &mut self.memory,
            window: &mut self.window,
            tsc_hz: self.clock.hz,
            iommu: self.iommu.as_ref(),
            mode: self.mode,
        };
        match &mut child.domain {
            Some(domain) => domain.rebuild(&self.system.pds[pd], epoch, &mut parts)?,
            none => *none = Some(Domain::create(&self.system.pds[pd], epoch, &mut parts)?),
        }
        Ok(())
    }

    fn tick(&mut self) {
        self.voice.tick();
        let now = self.clock.now_us();
        for pd in 0..self.children.len() {
            if self.children[pd].life.due(now) {
                let sentence = format!("{} was started again.", self.system.pds[pd].name);
                self.revive(pd, &sentence);
            }
        }
        self.look_for_spinners();
        self.leave();
    }

    fn look_for_spinners(&mut self) {
        let children = &self.children;
        let running = |pd: usize| children[pd].domain.as_ref().filter(|_| children[pd].life.state == State::Running);
        if let Verdict::Lowered(pd) = self.watch.look(&self.system, running) {
            self.children[pd].lowered = true;
            let name = &self.system.pds[pd].name;
            self.voice.say(Style::Error, &format!("{name} takes all the time it gets; it now runs after the others."));
        }
    }

    pub fn show_status(&mut self) {
        let rows: Vec<report::Row<'_>> = self
            .system
            .pds
            .iter()
            .zip(&self.children)
            .map(|(pd, child)| report::Row {
                name: &pd.name,
                trust: pd.trust,
                life: &child.life,
                memory_bytes: child.domain.as_ref().map_or(0, Domain::bytes),
                last_failure: child.last_failure.as_deref(),
                lowered: child.lowered,
            })
            .collect();
        let root_bytes = self.image_bytes + self.shared.bytes;
        let text = report::status(&self.system, self.mode, &rows, self.clock.now_us(), root_bytes, self.memory.free_bytes());
        self.voice.show(Style::Plain, &text);
    }

    pub fn show_caps(&mut self) {
        let text = report::caps(&self.system, self.mode, self.iommu.is_some());
        self.voice.show(Style::Plain, &text);
    }

    /// The switch is pressed with the next tick, so that the sentence is on the screen first.
    pub fn switch_off(&mut self) {
        self.voice.say(Style::Plain, "Switching off.");
        self.leaving.get_or_insert(0);
    }

    fn leave(&mut self) {
        /// Ticks after which a machine that still runs will not stop any more.
        const PATIENCE: u32 = 20;
        let Some(ticks) = &mut self.leaving else { return };
        *ticks += 1;
        match *ticks {
            1 => arch::power_off(self.system.root.power_off, self.power_off),
            PATIENCE => self.voice.say(
                Style::Error,
                "This machine cannot be switched off from here; it is safe to cut the power.",
            ),
            _ => {}
        }
    }
}

/// The text that a panicking PD put into the message registers.
fn panic_text(message: &Message) -> String {
    let length = (message.word(0) as usize).min(PANIC_BYTES).min(message.len().saturating_sub(1) * 8);
    let mut bytes = Vec::with_capacity(length + 8);
    for i in 0..length.div_ceil(8) {
        bytes.extend_from_slice(&message.word(i + 1).to_le_bytes());
    }
    bytes.truncate(length);
    clean(&bytes, PANIC_BYTES)
}
