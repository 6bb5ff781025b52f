//! The files of fixtures/: the first line is the sentence that people read; the rest is added to base.toml.
//! `# without: LINE` takes a line of the base away, `# after LINE: OTHER` adds one inside of it, `# then: ...` spoils
//! the resolved specification where the resolver already refuses the fault in TOML, `# platform: no iommu` is the
//! machine.

use super::{resolved, BASE};
use spec::{
    label, Cap, Crossing, Dma, End, Map, MemoryKind, Modes, Object, PageSize, PrivateMemory, Rights, StartPage, System,
    PAGE,
};
use std::fs;
use std::path::Path;
use wall::Platform;

pub struct Fixture {
    pub name: String,
    pub sentence: String,
    text: String,
}

pub fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("base") {
            let text = fs::read_to_string(&path).unwrap();
            let (sentence, text) = text.split_once('\n').unwrap();
            all.push(Fixture { name, sentence: sentence.to_owned(), text: text.to_owned() });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Fixture {
    pub fn platform(&self) -> Platform {
        let iommu = !self.text.lines().any(|line| line == "# platform: no iommu");
        Platform { iommu, trusted_for_memory: Vec::new() }
    }

    /// With one more line.
    pub fn and(mut self, line: &str) -> Fixture {
        self.text.push_str(line);
        self
    }

    pub fn system(&self) -> System {
        let mut lines: Vec<&str> = BASE.lines().collect();
        for line in self.text.lines() {
            if let Some(gone) = line.strip_prefix("# without: ") {
                let before = lines.len();
                lines.retain(|line| *line != gone);
                assert!(lines.len() < before, "{}: the base has no line `{gone}`", self.name);
            } else if let Some((place, other)) = line.strip_prefix("# after ").and_then(|l| l.split_once(": ")) {
                let at = lines.iter().position(|line| *line == place).expect("the base has this line");
                lines.insert(at + 1, other);
            }
        }
        let mut system = resolved(&(lines.join("\n") + "\n" + &self.text));
        for change in self.text.lines().filter_map(|line| line.strip_prefix("# then: ")) {
            let words: Vec<&str> = change.split("; ").collect();
            spoil(&mut system, &words).unwrap_or_else(|| panic!("{}: `{change}` names something unknown", self.name));
        }
        system
    }
}

fn pd(system: &System, name: &str) -> Option<usize> {
    system.pds.iter().position(|pd| pd.name == name)
}

fn memory(system: &System, name: &str) -> Option<u16> {
    system.memories.iter().position(|memory| memory.name == name).map(|i| i as u16)
}

fn object(system: &System, kind: &str, name: &str) -> Option<Object> {
    let at = |position: Option<usize>| position.map(|i| i as u16);
    Some(match kind {
        "endpoint" => Object::Endpoint(at(system.endpoints.iter().position(|e| e.name == name))?),
        "notification" => Object::Notification(at(system.notifications.iter().position(|n| n.name == name))?),
        "irq" => Object::Irq(at(system.irqs.iter().position(|i| i.name == name))?),
        "ports" => Object::Ports(at(system.ports.iter().position(|p| p.name == name))?),
        _ => return None,
    })
}

fn rights(word: &str) -> Option<Rights> {
    let (read, write, grant_reply) = match word {
        "none" => (false, false, false),
        "call" => (false, true, true),
        "signal" => (false, true, false),
        "receive" => (true, false, false),
        "both" => (true, true, false),
        _ => return None,
    };
    Some(Rights { read, write, grant_reply })
}

fn modes(system: &System, pd: usize, word: Option<&&str>) -> Option<Modes> {
    let Some(name) = word else { return Some(system.pds[pd].modes) };
    system.modes.iter().position(|mode| mode.name == **name).map(|mode| Modes(1 << mode))
}

fn spoil(system: &mut System, words: &[&str]) -> Option<()> {
    match *words {
        ["give", name, kind, of, right, ref when @ ..] => {
            let (at, object) = (pd(system, name)?, object(system, kind, of)?);
            let (rights, modes) = (rights(right)?, modes(system, at, when.first())?);
            let slot = system.pds[at].caps.iter().map(|cap| cap.slot + 1).max()?;
            system.pds[at].caps.push(Cap { slot, object, rights, badge: 1, modes });
        }
        ["map", name, right, of, ref when @ ..] => {
            let (at, memory) = (pd(system, name)?, memory(system, of)?);
            let modes = modes(system, at, when.first())?;
            system.pds[at].maps.push(Map { memory, vaddr: 0x7000_0000, write: right == "write", modes });
        }
        ["dma", name, function] => {
            let (at, device) = (pd(system, name)?, system.pci.iter().position(|f| f.name == function)? as u16);
            let dma = Some(Dma { device, io_address: 0 });
            let memory = PrivateMemory { name: "dma".into(), vaddr: 0, bytes: PAGE, page: PageSize::Small, dma };
            system.pds[at].private.push(memory);
        }
        ["faults", name, to] => {
            let (at, object) = (pd(system, name)?, object(system, "endpoint", to)?);
            let caps = &mut system.pds[at].caps;
            caps.iter_mut()
                .find(|cap| cap.object == Object::RootEndpoint && cap.badge & label::BADGE_FAULT != 0)?
                .object = object;
        }
        ["panics", name, slot] => {
            let at = pd(system, name)?;
            let StartPage::Rust(start) = &mut system.pds[at].start else { return None };
            start.fault_slot = slot.parse().ok()?;
        }
        ["executable data", name] => {
            let at = pd(system, name)?;
            system.pds[at].image.segments.iter_mut().find(|segment| segment.write)?.execute = true;
        }
        ["ports", name, first, last] => {
            let number = |text: &str| u16::from_str_radix(text.trim_start_matches("0x"), 16).ok();
            let range = system.ports.iter_mut().find(|range| range.name == name)?;
            (range.first, range.last) = (number(first)?, number(last)?);
        }
        ["lies at", name, of] => {
            let (at, other) = (memory(system, name)?, memory(system, of)?);
            let MemoryKind::Device { paddr } = system.memories[usize::from(other)].kind else { return None };
            system.memories[usize::from(at)].kind = MemoryKind::Loaded { paddr };
        }
        ["crossing of root", from, other, to, out] => {
            let end = |name: &str, other: &str| End::Channel { name: name.into(), other: Some(other.into()) };
            let (why, tests) = ("it may".into(), "root-task/core".into());
            system.root.crossings.push(Crossing { from: end(from, other), to: end(to, out), why, tests });
        }
        ["crossing without a reason of", name] => {
            let at = pd(system, name)?;
            system.pds[at].crossings.first_mut()?.why.clear();
        }
        ["untold", name] => {
            let before = system.channels.len();
            system.channels.retain(|channel| channel.name != name);
            (system.channels.len() < before).then_some(())?;
        }
        ["told", name, from, to] => {
            let mut channel = system.channels.first()?.clone();
            (channel.name, channel.from, channel.to) = (name.into(), from.into(), to.into());
            system.channels.push(channel);
        }
        ["only", mode, name] => {
            let mode = Modes(1 << system.modes.iter().position(|m| m.name == mode)?);
            let of = |memory: &spec::Memory| memory.name.starts_with(&format!("{name}: "));
            let found: Vec<bool> = system.memories.iter().map(of).collect();
            let maps = system.pds.iter_mut().flat_map(|pd| &mut pd.maps);
            maps.filter(|map| found[usize::from(map.memory)]).for_each(|map| map.modes = mode);
        }
        _ => return None,
    }
    Some(())
}
