//! The layout on one machine: the specification of all of its modes, and the bytes that it refers to.

use crate::addresses::{self, round_up, Region};
use crate::error::{Error, Result};
use crate::parse::{Layout, PdIndex, ProgramKind};
use crate::wire::{CapPlan, MemoryPlan, Part, Party, PdPlan, Thing, Wiring};
use crate::{blob, verify, Program};
use sha2::{Digest, Sha256};
use spec::handle::RingIn;
use spec::{
    Cap, Channel, Dma, End, Image, Irq, Map, Memory, MemoryKind, Mode, Model, Modes, Object, Owned, PageSize, PciFunction, Pd,
    PortRange, PrivateMemory, Root, Segment, Start, StartPage, System, Thread, Trust, Word, LARGE_PAGE, PAGE,
};
use std::collections::BTreeMap;

/// The machine and what does not come from the layout's files.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the boot banner says, for example `AlphaOS 0.1.0`.
    pub name: String,
    pub kernel: String,
    pub cores: u8,
    pub memory_bytes: u64,
    pub model: Option<ModelFile>,
    pub spare: Option<ModelFile>,
    /// llama's working memory; rounded up to large pages.
    pub arena_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct ModelFile {
    pub name: String,
    pub bytes: u64,
    /// Aligned to a large page.
    pub paddr: u64,
}

#[derive(Clone, Debug)]
pub struct Resolved {
    pub system: System,
    /// What segments' `payload_offset`s point into. Each lies there as it lies in its page.
    pub payload: Vec<u8>,
}

/// `programs` holds the ELF file of every package and program by name.
pub fn resolve(
    layout: &Layout,
    wiring: &Wiring,
    machine: &Machine,
    programs: &BTreeMap<String, Vec<u8>>,
) -> Result<Resolved> {
    let max = layout.platform.max_cores;
    if machine.cores == 0 || machine.cores > max {
        return Err(Error::Cores { cores: machine.cores, max });
    }
    for model in machine.model.iter().chain(&machine.spare) {
        if model.paddr % LARGE_PAGE != 0 {
            return Err(Error::Inconsistent { what: format!("the model at {:#x} is not aligned", model.paddr) });
        }
    }
    let resolved = Resolve::new(layout, wiring, machine).run(programs)?;
    verify(&resolved.system)?;
    Ok(resolved)
}

struct Resolve<'a> {
    layout: &'a Layout,
    wiring: &'a Wiring,
    machine: &'a Machine,
    /// Those that run in some mode, in the order of the specification.
    pds: Vec<PdIndex>,
    system: System,
    payload: Vec<u8>,
    images: BTreeMap<String, Image>,
    /// Index of each of the wiring's memories in the specification.
    memories: Vec<Option<u16>>,
}

impl<'a> Resolve<'a> {
    fn new(layout: &'a Layout, wiring: &'a Wiring, machine: &'a Machine) -> Self {
        let loaded = |m: &ModelFile| Model { name: m.name.clone(), paddr: m.paddr, bytes: m.bytes };
        let (model, spare) = (machine.model.as_ref().map(loaded), machine.spare.as_ref().map(loaded));
        let system = System {
            version: spec::VERSION,
            hash: [0; 32],
            name: machine.name.clone(),
            kernel: machine.kernel.clone(),
            platform: layout.platform.name.clone(),
            modes: layout.modes.iter().map(|m| Mode { name: m.name.clone(), title: m.title.clone() }).collect(),
            cores: machine.cores,
            memory_bytes: machine.memory_bytes,
            model,
            spare,
            memories: Vec::new(),
            endpoints: Vec::new(),
            notifications: Vec::new(),
            irqs: Vec::new(),
            ports: Vec::new(),
            pci: Vec::new(),
            pds: Vec::new(),
            root: Root {
                crossings: layout.root.crossings.clone(),
                maps: Vec::new(),
                display: wiring.root.display,
                logs: Vec::new(),
                focus: wiring.root.focus,
                pci_config: layout.platform.pci_config,
                notification: 0,
                tick_bit: wiring.root.tick_bit,
                tick_us: layout.root.tick_us,
                signals: Vec::new(),
                power_off: layout.platform.power_off,
                entropy: layout.platform.entropy,
                priority: layout.root.priority,
                spin_limit_us: layout.root.spin_limit_us,
            },
            channels: Vec::new(),
        };
        let runs = |pd: &PdIndex| layout.modes.iter().any(|mode| mode.pds.contains(pd));
        Resolve {
            layout,
            wiring,
            machine,
            pds: (0..layout.pds.len()).filter(runs).collect(),
            system,
            payload: Vec::new(),
            images: BTreeMap::new(),
            memories: vec![None; wiring.memories.len()],
        }
    }

