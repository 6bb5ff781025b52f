//! The cache: a folder per key, put in place by one rename.

use crate::overlay::Patch;
use crate::platform::Platform;
use crate::{create_dir, source, Error, Variant};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Raise it when the build itself changes in a way that its inputs do not show.
const BUILD_VERSION: &str = "2";

pub fn key(
    sel4_source: &Path,
    patches: &[Patch],
    autoconf: &str,
    platform: &Platform,
    variant: Variant,
    compiler: &str,
) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for part in [BUILD_VERSION, platform.name, variant.name(), platform.cflags, compiler, autoconf] {
        add(part.as_bytes());
    }
    for part in platform.make {
        add(part.as_bytes());
    }
    for patch in patches {
        add(patch.name.as_bytes());
        add(patch.text.as_bytes());
    }
    for file in source::files(sel4_source)? {
        add(file.strip_prefix(sel4_source).expect("listed below it").as_os_str().as_encoded_bytes());
        add(&fs::read(&file).map_err(|e| Error::io(&file, e))?);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// `~/.cache/alphaos`, for those who name no cache of their own.
pub fn default_cache() -> PathBuf {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or(home.join(".cache")).join("alphaos")
}

/// A folder that vanishes when it is dropped, unless it became something.
pub struct TempDir(PathBuf);

impl TempDir {
    /// On the same file system as `target`, so that a rename can put it there.
    pub fn beside(target: &Path) -> Result<TempDir, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(".tmp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = target.parent().expect("a cache entry has a folder").join(name);
        create_dir(&dir)?;
        let dir = dir.canonicalize().map_err(|e| Error::io(&dir, e))?;
        Ok(TempDir(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// When another build came first, its result is the same and stays.
    pub fn become_dir(self, target: &Path) -> Result<(), Error> {
        match fs::rename(&self.0, target) {
            Err(e) if !target.exists() => Err(Error::io(target, e)),
            _ => Ok(()),
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
