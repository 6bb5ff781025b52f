//! The overlay: small patches, applied in the order of their numbers.

use crate::{platform, Error};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Debug)]
pub struct Patch {
    /// The file's name without `.patch`: `20-grant-reply`.
    pub name: String,
    pub text: String,
    pub path: PathBuf,
}

impl Patch {
    /// The patch does not build or mean anything without these (line `Needs: 20, 30` at its top).
    fn needs(&self) -> impl Iterator<Item = &str> {
        self.text.lines().find_map(|l| l.strip_prefix("Needs: ")).unwrap_or("").split(", ").filter(|n| !n.is_empty())
    }

    /// Platforms that the patch is for (line `Only: x86_64`); without one, all.
    fn is_for(&self, platform: &str) -> bool {
        match self.text.lines().find_map(|l| l.strip_prefix("Only: ")) {
            Some(only) => only.split(", ").any(|p| p == platform),
            None => true,
        }
    }

    /// Without this patch the kernel does not compile, so there is nothing to test by leaving it out.
    pub fn is_build_fix(&self) -> bool {
        self.text.lines().any(|l| l == "Test: the build")
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.split('-').next() == Some(name)
    }
}

/// All patches for a platform, in order.
pub fn patches(platform: &str) -> Result<Vec<Patch>, Error> {
    let dir = platform::home().join("overlay");
    let mut all = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|e| Error::io(&dir, e))? {
        let path = entry.map_err(|e| Error::io(&dir, e))?.path();
        if path.extension().is_some_and(|e| e == "patch") {
            let text = fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push(Patch { name, text, path });
        }
    }
    all.retain(|p| p.is_for(platform));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The patches of a build: all, or all but one and those that need it.
pub fn selected(platform: &str, without: Option<&str>) -> Result<Vec<Patch>, Error> {
    let mut all = patches(platform)?;
    let Some(without) = without else { return Ok(all) };
    let Some(out) = all.iter().find(|p| p.is_called(without)).cloned() else {
        return Err(Error::UnknownPatch { name: without.into() });
    };
    all.retain(|p| p.name != out.name && !p.needs().any(|n| out.is_called(n)));
    Ok(all)
}

pub fn apply(patch: &Patch, source: &Path) -> Result<(), Error> {
    let output = Command::new("patch")
        .current_dir(source)
        .args(["-p1", "-s", "-N", "-F2", "--no-backup-if-mismatch", "-r", "-", "-i"])
        .arg(&patch.path)
        .output()
        .map_err(|_| Error::ToolMissing { tool: "patch".into() })?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Err(Error::Patch { name: patch.name.clone(), log })
}