    fn run(mut self, programs: &BTreeMap<String, Vec<u8>>) -> Result<Resolved> {
        self.check_modes()?;
        self.objects();
        self.shared_memories();
        for (index, pd) in self.pds.clone().into_iter().enumerate() {
            let pd = self.pd(index, pd, programs)?;
            self.system.pds.push(pd);
        }
        self.root();
        self.channels();
        self.check_private()?;
        self.check_crossings()?;
        self.system.hash = Sha256::digest(blob::encode(&self.system)?).into();
        Ok(Resolved { system: self.system, payload: self.payload })
    }

    /// The modes in which somebody runs.
    fn modes(&self, party: Party) -> Modes {
        let mut modes = Modes::default();
        for (i, mode) in self.layout.modes.iter().enumerate() {
            if matches!(party, Party::Root) || matches!(party, Party::Pd(pd) if mode.pds.contains(&pd)) {
                modes.add(i);
            }
        }
        modes
    }

    /// Somebody's index in the specification.
    fn index(&self, pd: PdIndex) -> u16 {
        self.pds.iter().position(|p| *p == pd).unwrap_or(usize::MAX) as u16
    }

    fn name(&self, party: Party) -> &str {
        match party {
            Party::Root => "root",
            Party::Pd(pd) => &self.layout.pds[pd].name,
        }
    }

    /// What a mode must have besides being a list of PDs.
    fn check_modes(&self) -> Result<()> {
        for mode in &self.layout.modes {
            if !mode.pds.iter().any(|pd| self.layout.pds[*pd].sends_ticks) {
                let wanted_by = match mode.pds.iter().find(|pd| self.layout.pds[**pd].tick_us.is_some()) {
                    Some(pd) => self.layout.pds[*pd].name.clone(),
                    None => "root".into(),
                };
                return Err(Error::NoClock { wanted_by });
            }
            if !self.layout.display().is_some_and(|display| mode.pds.contains(&display)) {
                return Err(Error::NoDisplay);
            }
        }
        Ok(())
    }

    /// Private PDs run on when the mode changes, so nothing that they hold may come or go with it.
    fn check_private(&self) -> Result<()> {
        for pd in self.system.pds.iter().filter(|pd| pd.trust == Trust::Private) {
            let caps = pd.caps.iter().map(|cap| (cap.modes, format!("the capability in slot {}", cap.slot)));
            let memories = &self.system.memories;
            let maps = pd.maps.iter().map(|map| (map.modes, format!("`{}`", memories[map.memory as usize].name)));
            for (modes, what) in caps.chain(maps) {
                if let Some(mode) = (0..self.layout.modes.len()).find(|m| pd.modes.has(*m) && !modes.has(*m)) {
                    let mode = self.layout.modes[mode].name.clone();
                    return Err(Error::ChangesWithMode { pd: pd.name.clone(), what, mode });
                }
            }
        }
        Ok(())
    }

