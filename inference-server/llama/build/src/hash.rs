//! Keys of the cache. Not a defence against anybody: it only has to notice changes.

use crate::{io_at, Error};
use std::fs;
use std::path::Path;

#[derive(Clone)]
pub struct Hash(u128);

impl Hash {
    pub fn new() -> Self {
        Hash(0x6c62272e07bb014262b821756295c58d)
    }

    /// FNV-1a, 128 bits.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000000001000000000000000000013b);
        }
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(&(text.len() as u64).to_le_bytes()).bytes(text.as_bytes())
    }

    /// Names and contents of all files below `root`.
    pub fn tree(&mut self, root: &Path) -> Result<&mut Self, Error> {
        for name in names(root)? {
            let path = root.join(&name);
            self.text(&name).bytes(&io_at(&path, fs::read(&path))?);
        }
        Ok(self)
    }

    /// Names and lengths of the files that are compiled: enough where Cargo has checked the contents.
    pub fn listing(&mut self, llama: &Path) -> Result<&mut Self, Error> {
        for part in ["src", "ggml/src", "ggml/include", "include"] {
            for name in names(&llama.join(part))? {
                let path = llama.join(part).join(&name);
                self.text(&name).bytes(&io_at(&path, fs::metadata(&path))?.len().to_le_bytes());
            }
        }
        Ok(self)
    }

    pub fn hex(&self) -> String {
        format!("{:016x}", (self.0 >> 64) as u64 ^ self.0 as u64)
    }
}

/// Files below `root`, relative, sorted.
fn names(root: &Path) -> Result<Vec<String>, Error> {
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = open.pop() {
        let path = root.join(&folder);
        for entry in io_at(&path, fs::read_dir(&path))? {
            let entry = io_at(&path, entry)?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if io_at(&path, entry.file_type())?.is_dir() {
                open.push(name + "/");
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}
