//! Gives out slots, badges, bits and addresses: for every PD and channel of the file, whatever mode runs, so that a
//! PD's program does not depend on mode, cores, memory or model.

use crate::addresses::{Region, CHANNELS, CHANNELS_END, ROOT_CHANNELS, ROOT_CHANNELS_END};
use crate::error::{Error, Result};
use crate::parse::{ChannelKind, Layout, PdIndex};
use spec::handle::{Dma, Irq, Memory, Ports, RingIn, RingOut};
use spec::{ChannelKind as EdgeKind, Rights, PAGE};

/// Somebody who holds things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    Root,
    Pd(PdIndex),
}

/// An object, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Where this PD serves.
    Endpoint(PdIndex),
    /// What this party waits on.
    Notification(Party),
    /// Index into the platform's devices.
    Irq(usize),
    /// Device, and index of the range.
    Ports(usize, usize),
    /// Root's endpoint: faults and panics.
    Fault,
    /// Root's endpoint: requests to the supervisor.
    Supervisor,
}

#[derive(Clone, Debug)]
pub struct CapPlan {
    pub slot: u64,
    pub thing: Thing,
    pub rights: Rights,
    pub badge: u64,
    /// The capability exists in modes where this party runs too.
    pub peer: Party,
}

#[derive(Clone, Debug)]
pub struct MemoryPlan {
    pub name: String,
    pub bytes: u64,
    /// Physical address of device registers.
    pub paddr: Option<u64>,
    pub part: Part,
    /// Who maps it, and whether for writing. The first one makes it.
    pub users: Vec<(Party, u64, bool)>,
}

/// What a piece of memory is to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    None,
    Producer,
    /// The consumer's page; index of the producer's area.
    Consumer(usize),
}

/// A name in a PD's generated module.
#[derive(Clone, Debug)]
pub enum Constant {
    RingIn { name: String, from: Party, ring: RingIn, display: Option<Shown> },
    RingOut { name: String, to: Party, ring: RingOut, focus: Option<Focus> },
    Client { server: String, slot: u64 },
    Caller { client: String, badge: u64 },
    SignalOut { name: String, to: Party, slot: u64 },
    SignalIn { name: String, bit: u64 },
    Irq { device: String, irq: Irq },
    Ports { device: String, number: Option<usize>, ports: Ports },
    Memory { name: String, memory: Memory },
    Dma(Dma),
    Tick { bit: u64, period_us: u64 },
    TickOut { slot: u64, period_us: u64 },
}

#[derive(Clone, Debug)]
pub struct Shown {
    pub label: String,
    pub reserved: bool,
    pub edits: bool,
}

/// The trusted path: what the person types after `key` goes to `label`.
#[derive(Clone, Debug)]
pub struct Focus {
    pub key: u8,
    pub label: String,
}

#[derive(Clone, Debug)]
pub struct PdPlan {
    pub caps: Vec<CapPlan>,
    pub constants: Vec<Constant>,
    pub fault_slot: u64,
    pub notification_slot: u64,
    pub server_slot: Option<u64>,
    pub supervisor_slot: Option<u64>,
    pub log: Option<RingOut>,
    pub dma: Option<Dma>,
    region: Region,
    bits: u32,
}

#[derive(Clone, Debug)]
pub struct RootPlan {
    pub display: RingOut,
    /// In the order of [`Layout::pds`].
    pub logs: Vec<(PdIndex, RingIn)>,
    pub signals: Vec<CapPlan>,
    pub tick_bit: u64,
    pub focus: Option<RingIn>,
    region: Region,
}

/// An edge for people's eyes.
#[derive(Clone, Debug)]
pub struct Edge {
    pub name: String,
    pub from: Party,
    pub to: Party,
    pub kind: EdgeKind,
    pub what: String,
}

#[derive(Clone, Debug)]
pub struct Wiring {
    pub pds: Vec<PdPlan>,
    pub root: RootPlan,
    pub memories: Vec<MemoryPlan>,
    pub edges: Vec<Edge>,
}

/// Bits of a notification that can be told apart; the next one marks callers (`spec::label::BADGE_CALLER`).
const BITS: u32 = spec::label::BADGE_CALLER.trailing_zeros();
/// Root's notification arrives where badges of its endpoint do, so its bits start above those.
const ROOT_TICK: u64 = 1 << 16;
const ROOT_FOCUS: u64 = 1 << 17;

