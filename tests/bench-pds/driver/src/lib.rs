//! Boots a small layout and reads the lines that its `printer` puts on the serial port.

pub use alpha;

pub mod calls;

use alpha::{
    build::Variant,
    cargo::{self, Toolchain},
    qemu::{self, Accel, Config, Serial},
    Boot, Programs, Progress, Tree, Wish,
};
use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Nothing here takes longer, not even on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// The layout of this folder (from the tree's top) with its programs, for a machine of one core.
///
/// The folder is named by an environment variable of the process, so one process builds one layout.
pub fn build(layout: &str) -> Result<Boot> {
    build_for(layout, &Wish { cores: 1, ..Wish::default() })
}

/// The same for another machine.
pub fn build_for(layout: &str, wish: &Wish) -> Result<Boot> {
    let tree = Tree::find()?;
    std::env::set_var("ALPHA_LAYOUT_DIR", tree.root.join(layout));
    let toolchain = Toolchain::find(&tree)?;
    // The host program asks cargo only when one of the system's own sources changed; these programs are not among them.
    let _ = fs::remove_file(cargo::pd_target_dir(&tree).join("alpha.stamp"));
    let mut progress = Progress::new();
    let programs = Programs::build(&tree, &toolchain, Variant::Release, &mut progress);
    progress.finish();
    Ok(alpha::image::make(&tree, &programs?, wish)?)
}

/// Runs the machine until it switches itself off. Gives its lines, without carriage returns.
pub fn run(boot: &Boot, accel: Accel) -> Result<Vec<String>> {
    let config = Config { accel, serial: Serial::Stdio, ..Config::new(boot) };
    let mut machine = qemu::command(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|e| format!("{}: {e}", qemu::QEMU))?;
    let output = machine.stdout.take().ok_or("no output")?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(|line| line.ok()) {
            let _ = send.send(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    });
    let end = Instant::now() + LIMIT;
    let mut lines = Vec::new();
    loop {
        match receive.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let hopeless =
                    line.starts_with("AlphaOS cannot start") || line.starts_with("AlphaOS: the root task failed");
                lines.push(line);
                if hopeless {
                    machine.kill()?;
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                machine.kill()?;
                machine.wait()?;
                return Err(format!("not done after {} s; it said:\n{}", LIMIT.as_secs(), lines.join("\n")).into());
            }
        }
    }
    machine.wait()?;
    Ok(lines)
}

/// What this speaker said, line by line.
pub fn said<'a>(lines: &'a [String], speaker: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(speaker)?.strip_prefix("| ")).collect()
}
