//! The live proof on a machine in QEMU: stops it where no core is inside the kernel, reads its memory through the
//! monitor, and compares what is there with the specification in the image that was booted.

use crate::{
    ensure,
    machine::{Folder, Machine},
    Failure, Result,
};
use alpha::{Boot, Programs};
use live_proof::{
    compare::Rules,
    expected::Expected,
    formats::Formats,
    memory::{self, Core},
    prove, Report,
};
use serde_json::json;
use std::{
    fmt, fs, io, thread,
    time::{Duration, Instant},
};

/// How often a machine is let go on because a core was inside the kernel.
const TRIES: usize = 200;

/// What every proof of one image needs.
pub struct Proof {
    pub formats: Formats,
    pub expected: Expected,
    ram: Vec<(u64, u64)>,
}

/// Memory of a machine that stands still, as it is read piece by piece.
struct Monitor<'m> {
    machine: &'m mut Machine,
    folder: Folder,
}

impl memory::Source for Monitor<'_> {
    fn read(&mut self, paddr: u64, bytes: &mut [u8]) -> io::Result<()> {
        let file = self.folder.0.join("piece");
        let saved = self.machine.qmp.save_memory(paddr, bytes.len() as u64, &file);
        saved.map_err(|failure| io::Error::other(failure.to_string()))?;
        let piece = fs::read(&file)?;
        if piece.len() != bytes.len() {
            return Err(io::Error::other(format!("QEMU gave {} bytes for {}", piece.len(), bytes.len())));
        }
        bytes.copy_from_slice(&piece);
        Ok(())
    }
}

impl Proof {
    /// Of an image in the mode of this number; the system starts in number 0.
    pub fn new(programs: &Programs, boot: &Boot, mode: usize) -> Result<Self> {
        let kernel = &programs.kernel;
        ensure!(boot.kernel == kernel.elf32, "{} is not the kernel that was built", boot.kernel.display());
        let formats = Formats::read(&kernel.elf, &kernel.build_dir).map_err(say)?;
        let expected = Expected::of_image(&fs::read(&boot.image)?, mode).map_err(say)?;
        Ok(Proof { formats, expected, ram: alpha::memory::ram(boot.memory_bytes) })
    }

    /// Proves a machine that runs, and lets it run on. `then` may look further, at the same memory.
    pub fn run<T>(
        &self,
        machine: &mut Machine,
        rules: &Rules,
        then: impl FnOnce(&mut memory::Memory, &Report) -> Result<T>,
    ) -> Result<(Proven, T)> {
        let start = Instant::now();
        let cores = stop(machine)?;
        let outcome = self.look(machine, cores, rules, then, start);
        machine.qmp.run("cont", json!({}))?;
        outcome
    }

    fn look<T>(
        &self,
        machine: &mut Machine,
        cores: Vec<Core>,
        rules: &Rules,
        then: impl FnOnce(&mut memory::Memory, &Report) -> Result<T>,
        start: Instant,
    ) -> Result<(Proven, T)> {
        let source = Monitor { machine, folder: Folder::new()? };
        let mut memory = memory::Memory::new(self.ram.clone(), cores, source);
        let report = prove(&memory, &self.formats, &self.expected, rules).map_err(say)?;
        let proven = Proven { stood_still: start.elapsed(), fetched: memory.fetched() };
        let then = then(&mut memory, &report)?;
        Ok((proven, then))
    }
}

/// What a proof took.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    /// From the first stop to the result.
    pub stood_still: Duration,
    /// Bytes of the guest's memory that were read.
    pub fetched: u64,
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.stood_still.as_secs_f32();
        write!(f, "{:.1} MiB of memory in {seconds:.2} s", self.fetched as f32 / (1 << 20) as f32)
    }
}

/// Stops the machine when each core runs user code or waits in the kernel's idle loop: inside, lists may be half-tied.
fn stop(machine: &mut Machine) -> Result<Vec<Core>> {
    for _ in 0..TRIES {
        machine.qmp.run("stop", json!({}))?;
        let registers = machine.qmp.monitor("info registers -a")?;
        let cores =
            cores(&registers).ok_or_else(|| Failure::new(format!("QEMU's registers are not read:\n{registers}")))?;
        if cores.iter().all(|(_, quiet)| *quiet) {
            return Ok(cores.into_iter().map(|(core, _)| core).collect());
        }
        machine.qmp.run("cont", json!({}))?;
        thread::sleep(Duration::from_millis(3));
    }
    Err(Failure::new("each time the machine was stopped a core was inside the kernel"))
}

/// What QEMU says of each core, and whether it is in ring 3 or halted.
fn cores(registers: &str) -> Option<Vec<(Core, bool)>> {
    let mut cores = Vec::new();
    for text in registers.split("CPU#").skip(1) {
        let value = |name: &str| {
            let digits = text.split(name).nth(1)?.split(|c: char| !c.is_ascii_hexdigit()).next()?;
            u64::from_str_radix(digits, 16).ok()
        };
        let core = Core {
            cr0: value("CR0=")?,
            cr3: value("CR3=")?,
            cr4: value("CR4=")?,
            efer: value("EFER=")?,
            flags: value("RFL=")?,
        };
        cores.push((core, value("CPL=")? == 3 || value("HLT=")? == 1));
    }
    (!cores.is_empty()).then_some(cores)
}

fn say(error: live_proof::Error) -> Failure {
    Failure::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_says_of_its_cores_is_read() {
        let core = |number, cpl, halted| {
            format!(
                "CPU#{number}\r\nRAX=0000000000000001 RBX=0\r\nRIP=0000000000210000 RFL=00003202 [-------] CPL={cpl} \
                 II=0 A20=1 SMM=0 HLT={halted}\r\nCR0=80010031 CR2=0 CR3=000000000fc2e000 CR4=000006b0\r\n\
                 EFER=0000000000000501\r\n"
            )
        };
        let read = cores(&(core(0, 3, 0) + &core(1, 0, 1) + &core(2, 0, 0))).unwrap();
        assert_eq!(read.iter().map(|(_, quiet)| *quiet).collect::<Vec<_>>(), [true, true, false]);
        let should = Core { cr0: 0x8001_0031, cr3: 0xfc2_e000, cr4: 0x6b0, efer: 0x501, flags: 0x3202 };
        assert_eq!(read[1].0, should);
        assert!(cores("nothing").is_none());
        assert!(cores("CPU#0\r\nCR0=1").is_none());
    }
}
