//! The live proof on a machine in QEMU: stops it where no core is inside the kernel, reads its memory through the monitor,
//! and compares what is there with the specification in the image that was booted.

use crate::{
    ensure,
    machine::{Folder, Machine},
    Failure, Result,
};
use alpha::{Boot, Programs};
use live_proof::{compare::Rules, expected::Expected, formats::Formats, memory, prove, Report};
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
    pub fn new(programs: &Programs, boot: &Boot) -> Result<Self> {
        let kernel = &programs.kernel;
        ensure!(boot.kernel == kernel.elf32, "{} is not the kernel that was built", boot.kernel.display());
        let formats = Formats::read(&kernel.elf, &kernel.build_dir).map_err(say)?;
        let expected = Expected::of_image(&fs::read(&boot.image)?).map_err(say)?;
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
        stop(machine)?;
        let outcome = self.look(machine, rules, then, start);
        machine.qmp.run("cont", json!({}))?;
        outcome
    }

    fn look<T>(
        &self,
        machine: &mut Machine,
        rules: &Rules,
        then: impl FnOnce(&mut memory::Memory, &Report) -> Result<T>,
        start: Instant,
    ) -> Result<(Proven, T)> {
        let source = Monitor { machine, folder: Folder::new()? };
        let mut memory = memory::Memory::new(self.ram.clone(), source);
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
        write!(f, "{:.1} MiB of memory read, {seconds:.2} s", self.fetched as f32 / (1 << 20) as f32)
    }
}

/// Stops the machine when each core runs user code or waits in the kernel's idle loop: inside, lists may be half-tied.
fn stop(machine: &mut Machine) -> Result<()> {
    for _ in 0..TRIES {
        machine.qmp.run("stop", json!({}))?;
        let registers = machine.qmp.monitor("info registers -a")?;
        if quiet(&registers) {
            return Ok(());
        }
        machine.qmp.run("cont", json!({}))?;
        thread::sleep(Duration::from_millis(3));
    }
    Err(Failure::new("each time the machine was stopped a core was inside the kernel"))
}

/// Whether QEMU's words about each core say that it is in ring 3 or halted.
fn quiet(registers: &str) -> bool {
    let value = |line: &str, name: &str| line.split(name).nth(1)?.chars().next()?.to_digit(16);
    let cores: Vec<_> = registers.lines().filter(|line| line.contains("CPL=") && line.contains("HLT=")).collect();
    !cores.is_empty() && cores.iter().all(|line| value(line, "CPL=") == Some(3) || value(line, "HLT=") == Some(1))
}

fn say(error: live_proof::Error) -> Failure {
    Failure::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_inside_the_kernel_is_seen() {
        let line = |cpl, halted| format!("RIP=0000000000210000 RFL=00000202 [-------] CPL={cpl} II=0 A20=1 SMM=0 HLT={halted}\n");
        assert!(quiet(&(line(3, 0) + &line(0, 1))));
        assert!(!quiet(&(line(3, 0) + &line(0, 0))));
        assert!(!quiet("nothing"));
    }
}
