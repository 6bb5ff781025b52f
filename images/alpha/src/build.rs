//! Builds everything that an image is made of, each part only when its inputs changed.

use crate::cargo::{self, Toolchain};
use crate::tree::write_if_changed;
use crate::{Error, Progress, Result, Tree};
use layout::{Layout, ProgramKind, Wiring};
use llama_build::Flavour;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

pub use kernel_config::{Kernel, Variant};

pub const PLATFORM: &str = "x86_64";

/// All parts of the system, before a machine is chosen for it.
#[derive(Clone)]
pub struct Programs {
    pub kernel: Kernel,
    pub layout: Layout,
    pub wiring: Wiring,
    /// ELF files by the names that the layout uses, and root's as `root-task`.
    pub files: BTreeMap<String, PathBuf>,
}

impl Programs {
    pub fn build(tree: &Tree, toolchain: &Toolchain, variant: Variant, progress: &mut Progress) -> Result<Programs> {
        let layout = Layout::load(&tree.layout_dir(), PLATFORM)?;
        let wiring = Wiring::new(&layout)?;
        let kernel = kernel(tree, toolchain, variant, progress)?;
        generate(tree, &kernel, &layout, &wiring)?;

        let mut packages = vec!["root-task".to_owned()];
        let mut files = BTreeMap::new();
        for pd in &layout.pds {
            match &pd.program {
                ProgramKind::Rust { package } if !packages.contains(package) => packages.push(package.clone()),
                ProgramKind::Rust { .. } => {}
                ProgramKind::Llama => {
                    files.insert(pd.program.name().into(), llama(tree, toolchain, Flavour::Pd, progress)?);
                }
            }
        }
        rust_programs(tree, toolchain, &packages, progress)?;
        for package in packages {
            files.insert(package.clone(), cargo::pd_program(tree, &package));
        }
        Ok(Programs { kernel, layout, wiring, files })
    }
}

/// What libraries for the kernel are compiled with: the kernel, and from it and the layout the folder `generated`.
pub fn interface(tree: &Tree, toolchain: &Toolchain, progress: &mut Progress) -> Result<()> {
    let layout = Layout::load(&tree.layout_dir(), PLATFORM)?;
    let wiring = Wiring::new(&layout)?;
    let kernel = kernel(tree, toolchain, Variant::Release, progress)?;
    generate(tree, &kernel, &layout, &wiring)
}

/// The kernel in one variant.
pub fn kernel(tree: &Tree, toolchain: &Toolchain, variant: Variant, progress: &mut Progress) -> Result<Kernel> {
    let source = match kernel_config::source_in_registry() {
        Ok(source) => source,
        Err(_) => {
            fetch(tree, toolchain, progress)?;
            kernel_config::source_in_registry()?
        }
    };
    let kernel = kernel_config::build(kernel_config::Options {
        sel4_source: &source,
        cache: &tree.cache(),
        platform: PLATFORM,
        variant,
        without_patch: None,
        progress: &mut |line| progress.step(line),
    })?;
    Ok(kernel)
}

/// The llama program in one flavour.
pub fn llama(tree: &Tree, toolchain: &Toolchain, flavour: Flavour, progress: &mut Progress) -> Result<PathBuf> {
    let source = match llama_build::find_source() {
        Some(source) => source,
        None => {
            fetch(tree, toolchain, progress)?;
            llama_build::find_source().ok_or(Error::LlamaSource)?
        }
    };
    let elf = llama_build::build(llama_build::Options {
        source: &source,
        cache: &tree.cache().join("llama"),
        arch: PLATFORM,
        flavour,
        progress: &mut |line| progress.step(line),
    })?;
    Ok(elf)
}

/// Downloads what Cargo.lock names, the sources of kernel and llama.cpp among it.
fn fetch(tree: &Tree, toolchain: &Toolchain, progress: &mut Progress) -> Result<()> {
    cargo::run(toolchain.command(tree).args(["fetch", "--locked"]), "downloading sources (cargo fetch)", progress)
}

