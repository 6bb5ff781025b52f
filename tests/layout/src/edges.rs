//! Every edge of a mode, from capabilities, mappings and devices alone. [`System::channels`], which is for people,
//! plays no part; `told` compares the two afterwards.

use crate::graph::{device, Edge, Kind, ROOT};
use spec::{label, Cap, Map, Memory, MemoryKind, Object, Owned, System, Trust};
use std::collections::BTreeSet;

/// What the machine has, beside the layout.
#[derive(Clone, Debug)]
pub struct Platform {
    /// An IOMMU confines each device to the memory that the specification gives it.
    pub iommu: bool,
    /// Without one: drivers that we decide to trust not to point their device at other memory.
    pub trusted_for_memory: Vec<String>,
}

impl Platform {
    pub const WITH_IOMMU: Platform = Platform { iommu: true, trusted_for_memory: Vec::new() };
}

pub fn edges(system: &System, mode: usize, platform: &Platform) -> Vec<Edge> {
    let mut found = Edges { system, holders: holders(system, mode), edges: BTreeSet::new() };
    found.memories();
    found.endpoints();
    found.notifications();
    found.devices();
    found.dma(platform);
    found.power();
    found.edges.into_iter().collect()
}

/// Who holds what in one mode: root and the PDs that run.
struct Holder<'a> {
    name: &'a str,
    /// Index into [`System::pds`]; `None` for root.
    index: Option<u16>,
    caps: Vec<&'a Cap>,
    maps: Vec<&'a Map>,
    bound: Option<u16>,
}

fn holders(system: &System, mode: usize) -> Vec<Holder<'_>> {
    fn caps(list: &[Cap], mode: usize) -> Vec<&Cap> {
        list.iter().filter(|cap| cap.modes.has(mode)).collect()
    }
    // A mapping counts in the modes that it names, whether the memory says that it exists then or not.
    fn maps(list: &[Map], mode: usize) -> Vec<&Map> {
        list.iter().filter(|map| map.modes.has(mode)).collect()
    }
    let root = Holder {
        name: ROOT,
        index: None,
        caps: caps(&system.root.signals, mode),
        maps: maps(&system.root.maps, mode),
        bound: Some(system.root.notification),
    };
    let running = system.pds.iter().enumerate().filter(|(_, pd)| pd.modes.has(mode));
    let pds = running.map(|(index, pd)| Holder {
        name: &pd.name,
        index: Some(index as u16),
        caps: caps(&pd.caps, mode),
        maps: maps(&pd.maps, mode),
        bound: pd.notification,
    });
    std::iter::once(root).chain(pds).collect()
}

struct Edges<'a> {
    system: &'a System,
    holders: Vec<Holder<'a>>,
    edges: BTreeSet<Edge>,
}

impl<'a> Edges<'a> {
    fn add(&mut self, from: &str, to: &str, kind: Kind, name: &str, reason: &str) {
        if from != to {
            let (from, to, name, reason) = (from.into(), to.into(), name.into(), reason.into());
            self.edges.insert(Edge { from, to, kind, name, reason });
        }
    }

    fn both_ways(&mut self, holder: &str, device: &str, kind: Kind, reason: &str) {
        self.add(holder, device, kind, "", reason);
        self.add(device, holder, kind, "", reason);
    }

