//! What root tells people: the boot banner, `/status`, `/caps`. Every figure is measured or stands in the
//! specification.

use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

use crate::restart::{Life, State};
use spec::{ChannelKind, Object, System, Trust};

/// `9.8 MB`, `1.5 GiB` for memory and files: one decimal, binary units.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut unit = 0;
    let mut tenths = n * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if tenths >= 1000 || tenths % 10 == 0 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// `1945 MiB`: a tenth of a GiB would hide what a part takes.
pub fn mebibytes(n: u64) -> String {
    format!("{} MiB", n >> 20)
}

/// Seconds with one or two digits behind the point.
pub fn seconds(us: u64) -> String {
    if us < 100_000 {
        format!("{}.{:02} s", us / 1_000_000, us / 10_000 % 100)
    } else {
        format!("{}.{} s", us / 1_000_000, us / 100_000 % 10)
    }
}

pub fn banner(system: &System, mode: usize, boot_us: u64, confined: bool) -> String {
    let mut text = format!(
        "{}  {}  {}  {} core{}  {}\n{} protection domains started in {}. Mode: {}.",
        system.name,
        system.kernel,
        system.platform,
        system.cores,
        if system.cores == 1 { "" } else { "s" },
        bytes(system.memory_bytes),
        running(system, mode).count(),
        seconds(boot_us),
        title(system, mode),
    );
    if !reaches_network(system, mode) {
        text.push_str(" Nothing but root could reach a network device.");
    }
    for sentence in running(system, mode).filter(|_| !confined).filter_map(|pd| dma(system, pd, confined)) {
        let _ = write!(text, "\nNote: {sentence}.");
    }
    text
}

pub fn title(system: &System, mode: usize) -> &str {
    system.modes.get(mode).map_or("", |mode| &mode.title)
}

/// The PDs of a mode.
pub fn running(system: &System, mode: usize) -> impl Iterator<Item = &spec::Pd> {
    system.pds.iter().filter(move |pd| pd.modes.has(mode))
}

/// Whether any PD holds I/O ports or registers through which a network device could be reached: PCI configuration
/// space, the port range that PCI devices are given, device memory.
pub fn reaches_network(system: &System, mode: usize) -> bool {
    const PCI_CONFIG: core::ops::RangeInclusive<u16> = 0xcf8..=0xcff;
    const PCI_DEVICES: u16 = 0x1000;
    let caps = running(system, mode).flat_map(|pd| &pd.caps).filter(|cap| cap.modes.has(mode));
    let ports = { caps }.any(|cap| match cap.object {
        Object::Ports(i) => system.ports.get(i as usize).is_some_and(|range| {
            range.last >= PCI_DEVICES || (range.first <= *PCI_CONFIG.end() && range.last >= *PCI_CONFIG.start())
        }),
        _ => false,
    });
    let maps = running(system, mode).flat_map(|pd| &pd.maps).filter(|map| map.modes.has(mode));
    let registers = { maps }.any(|map| {
        system.memories.get(map.memory as usize).is_some_and(|m| matches!(m.kind, spec::MemoryKind::Device { .. }))
    });
    ports || registers
}

/// One PD's line of `/status`.
pub struct Row<'a> {
    pub name: &'a str,
    pub trust: Trust,
    pub life: &'a Life,
    pub memory_bytes: u64,
    pub last_failure: Option<&'a str>,
    /// It spun and runs after its neighbours.
    pub lowered: bool,
}

pub fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Private => "private",
        Trust::Public => "public",
        Trust::Trusted => "trusted",
    }
}

