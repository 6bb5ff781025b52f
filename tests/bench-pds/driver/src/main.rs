//! `rpc-bench`: what a typed call costs against a bare one, in instructions (`-icount shift=0`: one instruction is one
//! tick) and in ticks of plain emulation. One line for each length: `rpc UNIT BYTES typed BARE ratio`.

use alpha::qemu::Accel;
use rpc_bench::{
    build,
    calls::{costs, BAR, LAYOUT},
    run, Result,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rpc-bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let boot = build(LAYOUT)?;
    println!("unit          bytes      typed       bare  ratio  (bar {BAR})");
    for (unit, accel) in [("instructions", Accel::Icount(0)), ("ticks", Accel::Tcg)] {
        for cost in costs(&run(&boot, accel)?)? {
            println!("{unit:<12} {:>6} {:>10.1} {:>10.1} {:>5.2}x", cost.bytes, cost.typed, cost.bare, cost.ratio());
        }
    }
    Ok(())
}
