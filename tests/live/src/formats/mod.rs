//! What has to be known of a kernel to read its memory: bit fields, structures and symbols. All of it comes from the
//! build of the kernel that boots; a name that is not there is an error, never a guess.

mod bits;
mod debug;

pub use bits::{Bits, Field};
pub use debug::Debug;

use crate::{Error, Result};
use object::{Object, ObjectSegment, ObjectSymbol};
use std::{collections::HashMap, fs, path::Path};

/// Where the kernel maps all physical memory: objects.
pub const OBJECTS: u64 = 0xffff_ff80_0000_0000;
/// Where the kernel maps itself: symbols.
pub const SYMBOLS: u64 = 0xffff_ffff_8000_0000;
/// The end of that window: devices of the kernel's own.
pub const SYMBOLS_END: u64 = 0xffff_ffff_c000_0000;
/// Bytes of a capability slot.
pub const SLOT: u64 = 32;
/// A thread's structure lies this far behind its capability slots (`TCB_OFFSET`).
pub const TCB_OFFSET: u64 = 512;

/// Fields of `tcb_t`, from its start.
#[derive(Clone, Copy, Debug)]
pub struct TcbFields {
    pub state: u64,
    pub bound: u64,
    pub domain: (u64, u64),
    pub controlled: (u64, u64),
    pub priority: (u64, u64),
    pub fault_handler: u64,
    pub ipc_buffer: u64,
    /// Only where the kernel can have several cores.
    pub affinity: Option<u64>,
    pub scheduler_next: u64,
    pub queue_next: u64,
    /// The processor's flags, as they are loaded when it runs.
    pub flags: u64,
    pub bytes: u64,
}

/// The state of each core; without support for several there is one, in plain symbols.
#[derive(Clone, Copy, Debug)]
pub struct CoreFields {
    pub current: u64,
    pub idle: u64,
    pub action: u64,
    pub queues: u64,
    pub queue_count: u64,
    /// The bit map of I/O ports that user code may use without the kernel.
    pub port_map: (u64, u64),
}

/// A part of the kernel's file that is not written at run time.
#[derive(Clone, Debug)]
pub struct Constant {
    pub vaddr: u64,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Formats {
    pub bits: Bits,
    pub tcb: TcbFields,
    /// Address of each core's state.
    pub cores: Vec<CoreFields>,
    pub constants: Vec<Constant>,
    /// Physical range of the kernel's own image, as long as it runs.
    pub image: (u64, u64),
    symbols: HashMap<String, (u64, u64)>,
    debug: Debug,
}

impl Formats {
    /// Of the kernel whose file with symbols is `elf` and whose build left its formats below `build`.
    pub fn read(elf: &Path, build: &Path) -> Result<Formats> {
        let mut bits = Bits::default();
        for file in ["arch/object/structures.pbf", "plat/64/plat_mode/machine/hardware.pbf"] {
            let file = build.join(file);
            let text = fs::read_to_string(&file).map_err(|e| Error::new(format!("{}: {e}", file.display())))?;
            bits.read(&text)?;
        }
        let bytes = fs::read(elf).map_err(|e| Error::new(format!("{}: {e}", elf.display())))?;
        let file = object::File::parse(&*bytes).map_err(|e| Error::new(format!("{}: {e}", elf.display())))?;
        Formats::of(bits, &file)
    }

    fn of(bits: Bits, elf: &object::File) -> Result<Formats> {
        let debug = Debug::read(elf)?;
        let symbols: HashMap<String, (u64, u64)> = elf
            .symbols()
            .filter(|symbol| !symbol.is_undefined())
            .filter_map(|symbol| Some((symbol.name().ok()?.to_owned(), (symbol.address(), symbol.size()))))
            .collect();
        if debug.size("cte")? != SLOT {
            return Err(Error::new("a capability slot of this kernel has another size than is built in here"));
        }
        let field = |path: &str| debug.field("tcb", path);
        let at = |path: &str| field(path).map(|(offset, _)| offset);
        let tcb = TcbFields {
            state: at("tcbState")?,
            bound: at("tcbBoundNotification")?,
            domain: field("tcbDomain")?,
            controlled: field("tcbMCP")?,
            priority: field("tcbPriority")?,
            fault_handler: at("tcbFaultHandler")?,
            ipc_buffer: at("tcbIPCBuffer")?,
            affinity: at("tcbAffinity").ok(),
            scheduler_next: at("tcbSchedNext")?,
            queue_next: at("tcbEPNext")?,
            flags: at("tcbArch.tcbContext.registers")? + debug.enumerator("FLAGS")? * 8,
            bytes: debug.size("tcb")?,
        };
        let mut formats = Formats {
            bits,
            tcb,
            cores: Vec::new(),
            constants: constants(elf, &symbols),
            image: (0, 0),
            symbols,
            debug,
        };
        formats.cores = formats.core_fields()?;
        formats.image = (formats.symbol("ki_boot_end")? - SYMBOLS, formats.symbol("ki_end")? - SYMBOLS);
        Ok(formats)
    }

