//! One boot: QEMU until the tests say that they are done, or nothing comes any more.

use kernel_config::{Error, Kernel};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const WHOLE_BOOT: Duration = Duration::from_secs(180);

pub struct Machine<'a> {
    pub cores: u32,
    pub memory: &'a str,
    /// A physical range, filled from a file.
    pub range: Option<([u64; 2], &'a Path)>,
    /// One nanosecond an instruction, instead of the host's clock.
    pub count_instructions: bool,
}

/// The lines that came, up to one that begins with `last`. `idle`: how long to wait for the next one.
pub fn boot(kernel: &Kernel, root: &Path, machine: &Machine, last: &str, idle: Duration) -> Result<Vec<String>, Error> {
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
    let mut child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| Error::ToolMissing { tool: "qemu-system-x86_64".into() })?;
    let output = BufReader::new(child.stdout.take().expect("piped above"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in output.split(b'\n').map_while(Result::ok) {
            if sender.send(plain(&line)).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + WHOLE_BOOT;
    let mut lines = Vec::new();
    while Instant::now() < end {
        // The first line waits for firmware and boot.
        match receiver.recv_timeout(if lines.is_empty() { WHOLE_BOOT } else { idle }) {
            Ok(line) => {
                let ended = line.starts_with(last);
                lines.push(line);
                if ended {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Ok(lines)
}

/// Without what a debug kernel puts in between: colours, and line ends the wrong way round.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or("");
    let rest = parts.map(|p| p.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, after)| after));
    [first].into_iter().chain(rest).collect::<String>().trim().to_string()
}
