//! Where the kernel's source is, and the copy of it that the build works on.

use crate::{create_dir, Error};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATE: &str = "sel4-sys";
const VERSION: &str = "0.0.28";

/// The parts of the tree that a build reads; the manual is not among them.
pub const PARTS: [&str; 5] = ["Makefile", "include", "libsel4", "src", "tools"];

/// The kernel's source as Cargo knows it: asks `cargo metadata` of the workspace, after `cargo fetch` where needed.
pub fn source_dir(workspace: &Path) -> Result<PathBuf, Error> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = || {
        Command::new(&cargo)
            .current_dir(workspace)
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .output()
            .map_err(|_| Error::ToolMissing { tool: "cargo".into() })
    };
    let mut output = metadata()?;
    if !output.status.success() {
        let _ = Command::new(&cargo).current_dir(workspace).args(["fetch", "--locked"]).output();
        output = metadata()?;
    }
    if !output.status.success() {
        // A workspace in the middle of a change. The version is exact and the build's key covers every byte, so the
        // download folder will do.
        return source_in_registry();
    }
    let unknown = || Error::NoSource { looked: "cargo metadata".into() };
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|_| unknown())?;
    let packages = value["packages"].as_array().ok_or_else(unknown)?;
    let manifest = packages
        .iter()
        .find(|p| p["name"] == CRATE && p["version"] == VERSION)
        .and_then(|p| p["manifest_path"].as_str())
        .ok_or_else(unknown)?;
    checked(Path::new(manifest).with_file_name("seL4")).ok_or_else(unknown)
}

/// The same by looking into Cargo's download folder, for use without the workspace.
pub fn source_in_registry() -> Result<PathBuf, Error> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .unwrap_or_default();
    let registries = home.join("registry/src");
    fs::read_dir(&registries)
        .into_iter()
        .flatten()
        .flatten()
        .find_map(|r| checked(r.path().join(format!("{CRATE}-{VERSION}")).join("seL4")))
        .ok_or_else(|| Error::NoSource { looked: registries.display().to_string() })
}

fn checked(dir: PathBuf) -> Option<PathBuf> {
    dir.join("Makefile").is_file().then_some(dir)
}

/// Every file of the parts, sorted, so that a hash over them has one value.
pub fn files(source: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = PARTS.iter().map(|p| source.join(p)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(|e| Error::io(&path, e))? {
                open.push(entry.map_err(|e| Error::io(&path, e))?.path());
            }
        } else if path.extension().is_none_or(|e| e != "pyc") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub fn copy_tree(source: &Path, to: &Path) -> Result<(), Error> {
    for file in files(source)? {
        let target = to.join(file.strip_prefix(source).expect("files() lists below source"));
        create_dir(target.parent().expect("a file has a folder"))?;
        // fs::copy keeps the mode, and the tools must stay executable; Cargo's copy may be read-only, so add write.
        fs::copy(&file, &target).map_err(|e| Error::io(&file, e))?;
        let mut mode = fs::metadata(&target).map_err(|e| Error::io(&target, e))?.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(
            &mut mode,
            if target.extension().is_some_and(|e| e == "py" || e == "sh") { 0o755 } else { 0o644 },
        );
        fs::set_permissions(&target, mode).map_err(|e| Error::io(&target, e))?;
    }
    Ok(())
}
