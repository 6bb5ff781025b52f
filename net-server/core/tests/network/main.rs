//! The network core against a world of its own, and against real ones.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod connections;
mod corpus;
mod hostile;
mod names;
mod pings;
mod slirp;
