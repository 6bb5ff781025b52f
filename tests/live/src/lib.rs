//! The live proof: reads the memory of a running machine from outside, walks the kernel's objects, and compares what is
//! there with what the specification says: nothing more, nothing less. It asks the guest nothing, and believes nothing
//! that the guest says.
//!
//! [`formats`] knows how this kernel lays out its objects, [`memory`] fetches them, [`walk`] makes a plain [`model`] of
//! the running system, [`compare`] holds it against [`expected`], which is all that is known here of the
//! specification's form, and [`edges`] derives who can pass data to whom, from capabilities and page tables alone.
//! [`plant`] changes what is seen, fault by fault, so that tests can ask whether each is found.

pub mod compare;
pub mod difference;
pub mod edges;
pub mod expected;
pub mod formats;
pub mod memory;
pub mod model;
pub mod plant;
pub mod walk;

use std::{fmt, time::Duration, time::Instant};

/// Why memory could not be read or understood.
#[derive(Clone, Debug)]
pub struct Error(String);

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(what: impl Into<String>) -> Self {
        Error(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What one look at a machine has shown.
pub struct Report {
    pub model: model::Model,
    pub names: compare::Names,
    pub differences: Vec<difference::Difference>,
    pub edges: Vec<edges::Edge>,
    pub took: Duration,
}

/// Reads the machine and compares it with what it should be. It must stand still meanwhile, no core inside the kernel.
pub fn prove(
    memory: &memory::Memory,
    formats: &formats::Formats,
    expected: &expected::Expected,
    rules: &compare::Rules,
) -> Result<Report> {
    let start = Instant::now();
    let model = walk::walk(memory, formats)?;
    let (names, differences) = compare::compare(&model, expected, rules, memory)?;
    let edges = edges::edges(&model, &names);
    Ok(Report { model, names, differences, edges, took: start.elapsed() })
}
