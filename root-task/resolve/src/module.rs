//! The Rust module that a PD is compiled with: its own ends of everything, as constants.

use crate::parse::{Layout, PdIndex};
use crate::wire::{Constant, Focus, Party, Wiring};
use spec::handle::{RingIn, RingOut};
use std::fmt::Write;

impl Wiring {
    /// The module of a Rust PD. It depends on the layout's files alone, and changes when the PD's own ends change.
    pub fn module(&self, layout: &Layout, pd: PdIndex) -> String {
        let table = &layout.pds[pd];
        let plan = &self.pds[pd];
        let party = |p: Party| match p {
            Party::Root => "root".to_owned(),
            Party::Pd(pd) => layout.pds[pd].name.clone(),
        };
        let ends = |c: &Constant| match c {
            Constant::RingIn { name, .. } => Some((true, name.clone())),
            Constant::RingOut { name, .. } => Some((false, name.clone())),
            _ => None,
        };
        let signals = |wanted: &str| {
            plan.constants.iter().filter(|c| matches!(c, Constant::SignalOut { name, .. } if name == wanted)).count()
        };
        // Two rings or signals of one name in one direction are told apart by their other end.
        let alone = |c: &Constant| plan.constants.iter().filter(|o| ends(o) == ends(c)).count() == 1;

        let mut lines = String::new();
        let mut constant = |name: &str, ty: &str, value: &str| {
            let _ = writeln!(lines, "pub const {name}: {ty} = {value};");
        };
        constant("NAME", "&str", &format!("{:?}", table.name));
        constant("NOTIFICATION", "u64", &plan.notification_slot.to_string());
        if let Some(slot) = plan.server_slot {
            constant("SERVER", "Server", &format!("Server {{ slot: {slot} }}"));
        }
        if let Some(slot) = plan.supervisor_slot {
            constant("SUPERVISOR", "Client", &format!("Client {{ slot: {slot} }}"));
        }
        let (mut displays, mut focus_rings, mut ticks) = (Vec::new(), Vec::new(), Vec::new());
        for c in &plan.constants {
            match c {
                Constant::RingIn { name, from, ring, display } => {
                    let suffix = if alone(c) { String::new() } else { format!("_{}", upper(&party(*from))) };
                    let full = format!("RING_IN_{}{suffix}", upper(name));
                    constant(&full, "RingIn", &ring_in(ring));
                    if let Some(shown) = display {
                        displays.push(format!(
                            "DisplayIn {{ ring: {full}, label: {:?}, reserved: {}, edits: {} }}",
                            shown.label, shown.reserved, shown.edits
                        ));
                    }
                }
                Constant::RingOut { name, to, ring, focus } => {
                    let suffix = if alone(c) { String::new() } else { format!("_{}", upper(&party(*to))) };
                    let full = format!("RING_OUT_{}{suffix}", upper(name));
                    constant(&full, "RingOut", &ring_out(ring));
                    if let Some(Focus { key, label }) = focus {
                        focus_rings.push(format!("FocusOut {{ ring: {full}, key: {key:#04x}, label: {label:?} }}"));
                    }
                }
                Constant::Client { server, slot } => {
                    constant(&format!("CLIENT_{}", upper(server)), "Client", &format!("Client {{ slot: {slot} }}"));
                }
                Constant::Caller { client, badge } => {
                    constant(&format!("CALLER_{}", upper(client)), "u64", &format!("{badge:#x}"));
                }
                Constant::SignalOut { name, to, slot } => {
                    let suffix = if signals(name) == 1 { String::new() } else { format!("_{}", upper(&party(*to))) };
                    let full = format!("SIGNAL_OUT_{}{suffix}", upper(name));
                    constant(&full, "Signal", &format!("Signal {{ slot: {slot} }}"));
                }
                Constant::SignalIn { name, bit } => {
                    constant(&format!("SIGNAL_IN_{}", upper(name)), "u64", &format!("{bit:#x}"));
                }
                Constant::Irq { device, irq } => constant(
                    &format!("IRQ_{}", upper(device)),
                    "Irq",
                    &format!("Irq {{ slot: {}, bit: {:#x} }}", irq.slot, irq.bit),
                ),
                Constant::Ports { device, number, ports } => {
                    let suffix = number.map(|n| format!("_{n}")).unwrap_or_default();
                    constant(
                        &format!("PORTS_{}{suffix}", upper(device)),
                        "Ports",
                        &format!("Ports {{ slot: {}, first: {:#x}, last: {:#x} }}", ports.slot, ports.first, ports.last),
                    );
                }
                Constant::Memory { name, memory } => constant(
                    &format!("MEMORY_{}", upper(name)),
                    "Memory",
                    &format!("Memory {{ vaddr: {:#x}, bytes: {:#x} }}", memory.vaddr, memory.bytes),
                ),
                Constant::Dma(dma) => {
                    constant("DMA", "Dma", &format!("Dma {{ vaddr: {:#x}, bytes: {:#x} }}", dma.vaddr, dma.bytes));
                }
                Constant::Tick { bit, period_us } => {
                    constant("TICK", "u64", &format!("{bit:#x}"));
                    constant("TICK_US", "u64", &period_us.to_string());
                }
                Constant::TickOut { slot, period_us } => {
                    ticks.push(format!("Tick {{ signal: Signal {{ slot: {slot} }}, period_us: {period_us} }}"));
                }
            }
        }
        let lists = [("DISPLAYS", "DisplayIn", displays), ("FOCUS", "FocusOut", focus_rings), ("TICKS", "Tick", ticks)];
        for (name, ty, items) in lists {
            if !items.is_empty() {
                let items: String = items.iter().map(|i| format!("\n    {i},")).collect();
                constant(name, &format!("&[{ty}]"), &format!("&[{items}\n]"));
            }
        }
        format!(
            "// Generated from root-task/layout: what {} holds. Do not edit.\n\
             #[allow(unused_imports)]\n\
             use pd::handle::{{\n    Client, DisplayIn, Dma, FocusOut, Irq, Memory, Ports, RingIn, RingOut, Server, Signal, Tick,\n}};\n\n{lines}",
            table.name
        )
    }
}

fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn option(vaddr: Option<u64>) -> String {
    match vaddr {
        Some(vaddr) => format!("Some({vaddr:#x})"),
        None => "None".into(),
    }
}

fn ring_in(r: &RingIn) -> String {
    format!(
        "RingIn {{ vaddr: {:#x}, capacity: {:#x}, page_vaddr: {}, credit: {}, bit: {:#x}, credit_bell: {} }}",
        r.vaddr,
        r.capacity,
        option(r.page_vaddr),
        r.credit,
        r.bit,
        r.credit_bell
    )
}

fn ring_out(r: &RingOut) -> String {
    format!(
        "RingOut {{ vaddr: {:#x}, capacity: {:#x}, credit_vaddr: {}, doorbell: {}, credit_bit: {:#x} }}",
        r.vaddr,
        r.capacity,
        option(r.credit_vaddr),
        r.doorbell,
        r.credit_bit
    )
}
