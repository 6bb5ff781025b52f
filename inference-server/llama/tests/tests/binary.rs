//! The ELF of the protection domain: what is in it and what is not.

use llama_build::{scan, Flavour};
use llama_tests::harness::program;

#[test]
fn the_kernel_is_entered_in_two_places_only() {
    let report = scan(&program(Flavour::Pd)).unwrap_or_else(|e| panic!("{e}"));
    println!("{report}");
    let calls: Vec<&str> = report.kernel_calls.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(calls, ["alpha_signal", "alpha_wait"]);
    assert!(report.segments.iter().any(|s| s.execute && (s.vaddr..s.vaddr + s.file_bytes).contains(&report.entry)));
    assert!(report.segments.iter().all(|s| !(s.write && s.execute)));
}

#[test]
fn the_scan_sees_a_system_call_that_is_not_ours() {
    // The same program on Linux starts its threads and waits by Linux calls.
    let error = scan(&program(Flavour::Host)).unwrap_err().to_string();
    assert!(error.contains("syscall"), "{error}");
}

#[test]
fn the_scan_sees_what_is_no_such_program() {
    assert!(scan(&std::env::current_exe().unwrap()).is_err());
    let file = llama_tests::harness::TemporaryFile::with(b"\x7fELF\x02\x01 and nothing more");
    assert!(scan(&file.0).is_err());
}
