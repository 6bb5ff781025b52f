//! Builds llama.cpp and the program around it (`../program`) as one static ELF.
//!
//! The compiler is `zig c++` from PyPI: clang with musl and libc++, the same everywhere. llama.cpp is compiled file by
//! file from the pinned crate, without CMake: its configuring step alone takes longer than half of the build.
//!
//! Every step is kept in the cache under a hash of all that goes into it, and put in place by a rename. A build that
//! was interrupted goes on where it stopped; one that has nothing to do returns at once.

mod arena;
mod command;
mod hash;
mod overlay;
mod recipe;
mod scan;

pub use arena::{arena_bytes, FactsError, ModelFacts, DEFAULT_BATCH, DEFAULT_CONTEXT};
pub use scan::{scan, Report};

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use command::Runner;
use hash::Hash;

/// The pinned crate that llama.cpp comes in.
pub const SOURCE_CRATE: &str = "llama-cpp-sys-2";
pub const SOURCE_VERSION: &str = "0.1.161";
/// What is installed from PyPI, into a virtual environment in the cache.
pub const TOOLS: &[&str] = &["ziglang==0.17.0"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The protection domain.
    Pd,
    /// The same program on Linux, for tests: see `program/plat_linux.c`.
    Host,
    /// A plain static Linux program that generates from the command line: the other side of the benchmark.
    Linux,
    /// A Linux program that decodes and re-encodes messages: see `program/proto_check.cpp`.
    ProtoCheck,
}

impl Flavour {
    pub fn name(self) -> &'static str {
        match self {
            Flavour::Pd => "pd",
            Flavour::Host => "host",
            Flavour::Linux => "linux",
            Flavour::ProtoCheck => "proto-check",
        }
    }
}

pub struct Options<'a> {
    /// Folder of the unpacked crate [`SOURCE_CRATE`].
    pub source: &'a Path,
    /// Where tools, objects and results are kept; should stay at one place.
    pub cache: &'a Path,
    /// `x86_64`.
    pub arch: &'a str,
    pub flavour: Flavour,
    /// Told in a few words what is being done.
    pub progress: &'a mut dyn FnMut(&str),
}

#[derive(Debug)]
pub enum Error {
    Arch(String),
    Source(PathBuf),
    Io(PathBuf, io::Error),
    /// A command could not be started or failed; its last lines of output.
    Command(String, String),
    Overlay(String),
    Scan(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Arch(arch) => write!(f, "llama is not built for {arch} yet"),
            Error::Source(path) => write!(f, "{} holds no llama.cpp (cargo fetch gets it)", path.display()),
            Error::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Error::Command(command, output) => write!(f, "failed: {command}\n{output}"),
            Error::Overlay(what) => write!(f, "zig's library is not as expected: {what}"),
            Error::Scan(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Error {}

fn io_at<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|e| Error::Io(path.to_path_buf(), e))
}

/// Where Cargo has unpacked the pinned crate, if it has.
pub fn find_source() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    registries
        .flatten()
        .map(|r| r.path().join(format!("{SOURCE_CRATE}-{SOURCE_VERSION}")))
        .find(|p| p.join("llama.cpp/include/llama.h").exists())
}

/// The folder of the program's own sources.
pub fn program_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../program")
}

/// Builds the ELF, or finds it in the cache.
pub fn build(options: Options) -> Result<PathBuf, Error> {
    let Options { source, cache, arch, flavour, progress } = options;
    if arch != "x86_64" {
        return Err(Error::Arch(arch.into()));
    }
    let llama = source.join("llama.cpp");
    if !llama.join("include/llama.h").exists() {
        return Err(Error::Source(source.into()));
    }
    io_at(cache, fs::create_dir_all(cache))?;
    let cache = &io_at(cache, fs::canonicalize(cache))?;
    let llama = &io_at(&llama, fs::canonicalize(&llama))?;
    let program = &io_at(&program_dir(), fs::canonicalize(program_dir()))?;

    let mut key = Hash::new();
    key.text(recipe::FINGERPRINT).text(arch).text(flavour.name());
    key.text(SOURCE_VERSION).listing(llama)?;
    for tool in TOOLS {
        key.text(tool);
    }
    key.tree(program)?;
    let result = cache.join(format!("llama-{arch}-{}-{}.elf", flavour.name(), key.hex()));
    if result.exists() {
        return Ok(result);
    }

    /* One build at a time in a cache; whoever waited finds the result. */
    let lock = cache.join("lock");
    let guard = io_at(&lock, fs::File::create(&lock))?;
    io_at(&lock, guard.lock())?;
    if result.exists() {
        return Ok(result);
    }
    let zig = tools(cache, progress)?;
    let runner = Runner::new(cache, &zig)?;
    let objects = match flavour {
        Flavour::ProtoCheck => Vec::new(),
        _ => recipe::compile_llama(&runner, llama, progress)?,
    };
    progress(&format!("llama ({}): linking", flavour.name()));
    let linked = recipe::link(&runner, llama, program, flavour, &objects, &key.hex())?;
    let finished = command::strip(&linked)?;
    if flavour == Flavour::Pd {
        scan(&finished)?;
    }
    io_at(&result, fs::rename(&finished, &result))?;
    let _ = fs::remove_file(&linked);
    Ok(result)
}

/// The virtual environment with zig in it; returns the path of the compiler.
fn tools(cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let mut key = Hash::new();
    for tool in TOOLS {
        key.text(tool);
    }
    let place = cache.join(format!("tools-{}", key.hex()));
    let find = |root: &Path| {
        let lib = root.join("lib");
        fs::read_dir(lib).ok()?.flatten().map(|e| e.path().join("site-packages/ziglang/zig")).find(|p| p.exists())
    };
    if place.join("complete").exists() {
        if let Some(zig) = find(&place) {
            return Ok(zig);
        }
    }
    progress("llama: installing the compiler (zig, 100 MB from PyPI)");
    let _ = fs::remove_dir_all(&place);
    command::run("python3", &["-m", "venv", &place.to_string_lossy()], &[])?;
    let mut arguments = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
    arguments.extend(TOOLS);
    command::run(&place.join("bin/python").to_string_lossy(), &arguments, &[])?;
    let zig = find(&place).ok_or_else(|| Error::Overlay("no zig in the environment".into()))?;
    io_at(&place, fs::write(place.join("complete"), ""))?;
    Ok(zig)
}