    /// Mappers of a memory, and whether they may write.
    fn mappers(&self, memory: usize) -> Vec<(&'a str, bool)> {
        let of = |holder: &Holder<'a>| -> Vec<(&'a str, bool)> {
            let maps = holder.maps.iter().filter(|map| usize::from(map.memory) == memory);
            maps.map(|map| (holder.name, map.write)).collect()
        };
        self.holders.iter().flat_map(of).collect()
    }

    fn memories(&mut self) {
        let memories = &self.system.memories;
        for (i, memory) in memories.iter().enumerate() {
            let kind = match memory.kind {
                MemoryKind::Ring => Kind::Ring,
                MemoryKind::RingPage { .. } => Kind::Credits,
                MemoryKind::Ram | MemoryKind::Loaded { .. } | MemoryKind::Device { .. } => Kind::Page,
            };
            for (j, other) in memories.iter().enumerate() {
                // Of one device's registers, the device itself is the place where ways meet.
                let same = i == j && !matches!(memory.kind, MemoryKind::Device { .. });
                if !same && (i == j || !overlap(memory, other)) {
                    continue;
                }
                let reason = format!("memory {i} `{}`", memory.name);
                for (writer, _) in self.mappers(i).into_iter().filter(|(_, write)| *write) {
                    for (reader, _) in self.mappers(j) {
                        self.add(writer, reader, kind, channel_name(memory), &reason);
                    }
                }
            }
        }
    }

    fn endpoints(&mut self) {
        for (i, endpoint) in self.system.endpoints.iter().enumerate() {
            let own = self.owner(endpoint);
            self.endpoint(Object::Endpoint(i as u16), own, &format!("endpoint {i} `{}`", endpoint.name));
        }
        self.endpoint(Object::RootEndpoint, Some(ROOT), "root's endpoint");
    }

    fn endpoint(&mut self, object: Object, owner: Option<&'a str>, reason: &str) {
        let of = self.caps_of(|o| o == object);
        let mut readers: BTreeSet<&str> = of.iter().filter(|(_, cap)| cap.rights.read).map(|(name, _)| *name).collect();
        readers.extend(owner);
        for &(caller, cap) in of.iter().filter(|(_, cap)| cap.rights.write) {
            let (kind, name) = match object {
                Object::RootEndpoint if cap.badge & label::BADGE_FAULT != 0 => (Kind::Fault, "fault"),
                Object::RootEndpoint if cap.badge & label::BADGE_REQUEST != 0 => (Kind::Call, "supervisor"),
                _ => (Kind::Call, ""),
            };
            let reason = format!("{reason}, slot {} of {caller}", cap.slot);
            for reader in &readers {
                self.add(caller, reader, kind, name, &reason);
                self.add(reader, caller, Kind::Reply, name, &reason);
            }
        }
        // What one takes, the other does not get.
        for first in &readers {
            for second in &readers {
                self.add(first, second, Kind::Call, "", reason);
            }
        }
    }

    fn notifications(&mut self) {
        for (i, notification) in self.system.notifications.iter().enumerate() {
            let reason = format!("notification {i} `{}`", notification.name);
            let of = self.caps_of(|o| o == Object::Notification(i as u16));
            let mut waiting: BTreeSet<&str> =
                of.iter().filter(|(_, cap)| cap.rights.read).map(|(name, _)| *name).collect();
            waiting.extend(self.owner(notification));
            waiting.extend(self.holders.iter().filter(|h| h.bound == Some(i as u16)).map(|h| h.name));
            for waits in &waiting {
                for (signals, _) in of.iter().filter(|(_, cap)| cap.rights.write) {
                    self.add(signals, waits, Kind::Signal, "", &reason);
                }
                // Whoever waits takes the bits away from the others.
                for other in &waiting {
                    self.add(other, waits, Kind::Signal, "", &reason);
                }
            }
        }
    }

    /// Interrupts, I/O ports and registers: both ways, as reading a register is an action too.
    fn devices(&mut self) {
        let system = self.system;
        for (holder, cap) in self.caps_of(|o| matches!(o, Object::Irq(_) | Object::Ports(_))) {
            let reason = format!("slot {} of {holder}", cap.slot);
            match cap.object {
                Object::Irq(i) => {
                    let Some(irq) = system.irqs.get(usize::from(i)) else { continue };
                    // One line may stand in the specification twice.
                    for same in system.irqs.iter().filter(|other| other.source == irq.source) {
                        self.both_ways(holder, &device(system, &same.name), Kind::Interrupt, &reason);
                    }
                }
                Object::Ports(i) => {
                    let Some(range) = system.ports.get(usize::from(i)) else { continue };
                    let meets = |first: u16, last: u16| range.first <= last && first <= range.last;
                    for other in system.ports.iter().filter(|other| meets(other.first, other.last)) {
                        self.both_ways(holder, &device(system, port_device(&other.name)), Kind::Ports, &reason);
                    }
                    // Configuration space leads to every device.
                    if system.root.pci_config.is_some_and(|(first, last)| meets(first, last)) {
                        for function in &system.pci {
                            self.both_ways(holder, &device(system, &function.name), Kind::Ports, &reason);
                        }
                    }
                }
                _ => {}
            }
        }
        for (i, memory) in system.memories.iter().enumerate() {
            for place in register_places(system, memory) {
                for (holder, _) in self.mappers(i) {
                    self.both_ways(holder, &place, Kind::Registers, &format!("memory {i} `{}`", memory.name));
                }
            }
        }
    }

    fn dma(&mut self, platform: &Platform) {
        let system = self.system;
        for (i, function) in system.pci.iter().enumerate() {
            let place = device(system, &function.name);
            for pd in self.holders.iter().filter_map(|h| h.index).collect::<Vec<_>>() {
                let pd = &system.pds[usize::from(pd)];
                for area in pd.private.iter().filter(|area| area.dma.is_some_and(|dma| usize::from(dma.device) == i)) {
                    self.both_ways(
                        &pd.name,
                        &place,
                        Kind::Dma,
                        &format!("private memory `{}` of {}", area.name, pd.name),
                    );
                }
            }
            // A device whose driver does not run is off the bus (root-task/src/pci.rs).
            let Some(driver) = system.pds.get(usize::from(function.driver)) else { continue };
            let runs = self.holders.iter().any(|h| h.index == Some(function.driver));
            let confined = platform.iommu || !function.can_dma || driver.trust == Trust::Trusted;
            if runs && !confined && !platform.trusted_for_memory.contains(&driver.name) {
                let reason = format!("no IOMMU confines what {} tells the device", driver.name);
                for holder in self.holders.iter().map(|h| h.name).collect::<Vec<_>>() {
                    self.both_ways(holder, &place, Kind::AnyMemory, &reason);
                }
            }
        }
    }

    fn power(&mut self) {
        let system = self.system;
        for holder in self.holders.iter().skip(1).map(|h| h.name).collect::<Vec<_>>() {
            self.add(ROOT, holder, Kind::Power, "power", "root makes it and holds its objects");
            self.add(holder, ROOT, Kind::Power, "power", "root can map its memory and see its state");
        }
        for function in &system.pci {
            let place = device(system, &function.name);
            self.add(ROOT, &place, Kind::Power, "power", "PCI configuration space");
            self.add(&place, ROOT, Kind::Power, "power", "PCI configuration space");
        }
    }

    fn caps_of(&self, wanted: impl Fn(Object) -> bool) -> Vec<(&'a str, &'a Cap)> {
        let all = self.holders.iter().flat_map(|holder| holder.caps.iter().map(move |cap| (holder.name, *cap)));
        all.filter(|(_, cap)| wanted(cap.object)).collect()
    }

    /// Who receives on an object by having made it, in this mode.
    fn owner(&self, owned: &Owned) -> Option<&'a str> {
        self.holders.iter().find(|holder| holder.index == owned.owner).map(|holder| holder.name)
    }
}