    /// A crossing between edges that do not exist would say nothing, and hide a name that was misspelt.
    fn check_crossings(&self) -> Result<()> {
        let system = &self.system;
        let root = std::iter::once(("root", &system.root.crossings));
        for (pd, crossings) in root.chain(system.pds.iter().map(|pd| (pd.name.as_str(), &pd.crossings))) {
            for (end, into) in crossings.iter().flat_map(|c| [(&c.from, true), (&c.to, false)]) {
                let known = match end {
                    End::Device { name } => {
                        let driver = self.layout.pds.iter().find(|table| table.name == pd);
                        let mut devices = driver.into_iter().flat_map(|table| &table.devices);
                        devices.any(|d| self.layout.platform.devices[*d].name == *name)
                    }
                    End::Channel { name, other } => system.channels.iter().any(|channel| {
                        channel.name == *name && channel.leads(pd, other.as_deref(), into)
                    }),
                };
                if !known {
                    let (pd, end) = (pd.to_owned(), format!("{end:?}"));
                    return Err(Error::CrossingNowhere { pd, end });
                }
            }
        }
        Ok(())
    }

    /// Endpoints, notifications, interrupts, ports and PCI devices that somebody holds.
    fn objects(&mut self) {
        self.system.notifications.push(Owned { name: "root".into(), owner: None });
        for (index, &pd) in self.pds.iter().enumerate() {
            let (name, owner) = (self.layout.pds[pd].name.clone(), Some(index as u16));
            self.system.notifications.push(Owned { name, owner });
        }
        for (index, &pd) in self.pds.iter().enumerate() {
            let table = &self.layout.pds[pd];
            let driver = index as u16;
            if self.wiring.pds[pd].server_slot.is_some() {
                self.system.endpoints.push(Owned { name: table.name.clone(), owner: Some(driver) });
            }
            for &d in &table.devices {
                let device = &self.layout.platform.devices[d];
                if let Some(source) = device.irq {
                    self.system.irqs.push(Irq { name: device.name.clone(), driver, source });
                }
                for (n, &(first, last)) in device.ports.iter().enumerate() {
                    self.system.ports.push(PortRange { name: ports_name(&device.name, n), driver, first, last });
                }
                if let Some(pci) = &device.pci {
                    self.system.pci.push(PciFunction {
                        name: device.name.clone(),
                        bus: pci.bus,
                        device: pci.device,
                        function: pci.function,
                        id: pci.id,
                        bars: pci.bars.clone(),
                        driver,
                        can_dma: pci.can_dma,
                        reset: pci.reset,
                    });
                }
            }
        }
    }

    /// Memory of a PD that runs on when the mode changes stays where it is, whether there is somebody at the other end
    /// or not: what such a PD may touch never changes under it. Between public ones it is there when two of them are.
    fn memory_modes(&self, memory: &MemoryPlan) -> Modes {
        let stays = |party: Party| match party {
            Party::Root => true,
            Party::Pd(pd) => self.layout.pds[pd].trust != Trust::Public,
        };
        let mut modes = Modes::default();
        for mode in 0..self.layout.modes.len() {
            let users = memory.users.iter().filter(|(party, ..)| self.modes(*party).has(mode));
            if users.clone().any(|(party, ..)| stays(*party)) || users.count() >= memory.users.len().min(2) {
                modes.add(mode);
            }
        }
        modes
    }

    fn shared_memories(&mut self) {
        for (i, memory) in self.wiring.memories.iter().enumerate() {
            let mut modes = self.memory_modes(memory);
            if let Part::Consumer(ring) = memory.part {
                modes.0 &= self.memory_modes(&self.wiring.memories[ring]).0;
            }
            if modes == Modes::default() {
                continue;
            }
            self.memories[i] = Some(self.system.memories.len() as u16);
            let kind = match (memory.paddr, memory.part) {
                (Some(paddr), _) => MemoryKind::Device { paddr },
                (None, Part::None) => MemoryKind::Ram,
                (None, Part::Producer) => MemoryKind::Ring,
                (None, Part::Consumer(ring)) => MemoryKind::RingPage { ring: self.memories[ring].unwrap_or(u16::MAX) },
            };
            let (name, bytes) = (memory.name.clone(), memory.bytes);
            self.system.memories.push(Memory { name, modes, bytes, page: PageSize::Small, kind });
        }
    }

