//! The Rust toolchain that the script `alpha` chose, and cargo run with it.

use crate::{Error, Progress, Result, Tree};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set by the script; without them (a test started by hand) the script is asked.
const CARGO: &str = "ALPHA_CARGO";
const RUSTC: &str = "ALPHA_RUSTC";
const WHY: &str = "ALPHA_TOOLCHAIN_WHY";

#[derive(Clone, Debug)]
pub struct Toolchain {
    pub cargo: PathBuf,
    pub rustc: PathBuf,
    pub why: String,
}

impl Toolchain {
    pub fn find(tree: &Tree) -> Result<Toolchain> {
        if let (Some(cargo), Some(rustc)) = (env::var_os(CARGO), env::var_os(RUSTC)) {
            let why = env::var(WHY).unwrap_or_else(|_| format!("{CARGO} and {RUSTC} name it"));
            return Ok(Toolchain { cargo: cargo.into(), rustc: rustc.into(), why });
        }
        let script = tree.root.join("alpha");
        let output = Command::new(&script)
            .arg("toolchain")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Error::Toolchain(format!("{}: {e}", script.display())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.to_owned())
        };
        match (value(CARGO), value(RUSTC)) {
            (Some(cargo), Some(rustc)) => {
                Ok(Toolchain { cargo: cargo.into(), rustc: rustc.into(), why: value(WHY).unwrap_or_default() })
            }
            _ => Err(Error::Toolchain(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    pub fn command(&self, tree: &Tree) -> Command {
        let mut command = Command::new(&self.cargo);
        command
            .current_dir(&tree.root)
            .env("CARGO", &self.cargo)
            .env("RUSTC", &self.rustc)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTUP_TOOLCHAIN")
            .stdin(Stdio::null());
        if let (Some(dir), Some(path)) = (self.rustc.parent(), env::var_os("PATH")) {
            // rustdoc and friends of the same toolchain.
            let paths = std::iter::once(dir.to_owned()).chain(env::split_paths(&path));
            if let Ok(path) = env::join_paths(paths) {
                command.env("PATH", path);
            }
        }
        command
    }

    /// For host programs and tests.
    pub fn host(&self, tree: &Tree, verb: &str) -> Command {
        let mut command = self.command(tree);
        command
            .arg(verb)
            .env("CARGO_TARGET_DIR", host_target_dir(tree))
            .env("ALPHA_GENERATED", tree.generated())
            .env("ALPHA_ROOT", &tree.root)
            .env("ALPHA_LLAMA_CACHE", tree.cache().join("llama"))
            .env(CARGO, &self.cargo)
            .env(RUSTC, &self.rustc)
            .env(WHY, &self.why);
        command
    }

    /// For programs on the kernel: the standard library's lower part is built along.
    pub fn pd(&self, tree: &Tree, verb: &str) -> Command {
        let mut command = self.command(tree);
        command
            .arg(verb)
            .arg("--release")
            .arg("--target")
            .arg(tree.root.join("libs/pd/targets").join(format!("{PD_TARGET}.json")))
            .args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"])
            .arg("-Zjson-target-spec")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", pd_target_dir(tree))
            .env("ALPHA_GENERATED", tree.generated())
            .env("ALPHA_LAYOUT", tree.generated().join("layout"));
        command
    }
}

pub const PD_TARGET: &str = "x86_64-alphaos";

pub fn host_target_dir(tree: &Tree) -> PathBuf {
    env::var_os("ALPHA_HOST_TARGET").map_or_else(|| tree.build_dir().join("host"), PathBuf::from)
}

pub fn pd_target_dir(tree: &Tree) -> PathBuf {
    tree.build_dir().join("pd")
}

/// The ELF file of a PD's package.
pub fn pd_program(tree: &Tree, package: &str) -> PathBuf {
    pd_target_dir(tree).join(PD_TARGET).join("release").join(package)
}

/// Runs cargo with its own progress on the terminal; on failure what it said stays there.
pub fn run(command: &mut Command, what: &str, progress: &mut Progress) -> Result<()> {
    progress.step(what);
    command.stderr(Stdio::piped()).stdout(Stdio::piped());
    let output = command.output().map_err(Error::io(Path::new(command.get_program())))?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Failed { what: what.into(), output })
}

/// A member of the workspace, as `cargo metadata` has it.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    /// It has tests that run on the host. Programs for the kernel have none, their libraries may.
    pub tested: bool,
}

pub fn packages(toolchain: &Toolchain, tree: &Tree) -> Result<Vec<Package>> {
    let output = toolchain
        .command(tree)
        .args(["metadata", "--locked", "--format-version", "1", "--no-deps"])
        .output()
        .map_err(Error::io(&toolchain.cargo))?;
    let failed = |output: String| Error::Failed { what: "cargo metadata".into(), output };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let value: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|e| failed(format!("it prints no JSON: {e}")))?;
    let list = value["packages"].as_array().ok_or_else(|| failed("it names no packages".into()))?;
    Ok(list
        .iter()
        .filter_map(|p| {
            let name = p["name"].as_str()?.to_owned();
            let tested = p["targets"].as_array()?.iter().any(|target| target["test"] == true);
            Some(Package { name, tested })
        })
        .collect())
}
