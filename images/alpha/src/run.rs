//! `alpha run` and `alpha image`.

use crate::cargo::Toolchain;
use crate::qemu::{self, Accel, Config, Serial};
use crate::{image, kvm, memory, terminal, Boot, Error, Programs, Progress, Result, Tree, Variant, Wish};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub wish: Wish,
    pub kvm: bool,
    pub debug_kernel: bool,
    pub serial_socket: Option<PathBuf>,
    pub qmp: Option<PathBuf>,
    pub gdb: Option<PathBuf>,
    pub paused: bool,
}

pub fn build(tree: &Tree, toolchain: &Toolchain, options: &Options, progress: &mut Progress) -> Result<Boot> {
    if let Some(model) = &options.wish.model {
        image::check_model(model)?;
    }
    let variant = if options.debug_kernel { Variant::Debug } else { Variant::Release };
    let programs = Programs::build(tree, toolchain, variant, progress)?;
    progress.step("putting the image together");
    let boot = image::make(tree, &programs, &options.wish)?;
    match memory::of_this_computer() {
        // Whoever names a size has thought about it.
        Some(has) if options.wish.memory.is_none() && boot.memory_bytes > has => {
            let model_bytes = boot.model.as_ref().map_or(0, |model| model.reserved_bytes);
            Err(Error::HostMemory { model_bytes, needed: boot.memory_bytes, has })
        }
        _ => Ok(boot),
    }
}

/// Ends with QEMU's exit code.
pub fn run(tree: &Tree, toolchain: &Toolchain, options: &Options) -> Result<i32> {
    if options.kvm {
        kvm::check()?;
        eprintln!("alpha: --kvm is not tested by this project.");
    }
    let mut progress = Progress::new();
    let boot = build(tree, toolchain, options, &mut progress)?;
    progress.finish();
    let mut config = Config::new(&boot);
    config.accel = if options.kvm { Accel::Kvm } else { Accel::Tcg };
    if let Some(path) = &options.serial_socket {
        config.serial = Serial::Socket(path.clone());
    }
    config.qmp = options.qmp.clone();
    config.gdb = options.gdb.clone();
    config.paused = options.paused;

    let _saved = terminal::Saved::now();
    let mut child = qemu::command(&config).stderr(Stdio::piped()).spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::ToolMissing(qemu::QEMU.into()),
        _ => Error::Qemu(e.to_string()),
    })?;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
            // The kernel's header offers a video mode; QEMU says at every start that it sets none.
            if !line.ends_with("multiboot knows VBE. we don't") {
                eprintln!("{line}");
            }
        }
    }
    let status = child.wait().map_err(|e| Error::Qemu(e.to_string()))?;
    Ok(status.code().unwrap_or(1))
}