    fn core_fields(&self) -> Result<Vec<CoreFields>> {
        let ready = "ksReadyQueues";
        let queue = self.debug.size("tcb_queue_t")?;
        let Ok(state) = self.symbol("ksSMP") else {
            let (map, bytes) = self.debug.field("tss_io_t", "io_map")?;
            return Ok(vec![CoreFields {
                current: self.symbol("ksCurThread")?,
                idle: self.symbol("ksIdleThread")?,
                action: self.symbol("ksSchedulerAction")?,
                queues: self.symbol(ready)?,
                queue_count: self.elements(ready, queue)?,
                port_map: (self.symbol("x86KStss")? + map, bytes),
            }]);
        };
        let step = self.debug.size("smpStatedata")?;
        let field = |path: &str| self.debug.field("smpStatedata", path);
        let (queues, queues_bytes) = field("system.ksReadyQueues")?;
        let (map, map_bytes) = field("cpu.x86KStss.io_map")?;
        (0..self.elements("ksSMP", step)?)
            .map(|core| {
                let at = |path: &str| field(path).map(|(offset, _)| state + core * step + offset);
                Ok(CoreFields {
                    current: at("system.ksCurThread")?,
                    idle: at("system.ksIdleThread")?,
                    action: at("system.ksSchedulerAction")?,
                    queues: state + core * step + queues,
                    queue_count: queues_bytes / queue,
                    port_map: (state + core * step + map, map_bytes),
                })
            })
            .collect()
    }

    pub fn symbol(&self, name: &str) -> Result<u64> {
        self.symbols.get(name).map(|(at, _)| *at).ok_or_else(|| Error::new(format!("the kernel has no symbol {name}")))
    }

    /// How many elements of `bytes` the array `name` has.
    pub fn elements(&self, name: &str, bytes: u64) -> Result<u64> {
        let size = self.symbols.get(name).map_or(0, |(_, size)| *size);
        match size / bytes {
            0 => Err(Error::new(format!("the kernel's {name} has no elements"))),
            count => Ok(count),
        }
    }

    pub fn enumerator(&self, name: &str) -> Result<u64> {
        self.debug.enumerator(name)
    }

    pub fn size(&self, structure: &str) -> Result<u64> {
        self.debug.size(structure)
    }

    /// Reads a field of a bit-field block.
    pub fn get(&self, block: &str, field: &str, words: &[u64]) -> Result<u64> {
        Ok(self.bits.field(block, field)?.get(words))
    }

    /// Writes one: for planting faults.
    pub fn set(&self, block: &str, field: &str, words: &mut [u64], value: u64) -> Result<()> {
        self.bits.field(block, field)?.set(words, value);
        Ok(())
    }
}

/// Code and constants of the running kernel. Its boot code is given away after the boot, and data changes.
fn constants(elf: &object::File, symbols: &HashMap<String, (u64, u64)>) -> Vec<Constant> {
    use object::ObjectSection;
    let boot_end = symbols.get("ki_boot_end").map_or(0, |(at, _)| *at);
    let named = [".text", ".text.unlikely", ".rodata"];
    let sections = elf.sections().filter(|section| section.name().is_ok_and(|name| named.contains(&name)));
    let loaded = |at: u64| elf.segments().any(|s| s.address() <= at && at < s.address() + s.size());
    sections
        .filter(|section| section.address() >= boot_end && loaded(section.address()))
        .filter_map(|section| Some(Constant { vaddr: section.address(), bytes: section.data().ok()?.to_vec() }))
        .collect()
}
