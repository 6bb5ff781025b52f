//! Compiles the root tasks of the tests against a kernel's interface.

use kernel_config::{Error, Kernel};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const LAST_LINE: &str = "kernel tests done";
/// How many tests the root task has.
pub const TESTS: usize = 35;

/// As in `root/main.rs`.
const PARAMETERS: &[u8] = b"kernel-tests select:";
const SELECT: (usize, usize) = (20, 48);
const RANGE: (usize, usize) = (54, 80);
const IOMMU: (usize, usize) = (86, 87);
const FUZZ: (usize, usize) = (93, 144);

/// What the root task is told.
#[derive(Default)]
pub struct Parameters<'a> {
    /// One test, or all.
    pub only: &'a str,
    /// A physical range that QEMU fills.
    pub range: [u64; 2],
    /// There is an IOMMU and the kernel can use it.
    pub iommu: bool,
    /// Seed, first call, number of calls.
    pub fuzz: [u64; 3],
}

/// The root task with the tests, told which to run.
pub fn build(kernel: &Kernel, work: &Path, parameters: &Parameters) -> Result<PathBuf, Error> {
    let program = compile(kernel, work, "main")?;
    let mut bytes = fs::read(&program).map_err(|e| io(&program, e))?;
    let at = bytes
        .windows(PARAMETERS.len())
        .position(|w| w == PARAMETERS)
        .ok_or_else(|| Error::Tool { what: "root task".into(), log: "it has no place for parameters".into() })?;
    let mut put = |(from, to): (usize, usize), text: &str| {
        let field = &mut bytes[at + from..at + to];
        field.fill(b' ');
        field[..text.len()].copy_from_slice(text.as_bytes());
    };
    let Parameters { only, range, iommu, fuzz } = parameters;
    put(SELECT, only);
    put(RANGE, &format!("{:x},{:x}", range[0], range[1]));
    put(IOMMU, &format!("{}", *iommu as u8));
    put(FUZZ, &format!("{:x},{:x},{:x}", fuzz[0], fuzz[1], fuzz[2]));
    let ready = work.join("root.ready.elf");
    write(&ready, &bytes)?;
    Ok(ready)
}

/// One program of `root/`.
pub fn compile(kernel: &Kernel, work: &Path, name: &str) -> Result<PathBuf, Error> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../root").join(format!("{name}.rs"));
    let labels = work.join("labels.rs");
    write(&labels, labels_of(kernel)?.as_bytes())?;
    let program = work.join(format!("{name}.elf"));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    // The host's own target, without its libraries: what `core` of that target compiles to runs on the bare kernel too.
    command.args(["--edition", "2021", "-O", "-Cpanic=abort", "-Crelocation-model=static"]);
    for link in ["-nostdlib", "-nostartfiles", "-static", "-Wl,--build-id=none,-z,noexecstack"] {
        command.arg(format!("-Clink-arg={link}"));
    }
    command.env("KERNEL_LABELS", &labels).arg(&source).arg("-o").arg(&program);
    run(&mut command, "rustc, root task of the kernel tests")?;
    Ok(program)
}

/// The invocation labels, out of the headers that the kernel was compiled with.
fn labels_of(kernel: &Kernel) -> Result<String, Error> {
    let mut cpp = Command::new("cpp");
    cpp.current_dir(&kernel.build_dir).args(["-P", "-DHAVE_AUTOCONF", "-include", "autoconf.h", "-I."]);
    cpp.args(["../source/include", "../source/include/64"].map(|i| format!("-I{i}")));
    let text = run(cpp.arg("arch/api/invocation.h"), "cpp arch/api/invocation.h")?;
    let mut known: HashMap<&str, u64> = HashMap::new();
    let mut labels = String::new();
    for body in text.split("enum ").skip(1) {
        let body = body.split_once('{').map_or("", |(_, b)| b).split('}').next().unwrap_or("");
        let mut next = 0;
        for entry in body.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (name, value) = match entry.split_once('=') {
                Some((name, base)) => (name.trim(), known.get(base.trim()).copied().unwrap_or(0)),
                None => (entry, next),
            };
            known.insert(name, value);
            labels += &format!("pub const {name}: u64 = {value};\n");
            next = value + 1;
        }
    }
    Ok(labels)
}

/// A file in which every word says where it is.
pub fn pattern(work: &Path, [_, size]: [u64; 2]) -> Result<PathBuf, Error> {
    let path = work.join(format!("pattern-{size:x}"));
    if fs::metadata(&path).map_or(true, |m| m.len() != size) {
        let words = (0..size / 8).flat_map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        write(&path, &words.collect::<Vec<u8>>())?;
    }
    Ok(path)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|e| io(path, e))
}

fn io(path: &Path, error: std::io::Error) -> Error {
    Error::Io { path: path.into(), error }
}

fn run(command: &mut Command, what: &str) -> Result<String, Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|_| Error::ToolMissing { tool })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::Tool { what: what.into(), log: String::from_utf8_lossy(&output.stderr).into_owned() }),
    }
}