const READ: Rights = Rights { read: true, write: false, grant_reply: false };
const WRITE: Rights = Rights { read: false, write: true, grant_reply: false };
const CALL: Rights = Rights { read: false, write: true, grant_reply: true };

impl Wiring {
    pub fn new(layout: &Layout) -> Result<Wiring> {
        let blank_ring = RingOut { vaddr: 0, capacity: 0, credit_vaddr: None, doorbell: 0, credit_bit: 0 };
        let mut wiring = Wiring {
            pds: Vec::new(),
            root: RootPlan {
                display: blank_ring,
                logs: Vec::new(),
                signals: Vec::new(),
                tick_bit: ROOT_TICK,
                focus: None,
                region: Region::new(ROOT_CHANNELS, ROOT_CHANNELS_END),
            },
            memories: Vec::new(),
            edges: Vec::new(),
        };
        for _ in &layout.pds {
            wiring.pds.push(PdPlan {
                caps: Vec::new(),
                constants: Vec::new(),
                fault_slot: 0,
                notification_slot: 0,
                server_slot: None,
                supervisor_slot: None,
                log: None,
                dma: None,
                region: Region::new(CHANNELS, CHANNELS_END),
                bits: 0,
            });
        }
        let mut wire = Wire { layout, wiring };
        for pd in 0..layout.pds.len() {
            wire.own(pd)?;
        }
        wire.root_display()?;
        wire.root_focus()?;
        for channel in 0..layout.channels.len() {
            wire.channel(channel)?;
        }
        wire.ticks()?;
        for (pd, plan) in wire.wiring.pds.iter().enumerate() {
            if plan.bits > BITS {
                return Err(Error::TooManyBits { pd: layout.pds[pd].name.clone(), bits: plan.bits });
            }
        }
        Ok(wire.wiring)
    }
}

/// The wiring in the making.
struct Wire<'a> {
    layout: &'a Layout,
    wiring: Wiring,
}

