//! `alpha doctor`: what is here and what is missing. The script has said before which toolchain it takes and why.

use crate::{kvm, qemu, Result, Tree};
use std::process::{Command, Stdio};

/// Program, what it is for, and the Debian package that brings it.
pub const TOOLS: [(&str, &str, &str); 9] = [
    ("gcc", "compiles the kernel", "gcc"),
    ("ld", "links kernel and programs", "binutils"),
    ("objcopy", "converts the kernel for QEMU", "binutils"),
    ("make", "drives the kernel's build", "make"),
    ("patch", "applies the kernel overlay", "patch"),
    ("xmllint", "checks the kernel's interface files", "libxml2-utils"),
    ("python3", "runs the kernel's generators", "python3"),
    ("pip", "fetches the generators' packages", "python3-venv"),
    (qemu::QEMU, "is the machine", "qemu-system-x86"),
];

fn works(tool: &str) -> bool {
    let mut command = match tool {
        "pip" => {
            let mut python = Command::new("python3");
            python.args(["-c", "import venv, ensurepip"]);
            python
        }
        _ => {
            let mut command = Command::new(tool);
            command.arg("--version");
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

pub fn run(tree: &Tree) -> Result<u8> {
    let mut missing = Vec::new();
    println!("tree       {}", tree.root.display());
    println!("build      {}", tree.build_dir().display());
    match crate::cargo::Toolchain::find(tree) {
        Ok(toolchain) => println!("toolchain  {}: {}", toolchain.rustc.display(), toolchain.why),
        Err(e) => {
            println!("toolchain  {e}");
            missing.push("a Rust toolchain");
        }
    }
    for (tool, what, package) in TOOLS {
        let here = works(tool);
        println!("{:10} {tool}: {what}", if here { "ok" } else { "MISSING" });
        if !here {
            missing.push(package);
        }
    }
    match qemu::version() {
        Ok(version) if version >= qemu::LEAST_VERSION => println!("ok         QEMU {version}"),
        Ok(version) => {
            println!("OLD        QEMU {version}; at least {} is needed", qemu::LEAST_VERSION);
            missing.push("a newer QEMU");
        }
        Err(_) => {}
    }
    match kvm::check() {
        Ok(()) => println!("kvm        could be tried with `./alpha run --kvm` (not tested by this project)"),
        Err(e) => println!("kvm        {e}"),
    }
    let model = tree.default_model();
    println!("model      {}{}", model.display(), if model.is_file() { "" } else { ": MISSING" });
    if missing.is_empty() {
        println!("Nothing is missing.");
        Ok(0)
    } else {
        missing.sort_unstable();
        missing.dedup();
        println!("Missing: {}. `./alpha run` installs what Debian has.", missing.join(", "));
        Ok(1)
    }
}
