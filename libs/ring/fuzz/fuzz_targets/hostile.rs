//! `cargo fuzz run hostile`: see ../run.rs.
#![no_main]

#[path = "../../tests/memory.rs"]
mod memory;
#[path = "../run.rs"]
mod run;

libfuzzer_sys::fuzz_target!(|data: &[u8]| run::hostile(data));
