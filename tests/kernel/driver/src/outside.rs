//! What the processor itself says, seen through QEMU's debugger port while the tests' root task runs: registers that no
//! program can read, and those that it could only read by disturbing them.

use crate::{qemu, root, Driver};
use kernel_config::{Error, Kernel};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use system_tests::gdb::{Gdb, Register, ST0, XMM0};

const SMEP: u64 = 1 << 20;
const SMAP: u64 = 1 << 21;
/// Direction, nested task, access control: `FLAGS` in `root/registers.rs`.
const FLAGS: u64 = 1 << 10 | 1 << 14 | 1 << 18;

/// All general registers are below this one; of them a new thread is given this stack and an argument (rdi).
const RIP: u32 = Register::Rip as u32;
const RSP: u32 = 7;
/// As `run` in `root/machine.rs` gives them.
const BEGIN_FLAGS: u64 = 0x202;
/// The processor's own note that an instruction is begun anew, when something came before it could run.
const RESUME: u64 = 1 << 16;

/// A machine that stands still where the test wants to look.
struct Stopped {
    machine: qemu::Running,
    gdb: Gdb,
}

/// An address in a program.
fn symbol(program: &Path, name: &str) -> Result<u64, String> {
    let output = Command::new("nm").arg(program).output().map_err(|e| format!("nm: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.split(' ').nth(2) == Some(name));
    let address = line.and_then(|line| u64::from_str_radix(line.split(' ').next()?, 16).ok());
    address.ok_or_else(|| format!("{} has no symbol {name}", program.display()))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Stopped {
    /// Before the machine's first instruction.
    fn boot(driver: &Driver, kernel: &Kernel, cores: u32, only: &str) -> Result<Stopped, String> {
        let root = root::build(kernel, &driver.work, &root::Parameters { only, ..Default::default() }).map_err(text)?;
        let socket = driver.work.join("debugger");
        let _ = std::fs::remove_file(&socket);
        let debugger = Some(socket.as_path());
        let machine = qemu::Machine { debugger, ..qemu::Machine::new(cores, "512M") };
        let machine = qemu::Running::start(kernel, &root, &machine).map_err(text)?;
        let end = Instant::now() + Duration::from_secs(30);
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > end => return Err(format!("no debugger port: {error}")),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Ok(Stopped { machine, gdb: Gdb::attach(stream).map_err(text)? })
    }

    /// Goes on until a core is about to execute the instruction at `address`.
    fn run_to(&mut self, address: u64) -> Result<(), String> {
        self.gdb.set_breakpoint(address).map_err(text)?;
        self.gdb.run_to_stop().map_err(|error| format!("{address:#x} is not reached: {error}"))?;
        self.gdb.remove_breakpoint(address).map_err(text)?;
        match self.register(Register::Rip)? {
            rip if rip == address => Ok(()),
            rip => Err(format!("stopped at {rip:#x} instead of {address:#x}")),
        }
    }

    /// The same in small steps, between which QEMU lets no interrupt come.
    fn step_to(&mut self, address: u64) -> Result<(), String> {
        for _ in 0..100 {
            self.gdb.step().map_err(text)?;
            if self.register(Register::Rip)? == address {
                return Ok(());
            }
        }
        Err(format!("{address:#x} is not reached"))
    }

    fn register(&mut self, register: Register) -> Result<u64, String> {
        self.gdb.register(register).map_err(text)
    }

    /// Lets the test of the root task come to its end.
    fn finish(self) -> Result<(), String> {
        self.gdb.detach().map_err(text)?;
        let lines = self.machine.lines(root::LAST_LINE, Duration::from_secs(30));
        match lines.iter().find(|line| line.starts_with("test ")) {
            Some(line) if line.ends_with(" ok") => Ok(()),
            Some(line) => Err(line.clone()),
            None => Err("the kernel stands still".into()),
        }
    }
}

/// A thread that never used the floating-point unit runs right after one that filled it.
pub fn fpu_is_switched(driver: &Driver, kernel: &Kernel, cores: u32) -> Result<Result<(), String>, Error> {
    Ok((|| {
        let mut stopped = Stopped::boot(driver, kernel, cores, "fpu_is_switched")?;
        let address = symbol(&driver.work.join("main.elf"), "first_instruction")?;
        for core in 0..cores {
            stopped.run_to(address)?;
            let general = (0..RIP).filter(|&r| r != Register::Rdi as u32 && r != RSP);
            for register in general.chain(ST0..ST0 + 8).chain(XMM0..XMM0 + 16) {
                let held = stopped.gdb.raw_register(register).map_err(text)?;
                if held.iter().any(|&byte| byte != 0) {
                    return Err(format!("core {core}: register {register} holds what another thread left: {held:x?}"));
                }
            }
            match stopped.register(Register::Flags)? & !RESUME {
                BEGIN_FLAGS => {}
                flags => return Err(format!("core {core}: the flags are {flags:#x}")),
            }
            stopped.gdb.step().map_err(text)?;
        }
        stopped.finish()
    })())
}

/// SMEP and SMAP are on in each core, and the user's flags, with which SMAP could be switched off, off in the kernel.
pub fn supervisor_protection(driver: &Driver, kernel: &Kernel, cores: u32) -> Result<Result<(), String>, Error> {
    Ok((|| {
        let mut stopped = Stopped::boot(driver, kernel, cores, "entry_flags")?;
        let program = driver.work.join("main.elf");
        for (user, entry) in
            [("enters_by_syscall", "c_handle_syscall"), ("enters_by_interrupt", "c_x64_handle_interrupt")]
        {
            stopped.run_to(symbol(&program, user)?)?;
            if stopped.register(Register::Flags)? & FLAGS != FLAGS {
                return Err("the user cannot set the flags that the test is about".into());
            }
            stopped.step_to(symbol(&kernel.elf, entry)?)?;
            let flags = stopped.register(Register::Flags)? & FLAGS;
            if flags != 0 {
                return Err(format!("flags of the user are set at {entry}: {flags:#x}"));
            }
        }
        let names = stopped.gdb.cores().map_err(text)?;
        if names.len() != cores as usize {
            return Err(format!("{} cores instead of {cores}", names.len()));
        }
        for name in names {
            stopped.gdb.select_core(&name).map_err(text)?;
            let cr4 = stopped.register(Register::Cr4)?;
            if cr4 & (SMEP | SMAP) != SMEP | SMAP {
                return Err(format!("CR4 of core {name} is {cr4:#x}: SMEP or SMAP is off"));
            }
        }
        stopped.finish()
    })())
}
