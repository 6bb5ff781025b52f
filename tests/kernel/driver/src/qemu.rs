//! One boot: QEMU until the tests say that they are done, or nothing comes any more.

use kernel_config::{Error, Kernel};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

pub const WHOLE_BOOT: Duration = Duration::from_secs(180);

pub struct Machine<'a> {
    pub cores: u32,
    pub memory: &'a str,
    /// A physical range, filled from a file.
    pub range: Option<([u64; 2], &'a Path)>,
    /// One nanosecond an instruction, instead of the host's clock.
    pub count_instructions: bool,
    /// A socket for a debugger, for which the machine waits.
    pub debugger: Option<&'a Path>,
    pub iommu: Iommu,
    /// A file that is the machine's memory (for machines of less than 2 GiB), to be read when it is dead.
    pub memory_file: Option<&'a Path>,
    pub whole_boot: Duration,
}

impl<'a> Machine<'a> {
    pub fn new(cores: u32, memory: &'a str) -> Machine<'a> {
        Machine {
            cores,
            memory,
            range: None,
            count_instructions: false,
            debugger: None,
            iommu: Iommu::None,
            memory_file: None,
            whole_boot: WHOLE_BOOT,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Iommu {
    None,
    Usable,
    /// There is one, and the firmware's tables ask for what the kernel cannot do: it leaves the unit off.
    LeftOff,
}

/// The lines that came, up to one that begins with `last`. `idle`: how long to wait for the next one.
pub fn boot(kernel: &Kernel, root: &Path, machine: &Machine, last: &str, idle: Duration) -> Result<Vec<String>, Error> {
    Ok(Running::start(kernel, root, machine)?.lines(last, idle))
}

/// A machine that ends when this goes out of scope.
pub struct Running {
    qemu: Child,
    output: Receiver<String>,
    whole_boot: Duration,
}

impl Running {
    pub fn start(kernel: &Kernel, root: &Path, machine: &Machine) -> Result<Running, Error> {
        let mut command = command(kernel, root, machine)?;
        let mut qemu = command.spawn().map_err(|_| Error::ToolMissing { tool: "qemu-system-x86_64".into() })?;
        let output = BufReader::new(qemu.stdout.take().expect("it is piped"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if sender.send(plain(&line)).is_err() {
                    break;
                }
            }
        });
        Ok(Running { qemu, output: receiver, whole_boot: machine.whole_boot })
    }

    pub fn lines(&self, last: &str, idle: Duration) -> Vec<String> {
        let end = Instant::now() + self.whole_boot;
        let mut lines: Vec<String> = Vec::new();
        while Instant::now() < end {
            // The first line waits for firmware and boot.
            match self.output.recv_timeout(if lines.is_empty() { WHOLE_BOOT } else { idle }) {
                Ok(line) => {
                    let ended = line.starts_with(last);
                    // A debug kernel says of each refused call why: only the last of them matters.
                    if is_refusal(&line) && lines.last().is_some_and(|l| is_refusal(l)) {
                        lines.pop();
                    }
                    lines.push(line);
                    if ended {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn command(kernel: &Kernel, root: &Path, machine: &Machine) -> Result<Command, Error> {
    let mut qemu = Command::new("qemu-system-x86_64");
    match machine.count_instructions {
        true => qemu.args(["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
        false => qemu.args(["-accel", "tcg,thread=multi"]),
    };
    qemu.args(["-cpu", "max", "-M", "q35", "-nic", "none", "-no-reboot"])
        .args(["-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio"])
        .args(["-smp", &machine.cores.to_string(), "-m", machine.memory])
        .arg("-kernel")
        .arg(&kernel.elf32)
        .arg("-initrd")
        .arg(root);
    if let Some(([start, size], file)) = machine.range {
        qemu.args(["-append", &format!("reserve={start:#x},{size:#x}")])
            .args(["-device", &format!("loader,file={},addr={start:#x},force-raw=on", file.display())]);
    }
    if machine.iommu != Iommu::None {
        qemu.args(["-device", "intel-iommu,intremap=off"]);
    }
    if machine.iommu == Iommu::LeftOff {
        let table = root.with_file_name("dmar.bin");
        std::fs::write(&table, reserved_above_4_gib()).map_err(|error| Error::Io { path: table.clone(), error })?;
        qemu.args(["-acpitable", &format!("sig=DMAR,data={}", table.display())]);
    }
    // 40 bits of address: all of the memory, not its first 256 MiB.
    qemu.args(["-device", "edu,dma_mask=0xffffffffff"]);
    if let Some(file) = machine.memory_file {
        let size = machine.memory;
        qemu.args(["-machine", "memory-backend=ram"]);
        qemu.args(["-object", &format!("memory-backend-file,id=ram,size={size},mem-path={},share=on", file.display())]);
    }
    if let Some(socket) = machine.debugger {
        qemu.args(["-S", "-gdb", &format!("unix:{},server=on,wait=off", socket.display())]);
    }
    qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(qemu)
}

fn is_refusal(line: &str) -> bool {
    line.is_empty() || line.starts_with("<<seL4")
}

/// A second DMAR table behind its header: a range of memory above 4 GiB that a device's DMA must always reach.
fn reserved_above_4_gib() -> Vec<u8> {
    let mut table = vec![38, 0];
    table.extend([0; 10]);
    let (base, limit) = (0x1_0000_0000u64, 0x1_0000_0fffu64);
    table.extend([1, 0, 32, 0, 0, 0, 0, 0]);
    table.extend(base.to_le_bytes());
    table.extend(limit.to_le_bytes());
    // One device, 00:1f.6, directly on bus 0.
    table.extend([1, 8, 0, 0, 0, 0, 0x1f, 6]);
    table
}

/// Without what a debug kernel puts in between: colours, and line ends the wrong way round.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or("");
    let rest = parts.map(|p| p.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, after)| after));
    [first].into_iter().chain(rest).collect::<String>().trim().to_string()
}
