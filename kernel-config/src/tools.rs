//! The programs that the build runs, and the Python packages that the kernel's generators import.

use crate::cache::TempDir;
use crate::{path_text, Error};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON_PACKAGES: [&str; 3] = ["ply==3.11", "six==1.17.0", "tempita==0.6.0"];

/// Runs a program; what it printed is shown only when it failed.
pub fn run(command: &mut Command, what: &str) -> Result<String, Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|_| Error::ToolMissing { tool })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let all = text + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = all.lines().collect();
    let log = lines[lines.len().saturating_sub(60)..].join("\n");
    Err(Error::Tool { what: what.into(), log })
}

/// The kernel's bytes depend on compiler and linker, so their versions are part of the key.
pub fn compiler_version(prefix: &str) -> Result<String, Error> {
    for tool in ["make", "patch", "xmllint"] {
        run(Command::new(tool).arg("--version"), tool)?;
    }
    let gcc = run(Command::new(format!("{prefix}gcc")).arg("--version"), "gcc --version")?;
    let ld = run(Command::new(format!("{prefix}ld")).arg("--version"), "ld --version")?;
    Ok(gcc + &ld)
}

/// A Python with the generators' packages, made once in the cache.
pub fn python(cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let home = cache.join("kernel").join(format!("python-{}", PYTHON_PACKAGES.join("-").replace("==", "-")));
    let python = home.join("bin/python");
    if !python.exists() {
        progress(&format!("kernel: Python packages {}", PYTHON_PACKAGES.join(", ")));
        let work = TempDir::beside(&home)?;
        run(Command::new("python3").args(["-m", "venv", path_text(work.path())]), "python3 -m venv")?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(work.path().join("bin/python")).args(pip).args(PYTHON_PACKAGES), "pip install")?;
        work.become_dir(&home)?;
    }
    std::path::absolute(&python).map_err(|e| Error::io(&python, e))
}

/// The generators begin with `#!/usr/bin/env python`, so the folder of ours comes first.
pub fn path_with(python: &Path) -> OsString {
    let mut path = python.parent().expect("a program has a folder").as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    path
}
