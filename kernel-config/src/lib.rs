//! Builds the seL4 kernel: pinned source + overlay + one platform's configuration = one ELF.
//!
//! The source is the folder `seL4/` of the crate `sel4-sys`, which Cargo locks and downloads but never compiles.
//! The overlay is a row of small patches, each with its reason at its top. The result is cached under a key made of
//! everything that goes in, and it is the same byte for byte wherever it is built.
//!
//! This crate never changes what it was given: it works on a copy in the cache, and renames it into place when whole.

mod cache;
mod error;
mod overlay;
mod platform;
mod source;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use cache::default_cache;
pub use error::Error;
pub use overlay::{patches, Patch};
pub use source::{source_dir, source_in_registry};

/// Label of the message that wakes a caller whose server died (`seL4_DeadServer` in the patched libsel4).
/// Servers must not send it themselves; the labels of `seL4_Error` end far below.
pub const DEAD_SERVER_LABEL: u64 = 0xD1E;

/// The right that lets a caller be answered without letting capabilities pass (bit 3 of the rights word).
pub const RIGHT_GRANT_REPLY: u64 = 1 << 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// No assertions, no printing: what ships.
    Release,
    /// Assertions, messages on COM1, the debug system calls.
    Debug,
}

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Variant::Release => "release",
            Variant::Debug => "debug",
        }
    }
}

pub struct Options<'a> {
    /// The folder `seL4/` of the crate; see [`source_dir`].
    pub sel4_source: &'a Path,
    /// Where kernels and the build's Python tools are kept.
    pub cache: &'a Path,
    /// A folder of `platforms/`: `x86_64`.
    pub platform: &'a str,
    pub variant: Variant,
    /// Leave one patch out (its name, or the number it begins with). For the tests that show what it is for.
    pub without_patch: Option<&'a str>,
    pub progress: &'a mut dyn FnMut(&str),
}

#[derive(Clone, Debug)]
pub struct Kernel {
    /// With symbols and DWARF.
    pub elf: PathBuf,
    /// The same program as elf32-i386 and stripped, which QEMU's `-kernel` wants on x86_64.
    pub elf32: PathBuf,
    /// The patched tree: libsel4's XML, `.bf` files and headers.
    pub source: PathBuf,
    /// What the build generated: `structures.pbf`, `autoconf.h`, the invocation headers.
    pub build_dir: PathBuf,
    pub key: String,
}

/// Builds the kernel, or finds it in the cache.
pub fn build(options: Options) -> Result<Kernel, Error> {
    let Options { sel4_source, cache, platform, variant, without_patch, progress } = options;
    let platform = platform::find(platform)?;
    let patches = overlay::selected(platform.name, without_patch)?;
    let autoconf = platform.autoconf(variant)?;
    let compiler = tools::compiler_version(platform.tool_prefix)?;

    let key = cache::key(sel4_source, &patches, &autoconf, platform, variant, &compiler)?;
    let home = cache.join("kernel").join(format!("{}-{}-{}", platform.name, variant.name(), &key[..16]));
    let kernel = Kernel {
        elf: home.join("kernel.elf"),
        elf32: home.join("kernel.elf32"),
        source: home.join("source"),
        build_dir: home.join("build"),
        key,
    };
    if kernel.elf32.is_file() {
        return Ok(kernel);
    }

    let python = tools::python(cache, progress)?;
    let work = cache::TempDir::beside(&home)?;
    let (source, build) = (work.path().join("source"), work.path().join("build"));

    progress(&format!("kernel: {} patches onto seL4 5.0.0", patches.len()));
    source::copy_tree(sel4_source, &source)?;
    for patch in &patches {
        overlay::apply(patch, &source)?;
    }
    write(&source.join(platform.autoconf_in_tree), &autoconf)?;

    progress(&format!("kernel: compiling, {} {}", platform.name, variant.name()));
    create_dir(&build)?;
    let mut make = Command::new("make");
    // Relative paths and a fixed environment: neither the folder nor the caller's settings reach the ELF.
    make.current_dir(&build)
        .env_clear()
        .env("PATH", tools::path_with(&python))
        .envs([("LC_ALL", "C"), ("TZ", "UTC"), ("SOURCE_DATE_EPOCH", "0")])
        .envs([("PYTHONHASHSEED", "0"), ("PYTHONDONTWRITEBYTECODE", "1")])
        .env("CFLAGS", format!("{} -g -ffile-prefix-map={}=/sel4", platform.cflags, path_text(work.path())))
        .args(["-j2", "-f", "../source/Makefile", "SOURCE_ROOT=../source", "FASTPATH=1"])
        .arg(format!("PYTHON={}", path_text(&python)))
        .arg(format!("TOOLPREFIX={}", platform.tool_prefix))
        .args(platform.make)
        .arg("kernel.elf");
    if variant == Variant::Debug {
        make.arg("DEBUG=1");
    }
    tools::run(&mut make, "make kernel.elf")?;

    write(&build.join("autoconf.h"), &autoconf)?;
    rename(&build.join("kernel.elf"), &work.path().join("kernel.elf"))?;
    let mut objcopy = Command::new(format!("{}objcopy", platform.tool_prefix));
    objcopy.current_dir(work.path()).arg("-S");
    if let Some(format) = platform.boot_format {
        objcopy.args(["-O", format]);
    }
    tools::run(objcopy.args(["kernel.elf", "kernel.elf32"]), "objcopy kernel.elf")?;
    for large in ["kernel_all.c", "kernel_all.c_pp", "kernel_final.c", "kernel_final.s", "kernel.o"] {
        let _ = fs::remove_file(build.join(large));
    }
    work.become_dir(&home)?;
    Ok(kernel)
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("cache paths are UTF-8: the caller names the cache")
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|e| Error::io(path, e))
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| Error::io(path, e))
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|e| Error::io(from, e))
}
