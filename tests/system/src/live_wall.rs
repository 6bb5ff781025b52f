//! The statement of docs/wall.md on the edges that the live proof has found: what the layout's proof says of the
//! specification is said here of the machine that runs, from its capabilities and page tables alone.

use live_proof::edges::{Edge as Found, Why};
use spec::{IrqSource, MemoryKind, System};
use wall::{
    graph::{Edge, Kind},
    statement, Violation,
};

/// Interrupts for user code start behind the old controller's sixteen.
const FIRST_USER_IRQ: u64 = 16;
/// The live proof names memory of devices by the large page in which it lies.
const REGION: u64 = 2 << 20;

/// Whether private data can reach the network on these edges, whoever of the untrusted is taken over.
pub fn holds(system: &System, mode: usize, found: &[Found]) -> Result<(), Violation> {
    statement::holds_in(system, mode, &edges(system, found))
}

/// In the words of the layout's proof. No edge has a channel's name, so a crossing between two parts counts for
/// everything between them.
fn edges(system: &System, found: &[Found]) -> Vec<Edge> {
    let edge = |edge: &Found| Edge {
        from: place(system, &edge.from),
        to: place(system, &edge.to),
        kind: kind(edge.why),
        name: String::new(),
        reason: edge.what.clone(),
    };
    found.iter().map(edge).collect()
}

fn kind(why: Why) -> Kind {
    match why {
        Why::Memory => Kind::Page,
        Why::Message => Kind::Call,
        Why::Reply | Why::Taken => Kind::Reply,
        Why::Signal | Why::Rival => Kind::Signal,
        Why::Fault => Kind::Fault,
        Why::Interrupt => Kind::Interrupt,
        Why::Ports => Kind::Ports,
        Why::Device => Kind::Registers,
        Why::Power => Kind::Power,
    }
}

/// `irq 39`, `ports 0x3f8-0x3ff`, `memory at 0xe0000000`, `device 0x18` by the layout's names; a PCI function is a way to
/// the wire, whatever of it somebody touches.
fn place(system: &System, found: &str) -> String {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let name = match found.split_once(' ') {
        Some(("irq", n)) => number(n).and_then(|n| {
            let is = |irq: &&spec::Irq| matches!(irq.source, IrqSource::IoApic { vector, .. } if u64::from(vector) + FIRST_USER_IRQ == n);
            Some(system.irqs.iter().find(is)?.name.clone())
        }),
        Some(("ports", range)) => range.split_once('-').and_then(|(first, _)| {
            let first = number(first)?;
            let inside = |range: &&spec::PortRange| (u64::from(range.first)..=u64::from(range.last)).contains(&first);
            Some(system.ports.iter().find(inside)?.name.clone())
        }),
        Some(("device", source)) => number(source).and_then(|source| {
            Some(system.pci.iter().find(|function| u64::from(function.source_id()) == source)?.name.clone())
        }),
        Some(("memory", at)) => at.strip_prefix("at ").and_then(number).and_then(|at| {
            let near = |paddr: u64| paddr / REGION * REGION == at;
            let bars = |function: &&spec::PciFunction| function.bars.iter().any(|(_, paddr, _)| near(*paddr));
            let lies = |memory: &&spec::Memory| matches!(memory.kind, MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } if near(paddr));
            let function = system.pci.iter().find(bars).map(|function| function.name.clone());
            function.or_else(|| Some(system.memories.iter().find(lies)?.name.clone()))
        }),
        _ => return found.to_owned(),
    };
    match name {
        Some(name) if system.pci.iter().any(|function| function.name == name) => format!("wire:{name}"),
        Some(name) => format!("device:{name}"),
        // Whatever it is, nobody says that it is no way out.
        None => format!("wire:{found}"),
    }
}
