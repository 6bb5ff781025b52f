//! The layout: from `root-task/layout/*.toml` to the binary specification.
//!
//! Three steps, each a plain function over data:
//! 1. [`Layout::load`] reads the tables and refuses what they must not say (`table`, `parse`).
//! 2. [`Wiring::new`] gives out slots, badges, bits and addresses for *all* PDs and channels of the file, whatever the
//!    mode, cores, memory or model. What a PD is compiled against ([`Wiring::module`]) comes from here alone.
//! 3. [`resolve`] picks one mode, adds the programs and the machine, and makes `spec::System` with its payload.
//!    [`verify`] then reads the result again as a stranger would.
//!
//! The order of the files decides every number, so the same files give the same numbers.

pub mod addresses;
mod blob;
mod elf;
mod error;
mod module;
mod needs;
mod parse;
mod resolve;
mod table;
mod verify;
mod wire;

pub use blob::{append_to_root, blob};
pub use elf::Program;
pub use error::{size, Error};
pub use needs::{needs, Need, Needs};
pub use parse::{Channel, ChannelKind, Device, Layout, Mode, Pd, ProgramKind};
pub use table::nearest;
pub use resolve::{resolve, Machine, ModelFile, Resolved};
pub use verify::verify;
pub use wire::Wiring;