pub fn status(system: &System, mode: usize, rows: &[Row<'_>], now_us: u64, root_bytes: u64, free_bytes: u64) -> String {
    let mut text = format!(
        "Up {} s. Mode: {}. Memory: {} of {} free.\n{:<10} {:<8} {:<10} {:>6} {:>10}",
        now_us / 1_000_000,
        title(system, mode),
        mebibytes(free_bytes),
        bytes(system.memory_bytes),
        "part",
        "side",
        "state",
        "starts",
        "memory"
    );
    let _ = write!(text, "\n{:<10} {:<8} {:<10} {:>6} {:>10}", "root", "trusted", "running", 1, bytes(root_bytes));
    for row in rows {
        let state = match row.life.state {
            State::Running if row.lowered => String::from("slowed"),
            State::Running => String::from("running"),
            State::Absent => continue,
            State::Waiting { until_us } => format!("in {}", seconds(until_us.saturating_sub(now_us))),
        };
        let _ = write!(
            text,
            "\n{:<10} {:<8} {:<10} {:>6} {:>10}",
            row.name,
            trust(row.trust),
            state,
            row.life.starts,
            bytes(row.memory_bytes)
        );
        if let Some(failure) = row.last_failure {
            let _ = write!(text, "\n  last failure: {failure}");
        }
    }
    text
}

/// `/caps`: every part, what it holds, in the layout's words.
pub fn caps(system: &System, mode: usize, confined: bool) -> String {
    let mut text =
        String::from("root (trusted): everything at boot; now the CNodes, spare memory, and what restarts need.");
    for pd in running(system, mode) {
        let _ = write!(text, "\n{} ({}): {}", pd.name, trust(pd.trust), pd.purpose);
        for channel in system.channels.iter().filter(|channel| channel.modes.has(mode)) {
            let (arrow, other) = if channel.from == pd.name {
                (outgoing(channel.kind), &channel.to)
            } else if channel.to == pd.name {
                (incoming(channel.kind), &channel.from)
            } else {
                continue;
            };
            let _ = write!(text, "\n  {arrow} {other}: {} ({})", channel.what, kind(channel.kind));
        }
        let devices: Vec<String> = pd
            .caps
            .iter()
            .filter(|cap| cap.modes.has(mode))
            .filter_map(|cap| match cap.object {
                Object::Irq(i) => system.irqs.get(i as usize).map(|irq| format!("interrupt {}", irq.name)),
                Object::Ports(i) => {
                    system.ports.get(i as usize).map(|p| format!("I/O ports {} {:#x}-{:#x}", p.name, p.first, p.last))
                }
                _ => None,
            })
            .collect();
        let registers = pd.maps.iter().filter(|map| map.modes.has(mode)).filter_map(|map| {
            let memory = system.memories.get(map.memory as usize)?;
            match memory.kind {
                spec::MemoryKind::Device { paddr } => Some(format!("{} at {paddr:#x}", memory.name)),
                _ => None,
            }
        });
        let devices: Vec<String> = devices.into_iter().chain(registers).collect();
        if !devices.is_empty() {
            let _ = write!(text, "\n  device: {}", devices.join(", "));
        }
        if let Some(sentence) = dma(system, pd, confined) {
            let _ = write!(text, "\n  memory: {sentence}");
        }
    }
    let _ = write!(text, "\n{}", wire(system, mode));
    text
}

/// Who can send to the network, and how.
pub fn wire(system: &System, mode: usize) -> String {
    let reach = crate::reach::to_devices(system, mode);
    if reach.freely.is_empty() && reach.guarded.is_empty() {
        return String::from("Network: nobody but root can reach a network device.");
    }
    let mut text = format!("Network: {} can send by themselves", reach.freely.join(", "));
    if !reach.guarded.is_empty() {
        let _ = write!(text, "; {} only through a trusted part, what you have confirmed", reach.guarded.join(", "));
    }
    text.push_str("; all others cannot.");
    text
}

/// What the device of a PD can do to memory, if it can do anything. `confined`: an IOMMU stands between.
pub fn dma(system: &System, pd: &spec::Pd, confined: bool) -> Option<String> {
    let (area, dma) = pd.private.iter().find_map(|area| Some((area, area.dma?)))?;
    let device = &system.pci.get(usize::from(dma.device))?.name;
    Some(if confined {
        format!("the device {device} reads and writes {} of its own and, behind the IOMMU, no other", bytes(area.bytes))
    } else {
        format!("this machine has no IOMMU in use: the device {device} can reach all memory, so {} is trusted with it", pd.name)
    })
}

fn outgoing(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Rpc | ChannelKind::CreditRing => "<->",
        _ => "-->",
    }
}

fn incoming(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Rpc | ChannelKind::CreditRing => "<->",
        _ => "<--",
    }
}

fn kind(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Rpc => "calls",
        ChannelKind::CreditRing => "ring with credits",
        ChannelKind::OneWayRing => "one-way ring",
        ChannelKind::Notification => "signal",
        ChannelKind::SharedPage => "read-only page",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes((1 << 30) + (1 << 29)), "1.5 GiB");
        assert_eq!(bytes(10_276_045), "9.8 MiB");
        assert_eq!(seconds(412_345), "0.4 s");
        assert_eq!(seconds(41_234), "0.04 s");
    }
}