    fn maps(&self, of: Party) -> Vec<Map> {
        let mut maps = Vec::new();
        for (memory, index) in self.wiring.memories.iter().zip(&self.memories) {
            let Some(index) = *index else { continue };
            let exists = self.system.memories[index as usize].modes;
            for &(party, vaddr, write) in &memory.users {
                let modes = Modes(exists.0 & self.modes(party).0);
                if party == of && modes != Modes::default() {
                    maps.push(Map { memory: index, vaddr, write, modes });
                }
            }
        }
        maps
    }

    fn object(&self, thing: Thing) -> Object {
        fn position<T>(list: &[T], is: impl FnMut(&T) -> bool) -> u16 {
            list.iter().position(is).unwrap_or(usize::MAX) as u16
        }
        let system = &self.system;
        match thing {
            Thing::Endpoint(pd) => {
                Object::Endpoint(position(&system.endpoints, |e| e.owner == Some(self.index(pd))))
            }
            // A PD's own one comes first; llama has more.
            Thing::Notification(party) => {
                Object::Notification(position(&system.notifications, |n| n.name == self.name(party)))
            }
            Thing::Irq(device) => {
                Object::Irq(position(&system.irqs, |i| i.name == self.layout.platform.devices[device].name))
            }
            Thing::Ports(device, n) => {
                let name = ports_name(&self.layout.platform.devices[device].name, n);
                Object::Ports(position(&system.ports, |p| p.name == name))
            }
            Thing::Fault | Thing::Supervisor => Object::RootEndpoint,
        }
    }

    fn caps(&self, of: Party, plans: &[CapPlan], pd_index: u64) -> Vec<Cap> {
        let modes = |plan: &CapPlan| Modes(self.modes(of).0 & self.modes(plan.peer).0);
        let ever = plans.iter().filter(|plan| modes(plan) != Modes::default());
        ever.map(|plan| Cap {
            slot: plan.slot,
            object: self.object(plan.thing),
            rights: plan.rights,
            badge: match plan.thing {
                Thing::Fault | Thing::Supervisor => plan.badge | pd_index,
                _ => plan.badge,
            },
            modes: modes(plan),
        })
        .collect()
    }

