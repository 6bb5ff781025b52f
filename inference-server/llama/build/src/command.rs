//! Running other programs.

use crate::{io_at, Error};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs to the end; the output is only kept for the case that it fails.
pub fn run(program: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Result<String, Error> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    for (name, value) in environment {
        command.env(name, value);
    }
    let shown = || {
        let all = format!("{program} {}", arguments.join(" "));
        if all.len() > 400 { format!("{} ...", all.chars().take(400).collect::<String>()) } else { all }
    };
    let output = command.output().map_err(|e| Error::Command(shown(), e.to_string()))?;
    if !output.status.success() {
        let all = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = all.lines().collect();
        let tail = lines[lines.len().saturating_sub(30)..].join("\n");
        return Err(Error::Command(shown(), tail));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the compiler with its caches inside ours.
pub struct Runner {
    zig: PathBuf,
    zig_cache: PathBuf,
    /// zig's own library with our changes: [`crate::overlay`].
    pub overlay: PathBuf,
    /// Compiled files.
    pub objects: PathBuf,
}

impl Runner {
    pub fn new(cache: &Path, zig: &Path) -> Result<Self, Error> {
        let runner = Runner {
            zig: zig.into(),
            zig_cache: cache.join("zig-cache"),
            overlay: cache.join("zig-lib"),
            objects: cache.join("objects"),
        };
        for folder in [&runner.zig_cache, &runner.objects] {
            io_at(folder, fs::create_dir_all(folder))?;
        }
        crate::overlay::make(&zig.with_file_name("lib"), &crate::program_dir().join("zig"), &runner.overlay)?;
        Ok(runner)
    }

    pub fn zig(&self, arguments: &[&str], library: Option<&Path>) -> Result<(), Error> {
        let mut environment = vec![("ZIG_GLOBAL_CACHE_DIR", self.zig_cache.as_path()), ("ZIG_LOCAL_CACHE_DIR", &self.zig_cache)];
        environment.extend(library.map(|l| ("ZIG_LIB_DIR", l)));
        run(&self.zig.to_string_lossy(), arguments, &environment).map(|_| ())
    }
}

/// Names that the scan and the layout look for; everything else is taken out of the symbol table.
pub const KEPT: &[&str] = &["alpha_entry", "alpha_worker_entry", "alpha_signal", "alpha_wait", "alpha_set_fs"];

pub fn strip(linked: &Path) -> Result<PathBuf, Error> {
    let finished = linked.with_extension("stripped");
    let mut arguments = vec!["--strip-all".to_string()];
    arguments.extend(KEPT.iter().map(|name| format!("--keep-symbol={name}")));
    arguments.extend([linked.to_string_lossy().into_owned(), finished.to_string_lossy().into_owned()]);
    run("objcopy", &arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[])?;
    Ok(finished)
}
