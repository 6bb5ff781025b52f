//! Everything that can be wrong with a layout, and its sentence.

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The file cannot be read.
    Read { file: String, why: String },
    /// The file is no TOML.
    Toml { file: String, why: String },
    MissingKey { file: String, table: String, key: String },
    UnknownKey { file: String, table: String, key: String, nearest: Option<String> },
    WrongType { file: String, table: String, key: String, expected: &'static str },
    BadValue { file: String, table: String, key: String, value: String, expected: String },
    /// A name that nothing in the layout has.
    UnknownName { file: String, table: String, kind: &'static str, name: String, nearest: Option<String> },
    /// Two tables with one name where names must differ.
    TwiceNamed { file: String, kind: &'static str, name: String },
    DuplicateChannel { channel: String, from: String, to: String },
    SelfChannel { channel: String, pd: String },
    RingCapacity { channel: String, bytes: u64 },
    /// More than 27 incoming signals.
    TooManyBits { pd: String, bits: u32 },
    NoRoom { pd: String, region: &'static str },
    DeviceShared { device: String, first: String, second: String },
    PortsOverlap { first: String, second: String, port: u16 },
    VectorTwice { first: String, second: String, vector: u8 },
    PinTwice { first: String, second: String, ioapic: u8, pin: u8 },
    DeviceMemoryOverlap { first: String, second: String, paddr: u64 },
    /// DMA memory and devices that can use it do not match.
    DmaWithoutDevice { pd: String, masters: usize },
    /// What an undisturbed PD holds depends on the mode.
    ChangesWithMode { pd: String, what: String, mode: String },
    /// A focus key that two rings have, or that the terminal needs.
    FocusKey { channel: String, why: String },
    /// An edge from the private to the public side.
    PrivateToPublic { channel: String, private: String, public: String },
    CrossingsMissing { pd: String },
    CrossingsUntrusted { pd: String },
    /// It names no edge of the PD's.
    CrossingNowhere { pd: String, end: String },
    NoClock { wanted_by: String },
    TwoClocks { first: String, second: String },
    TwoEditors { first: String, second: String },
    NoDisplay,
    Cores { cores: u8, max: u8 },
    ProgramMissing { pd: String, program: String },
    Elf { program: String, why: String },
    WriteExecute { program: String, vaddr: u64 },
    SegmentsSharePage { program: String, vaddr: u64 },
    SegmentOutside { program: String, vaddr: u64, end: u64 },
    Undefined { program: String, symbol: String },
    Overlap { pd: String, first: String, second: String, vaddr: u64 },
    /// The specification is not what it should be: a fault of this crate.
    Inconsistent { what: String },
    Memory { needed: u64, available: u64, parts: Vec<(String, u64)> },
}

impl std::error::Error for Error {}

/// Bytes in the largest unit that leaves a readable number.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=1023 => format!("{bytes} bytes"),
        1024..=0xf_ffff => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ if bytes < 10 << 20 => format!("{:.1} MiB", bytes as f64 / (1u64 << 20) as f64),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        use Error::*;
        let meant = |nearest: &Option<String>| match nearest {
            Some(name) => format!(" Did you mean `{name}`?"),
            None => String::new(),
        };
        match self {
            Read { file, why } => write!(f, "{file}: cannot be read: {why}."),
            Toml { file, why } => write!(f, "{file}: {why}"),
            MissingKey { file, table, key } => write!(f, "{file}: {table} lacks `{key}`."),
            UnknownKey { file, table, key, nearest } => {
                write!(f, "{file}: {table} has a key `{key}` that means nothing here.{}", meant(nearest))
            }
            WrongType { file, table, key, expected } => write!(f, "{file}: `{key}` of {table} must be {expected}."),
            BadValue { file, table, key, value, expected } => {
                write!(f, "{file}: `{key}` of {table} is `{value}`; it must be {expected}.")
            }
            UnknownName { file, table, kind, name, nearest } => {
                write!(f, "{file}: {table} names the {kind} `{name}`, which does not exist.{}", meant(nearest))
            }
            TwiceNamed { file, kind, name } => write!(f, "{file}: the {kind} `{name}` is there twice."),
            DuplicateChannel { channel, from, to } => {
                write!(f, "The channel `{channel}` from {from} to {to} is declared twice.")
            }
            SelfChannel { channel, pd } => write!(f, "The channel `{channel}` leads from {pd} to itself."),
            RingCapacity { channel, bytes } => write!(
                f,
                "The ring `{channel}` has {bytes} bytes; in whole pages that must be a power of two."
            ),
            TooManyBits { pd, bits } => write!(
                f,
                "{pd} waits for {bits} different signals; its notification tells at most 27 apart."
            ),
            NoRoom { pd, region } => write!(f, "The address range for {region} of {pd} is full."),
            DeviceShared { device, first, second } => {
                write!(f, "The device `{device}` is given to {first} and to {second}; a device has one driver.")
            }
            PortsOverlap { first, second, port } => {
                write!(f, "The devices `{first}` and `{second}` both have I/O port {port:#x}.")
            }
            VectorTwice { first, second, vector } => {
                write!(f, "The devices `{first}` and `{second}` both have interrupt vector {vector}.")
            }
            PinTwice { first, second, ioapic, pin } => {
                write!(f, "The devices `{first}` and `{second}` both have pin {pin} of I/O APIC {ioapic}.")
            }
            DeviceMemoryOverlap { first, second, paddr } => {
                write!(f, "The devices `{first}` and `{second}` both have the registers at {paddr:#x}.")
            }
            DmaWithoutDevice { pd, masters } => write!(
                f,
                "{pd} has {masters} devices that write to memory by themselves; `dma_kib` is for exactly one, and needed then."
            ),
            ChangesWithMode { pd, what, mode } => write!(
                f,
                "{pd} is private and runs on when the mode changes, but {what} is not there in the mode `{mode}`."
            ),
            FocusKey { channel, why } => write!(f, "The focus key of `{channel}` {why}."),
            CrossingNowhere { pd, end } => write!(f, "A crossing of {pd} names an edge that it does not have: {end}."),
            PrivateToPublic { channel, private, public } => write!(
                f,
                "The channel `{channel}` would carry data from {private} (private) to {public} (public)."
            ),
            CrossingsMissing { pd } => write!(
                f,
                "{pd} is trusted but does not say what it lets pass; write its crossings, or `crossing = []` for none."
            ),
            CrossingsUntrusted { pd } => write!(f, "{pd} declares crossings but is not trusted."),
            NoClock { wanted_by } => write!(f, "{wanted_by} wants a tick, but no PD of its mode sends ticks."),
            TwoClocks { first, second } => write!(f, "{first} and {second} both send ticks."),
            TwoEditors { first, second } => write!(f, "{first} and {second} may both edit the input line."),
            NoDisplay => write!(f, "No PD shows display rings; root would have nobody to speak to."),
            Cores { cores, max } => write!(f, "{cores} cores are asked for; this kernel runs on 1 to {max}."),
            ProgramMissing { pd, program } => write!(f, "{pd} needs the program `{program}`, which was not built."),
            Elf { program, why } => write!(f, "The program `{program}` is no usable ELF file: {why}."),
            WriteExecute { program, vaddr } => write!(
                f,
                "The program `{program}` has a segment at {vaddr:#x} that is both writable and executable."
            ),
            SegmentsSharePage { program, vaddr } => {
                write!(f, "Two segments of the program `{program}` share the page at {vaddr:#x}.")
            }
            SegmentOutside { program, vaddr, end } => write!(
                f,
                "A segment of the program `{program}` lies at {vaddr:#x}..{end:#x}, outside of {:#x}..{:#x}.",
                crate::addresses::IMAGE,
                crate::addresses::IMAGE_END
            ),
            Undefined { program, symbol } => {
                write!(f, "The program `{program}` needs the symbol `{symbol}`, which nothing defines.")
            }
            Overlap { pd, first, second, vaddr } => {
                write!(f, "In {pd}, {first} and {second} overlap at {vaddr:#x}.")
            }
            Inconsistent { what } => write!(f, "The specification contradicts itself: {what}."),
            Memory { needed, available, parts } => {
                write!(f, "The system needs {} of memory and has {}:", size(*needed), size(*available))?;
                for (what, bytes) in parts {
                    write!(f, "\n  {:>9}  {what}", size(*bytes))?;
                }
                Ok(())
            }
        }
    }
}
