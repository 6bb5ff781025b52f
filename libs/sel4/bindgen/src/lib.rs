//! Writes one Rust file with all that user space has to know of a kernel: invocation labels and stubs, system call
//! numbers, object types and sizes, error codes, bit fields, fault messages, the boot information.
//!
//! Everything is read from the source tree that the kernel itself is built from, after the overlay's patches and with
//! the kernel's own configuration, so the two cannot drift apart. A construct that this program does not understand
//! is an error where it is needed, never a guess.

mod bf;
mod c;
mod emit;
mod names;
mod xml;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

/// What went wrong, and in which file.
#[derive(Debug)]
pub struct Error {
    pub file: PathBuf,
    pub what: String,
}

impl Error {
    fn new(file: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Error { file: file.into(), what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for Error {}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|e| Error::new(path, e.to_string()))
}

/// The kernel's configuration: the `#define`s of its `autoconf.h`.
#[derive(Clone, Debug, Default)]
pub struct Config(BTreeMap<String, String>);

impl Config {
    /// Reads one or more files of `#define`s; a later one wins.
    pub fn read<P: AsRef<Path>>(files: &[P]) -> Result<Self, Error> {
        let mut config = Config::default();
        for file in files {
            config.add(&read(file.as_ref())?);
        }
        Ok(config)
    }

    /// Adds the `#define`s in `text`.
    pub fn add(&mut self, text: &str) {
        let mut source = c::Source::default();
        source.define_all(&self.0);
        source.read(text);
        self.0 = source.into_defines();
    }
}

/// What differs between architectures in where the files lie and in the calling convention.
struct Arch {
    /// Name of the `sel4_arch_include` folder.
    name: &'static str,
    /// Name of the `arch_include` folder.
    family: &'static str,
    /// Its platform folder, where there is only one.
    platform: Option<&'static str>,
    /// Message words that travel in registers.
    message_registers: usize,
}

const ARCHITECTURES: [Arch; 2] = [
    Arch { name: "x86_64", family: "x86", platform: Some("pc99"), message_registers: 4 },
    Arch { name: "aarch64", family: "arm", platform: None, message_registers: 4 },
];

/// Bindings for the kernel whose (patched, configured) source lies in `sel4`: the folder with `libsel4/` in it, and the
/// configuration where the kernel's build puts it.
pub fn generate(sel4: &Path, arch: &str) -> Result<String, Error> {
    let platform = ARCHITECTURES
        .iter()
        .find(|a| a.name == arch)
        .and_then(|a| a.platform)
        .ok_or_else(|| Error::new(sel4, format!("no single platform of {arch} known: name the configuration")))?;
    let config = sel4.join("include/plat").join(platform).join("autoconf.h");
    generate_with(sel4, arch, &Config::read(&[config])?)
}

/// As [`generate`], with the configuration given.
pub fn generate_with(sel4: &Path, arch: &str, config: &Config) -> Result<String, Error> {
    let arch = ARCHITECTURES
        .iter()
        .find(|a| a.name == arch)
        .ok_or_else(|| Error::new(sel4, format!("no architecture {arch} known")))?;
    let lib = sel4.join("libsel4");
    let common = lib.join("include");
    let family = lib.join("arch_include").join(arch.family);
    let own = lib.join("sel4_arch_include").join(arch.name);

    // The headers, in an order in which every constant comes before its use.
    let mut source = c::Source::default();
    source.define_all(&config.0);
    for file in [
        common.join("sel4/errors.h"),
        common.join("sel4/objecttype.h"),
        own.join("sel4/sel4_arch/objecttype.h"),
        family.join("sel4/arch/objecttype.h"),
        own.join("sel4/sel4_arch/constants.h"),
        family.join("sel4/arch/constants.h"),
        common.join("sel4/constants.h"),
        own.join("sel4/sel4_arch/types.h"),
        family.join("sel4/arch/types.h"),
        common.join("sel4/types.h"),
        common.join("sel4/shared_types.h"),
        common.join("sel4/bootinfo_types.h"),
        own.join("sel4/sel4_arch/mapping.h"),
    ] {
        source.read(&read(&file)?);
    }
    let headers = source.parse().map_err(|what| Error::new(&lib, what))?;

    let mut bitfields = bf::Bitfields::default();
    for file in [
        common.join("sel4/shared_types_64.bf"),
        common.join("sel4/types_64.bf"),
        own.join("sel4/sel4_arch/types.bf"),
        family.join("sel4/arch/shared_types.bf"),
    ] {
        let text = read(&file)?;
        bitfields.read(&text, &headers.defines).map_err(|what| Error::new(file, what))?;
    }

    // This order gives the invocation labels their numbers.
    let mut interfaces = xml::Interfaces::default();
    for file in [
        common.join("interfaces/sel4.xml"),
        own.join("interfaces/sel4arch.xml"),
        family.join("interfaces/sel4arch.xml"),
    ] {
        let text = read(&file)?;
        interfaces.read(&text, &headers.defines).map_err(|what| Error::new(file, what))?;
    }
    let syscalls_file = common.join("api/syscall.xml");
    let syscalls =
        xml::syscalls(&read(&syscalls_file)?, &headers.defines).map_err(|what| Error::new(syscalls_file, what))?;

    emit::file(arch, &headers, &bitfields, &interfaces, &syscalls).map_err(|what| Error::new(lib, what))
}
