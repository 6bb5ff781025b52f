use std::fmt;
use std::path::{Path, PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no running system; each is a sentence for the person who typed the command.
#[derive(Debug)]
pub enum Error {
    Io(PathBuf, std::io::Error),
    NoTree(PathBuf),
    CommandLine(String),
    Toolchain(String),
    Kernel(kernel_config::Error),
    Bindings(sel4_bindgen::Error),
    Llama(llama_build::Error),
    LlamaSource,
    Layout(layout::Error),
    /// The layout lets private data out.
    Wall(Box<wall::Violation>),
    /// A command failed; what it printed has been shown or stands here.
    Failed { what: String, output: String },
    ToolMissing(String),
    Model { file: PathBuf, why: String },
    HostMemory { model_bytes: u64, needed: u64, has: u64 },
    NoPlace { model_bytes: u64, memory_bytes: u64 },
    Size(String),
    Kvm(String),
    Qemu(String),
    NoTest { name: String, known: Vec<String> },
}

impl std::error::Error for Error {}

impl Error {
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |e| Error::Io(path, e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        use layout::size;
        match self {
            Error::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Error::NoTree(path) => write!(f, "{} is no AlphaOS tree (no root-task/layout in it or above it)", path.display()),
            Error::CommandLine(why) => write!(f, "{why} (`./alpha help` shows what there is)"),
            Error::Toolchain(why) => write!(f, "no usable Rust toolchain: {why}"),
            Error::Kernel(e) => write!(f, "kernel: {e}"),
            Error::Bindings(e) => write!(f, "seL4 bindings: {e}"),
            Error::Llama(e) => write!(f, "llama: {e}"),
            Error::LlamaSource => write!(f, "the source of llama.cpp is not in Cargo's download folder, and `cargo fetch` did not get it"),
            Error::Layout(e) => write!(f, "{e}"),
            Error::Wall(hole) => write!(f, "{hole}"),
            Error::Failed { what, output } if output.is_empty() => write!(f, "{what} failed"),
            Error::Failed { what, output } => write!(f, "{what} failed:\n{output}"),
            Error::ToolMissing(tool) => write!(f, "the program `{tool}` is missing; `./alpha doctor` says what installs it"),
            Error::Model { file, why } => write!(f, "--model: {} {why}.", file.display()),
            Error::HostMemory { model_bytes, needed, has } => write!(
                f,
                "A model of {} takes a machine with {} of memory; this computer has {}. \
                 A smaller model may do, or with --memory a smaller machine.",
                size(*model_bytes),
                size(*needed),
                size(*has)
            ),
            Error::NoPlace { model_bytes, memory_bytes } => write!(
                f,
                "A model of {} finds no stretch of memory in a machine of {}; give it more with --memory.",
                size(*model_bytes),
                size(*memory_bytes)
            ),
            Error::Size(text) => write!(f, "`{text}` is no size; write for example 512M, 2G or 1536M"),
            Error::Kvm(why) => write!(f, "--kvm cannot be used here: {why}. Without --kvm the system runs on emulation."),
            Error::Qemu(why) => write!(f, "QEMU: {why}"),
            Error::NoTest { name, known } => {
                write!(f, "no test is called `{name}`; there are: {}", known.join(", "))
            }
        }
    }
}

impl From<kernel_config::Error> for Error {
    fn from(e: kernel_config::Error) -> Self {
        Error::Kernel(e)
    }
}

impl From<sel4_bindgen::Error> for Error {
    fn from(e: sel4_bindgen::Error) -> Self {
        Error::Bindings(e)
    }
}

impl From<llama_build::Error> for Error {
    fn from(e: llama_build::Error) -> Self {
        Error::Llama(e)
    }
}

impl From<wall::Violation> for Error {
    fn from(hole: wall::Violation) -> Self {
        Error::Wall(Box::new(hole))
    }
}

impl From<layout::Error> for Error {
    fn from(e: layout::Error) -> Self {
        Error::Layout(e)
    }
}
