//! One boot: QEMU until the tests say that they are done, or nothing comes any more.

use kernel_config::{Error, Kernel};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const WHOLE_BOOT: Duration = Duration::from_secs(120);

/// The lines that came. `idle`: how long to wait for the next one.
pub fn boot(
    kernel: &Kernel,
    root: &Path,
    pattern: &Path,
    cores: u32,
    memory: &str,
    [start, size]: [u64; 2],
    idle: Duration,
) -> Result<Vec<String>, Error> {
    let mut child = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-M", "q35", "-nic", "none", "-no-reboot"])
        .args(["-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio"])
        .args(["-smp", &cores.to_string(), "-m", memory])
        .arg("-kernel")
        .arg(&kernel.elf32)
        .arg("-initrd")
        .arg(root)
        .args(["-append", &format!("reserve={start:#x},{size:#x}")])
        .args(["-device", &format!("loader,file={},addr={start:#x},force-raw=on", pattern.display())])
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
                let last = line == crate::root::LAST_LINE;
                lines.push(line);
                if last {
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
