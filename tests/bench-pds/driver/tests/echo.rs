//! The example server, on the kernel.

use rpc_bench::{alpha::qemu::Accel, build, run, said, Result};

#[test]
fn the_example_answers_dies_and_answers_again() -> Result<()> {
    let lines = run(&build("services/echo/layout")?, Accel::Tcg)?;
    println!("{}", lines.join("\n"));
    let root = said(&lines, "AlphaOS").join("\n");
    assert_eq!(
        said(&lines, "caller"),
        [
            "Ok(Echo { text: \"hello\", calls: 1 })",
            "Ok(Echo { text: \"hello\", calls: 2 })",
            "Err(ServerDied)",
            "Ok(Echo { text: \"hello\", calls: 1 })",
            "Ok(())",
        ]
    );
    // The panic reached root with file and line.
    let report =
        root.lines().find(|line| line.starts_with("echo failed")).unwrap_or_else(|| panic!("no report:\n{root}"));
    assert!(report.contains("services/echo/src/main.rs:") && report.contains("asked for it"), "{report}");
    assert!(report.ends_with("was started again."), "{report}");
    assert!(root.contains("echo: INFO echo: start number 2"), "{root}");
    Ok(())
}
