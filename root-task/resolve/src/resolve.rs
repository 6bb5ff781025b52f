//! One mode on one machine: the specification and the bytes that it refers to.

use crate::addresses::{self, round_up, Region};
use crate::error::{Error, Result};
use crate::parse::{Layout, Mode, PdIndex, ProgramKind};
use crate::wire::{CapPlan, Party, PdPlan, Thing, Wiring};
use crate::{blob, verify, Program};
use sha2::{Digest, Sha256};
use spec::handle::RingIn;
use spec::{
    Cap, Channel, Image, Irq, Map, Memory, MemoryKind, Model, Object, PageSize, Pd, PortRange, PrivateMemory, Root,
    Segment, Start, StartPage, System, Thread, Word, LARGE_PAGE, PAGE,
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

/// Resolves `mode`. `programs` holds the ELF file of every package and program by name.
pub fn resolve(
    layout: &Layout,
    wiring: &Wiring,
    mode: &Mode,
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
    let resolved = Resolve::new(layout, wiring, mode, machine).run(programs)?;
    verify(&resolved.system)?;
    Ok(resolved)
}

struct Resolve<'a> {
    layout: &'a Layout,
    wiring: &'a Wiring,
    mode: &'a Mode,
    machine: &'a Machine,
    system: System,
    payload: Vec<u8>,
    images: BTreeMap<String, Image>,
    /// Index of each of the wiring's memories in this mode.
    memories: Vec<Option<u16>>,
}

