//! The layout's tables as plain data: names resolved to indices, sizes in bytes, times in microseconds.

use crate::addresses::round_up;
use crate::error::{Error, Result};
use crate::table::{parse, Reader};
use spec::{Crossing, End, Entropy, IrqSource, PowerOff, Trust, PAGE};
use std::path::Path;

const SYSTEM: &str = "system.toml";

/// Index into [`Layout::pds`].
pub type PdIndex = usize;

#[derive(Clone, Debug)]
pub struct Layout {
    pub platform: Platform,
    pub modes: Vec<Mode>,
    pub root: Root,
    pub pds: Vec<Pd>,
    pub channels: Vec<Channel>,
}

#[derive(Clone, Debug)]
pub struct Mode {
    pub name: String,
    pub title: String,
    pub pds: Vec<PdIndex>,
}

#[derive(Clone, Debug)]
pub struct Root {
    pub priority: u8,
    pub display_bytes: u64,
    /// Who speaks on the screen when root does.
    pub label: String,
    pub crossings: Vec<Crossing>,
    /// The control character with which the person speaks to root on the trusted path.
    pub focus_key: Option<u8>,
    pub tick_us: u64,
    pub spin_limit_us: u64,
}

#[derive(Clone, Debug)]
pub struct Pd {
    pub name: String,
    pub purpose: String,
    pub trust: Trust,
    pub program: ProgramKind,
    pub priority: u8,
    pub heap_bytes: u64,
    pub stack_bytes: u64,
    /// Stacks of the threads after the first.
    pub worker_stack_bytes: u64,
    /// 0: no log.
    pub log_bytes: u64,
    /// Indices into [`Platform::devices`].
    pub devices: Vec<usize>,
    /// Memory that its device reads and writes; 0 for none.
    pub dma_bytes: u64,
    pub tick_us: Option<u64>,
    pub sends_ticks: bool,
    pub supervisor: bool,
    /// One thread on each core; else one thread on core 0.
    pub thread_per_core: bool,
    pub arena: bool,
    pub model: bool,
    pub crossings: Vec<Crossing>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramKind {
    /// A package of the workspace with libs/pd below it.
    Rust { package: String },
    /// A program of another language, with a start page of its own.
    Llama,
}

impl ProgramKind {
    /// The name under which its ELF file is handed to [`crate::resolve`].
    pub fn name(&self) -> &str {
        match self {
            ProgramKind::Rust { package } => package,
            ProgramKind::Llama => "llama",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Channel {
    pub name: String,
    pub what: String,
    pub kind: ChannelKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    Ring { from: PdIndex, to: PdIndex, bytes: u64, credit: bool, display: Option<Display>, focus_key: Option<u8> },
    Rpc { client: PdIndex, server: PdIndex },
    Notification { from: PdIndex, to: PdIndex },
    Page { from: PdIndex, to: Vec<PdIndex> },
}

/// How serial shows what comes on this ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Display {
    pub label: String,
    pub edits: bool,
    pub reserved: bool,
}

impl Channel {
    /// Every way in which data or signals can move.
    pub fn edges(&self) -> Vec<(PdIndex, PdIndex)> {
        match &self.kind {
            ChannelKind::Ring { from, to, credit: false, .. } | ChannelKind::Notification { from, to } => {
                vec![(*from, *to)]
            }
            ChannelKind::Ring { from: a, to: b, credit: true, .. } | ChannelKind::Rpc { client: a, server: b } => {
                vec![(*a, *b), (*b, *a)]
            }
            ChannelKind::Page { from, to } => to.iter().map(|to| (*from, *to)).collect(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Platform {
    pub name: String,
    pub entropy: Entropy,
    pub power_off: PowerOff,
    /// The kernel's own limit.
    pub max_cores: u8,
    /// First and last I/O port of the PCI configuration space.
    pub pci_config: Option<(u16, u16)>,
    pub devices: Vec<Device>,
}

#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    pub ports: Vec<(u16, u16)>,
    pub irq: Option<IrqSource>,
    /// Physical address and bytes of register blocks, in whole pages.
    pub registers: Vec<(u64, u64)>,
    pub pci: Option<Pci>,
}

#[derive(Clone, Debug)]
pub struct Pci {
    pub bus: u8,
    pub device: u8,
    pub function: u8,
    /// Vendor in the low half, device in the high half.
    pub id: u32,
    /// Index, address, bytes.
    pub bars: Vec<(u8, u64, u64)>,
    pub can_dma: bool,
    pub reset: Option<spec::PciReset>,
}

impl Layout {
    /// Reads `system.toml` and `platform-PLATFORM.toml` of `dir`.
    pub fn load(dir: &Path, platform: &str) -> Result<Layout> {
        let read = |name: &str| {
            std::fs::read_to_string(dir.join(name))
                .map_err(|e| Error::Read { file: dir.join(name).display().to_string(), why: e.to_string() })
        };
        Layout::parse(&read(SYSTEM)?, platform, &read(&format!("platform-{platform}.toml"))?)
    }

    pub fn parse(system: &str, platform: &str, platform_text: &str) -> Result<Layout> {
        let platform = platform_table(&format!("platform-{platform}.toml"), platform_text)?;
        let table = parse(SYSTEM, system)?;
        let mut top = Reader::new(SYSTEM, "the file", &table);

        let priorities = top.opt_table("priority")?.ok_or_else(|| top.missing("priority"))?;
        let priorities = Priorities::read(priorities, &table)?;
        let pd_tables = top.tables("pd")?;
        let names: Vec<&str> = pd_tables.iter().map(|(name, _)| *name).collect();
        let mut pds = Vec::new();
        for (name, reader) in pd_tables {
            pds.push(pd(name, reader, &priorities, &platform)?);
        }

        let mut modes = Vec::new();
        for (name, mut reader) in top.tables("mode")? {
            let mut mode = Mode { name: name.into(), title: reader.text("title")?.into(), pds: Vec::new() };
            for pd in reader.names("pds")? {
                let index = pd_index(&reader, pd, &names)?;
                if mode.pds.contains(&index) {
                    return Err(Error::TwiceNamed { file: SYSTEM.into(), kind: "protection domain of a mode", name: pd.into() });
                }
                mode.pds.push(index);
            }
            reader.finish()?;
            modes.push(mode);
        }

        let mut root = top.opt_table("root")?.ok_or_else(|| top.missing("root"))?;
        let root_table = Root {
            priority: priorities.get("root").ok_or_else(|| root.unknown_name("priority", "root", &priorities.names()))?,
            display_bytes: kib(&mut root, "display_kib")?,
            label: root.text("label")?.into(),
            crossings: crossings(&mut root)?,
            focus_key: focus_key(&mut root)?,
            tick_us: root.opt_duration_us("tick")?.ok_or_else(|| root.missing("tick"))?,
            spin_limit_us: root.opt_duration_us("spin_limit")?.ok_or_else(|| root.missing("spin_limit"))?,
        };
        root.text("purpose")?;
        root.finish()?;

        let mut channels: Vec<Channel> = Vec::new();
        for reader in top.table_list("channel")? {
            channels.push(channel(reader, &names)?);
        }
        top.finish()?;

        let layout = Layout { platform, modes, root: root_table, pds, channels };
        layout.check()?;
        Ok(layout)
    }

    pub fn mode(&self, name: &str) -> Option<&Mode> {
        self.modes.iter().find(|m| m.name == name)
    }

    /// What no single table shows.
    fn check(&self) -> Result<()> {
        let name = |index: PdIndex| self.pds[index].name.clone();

        for (i, channel) in self.channels.iter().enumerate() {
            for (from, to) in channel.edges() {
                if from == to {
                    return Err(Error::SelfChannel { channel: channel.name.clone(), pd: name(from) });
                }
                if self.pds[from].trust == Trust::Private && self.pds[to].trust == Trust::Public {
                    return Err(Error::PrivateToPublic {
                        channel: channel.name.clone(),
                        private: name(from),
                        public: name(to),
                    });
                }
            }
            for other in &self.channels[..i] {
                // An endpoint or ring of a name exists once between two PDs, whatever it is made of.
                if let Some((from, to)) = channel.edges().into_iter().find(|e| {
                    other.name == channel.name && kind_of(other) == kind_of(channel) && other.edges().first() == Some(e)
                }) {
                    return Err(Error::DuplicateChannel { channel: channel.name.clone(), from: name(from), to: name(to) });
                }
            }
        }

        for (d, device) in self.platform.devices.iter().enumerate() {
            let mut drivers = self.pds.iter().filter(|pd| pd.devices.contains(&d));
            if let (Some(first), Some(second)) = (drivers.next(), drivers.next()) {
                return Err(Error::DeviceShared {
                    device: device.name.clone(),
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
        }

        let mut keys: Vec<(u8, String)> = self.root.focus_key.map(|key| (key, "root".into())).into_iter().collect();
        for channel in &self.channels {
            let ChannelKind::Ring { to, focus_key: Some(key), .. } = channel.kind else { continue };
            let refused = |why: String| Err(Error::FocusKey { channel: channel.name.clone(), why });
            if let Some((_, other)) = keys.iter().find(|(known, _)| *known == key) {
                return refused(format!("is that of {other}"));
            }
            // Backspace, Tab, line feed, Enter; and Ctrl-C stops answers.
            if [3, 8, 9, 10, 13].contains(&key) {
                return refused("has another meaning on every terminal".into());
            }
            if self.pds[to].trust != Trust::Trusted {
                return refused(format!("would hand the trusted path to {}, which is not trusted", name(to)));
            }
            keys.push((key, name(to)));
        }
        for pd in &self.pds {
            if pd.trust != Trust::Trusted && !pd.crossings.is_empty() {
                return Err(Error::CrossingsUntrusted { pd: pd.name.clone() });
            }
        }
        let mut clocks = self.pds.iter().filter(|pd| pd.sends_ticks);
        if let (Some(first), Some(second)) = (clocks.next(), clocks.next()) {
            return Err(Error::TwoClocks { first: first.name.clone(), second: second.name.clone() });
        }
        let mut editors = self.channels.iter().filter_map(|c| match &c.kind {
            ChannelKind::Ring { from, display: Some(Display { edits: true, .. }), .. } => Some(*from),
            _ => None,
        });
        if let (Some(first), Some(second)) = (editors.next(), editors.next()) {
            return Err(Error::TwoEditors { first: name(first), second: name(second) });
        }
        Ok(())
    }

    /// The PD that shows display rings.
    pub fn display(&self) -> Option<PdIndex> {
        self.channels.iter().find_map(|c| match &c.kind {
            ChannelKind::Ring { to, display: Some(_), .. } => Some(*to),
            _ => None,
        })
    }
}

fn kind_of(channel: &Channel) -> u8 {
    match channel.kind {
        ChannelKind::Ring { .. } => 0,
        ChannelKind::Rpc { .. } => 1,
        ChannelKind::Notification { .. } => 2,
        ChannelKind::Page { .. } => 3,
    }
}

struct Priorities(Vec<(String, u8)>);

impl Priorities {
    fn read(reader: Reader, top: &toml::Table) -> Result<Priorities> {
        let mut found = Vec::new();
        for (name, value) in top["priority"].as_table().into_iter().flatten() {
            match value.as_integer() {
                Some(n @ 1..=254) => found.push((name.clone(), n as u8)),
                Some(n) => return Err(reader.bad_value(name, n, "a number from 1 to 254")),
                None => return Err(reader.wrong_type(name, "a number from 1 to 254")),
            }
        }
        Ok(Priorities(found))
    }

    fn get(&self, name: &str) -> Option<u8> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, p)| *p)
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(n, _)| n.as_str()).collect()
    }
}

fn kib(reader: &mut Reader, key: &'static str) -> Result<u64> {
    Ok(reader.small::<u64>(key, 1 << 30)? << 10)
}

fn opt_kib(reader: &mut Reader, key: &'static str) -> Result<Option<u64>> {
    if reader.has(key) { kib(reader, key).map(Some) } else { reader.opt_number(key) }
}

fn crossings(reader: &mut Reader) -> Result<Vec<Crossing>> {
    let mut crossings = Vec::new();
    for mut c in reader.table_list("crossing")? {
        let crossing = Crossing {
            from: crossing_end(&mut c, "in", " from ")?,
            to: crossing_end(&mut c, "out", " to ")?,
            why: c.text("why")?.into(),
            tests: c.text("tests")?.into(),
        };
        c.finish()?;
        crossings.push(crossing);
    }
    Ok(crossings)
}

/// `keys to shell`, `display from *`, `device console`.
fn crossing_end(reader: &mut Reader, key: &'static str, word: &str) -> Result<End> {
    let text = reader.text(key)?;
    if let Some(name) = text.strip_prefix("device ") {
        return Ok(End::Device { name: name.into() });
    }
    match text.split_once(word) {
        Some((name, "*")) => Ok(End::Channel { name: name.into(), other: None }),
        Some((name, other)) => Ok(End::Channel { name: name.into(), other: Some(other.into()) }),
        None => Err(reader.bad_value(key, text, format!("`CHANNEL{word}PD`, `CHANNEL{word}*` or `device NAME`"))),
    }
}

/// `focus_key = "ctrl-g"`, as the control character that a terminal sends for it.
fn focus_key(reader: &mut Reader) -> Result<Option<u8>> {
    let Some(text) = reader.opt_text("focus_key")? else { return Ok(None) };
    match text.strip_prefix("ctrl-").map(str::as_bytes) {
        Some([letter @ b'a'..=b'z']) => Ok(Some(letter & 0x1f)),
        _ => Err(reader.bad_value("focus_key", text, "`ctrl-` and a letter")),
    }
}

fn pd_index(reader: &Reader, name: &str, names: &[&str]) -> Result<PdIndex> {
    names
        .iter()
        .position(|n| *n == name)
        .ok_or_else(|| reader.unknown_name("protection domain", name, names))
}

fn one_of<T: Copy>(reader: &Reader, key: &str, value: &str, among: &[(&str, T)]) -> Result<T> {
    among.iter().find(|(name, _)| *name == value).map(|(_, t)| *t).ok_or_else(|| {
        let names: Vec<String> = among.iter().map(|(name, _)| format!("`{name}`")).collect();
        reader.bad_value(key, value, names.join(" or "))
    })
}

fn pd(name: &str, mut r: Reader, priorities: &Priorities, platform: &Platform) -> Result<Pd> {
    if name == "root" || name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(r.bad_value("name", name, "lower-case letters, digits and `-`, and not `root`"));
    }
    let trust_name = r.text("trust")?;
    let trust = one_of(
        &r,
        "trust",
        trust_name,
        &[("private", Trust::Private), ("public", Trust::Public), ("trusted", Trust::Trusted)],
    )?;
    let program = match (r.opt_text("package")?, r.opt_text("program")?) {
        (Some(package), None) => ProgramKind::Rust { package: package.into() },
        (None, Some(program)) => one_of(&r, "program", program, &[("llama", ())]).map(|()| ProgramKind::Llama)?,
        (None, None) => return Err(r.missing("package")),
        (Some(_), Some(program)) => {
            return Err(r.bad_value("program", program, "left out: a PD has either a package or a program"))
        }
    };
    let rust = matches!(program, ProgramKind::Rust { .. });
    let priority_name = r.text("priority")?;
    let priority =
        priorities.get(priority_name).ok_or_else(|| r.unknown_name("priority", priority_name, &priorities.names()))?;
    let mut devices = Vec::new();
    let device_names: Vec<&str> = platform.devices.iter().map(|d| d.name.as_str()).collect();
    for device in r.names("devices")? {
        let found = device_names.iter().position(|d| *d == device);
        devices.push(found.ok_or_else(|| r.unknown_name("device", device, &device_names))?);
    }
    let thread_per_core = match r.opt_text("threads")? {
        None => false,
        Some(text) => one_of(&r, "threads", text, &[("one", false), ("per core", true)])?,
    };
    let arena = match r.opt_text("arena")? {
        None => false,
        Some(text) => one_of(&r, "arena", text, &[("from model", true)])?,
    };
    let model = match r.opt_text("model")? {
        None => false,
        Some(text) => one_of(&r, "model", text, &[("read-only", true)])?,
    };
    if trust == Trust::Trusted && !r.has("crossing") {
        return Err(Error::CrossingsMissing { pd: name.into() });
    }
    let crossings = crossings(&mut r)?;
    let stack_bytes = round_up(kib(&mut r, "stack_kib")?, PAGE);
    if stack_bytes == 0 {
        return Err(r.bad_value("stack_kib", 0, "at least 4"));
    }
    let pd = Pd {
        name: name.into(),
        purpose: r.text("purpose")?.into(),
        trust,
        priority,
        heap_bytes: if rust { round_up(kib(&mut r, "heap_kib")?, PAGE) } else { 0 },
        stack_bytes,
        worker_stack_bytes: opt_kib(&mut r, "worker_stack_kib")?.map_or(stack_bytes, |b| round_up(b, PAGE)),
        log_bytes: opt_kib(&mut r, "log_kib")?.unwrap_or(0),
        devices,
        dma_bytes: opt_kib(&mut r, "dma_kib")?.unwrap_or(0),
        tick_us: r.opt_duration_us("tick")?,
        sends_ticks: r.flag("sends_ticks")?,
        supervisor: r.flag("supervisor")?,
        thread_per_core,
        arena,
        model,
        crossings,
        program,
    };
    if !rust && (pd.log_bytes > 0 || pd.supervisor || pd.tick_us.is_some()) {
        return Err(r.bad_value("program", pd.program.name(), "a Rust package, to have a log, a tick or the supervisor"));
    }
    if pd.dma_bytes > 0 && !(pd.dma_bytes.is_power_of_two() && pd.dma_bytes >= PAGE) {
        return Err(r.bad_value("dma_kib", pd.dma_bytes >> 10, "a power of two, at least 4"));
    }
    let masters = pd.devices.iter().filter(|d| platform.devices[**d].pci.as_ref().is_some_and(|pci| pci.can_dma)).count();
    if (pd.dma_bytes > 0) != (masters == 1) || masters > 1 {
        return Err(Error::DmaWithoutDevice { pd: name.into(), masters });
    }
    r.finish()?;
    Ok(pd)
}

fn channel(mut r: Reader, names: &[&str]) -> Result<Channel> {
    let name = r.text("name")?.to_owned();
    let end = |r: &mut Reader, key: &'static str| -> Result<PdIndex> {
        let pd = r.text(key)?;
        pd_index(r, pd, names)
    };
    let kind_name = r.text("kind")?;
    let kind = match kind_name {
        "ring" => {
            let (from, to) = (end(&mut r, "from")?, end(&mut r, "to")?);
            let bytes = kib(&mut r, "kib")?;
            if !round_up(bytes, PAGE).is_power_of_two() {
                return Err(Error::RingCapacity { channel: name, bytes });
            }
            let credit = match r.opt_text("full")? {
                None => false,
                Some(text) => one_of(&r, "full", text, &[("lose", false), ("credit", true)])?,
            };
            let (edits, reserved) = (r.flag("edits")?, r.flag("reserved")?);
            let display = r.opt_text("label")?.map(|label| Display { label: label.into(), edits, reserved });
            if display.is_none() && (edits || reserved) {
                return Err(r.missing("label"));
            }
            let focus_key = focus_key(&mut r)?;
            ChannelKind::Ring { from, to, bytes: round_up(bytes, PAGE), credit, display, focus_key }
        }
        "rpc" => {
            r.text("protocol")?;
            ChannelKind::Rpc { client: end(&mut r, "client")?, server: end(&mut r, "server")? }
        }
        "notification" => ChannelKind::Notification { from: end(&mut r, "from")?, to: end(&mut r, "to")? },
        "page" => {
            let from = end(&mut r, "from")?;
            let mut to = Vec::new();
            for pd in r.name_or_names("to")? {
                let pd = pd_index(&r, pd, names)?;
                if to.contains(&pd) {
                    return Err(Error::DuplicateChannel { channel: name, from: names[from].into(), to: names[pd].into() });
                }
                to.push(pd);
            }
            ChannelKind::Page { from, to }
        }
        other => return Err(r.bad_value("kind", other, "`ring`, `rpc`, `notification` or `page`")),
    };
    let what = r.text("what")?.to_owned();
    r.finish()?;
    Ok(Channel { name, what, kind })
}

fn platform_table(file: &str, text: &str) -> Result<Platform> {
    let table = parse(file, text)?;
    let mut top = Reader::new(file, "the file", &table);
    let entropy_name = top.text("entropy")?;
    let entropy = one_of(&top, "entropy", entropy_name, &[("rdrand", Entropy::RdRand), ("none", Entropy::None)])?;
    let power_off = match top.opt_table("power_off")? {
        None => PowerOff::None,
        Some(mut r) => {
            let power_off = PowerOff::Port { port: r.small("port", 0xffff)?, value: r.small("value", 0xffff)? };
            r.finish()?;
            power_off
        }
    };
    let mut devices: Vec<Device> = Vec::new();
    for (name, mut r) in top.tables("device")? {
        r.text("kind")?;
        let mut device = Device { name: name.into(), ports: Vec::new(), irq: None, registers: Vec::new(), pci: None };
        for (first, last) in pairs(&mut r, "ports", 0xffff)? {
            if first > last {
                return Err(r.bad_value("ports", format!("[{first:#x}, {last:#x}]"), "[first, last]"));
            }
            device.ports.push((first as u16, last as u16));
        }
        for (paddr, bytes) in pairs(&mut r, "registers", i64::MAX as u64)? {
            if paddr % PAGE != 0 || bytes % PAGE != 0 || bytes == 0 {
                return Err(r.bad_value("registers", format!("[{paddr:#x}, {bytes:#x}]"), "whole pages: [address, bytes]"));
            }
            device.registers.push((paddr, bytes));
        }
        if let Some(pci) = r.opt_table("pci")? {
            let pci = pci_function(pci)?;
            device.registers.extend(pci.bars.iter().map(|&(_, paddr, bytes)| (paddr, bytes)));
            device.pci = Some(pci);
        }
        if let Some(mut irq) = r.opt_table("irq")? {
            device.irq = Some(IrqSource::IoApic {
                ioapic: irq.small("ioapic", 15)?,
                pin: irq.small("pin", 239)?,
                level: irq.needed_flag("level")?,
                active_low: irq.needed_flag("active_low")?,
                vector: irq.small("vector", 107)?,
            });
            irq.finish()?;
        }
        r.finish()?;
        devices.push(device);
    }
    let platform = Platform {
        name: top.text("name")?.into(),
        entropy,
        power_off,
        max_cores: top.small("max_cores", 8)?,
        pci_config: pairs(&mut top, "pci_config", 0xffff)?.first().map(|&(first, last)| (first as u16, last as u16)),
        devices,
    };
    top.finish()?;
    check_devices(&platform.devices)?;
    Ok(platform)
}

fn pci_function(mut r: Reader) -> Result<Pci> {
    let mut bars = Vec::new();
    for value in r.list("bars")? {
        let numbers: Option<Vec<u64>> =
            value.as_array().map(|list| list.iter().filter_map(|n| u64::try_from(n.as_integer()?).ok()).collect());
        match numbers.as_deref() {
            // A BAR's size is a power of two, and it is aligned to it (PCI Local Bus Specification 3.0, 6.2.5.1).
            Some(&[index @ 0..=5, paddr, bytes]) if bytes.is_power_of_two() && bytes >= PAGE && paddr % bytes == 0 => {
                bars.push((index as u8, paddr, bytes));
            }
            _ => return Err(r.wrong_type("bars", "a list of [index 0 to 5, address, bytes], aligned to a power of two of bytes")),
        }
    }
    let reset = match r.opt_table("reset")? {
        None => None,
        Some(mut reset) => {
            let (bar, offset) = (reset.small::<u8>("bar", 5)?, reset.number("offset")?);
            let value = reset.small("value", 255)?;
            let Some(&(_, paddr, _)) = bars.iter().find(|&&(index, _, bytes)| index == bar && offset < bytes) else {
                return Err(reset.bad_value("offset", offset, "within one of the device's `bars`"));
            };
            reset.finish()?;
            Some(spec::PciReset { paddr: paddr + offset, value })
        }
    };
    let pci = Pci {
        reset,
        bus: r.small("bus", 255)?,
        device: r.small("device", 31)?,
        function: r.small("function", 7)?,
        id: r.small("id", u32::MAX.into())?,
        bars,
        can_dma: r.needed_flag("can_dma")?,
    };
    r.finish()?;
    Ok(pci)
}

fn pairs(r: &mut Reader, key: &'static str, max: u64) -> Result<Vec<(u64, u64)>> {
    let pair = |v: &toml::Value| {
        let list = v.as_array()?;
        let number = |i: usize| u64::try_from(list.get(i)?.as_integer()?).ok().filter(|n| *n <= max);
        (list.len() == 2).then_some((number(0)?, number(1)?))
    };
    let list = r.list(key)?;
    list.iter().map(|v| pair(v).ok_or_else(|| r.wrong_type(key, "a list of pairs of numbers"))).collect()
}

fn check_devices(devices: &[Device]) -> Result<()> {
    for (i, a) in devices.iter().enumerate() {
        for b in &devices[..i] {
            let (first, second) = (b.name.clone(), a.name.clone());
            for &(a0, a1) in &a.ports {
                for &(b0, b1) in &b.ports {
                    if a0 <= b1 && b0 <= a1 {
                        return Err(Error::PortsOverlap { first, second, port: a0.max(b0) });
                    }
                }
            }
            for &(a0, al) in &a.registers {
                for &(b0, bl) in &b.registers {
                    if a0 < b0 + bl && b0 < a0 + al {
                        return Err(Error::DeviceMemoryOverlap { first, second, paddr: a0.max(b0) });
                    }
                }
            }
            match (a.irq, b.irq) {
                (
                    Some(IrqSource::IoApic { ioapic: ai, pin: ap, vector: av, .. }),
                    Some(IrqSource::IoApic { ioapic: bi, pin: bp, vector: bv, .. }),
                ) => {
                    if av == bv {
                        return Err(Error::VectorTwice { first, second, vector: av });
                    }
                    if (ai, ap) == (bi, bp) {
                        return Err(Error::PinTwice { first, second, ioapic: ai, pin: ap });
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}
