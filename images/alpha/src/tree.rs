//! The source tree and the folder `build/` in it.

use crate::{Error, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Tree {
    pub root: PathBuf,
}

impl Tree {
    /// `$ALPHA_ROOT` (set by the script), or the tree around the current folder, or the one this program was built from.
    pub fn find() -> Result<Tree> {
        let is_tree = |dir: &Path| dir.join("root-task/layout/system.toml").is_file();
        if let Some(root) = env::var_os("ALPHA_ROOT").map(PathBuf::from) {
            return if is_tree(&root) { Ok(Tree { root }) } else { Err(Error::NoTree(root)) };
        }
        let here = env::current_dir().map_err(Error::io("."))?;
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let found = here.ancestors().find(|dir| is_tree(dir)).map(Path::to_owned);
        match found.or_else(|| built_from.canonicalize().ok().filter(|dir| is_tree(dir))) {
            Some(root) => Ok(Tree { root }),
            None => Err(Error::NoTree(here)),
        }
    }

    /// Everything that is made: deleting it costs time and nothing else.
    pub fn build_dir(&self) -> PathBuf {
        env::var_os("ALPHA_BUILD").map_or_else(|| self.root.join("build"), PathBuf::from)
    }

    pub fn cache(&self) -> PathBuf {
        self.build_dir().join("cache")
    }

    /// What `env!("ALPHA_GENERATED")` names in PDs: `sel4.rs`, `layout/PD.rs`.
    pub fn generated(&self) -> PathBuf {
        self.build_dir().join("generated")
    }

    pub fn layout_dir(&self) -> PathBuf {
        env::var_os("ALPHA_LAYOUT_DIR").map_or_else(|| self.root.join("root-task/layout"), PathBuf::from)
    }

    pub fn default_model(&self) -> PathBuf {
        self.root.join("images/model/alpha-small.gguf")
    }
}

/// Writes a file unless it has this content already, so that nothing that depends on it is built again.
pub fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
    }
    // By a rename: whoever reads at the same time sees the old or the new one.
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    fs::write(&temporary, content).map_err(Error::io(&temporary))?;
    fs::rename(&temporary, path).map_err(Error::io(path))?;
    Ok(true)
}
