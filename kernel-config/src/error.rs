use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub enum Error {
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    /// A program that the build runs is not installed.
    ToolMissing {
        tool: String,
    },
    /// A program ran and failed; `log` is the end of what it printed.
    Tool {
        what: String,
        log: String,
    },
    /// The patch does not fit the source.
    Patch {
        name: String,
        log: String,
    },
    UnknownPatch {
        name: String,
    },
    UnknownPlatform {
        name: String,
    },
    /// Cargo does not know the crate, or its files are not on this machine.
    NoSource {
        looked: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        Error::Io { path: path.to_path_buf(), error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Error::ToolMissing { tool } => write!(f, "the program `{tool}` is not installed"),
            Error::Tool { what, log } => write!(f, "{what} failed:\n{log}"),
            Error::Patch { name, log } => write!(f, "patch {name} does not apply:\n{log}"),
            Error::UnknownPatch { name } => write!(f, "no patch of the overlay is called {name}"),
            Error::UnknownPlatform { name } => write!(f, "no platform is called {name}"),
            Error::NoSource { looked } => {
                write!(f, "the crate sel4-sys 0.0.28 is not here ({looked}); `cargo fetch` brings it")
            }
        }
    }
}

impl std::error::Error for Error {}