/// Where in the physical address space a memory lies, if the specification says so. Other memory is new memory of
/// root's, which the kernel gives out once.
fn physical(memory: &Memory) -> Option<(u64, u64)> {
    match memory.kind {
        MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } => {
            Some((paddr, paddr.saturating_add(memory.bytes)))
        }
        _ => None,
    }
}

fn overlap(a: &Memory, b: &Memory) -> bool {
    let (Some((a, a_end)), Some((b, b_end))) = (physical(a), physical(b)) else { return false };
    a < b_end && b < a_end
}

/// `keys` of `keys: serial to shell`; of a page, all of it.
pub fn channel_name(memory: &Memory) -> &str {
    match memory.kind {
        MemoryKind::Ring | MemoryKind::RingPage { .. } => {
            memory.name.rsplit_once(": ").map_or(memory.name.as_str(), |(name, _)| name)
        }
        _ => &memory.name,
    }
}

/// The second range of `console` is called `console 1`.
fn port_device(range: &str) -> &str {
    match range.rsplit_once(' ') {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => range,
    }
}

/// The devices whose registers lie in a memory.
fn register_places(system: &System, memory: &Memory) -> Vec<String> {
    let MemoryKind::Device { .. } = memory.kind else { return Vec::new() };
    let Some((start, end)) = physical(memory) else { return Vec::new() };
    let functions = system
        .pci
        .iter()
        .filter(|function| function.bars.iter().any(|&(_, bar, bytes)| start < bar.saturating_add(bytes) && bar < end));
    let mut places: Vec<String> = functions.map(|function| device(system, &function.name)).collect();
    if places.is_empty() {
        let name = memory.name.strip_suffix(" registers").unwrap_or(&memory.name);
        // `console-1` is the second block of `console`.
        let known =
            |name: &str| system.irqs.iter().any(|irq| irq.name == name) || system.ports.iter().any(|p| p.name == name);
        let base = name.rsplit_once('-').map(|(base, _)| base).filter(|base| !known(name) && known(base));
        places.push(device(system, base.unwrap_or(name)));
    }
    places
}
