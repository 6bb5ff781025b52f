//! `alpha test`: all tests, part by part, and one line at the end.

use crate::cargo::Toolchain;
use crate::{Result, Tree};

pub fn run(_tree: &Tree, _toolchain: &Toolchain, _names: &[String]) -> Result<u8> {
    Ok(1)
}

pub fn bench(_tree: &Tree, _toolchain: &Toolchain, _arguments: &[String]) -> Result<u8> {
    Ok(1)
}
