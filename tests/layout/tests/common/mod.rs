#![allow(dead_code)]

use layout::Layout;
use spec::System;
use std::path::PathBuf;
use wall::skeleton;

pub const BASE: &str = include_str!("../../fixtures/base.toml");
pub const BASE_PLATFORM: &str = include_str!("../../fixtures/base-platform.toml");

pub fn tree() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn real() -> System {
    skeleton::system(&Layout::load(&tree().join("root-task/layout"), "x86_64").unwrap()).unwrap()
}

pub fn base() -> System {
    resolved(BASE)
}

pub fn resolved(text: &str) -> System {
    let layout = Layout::parse(text, "test", BASE_PLATFORM).unwrap_or_else(|e| panic!("{e}"));
    skeleton::system(&layout).unwrap_or_else(|e| panic!("{e}"))
}

pub mod fixture;
pub mod random;
