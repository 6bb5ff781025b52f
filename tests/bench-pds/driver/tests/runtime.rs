//! Calls and the PD runtime, on the kernel: one machine, and what its programs said.

use rpc_bench::{alpha::qemu::Accel, build, calls, run, said, Result};

/// Memory for bookkeeping: each block of 1 KiB has some, and so has the list of blocks.
const MOST_OF_A_HEAP: f64 = 0.75;

#[test]
fn the_runtime_keeps_its_promises() -> Result<()> {
    let boot = build(calls::LAYOUT)?;
    let lines = run(&boot, Accel::Icount(0))?;
    println!("{}", lines.join("\n"));
    let client = said(&lines, "client");
    let root = said(&lines, "AlphaOS").join("\n");
    let line = |word: &str| {
        let found = client.iter().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect::<Vec<_>>();
        assert!(!found.is_empty(), "no line {word}");
        found
    };

    // The heap has the size that the layout gives; asking for more fails and harms nothing.
    let heap: Vec<&str> = line("heap")[0].split(' ').collect();
    let bytes: Vec<f64> = heap[..3].iter().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(bytes[0], 256.0 * 1024.0);
    assert!(bytes[1] <= bytes[0] && bytes[1] >= MOST_OF_A_HEAP * bytes[0], "{heap:?}");
    assert_eq!(bytes[1], bytes[2], "what is given back can be had again");
    assert_eq!(heap[3], "true", "a block larger than the heap is refused");

    // Thread-local variables have their values at the start, keep what is written, and begin anew with the PD.
    assert_eq!(
        line("thread-local"),
        ["Ok([12345678, 0, 12345679, 1])", "Ok([12345679, 1, 1234567a, 2])", "Ok([12345678, 0, 12345679, 1])"]
    );

    // Running out of stack is a memory fault that root reports; the caller gets an error, the next call an answer.
    assert_eq!(line("overflow"), ["Err(ServerDied)"]);
    assert_eq!(line("after the overflow:"), ["answered"]);
    let fault =
        root.lines().find(|line| line.contains("rpc-server failed")).unwrap_or_else(|| panic!("no report:\n{root}"));
    assert!(fault.contains("it wrote to address"), "{fault}");
    assert!(fault.contains("was started again"), "{fault}");

    // Log lines arrive, from both lives. What was logged since root's last tick before a death is lost, so the client
    // has the log shown before.
    assert_eq!(line("logged"), ["Ok(())"]);
    for logged in ["start number 1", "a line for the log", "start number 2"] {
        assert!(
            root.contains(&format!("rpc-server: INFO rpc_server: {logged}")),
            "{logged} is not in the log:\n{root}"
        );
    }

    // The shortest calls take the kernel's fast path: a third of what the long way costs.
    let costs = calls::costs(&lines)?;
    let cost = |bytes| costs.iter().find(|cost| cost.bytes == bytes).copied().expect("a cost for every length");
    assert!(cost(8).bare < 0.5 * cost(64).bare && cost(32).bare < 0.5 * cost(64).bare, "{costs:?}");
    // Counted instructions do not depend on the machine, so the bar is a test.
    assert!(cost(64).ratio() <= calls::BAR, "{costs:?}");
    Ok(())
}