/// The folder `generated`: kernel bindings, and each PD's own constants.
fn generate(tree: &Tree, kernel: &Kernel, layout: &Layout, wiring: &Wiring) -> Result<()> {
    let dir = tree.generated();
    let stamp = dir.join("sel4.key");
    // The bindings are the same for both variants: what differs between them are checks inside the kernel.
    let key = format!("{}\n{}\n", env!("CARGO_PKG_VERSION"), bindings_key(kernel)?);
    if fs::read_to_string(&stamp).is_ok_and(|old| old == key) && dir.join("sel4.rs").is_file() {
        // Nothing to do: parsing the kernel's headers takes longer than all of the rest.
    } else {
        let text = sel4_bindgen::generate(&kernel.source, PLATFORM)?;
        write_if_changed(&dir.join("sel4.rs"), text.as_bytes())?;
        write_if_changed(&stamp, key.as_bytes())?;
    }
    for (index, pd) in layout.pds.iter().enumerate() {
        if matches!(pd.program, ProgramKind::Rust { .. }) {
            let text = wiring.module(layout, index);
            write_if_changed(&dir.join("layout").join(format!("{}.rs", pd.name)), text.as_bytes())?;
        }
    }
    Ok(())
}

/// Changes when the kernel's interface or the generator changes.
fn bindings_key(kernel: &Kernel) -> Result<String> {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../libs/sel4/bindgen/src");
    let mut hash = Sha256::new();
    hash_tree(&generator, &mut hash)?;
    Ok(format!("{} {:x}", kernel.key, hash.finalize()))
}

/// Hashes names and contents below `dir`, or of one file.
pub fn hash_tree(dir: &Path, hash: &mut Sha256) -> Result<()> {
    for file in files_below(dir)? {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(fs::read(&file).map_err(Error::io(&file))?);
        hash.update([0]);
    }
    Ok(())
}

fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
                let entry = entry.map_err(Error::io(&path))?;
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    open.push(entry.path());
                }
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What Rust programs for the kernel are made of; cargo is asked only when one of these changed.
const PD_SOURCES: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "ipc", "libs", "root-task", "services", "inference-server", "net-server", "tests"];

/// A program that no layout names, for tests that put it into an image in another's place.
pub fn further_program(tree: &Tree, toolchain: &Toolchain, package: &str, progress: &mut Progress) -> Result<PathBuf> {
    let mut command = toolchain.pd(tree, "build");
    command.args(["--locked", "-p", package]);
    cargo::run(&mut command, &format!("compiling {package}"), progress)?;
    Ok(cargo::pd_program(tree, package))
}

fn rust_programs(tree: &Tree, toolchain: &Toolchain, packages: &[String], progress: &mut Progress) -> Result<()> {
    let stamp = cargo::pd_target_dir(tree).join("alpha.stamp");
    let key = sources_key(tree, toolchain, packages)?;
    let complete = packages.iter().all(|p| cargo::pd_program(tree, p).is_file());
    if complete && fs::read_to_string(&stamp).is_ok_and(|old| old == key) {
        return Ok(());
    }
    let mut command = toolchain.pd(tree, "build");
    command.arg("--locked");
    for package in packages {
        command.args(["-p", package]);
    }
    cargo::run(&mut command, &format!("compiling {} programs for the kernel", packages.len()), progress)?;
    // Taken before the build: whoever saves a file while it runs gets another one.
    write_if_changed(&stamp, key.as_bytes())?;
    Ok(())
}

/// Names, lengths and times of all sources: enough to see that nothing was touched, in a few milliseconds.
fn sources_key(tree: &Tree, toolchain: &Toolchain, packages: &[String]) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {packages:?}", toolchain.cargo.display(), toolchain.rustc.display()));
    let mut roots: Vec<PathBuf> = PD_SOURCES.iter().map(|p| tree.root.join(p)).collect();
    roots.push(tree.generated());
    roots.push(toolchain.rustc.clone());
    for root in roots {
        for file in files_below(&root)? {
            let meta = fs::metadata(&file).map_err(Error::io(&file))?;
            let time = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            hash.update(format!("{} {} {}\n", file.display(), meta.len(), time.as_nanos()));
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}
