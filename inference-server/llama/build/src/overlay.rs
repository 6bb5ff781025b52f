//! A copy of zig's library folder in which two files differ, so that no Linux call of the C library is left: each goes
//! to `alpha_syscall` instead. Everything else is a link to the original. It stays at one path, because moving it
//! makes zig compile the C library anew.

use crate::hash::Hash;
use crate::{io_at, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const HEADER: &str = "libc/musl/arch/x86_64/syscall_arch.h";
const CALLS: &str = "std/os/linux/x86_64.zig";

/// `ours` is `program/zig`.
pub fn make(original: &Path, ours: &Path, place: &Path) -> Result<(), Error> {
    let read = |path: PathBuf| io_at(&path, fs::read_to_string(&path));
    let calls = read(original.join(CALLS))?;
    let changed: BTreeMap<&str, String> = [
        (HEADER, read(ours.join("syscall_arch.h"))?),
        (CALLS, replace_calls(&calls, &read(ours.join("syscall.zig"))?)?),
    ]
    .into();

    let mut key = Hash::new();
    key.text(&original.to_string_lossy());
    for (name, text) in &changed {
        key.text(name).text(text);
    }
    let stamp = place.join("alpha-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|s| s == key.hex()) {
        return Ok(());
    }
    if place.exists() {
        io_at(place, fs::remove_dir_all(place))?;
    }

    let mut folders = BTreeSet::new();
    for name in changed.keys() {
        let mut folder = Path::new(name);
        while let Some(up) = folder.parent() {
            folders.insert(up.to_path_buf());
            folder = up;
        }
    }
    for folder in &folders {
        let here = place.join(folder);
        io_at(&here, fs::create_dir_all(&here))?;
        let there = original.join(folder);
        for entry in io_at(&there, fs::read_dir(&there))? {
            let name = folder.join(io_at(&there, entry)?.file_name());
            if !folders.contains(&name) && !changed.contains_key(&*name.to_string_lossy()) {
                io_at(&name, symlink(original.join(&name), place.join(&name)))?;
            }
        }
    }
    for (name, text) in &changed {
        io_at(&place.join(name), fs::write(place.join(name), text))?;
    }
    io_at(&stamp, fs::write(&stamp, key.hex()))
}

/// The seven functions that hold a call instruction stand together, between these two lines.
fn replace_calls(original: &str, ours: &str) -> Result<String, Error> {
    let missing = |what: &str| Error::Overlay(format!("{CALLS} has no {what}"));
    let start = original.find("pub fn syscall0(").ok_or_else(|| missing("syscall0"))?;
    let end = original.find("pub fn clone()").ok_or_else(|| missing("clone"))?;
    if start > end {
        return Err(missing("calls before clone"));
    }
    Ok(format!("{}{ours}\n{}", &original[..start], &original[end..]))
}