    fn pd(&mut self, index: usize, pd: PdIndex, programs: &BTreeMap<String, Vec<u8>>) -> Result<Pd> {
        let table = &self.layout.pds[pd];
        let plan = &self.wiring.pds[pd];
        let image = self.image(&table.name, &table.program, programs)?;
        let mut caps = self.caps(Party::Pd(pd), &plan.caps, index as u64);
        let mut maps = self.maps(Party::Pd(pd));

        let no_room = |region| move || Error::NoRoom { pd: table.name.clone(), region };
        let mut region = Region::new(addresses::THREADS, addresses::THREADS_END);
        let start_vaddr = region.place(PAGE).ok_or_else(no_room("threads"))?;
        let count = if table.thread_per_core { self.machine.cores } else { 1 };
        let mut threads = Vec::new();
        for i in 0..count {
            let ipc_buffer = region.place(PAGE).ok_or_else(no_room("threads"))?;
            let stack_bytes = if i == 0 { table.stack_bytes } else { table.worker_stack_bytes };
            let stack = region.place(stack_bytes).ok_or_else(no_room("threads"))?;
            threads.push(Thread {
                entry: image.entry,
                argument: if i == 0 { start_vaddr } else { i.into() },
                priority: table.priority,
                core: i,
                stack_top: stack + stack_bytes,
                stack_bytes,
                ipc_buffer,
            });
        }

        let mut private = Vec::new();
        if table.heap_bytes > 0 {
            let (name, bytes) = ("heap".into(), table.heap_bytes);
            private.push(PrivateMemory { name, vaddr: addresses::HEAP, bytes, page: PageSize::Small, dma: None });
        }
        let arena_bytes = if table.arena { round_up(self.machine.arena_bytes, LARGE_PAGE) } else { 0 };
        if arena_bytes > 0 {
            let (name, bytes) = ("arena".into(), arena_bytes);
            private.push(PrivateMemory { name, vaddr: addresses::ARENA, bytes, page: PageSize::Large, dma: None });
        }
        if let Some(dma) = plan.dma {
            let master = self.system.pci.iter().position(|pci| pci.can_dma && pci.driver == index as u16);
            let device = master.unwrap_or(usize::MAX) as u16;
            private.push(PrivateMemory {
                name: "dma".into(),
                vaddr: dma.vaddr,
                bytes: dma.bytes,
                page: PageSize::Small,
                dma: Some(Dma { device, io_address: addresses::IO }),
            });
        }
        let files = [("model", &self.machine.model, addresses::MODEL), ("spare model", &self.machine.spare, addresses::SPARE)];
        for (name, file, vaddr) in files {
            let (true, Some(file)) = (table.model, file) else { continue };
            let bytes = round_up(file.bytes, LARGE_PAGE);
            let memory = self.system.memories.len() as u16;
            let kind = MemoryKind::Loaded { paddr: file.paddr };
            let modes = self.modes(Party::Pd(pd));
            self.system.memories.push(Memory { name: name.into(), modes, bytes, page: PageSize::Large, kind });
            maps.push(Map { memory, vaddr, write: false, modes });
        }

        let start = match &table.program {
            ProgramKind::Rust { .. } => StartPage::Rust(Start {
                version: spec::VERSION,
                name: table.name.clone(),
                epoch: 0,
                ipc_buffer: threads[0].ipc_buffer,
                heap_vaddr: addresses::HEAP,
                heap_bytes: table.heap_bytes,
                tsc_hz: 0,
                seed: None,
                cores: self.machine.cores,
                memory_bytes: self.machine.memory_bytes,
                mode: String::new(),
                dma_base: 0,
                model: self.system.model.clone(),
                spare: self.system.spare.clone(),
                fault_slot: plan.fault_slot,
                log: plan.log,
            }),
            ProgramKind::Llama => self.llama_start(pd, plan, count, arena_bytes, &mut caps)?,
        };
        let slots = caps.iter().map(|c| c.slot + 1).max().unwrap_or(1);
        Ok(Pd {
            name: table.name.clone(),
            purpose: table.purpose.clone(),
            trust: table.trust,
            crossings: table.crossings.clone(),
            modes: self.modes(Party::Pd(pd)),
            cnode_bits: slots.next_power_of_two().trailing_zeros().max(4) as u8,
            image,
            threads,
            private,
            start_vaddr,
            start,
            caps,
            maps,
            notification: Some(match self.object(Thing::Notification(Party::Pd(pd))) {
                Object::Notification(i) => i,
                _ => unreachable!("a notification is a notification"),
            }),
        })
    }

    /// The program's segments, its bytes appended to the payload once.
    fn image(&mut self, pd: &str, kind: &ProgramKind, programs: &BTreeMap<String, Vec<u8>>) -> Result<Image> {
        let name = kind.name();
        if let Some(image) = self.images.get(name) {
            return Ok(image.clone());
        }
        let file =
            programs.get(name).ok_or_else(|| Error::ProgramMissing { pd: pd.into(), program: name.into() })?;
        let program = Program::parse(name, file)?;
        let mut segments = Vec::new();
        for segment in program.segments {
            let at = round_up(self.payload.len() as u64, PAGE) + segment.vaddr % PAGE;
            self.payload.resize(at as usize, 0);
            self.payload.extend_from_slice(&segment.data);
            segments.push(Segment {
                vaddr: segment.vaddr,
                memory_bytes: segment.memory_bytes,
                payload_offset: at,
                payload_bytes: segment.data.len() as u64,
                write: segment.write,
                execute: segment.execute,
            });
        }
        let image = Image { entry: program.entry, segments };
        self.images.insert(name.into(), image.clone());
        Ok(image)
    }