impl<'a> Resolve<'a> {
    fn new(layout: &'a Layout, wiring: &'a Wiring, mode: &'a Mode, machine: &'a Machine) -> Self {
        let loaded = |m: &ModelFile| Model { name: m.name.clone(), paddr: m.paddr, bytes: m.bytes };
        let (model, spare) = (machine.model.as_ref().map(loaded), machine.spare.as_ref().map(loaded));
        let system = System {
            version: spec::VERSION,
            hash: [0; 32],
            name: machine.name.clone(),
            kernel: machine.kernel.clone(),
            platform: layout.platform.name.clone(),
            mode: mode.title.clone(),
            cores: machine.cores,
            memory_bytes: machine.memory_bytes,
            model,
            spare,
            memories: Vec::new(),
            endpoints: Vec::new(),
            notifications: Vec::new(),
            irqs: Vec::new(),
            ports: Vec::new(),
            pds: Vec::new(),
            root: Root {
                maps: Vec::new(),
                display: wiring.root.display,
                logs: Vec::new(),
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
        Resolve {
            layout,
            wiring,
            mode,
            machine,
            system,
            payload: Vec::new(),
            images: BTreeMap::new(),
            memories: vec![None; wiring.memories.len()],
        }
    }

    fn run(mut self, programs: &BTreeMap<String, Vec<u8>>) -> Result<Resolved> {
        self.check_mode()?;
        self.objects();
        self.shared_memories();
        for (index, &pd) in self.mode.pds.iter().enumerate() {
            let pd = self.pd(index, pd, programs)?;
            self.system.pds.push(pd);
        }
        self.root();
        self.channels();
        self.system.hash = Sha256::digest(blob::encode(&self.system)?).into();
        Ok(Resolved { system: self.system, payload: self.payload })
    }

    fn runs(&self, party: Party) -> bool {
        match party {
            Party::Root => true,
            Party::Pd(pd) => self.mode.pds.contains(&pd),
        }
    }

    fn name(&self, party: Party) -> &str {
        match party {
            Party::Root => "root",
            Party::Pd(pd) => &self.layout.pds[pd].name,
        }
    }

    /// What a mode must have besides being a list of PDs.
    fn check_mode(&self) -> Result<()> {
        let clock = self.mode.pds.iter().any(|pd| self.layout.pds[*pd].sends_ticks);
        if !clock {
            let wanted_by = match self.mode.pds.iter().find(|pd| self.layout.pds[**pd].tick_us.is_some()) {
                Some(pd) => self.layout.pds[*pd].name.clone(),
                None => "root".into(),
            };
            return Err(Error::NoClock { wanted_by });
        }
        match self.layout.display() {
            Some(display) if self.mode.pds.contains(&display) => Ok(()),
            _ => Err(Error::NoDisplay),
        }
    }

    /// Endpoints, notifications, interrupts and ports that somebody of this mode holds.
    fn objects(&mut self) {
        self.system.notifications.push("root".into());
        for &pd in &self.mode.pds {
            self.system.notifications.push(self.layout.pds[pd].name.clone());
        }
        for &pd in &self.mode.pds {
            let table = &self.layout.pds[pd];
            if self.wiring.pds[pd].server_slot.is_some() {
                self.system.endpoints.push(table.name.clone());
            }
            for &d in &table.devices {
                let device = &self.layout.platform.devices[d];
                if let Some(source) = device.irq {
                    self.system.irqs.push(Irq { name: device.name.clone(), source });
                }
                for (n, &(first, last)) in device.ports.iter().enumerate() {
                    self.system.ports.push(PortRange { name: ports_name(&device.name, n), first, last });
                }
            }
        }
    }

    /// A shared memory exists if at least two of its users run; what has one user (device registers, a position in a
    /// ring) if that one does.
    fn shared_memories(&mut self) {
        for (i, memory) in self.wiring.memories.iter().enumerate() {
            let users = memory.users.iter().filter(|(party, ..)| self.runs(*party)).count();
            let writer = self.runs(memory.users[0].0);
            if writer && users >= memory.users.len().min(2) {
                self.memories[i] = Some(self.system.memories.len() as u16);
                let kind = match memory.paddr {
                    Some(paddr) => MemoryKind::Device { paddr },
                    None => MemoryKind::Ram,
                };
                let (name, bytes) = (memory.name.clone(), memory.bytes);
                self.system.memories.push(Memory { name, bytes, page: PageSize::Small, kind });
            }
        }
    }

    fn maps(&self, of: Party) -> Vec<Map> {
        let mut maps = Vec::new();
        for (memory, index) in self.wiring.memories.iter().zip(&self.memories) {
            let Some(index) = *index else { continue };
            for &(party, vaddr, write) in &memory.users {
                if party == of {
                    maps.push(Map { memory: index, vaddr, write });
                }
            }
        }
        maps
    }

    fn object(&self, thing: Thing) -> Object {
        let position = |list: &[String], name: &str| list.iter().position(|n| n == name).unwrap_or(usize::MAX) as u16;
        match thing {
            Thing::Endpoint(pd) => Object::Endpoint(position(&self.system.endpoints, &self.layout.pds[pd].name)),
            Thing::Notification(party) => Object::Notification(position(&self.system.notifications, self.name(party))),
            Thing::Irq(device) => {
                let names: Vec<String> = self.system.irqs.iter().map(|i| i.name.clone()).collect();
                Object::Irq(position(&names, &self.layout.platform.devices[device].name))
            }
            Thing::Ports(device, n) => {
                let names: Vec<String> = self.system.ports.iter().map(|p| p.name.clone()).collect();
                Object::Ports(position(&names, &ports_name(&self.layout.platform.devices[device].name, n)))
            }
            Thing::Fault | Thing::Supervisor => Object::RootEndpoint,
        }
    }

    fn caps(&self, plans: &[CapPlan], pd_index: u64) -> Vec<Cap> {
        let running = plans.iter().filter(|plan| self.runs(plan.peer));
        running
            .map(|plan| Cap {
                slot: plan.slot,
                object: self.object(plan.thing),
                rights: plan.rights,
                badge: match plan.thing {
                    Thing::Fault | Thing::Supervisor => plan.badge | pd_index,
                    _ => plan.badge,
                },
            })
            .collect()
    }

    fn pd(&mut self, index: usize, pd: PdIndex, programs: &BTreeMap<String, Vec<u8>>) -> Result<Pd> {
        let table = &self.layout.pds[pd];
        let plan = &self.wiring.pds[pd];
        let image = self.image(&table.name, &table.program, programs)?;
        let mut caps = self.caps(&plan.caps, index as u64);
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
            private.push(PrivateMemory { name, vaddr: addresses::HEAP, bytes, page: PageSize::Small });
        }
        let arena_bytes = if table.arena { round_up(self.machine.arena_bytes, LARGE_PAGE) } else { 0 };
        if arena_bytes > 0 {
            let (name, bytes) = ("arena".into(), arena_bytes);
            private.push(PrivateMemory { name, vaddr: addresses::ARENA, bytes, page: PageSize::Large });
        }
        let files = [("model", &self.machine.model, addresses::MODEL), ("spare model", &self.machine.spare, addresses::SPARE)];
        for (name, file, vaddr) in files {
            let (true, Some(file)) = (table.model, file) else { continue };
            let bytes = round_up(file.bytes, LARGE_PAGE);
            let memory = self.system.memories.len() as u16;
            let kind = MemoryKind::Loaded { paddr: file.paddr };
            self.system.memories.push(Memory { name: name.into(), bytes, page: PageSize::Large, kind });
            maps.push(Map { memory, vaddr, write: false });
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
                mode: self.mode.title.clone(),
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
            self.system.notifications.push(format!("{} thread {i}", self.layout.pds[pd].name));
            let rights = spec::Rights { read: true, write: true, grant_reply: false };
            caps.push(Cap { slot, object: Object::Notification(notification), rights, badge: 1 });
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
        self.system.root.signals = self.caps(&self.wiring.root.signals, 0);
        self.system.root.logs = self
            .mode
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
            if self.runs(edge.from) && self.runs(edge.to) {
                self.system.channels.push(Channel {
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
