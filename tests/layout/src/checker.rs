//! A second opinion on a certificate, in at most 200 lines that share nothing with the rest of this package but the
//! certificate's format. It searches no paths: it derives the edges itself, as meetings at an object, and sees that
//! what leaves a private PD is marked, that a mark goes on wherever it may, and that none is where none must be.

use spec::{label, Cap, Crossing, End, Map, MemoryKind, Object, System, Trust};
use std::collections::{BTreeMap, BTreeSet};

/// From, to, and the channel's name if the specification has one.
type Edge = (String, String, String);

/// Gives the number of edges, and of those marked.
pub fn check(system: &System, certificate: &str) -> Result<(usize, usize), String> {
    let hash: String = system.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let head = format!("certificate of the wall 1\nspecification\t{hash}\nmode\t");
    let body = certificate.strip_prefix(&head).ok_or("it is not for this specification")?;
    let (name, body) = body.split_once('\n').unwrap_or((body, ""));
    let mode = system.modes.iter().position(|mode| mode.name == name).ok_or("it names no mode of the specification")?;
    let (mut iommu, mut trusted) = (false, Vec::new());
    let (mut listed, mut marked) = (BTreeSet::<Edge>::new(), BTreeSet::<Edge>::new());
    for line in body.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["iommu", _] => iommu = true,
            ["trusted for memory", driver] => trusted.push(driver),
            ["edge", mark, from, to, name, _, _] => {
                let edge = (from.to_owned(), to.to_owned(), name.to_owned());
                marked.extend((mark == "private").then(|| edge.clone()));
                listed.insert(edge);
            }
            _ => return Err(format!("a line says nothing: {line}")),
        }
    }
    if system.pds.iter().any(|pd| pd.caps.iter().any(|c| c.object == Object::RootEndpoint && c.rights.read)) {
        return Err("somebody beside root receives on root's endpoint".into());
    }
    let edges = derive(system, mode, iommu, &trusted);
    if let Some((from, to, name)) = edges.symmetric_difference(&listed).next() {
        return Err(format!("of the edge from {from} to {to} `{name}` only one of certificate and specification knows"));
    }
    let sharing = name.rsplit('-').next() == Some("sharing");
    let trust = |place: &str| system.pds.iter().find(|pd| pd.name == place).map(|pd| (pd.trust, &pd.crossings));
    let private = |place: &str| trust(place).is_some_and(|(trust, _)| trust == Trust::Private);
    if let Some((from, to, name)) = edges.difference(&marked).find(|edge| private(&edge.0)) {
        return Err(format!("what {from} says to {to} `{name}` is private and not marked"));
    }
    for (from, to, name) in &marked {
        if to.starts_with("wire:") {
            return Err(format!("private data can travel from {from} to {to}"));
        }
        let crossings: Option<&[Crossing]> = match trust(to) {
            Some((Trust::Trusted, crossings)) => Some(crossings),
            None if to == "root" => Some(&system.root.crossings),
            _ if to == "device:console" => Some(&[]),
            _ => None,
        };
        for next @ (_, then, then_name) in edges.iter().filter(|next| next.0 == *to) {
            let over = |c: &&Crossing| speaks_of(&c.from, from, name) && speaks_of(&c.to, then, then_name);
            let shared = |c: &&Crossing| sharing && to == "gate" && is_share(c);
            let crossed = crossings.map(|list| list.iter().any(|c| over(&c) && !shared(&c)));
            if crossed == Some(true) && to == "gate" && trust(then).is_some_and(|(trust, _)| trust == Trust::Public) {
                return Err(format!("private data from {from} pass for what the person typed"));
            }
            if crossed.unwrap_or(true) && !marked.contains(next) {
                return Err(format!("{to} can pass on from {from} to {then} `{then_name}`, which is not marked"));
            }
        }
    }
    Ok((edges.len(), marked.len()))
}

fn is_share(crossing: &Crossing) -> bool {
    let from = matches!(&crossing.from, End::Channel { name, .. } if name == "share");
    from && matches!(&crossing.to, End::Channel { other: Some(other), .. } if other == "cloud")
}

fn speaks_of(end: &End, place: &str, channel: &str) -> bool {
    match (end, place.split_once(':')) {
        (End::Device { name }, Some((_, device))) => name == device,
        (End::Channel { name, other }, None) => {
            other.as_deref().unwrap_or(place) == place && (channel.is_empty() || channel == name)
        }
        _ => false,
    }
}

/// Where parties meet: who puts something in and who takes something out. Each who puts reaches each who takes.
#[derive(Default)]
struct Meetings(BTreeMap<String, (String, BTreeSet<String>, BTreeSet<String>)>);

impl Meetings {
    fn at(&mut self, place: String, channel: &str, party: &str, puts: bool, takes: bool) {
        let meeting = self.0.entry(place).or_insert_with(|| (channel.to_owned(), BTreeSet::new(), BTreeSet::new()));
        meeting.1.extend(puts.then(|| party.to_owned()));
        meeting.2.extend(takes.then(|| party.to_owned()));
    }
}