    /// `struct alpha_llama_start` of inference-server/llama/program/start.h, and a notification for each thread.
    fn llama_start(&mut self, pd: PdIndex, plan: &PdPlan, threads: u8, arena: u64, caps: &mut Vec<Cap>) -> Result<StartPage> {
        let wrong = |what: &str| Error::Inconsistent { what: format!("{}: {what}", self.layout.pds[pd].name) };
        let commands = plan.ring_in("commands").ok_or_else(|| wrong("it has no ring `commands`"))?;
        let replies = plan.ring_out("replies").ok_or_else(|| wrong("it has no ring `replies`"))?;
        let (Some(commands_tail), true, Some(replies_tail)) = (commands.page_vaddr, commands.credit, replies.credit_vaddr)
        else {
            return Err(wrong("its rings have no credits"));
        };
        if replies.doorbell != commands.credit_bell {
            return Err(wrong("its rings lead to two different PDs"));
        }

        let mut thread_caps = [0; 8];
        let mut slot = caps.iter().map(|c| c.slot + 1).max().unwrap_or(1);
        for (i, thread_cap) in thread_caps.iter_mut().enumerate().take(threads.into()) {
            let notification = self.system.notifications.len() as u16;
            let name = format!("{} thread {i}", self.layout.pds[pd].name);
            self.system.notifications.push(Owned { name, owner: Some(self.index(pd)) });
            let rights = spec::Rights { read: true, write: true, grant_reply: false };
            let modes = self.modes(Party::Pd(pd));
            caps.push(Cap { slot, object: Object::Notification(notification), rights, badge: 1, modes });
            *thread_cap = slot;
            slot += 1;
        }

        let model_bytes = self.machine.model.as_ref().map_or(0, |m| m.bytes);
        let mut words: Vec<u64> = vec![
            u64::from_le_bytes(*b"ALPLLAMA"),
            2,
            42 * 8,
            threads.into(),
            if arena > 0 { addresses::ARENA } else { 0 },
            arena,
            if model_bytes > 0 { addresses::MODEL } else { 0 },
            model_bytes,
            commands.vaddr,
            commands.capacity,
            commands_tail,
            replies.vaddr,
            replies.capacity,
            replies_tail,
            plan.notification_slot,
            replies.doorbell,
        ];
        words.extend(thread_caps);
        let mut words: Vec<Word> = words.into_iter().map(Word::Const).collect();
        words.push(Word::TscHz);
        words.push(Word::Epoch);
        words.extend(name_words(self.machine.model.as_ref()));
        let spare_bytes = self.machine.spare.as_ref().map_or(0, |m| m.bytes);
        words.push(Word::Const(if spare_bytes > 0 { addresses::SPARE } else { 0 }));
        words.push(Word::Const(spare_bytes));
        words.extend(name_words(self.machine.spare.as_ref()));
        Ok(StartPage::Words(words))
    }

    fn root(&mut self) {
        self.system.root.maps = self.maps(Party::Root);
        self.system.root.signals = self.caps(Party::Root, &self.wiring.root.signals, 0);
        self.system.root.logs = self
            .pds
            .iter()
            .enumerate()
            .filter_map(|(index, pd)| {
                let log: &(PdIndex, RingIn) = self.wiring.root.logs.iter().find(|(of, _)| of == pd)?;
                Some((index as u16, log.1))
            })
            .collect();
    }

    fn channels(&mut self) {
        for edge in &self.wiring.edges {
            let modes = Modes(self.modes(edge.from).0 & self.modes(edge.to).0);
            if modes != Modes::default() {
                self.system.channels.push(Channel {
                    modes,
                    name: edge.name.clone(),
                    from: self.name(edge.from).into(),
                    to: self.name(edge.to).into(),
                    kind: edge.kind,
                    what: edge.what.clone(),
                });
            }
        }
    }
}

/// A file's name in the seven words that the start page has for it.
fn name_words(file: Option<&ModelFile>) -> impl Iterator<Item = Word> {
    let name = file.map_or("", |file| &file.name);
    let mut bytes = [0u8; 56];
    let mut length = name.len().min(55);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    let word = |i: usize| Word::Const(u64::from_le_bytes(core::array::from_fn(|k| bytes[8 * i + k])));
    (0..7).map(word).collect::<Vec<_>>().into_iter()
}

fn ports_name(device: &str, n: usize) -> String {
    match n {
        0 => device.into(),
        _ => format!("{device} {n}"),
    }
}