impl Wire<'_> {
    fn name(&self, party: Party) -> String {
        match party {
            Party::Root => "root".into(),
            Party::Pd(pd) => self.layout.pds[pd].name.clone(),
        }
    }

    fn cap(&mut self, pd: PdIndex, thing: Thing, rights: Rights, badge: u64, peer: Party) -> u64 {
        let caps = &mut self.wiring.pds[pd].caps;
        let slot = caps.len() as u64 + 1; // slot 0 stays empty
        caps.push(CapPlan { slot, thing, rights, badge, peer });
        slot
    }

    /// A capability with which `party` sets `bit` of `target`'s notification. Root's signals count from 1 as slots do.
    fn signal(&mut self, party: Party, target: Party, bit: u64) -> u64 {
        let thing = Thing::Notification(target);
        match party {
            Party::Pd(pd) => {
                // A program in another language has one way to signal each peer, for all of its reasons.
                if !self.rust(pd) {
                    let known = self.wiring.pds[pd].caps.iter_mut().find(|c| c.thing == thing && c.rights == WRITE);
                    if let Some(cap) = known {
                        cap.badge |= bit;
                        return cap.slot;
                    }
                }
                self.cap(pd, thing, WRITE, bit, target)
            }
            Party::Root => {
                let slot = self.wiring.root.signals.len() as u64 + 1;
                self.wiring.root.signals.push(CapPlan { slot, thing, rights: WRITE, badge: bit, peer: target });
                slot
            }
        }
    }

    fn rust(&self, pd: PdIndex) -> bool {
        matches!(self.layout.pds[pd].program, crate::ProgramKind::Rust { .. })
    }

    /// The next bit of a PD's notification.
    fn bit(&mut self, pd: PdIndex) -> u64 {
        let bits = &mut self.wiring.pds[pd].bits;
        *bits += 1;
        1 << (*bits - 1).min(63)
    }

    fn place(&mut self, party: Party, bytes: u64) -> Result<u64> {
        let region = match party {
            Party::Root => &mut self.wiring.root.region,
            Party::Pd(pd) => &mut self.wiring.pds[pd].region,
        };
        region.place(bytes).ok_or_else(|| Error::NoRoom { pd: self.name(party), region: "channels" })
    }

    /// Makes a piece of memory and maps it: `writer` read-write, `readers` read-only.
    fn shared(&mut self, name: String, bytes: u64, writer: Party, readers: &[Party]) -> Result<Vec<u64>> {
        let mut users = Vec::new();
        for (i, &party) in std::iter::once(&writer).chain(readers).enumerate() {
            users.push((party, self.place(party, bytes)?, i == 0));
        }
        let at = users.iter().map(|u| u.1).collect();
        self.wiring.memories.push(MemoryPlan { name, bytes, paddr: None, part: Part::None, users });
        Ok(at)
    }

    fn edge(&mut self, name: &str, from: Party, to: Party, kind: EdgeKind, what: &str) {
        self.wiring.edges.push(Edge { name: name.into(), from, to, kind, what: what.into() });
    }

    /// What a PD holds whatever its channels: fault endpoint, notification, endpoint, devices.
    fn own(&mut self, pd: PdIndex) -> Result<()> {
        let table = &self.layout.pds[pd];
        let root = Party::Root;
        // The kernel sends faults as calls, so it wants the right to be answered; root never does.
        self.wiring.pds[pd].fault_slot = self.cap(pd, Thing::Fault, CALL, spec::label::BADGE_FAULT, root);
        self.edge("fault", Party::Pd(pd), root, EdgeKind::Rpc, "faults and panics; nothing is ever answered");
        self.wiring.pds[pd].notification_slot = self.cap(pd, Thing::Notification(Party::Pd(pd)), READ, 0, root);
        let serves = self.layout.channels.iter().any(|c| matches!(c.kind, ChannelKind::Rpc { server, .. } if server == pd));
        if serves {
            self.wiring.pds[pd].server_slot = Some(self.cap(pd, Thing::Endpoint(pd), READ, 0, root));
        }
        if table.supervisor {
            let slot = self.cap(pd, Thing::Supervisor, CALL, spec::label::BADGE_REQUEST, root);
            self.wiring.pds[pd].supervisor_slot = Some(slot);
            self.edge("supervisor", Party::Pd(pd), root, EdgeKind::Rpc, "status, capabilities, log, power off");
        }
        for &d in &table.devices {
            let device = &self.layout.platform.devices[d];
            if device.irq.is_some() {
                let bit = self.bit(pd);
                let slot = self.cap(pd, Thing::Irq(d), Rights::default(), bit, root);
                let irq = Constant::Irq { device: device.name.clone(), irq: Irq { slot, bit } };
                self.wiring.pds[pd].constants.push(irq);
            }
            for (number, &(first, last)) in device.ports.iter().enumerate() {
                let slot = self.cap(pd, Thing::Ports(d, number), Rights::default(), 0, root);
                self.wiring.pds[pd].constants.push(Constant::Ports {
                    device: device.name.clone(),
                    number: (device.ports.len() > 1).then_some(number),
                    ports: Ports { slot, first, last },
                });
            }
            for (number, &(paddr, bytes)) in device.registers.iter().enumerate() {
                let name = match device.registers.len() {
                    1 => device.name.clone(),
                    _ => format!("{}-{number}", device.name),
                };
                let vaddr = self.place(Party::Pd(pd), bytes)?;
                let users = vec![(Party::Pd(pd), vaddr, true)];
                let what = format!("{name} registers");
                self.wiring.memories.push(MemoryPlan { name: what, bytes, paddr: Some(paddr), part: Part::None, users });
                self.wiring.pds[pd].constants.push(Constant::Memory { name, memory: Memory { vaddr, bytes } });
            }
        }
        if table.dma_bytes > 0 {
            let dma = Dma { vaddr: self.place(Party::Pd(pd), table.dma_bytes)?, bytes: table.dma_bytes };
            self.wiring.pds[pd].dma = Some(dma);
            self.wiring.pds[pd].constants.push(Constant::Dma(dma));
        }
        if table.log_bytes > 0 {
            let (out, into) = self.ring("log", Party::Pd(pd), root, table.log_bytes, false, false)?;
            self.wiring.pds[pd].log = Some(out);
            self.wiring.root.logs.push((pd, into));
            self.edge("log", Party::Pd(pd), root, EdgeKind::OneWayRing, "log lines");
        }
        Ok(())
    }

    fn ring(
        &mut self,
        name: &str,
        from: Party,
        to: Party,
        capacity: u64,
        credit: bool,
        bell: bool,
    ) -> Result<(RingOut, RingIn)> {
        if !capacity.is_power_of_two() || capacity < PAGE {
            return Err(Error::RingCapacity { channel: name.into(), bytes: capacity });
        }
        let what = format!("{name}: {} to {}", self.name(from), self.name(to));
        let data = self.shared(what.clone(), PAGE + capacity, from, &[to])?;
        let ring = self.wiring.memories.len() - 1;
        self.wiring.memories[ring].part = Part::Producer;
        // Of a one-way ring the consumer alone sees its page. Root is never started again, so it keeps none.
        let page = match (credit, to) {
            (true, _) => Some(self.shared(format!("{what}, credits"), PAGE, to, &[from])?),
            (false, Party::Pd(_)) => Some(self.shared(format!("{what}, position"), PAGE, to, &[])?),
            (false, Party::Root) => None,
        };
        if page.is_some() {
            self.wiring.memories[ring + 1].part = Part::Consumer(ring);
        }
        let mut out = RingOut {
            vaddr: data[0],
            capacity,
            credit_vaddr: page.as_ref().and_then(|at| at.get(1).copied()),
            doorbell: 0,
            credit_bit: 0,
        };
        let mut into = RingIn {
            vaddr: data[1],
            capacity,
            page_vaddr: page.as_ref().map(|at| at[0]),
            credit,
            bit: 0,
            credit_bell: 0,
        };
        if let (true, Party::Pd(consumer)) = (bell, to) {
            into.bit = self.bit(consumer);
            out.doorbell = self.signal(from, to, into.bit);
        }
        if let (true, Party::Pd(producer)) = (credit, from) {
            out.credit_bit = self.bit(producer);
            into.credit_bell = self.signal(to, from, out.credit_bit);
        }
        Ok((out, into))
    }

    /// The trusted path to root. Root has one thing to wait on, so this rings where ticks do.
    fn root_focus(&mut self) -> Result<()> {
        let Some(key) = self.layout.root.focus_key else { return Ok(()) };
        let display = self.layout.display().ok_or(Error::NoDisplay)?;
        let from = Party::Pd(display);
        let (mut out, mut ring) = self.ring("focus", from, Party::Root, PAGE, false, false)?;
        ring.bit = ROOT_FOCUS;
        out.doorbell = self.signal(from, Party::Root, ROOT_FOCUS);
        self.wiring.root.focus = Some(ring);
        let focus = Some(Focus { key, label: self.layout.root.label.clone() });
        self.wiring.pds[display].constants.push(Constant::RingOut { name: "focus".into(), to: Party::Root, ring: out, focus });
        self.edge("focus", from, Party::Root, EdgeKind::OneWayRing, "what the person types to root itself");
        Ok(())
    }

    /// Root's lines to the person. With credits, so that a serial that starts again finds the sentences that it has not
    /// shown; root looks at them when it ticks, and nobody can ring at it.
    fn root_display(&mut self) -> Result<()> {
        let display = self.layout.display().ok_or(Error::NoDisplay)?;
        let root = &self.layout.root;
        let (out, ring) = self.ring("display", Party::Root, Party::Pd(display), root.display_bytes, true, true)?;
        self.wiring.root.display = out;
        let shown = Shown { label: root.label.clone(), reserved: true, edits: false };
        self.wiring.pds[display].constants.push(Constant::RingIn {
            name: "display".into(),
            from: Party::Root,
            ring,
            display: Some(shown),
        });
        self.edge("display", Party::Root, Party::Pd(display), EdgeKind::CreditRing, "news of the system, results of requests");
        Ok(())
    }

    fn channel(&mut self, index: usize) -> Result<()> {
        let channel = &self.layout.channels[index];
        let name = channel.name.clone();
        match &channel.kind {
            ChannelKind::Ring { from, to, bytes, credit, display, focus_key } => {
                let (a, b) = (Party::Pd(*from), Party::Pd(*to));
                let (out, into) = self.ring(&name, a, b, *bytes, *credit, true)?;
                let shown = display.as_ref().map(|d| Shown { label: d.label.clone(), reserved: d.reserved, edits: d.edits });
                let focus = focus_key.map(|key| Focus { key, label: self.name(b) });
                self.wiring.pds[*from].constants.push(Constant::RingOut { name: name.clone(), to: b, ring: out, focus });
                self.wiring.pds[*to].constants.push(Constant::RingIn { name: name.clone(), from: a, ring: into, display: shown });
                let kind = if *credit { EdgeKind::CreditRing } else { EdgeKind::OneWayRing };
                self.edge(&name, a, b, kind, &channel.what);
            }
            ChannelKind::Rpc { client, server } => {
                let badge = spec::label::BADGE_CALLER | (*client as u64 + 1);
                let slot = self.cap(*client, Thing::Endpoint(*server), CALL, badge, Party::Pd(*server));
                let (client_name, server_name) = (self.name(Party::Pd(*client)), self.name(Party::Pd(*server)));
                self.wiring.pds[*client].constants.push(Constant::Client { server: server_name, slot });
                self.wiring.pds[*server].constants.push(Constant::Caller { client: client_name, badge });
                self.edge(&name, Party::Pd(*client), Party::Pd(*server), EdgeKind::Rpc, &channel.what);
            }
            ChannelKind::Notification { from, to } => {
                let bit = self.bit(*to);
                let slot = self.signal(Party::Pd(*from), Party::Pd(*to), bit);
                self.wiring.pds[*from].constants.push(Constant::SignalOut { name: name.clone(), to: Party::Pd(*to), slot });
                self.wiring.pds[*to].constants.push(Constant::SignalIn { name: name.clone(), bit });
                self.edge(&name, Party::Pd(*from), Party::Pd(*to), EdgeKind::Notification, &channel.what);
            }
            ChannelKind::Page { from, to } => {
                let readers: Vec<Party> = to.iter().map(|pd| Party::Pd(*pd)).collect();
                let at = self.shared(name.clone(), PAGE, Party::Pd(*from), &readers)?;
                for (pd, vaddr) in std::iter::once(from).chain(to).zip(at) {
                    let memory = Memory { vaddr, bytes: PAGE };
                    self.wiring.pds[*pd].constants.push(Constant::Memory { name: name.clone(), memory });
                }
                for reader in readers {
                    self.edge(&name, Party::Pd(*from), reader, EdgeKind::SharedPage, &channel.what);
                }
            }
        }
        Ok(())
    }

    /// One-way ticks, at the period that each PD asks for.
    fn ticks(&mut self) -> Result<()> {
        let Some(clock) = self.layout.pds.iter().position(|pd| pd.sends_ticks) else {
            return Err(Error::NoClock { wanted_by: "root".into() });
        };
        let tick_out = |slot, period_us| Constant::TickOut { slot, period_us };
        let slot = self.signal(Party::Pd(clock), Party::Root, ROOT_TICK);
        self.wiring.pds[clock].constants.push(tick_out(slot, self.layout.root.tick_us));
        self.edge("tick", Party::Pd(clock), Party::Root, EdgeKind::Notification, "the time to look after PDs");
        for pd in 0..self.layout.pds.len() {
            let Some(period_us) = self.layout.pds[pd].tick_us else { continue };
            let bit = self.bit(pd);
            let slot = self.signal(Party::Pd(clock), Party::Pd(pd), bit);
            self.wiring.pds[clock].constants.push(tick_out(slot, period_us));
            self.wiring.pds[pd].constants.push(Constant::Tick { bit, period_us });
            self.edge("tick", Party::Pd(clock), Party::Pd(pd), EdgeKind::Notification, "time-outs");
        }
        Ok(())
    }
}

impl PdPlan {
    pub fn ring_in(&self, wanted: &str) -> Option<RingIn> {
        self.constants.iter().find_map(|c| match c {
            Constant::RingIn { name, ring, .. } if name == wanted => Some(*ring),
            _ => None,
        })
    }

    pub fn ring_out(&self, wanted: &str) -> Option<RingOut> {
        self.constants.iter().find_map(|c| match c {
            Constant::RingOut { name, ring, .. } if name == wanted => Some(*ring),
            _ => None,
        })
    }
}