fn derive(system: &System, mode: usize, iommu: bool, trusted: &[&str]) -> BTreeSet<Edge> {
    let mut meet = Meetings::default();
    let mut edges = BTreeSet::new();
    let place = |name: &str| match system.pci.iter().find(|f| f.name == name) {
        Some(f) if f.id != 0x1001_1af4 && f.id != 0x1042_1af4 => format!("wire:{name}"),
        _ => format!("device:{name}"),
    };
    let name_of = |party: Option<u16>| party.map_or("root", |i| system.pds[usize::from(i)].name.as_str());
    let mut both = |a: &str, b: &str, name: &str| {
        edges.insert((a.to_owned(), b.to_owned(), name.to_owned()));
        edges.insert((b.to_owned(), a.to_owned(), name.to_owned()));
    };
    let root = &system.root;
    type Party<'a> = (Option<u16>, &'a [Cap], &'a [Map], Option<u16>);
    let mut parties: Vec<Party> = vec![(None, &root.signals, &root.maps, Some(root.notification))];
    for (i, pd) in system.pds.iter().enumerate().filter(|(_, pd)| pd.modes.has(mode)) {
        parties.push((Some(i as u16), &pd.caps, &pd.maps, pd.notification));
        both(&pd.name, "root", "power");
        let devices = pd.private.iter().filter_map(|area| Some(&system.pci[usize::from(area.dma?.device)]));
        devices.for_each(|function| both(&pd.name, &place(&function.name), ""));
    }
    for function in &system.pci {
        both("root", &place(&function.name), "power");
        let driver = &system.pds[usize::from(function.driver)];
        let trusted = driver.trust == Trust::Trusted || trusted.contains(&driver.name.as_str());
        if !iommu && function.can_dma && driver.modes.has(mode) && !trusted {
            parties.iter().for_each(|&(party, ..)| both(name_of(party), &place(&function.name), ""));
        }
    }
    let span = |i: usize| match system.memories[i].kind {
        MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } => Some((paddr, paddr + system.memories[i].bytes)),
        _ => None,
    };
    let meets = |a: (u64, u64), b: (u64, u64)| a.0 < b.1 && b.0 < a.1;
    for &(party, caps, maps, bound) in &parties {
        let me = name_of(party);
        for (i, notification) in system.notifications.iter().enumerate() {
            if notification.owner == party || bound == Some(i as u16) {
                meet.at(format!("notification {i}"), "", me, true, true);
            }
        }
        for (i, _) in system.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.owner == party) {
            meet.at(format!("endpoint {i}, there"), "", me, true, true);
            meet.at(format!("endpoint {i}, back"), "", me, true, false);
        }
        for map in maps.iter().filter(|map| map.modes.has(mode)) {
            let (i, memory) = (usize::from(map.memory), &system.memories[usize::from(map.memory)]);
            let ring = matches!(memory.kind, MemoryKind::Ring | MemoryKind::RingPage { .. });
            let device = matches!(memory.kind, MemoryKind::Device { .. });
            let channel = memory.name.rsplit_once(": ").filter(|_| ring).map_or(&*memory.name, |(name, _)| name);
            meet.at(format!("memory {i}"), channel, me, map.write, !device);
            for j in (0..system.memories.len()).filter(|j| *j != i) {
                if span(i).is_some_and(|a| span(j).is_some_and(|b| meets(a, b))) {
                    meet.at(format!("memory {j}"), &system.memories[j].name, me, false, true);
                }
            }
            let Some(here) = span(i).filter(|_| device) else { continue };
            let inside = system.pci.iter().filter(|f| f.bars.iter().any(|b| meets((b.1, b.1 + b.2), here)));
            let mut names: Vec<&str> = inside.map(|f| f.name.as_str()).collect();
            if names.is_empty() {
                let name = memory.name.strip_suffix(" registers").unwrap_or(&memory.name);
                let others = system.irqs.iter().map(|irq| &irq.name).chain(system.ports.iter().map(|p| &p.name));
                let known = |name: &str| others.clone().any(|other| other == name);
                let base = name.rsplit_once('-').map_or(name, |(base, _)| base);
                names.push(if !known(name) && known(base) { base } else { name });
            }
            names.iter().for_each(|name| both(me, &place(name), ""));
        }
        for cap in caps.iter().filter(|cap| cap.modes.has(mode)) {
            let (read, write) = (cap.rights.read, cap.rights.write);
            match cap.object {
                Object::Notification(i) => meet.at(format!("notification {i}"), "", me, read || write, read),
                Object::Endpoint(i) => {
                    meet.at(format!("endpoint {i}, there"), "", me, read || write, read);
                    meet.at(format!("endpoint {i}, back"), "", me, read, write);
                }
                Object::RootEndpoint if !write => {}
                Object::RootEndpoint if cap.badge & label::BADGE_FAULT != 0 => both(me, "root", "fault"),
                Object::RootEndpoint if cap.badge & label::BADGE_REQUEST != 0 => both(me, "root", "supervisor"),
                Object::RootEndpoint => both(me, "root", ""),
                Object::Irq(i) => {
                    let line = system.irqs[usize::from(i)].source;
                    system.irqs.iter().filter(|x| x.source == line).for_each(|x| both(me, &place(&x.name), ""));
                }
                Object::Ports(i) => {
                    let mine = &system.ports[usize::from(i)];
                    let meets = |first: u16, last: u16| first <= mine.last && mine.first <= last;
                    for range in system.ports.iter().filter(|other| meets(other.first, other.last)) {
                        let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
                        let split = range.name.rsplit_once(' ').filter(|(_, n)| number(n));
                        both(me, &place(split.map_or(&*range.name, |(base, _)| base)), "");
                    }
                    let config = root.pci_config.filter(|&(first, last)| meets(first, last));
                    config.iter().for_each(|_| system.pci.iter().for_each(|f| both(me, &place(&f.name), "")));
                }
            }
        }
    }
    for (name, putting, taking) in meet.0.into_values() {
        let pairs = putting.iter().flat_map(|from| taking.iter().map(|to| (from.clone(), to.clone(), name.clone())));
        edges.extend(pairs);
    }
    edges.into_iter().filter(|(from, to, _)| from != to).collect()
}
