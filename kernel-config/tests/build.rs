//! The same inputs give the same kernel, byte for byte, wherever it is built; and what the cache promises.

use kernel_config::{build, patches, source_dir, Error, Kernel, Options, Variant};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn kernel(cache: &Path, variant: Variant) -> Kernel {
    build_with(cache, variant, None).unwrap_or_else(|e| panic!("{e}"))
}

fn build_with(cache: &Path, variant: Variant, without_patch: Option<&str>) -> Result<Kernel, Error> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = source_dir(&workspace)?;
    build(Options { sel4_source: &source, cache, platform: "x86_64", variant, without_patch, progress: &mut |_| {} })
}

fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("kernel")).unwrap();
    dir
}

#[test]
fn two_builds_in_two_folders_are_the_same_bytes() {
    let (first, second) = (fresh("one"), fresh("another-with-a-longer-name/below"));
    for variant in [Variant::Release, Variant::Debug] {
        let a = kernel(&first, variant);
        // The generators' packages are made once; they are an input, not a result.
        for entry in fs::read_dir(first.join("kernel")).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("python-") {
                let _ = std::os::unix::fs::symlink(entry.path(), second.join("kernel").join(entry.file_name()));
            }
        }
        let b = kernel(&second, variant);
        assert_eq!(a.key, b.key);
        for (a, b) in [(&a.elf, &b.elf), (&a.elf32, &b.elf32)] {
            assert_ne!(a, b);
            assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} and {} differ", a.display(), b.display());
        }

        let begin = Instant::now();
        let again = kernel(&first, variant);
        assert_eq!(again.elf, a.elf);
        assert!(begin.elapsed().as_secs() < 5, "the second call built again");
        for file in ["autoconf.h", "arch/object/structures.pbf", "arch/api/invocation.h"] {
            assert!(a.build_dir.join(file).is_file(), "{file} is missing");
        }
        assert!(a.source.join("libsel4/include/interfaces/sel4.xml").is_file());
    }
    let left = fs::read_dir(first.join("kernel")).unwrap().flatten();
    let left: Vec<_> = left.map(|e| e.file_name()).filter(|n| n.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "a build left {left:?}");
}

#[test]
fn every_patch_says_what_it_is_for() {
    let all = patches("x86_64").unwrap();
    assert!(all.len() > 10);
    for patch in &all {
        let (top, _) = patch.text.split_once("\n--- ").expect("a reason, then the diff");
        assert!(top.lines().any(|l| l.starts_with("Test: ")), "{} names no test", patch.name);
        assert!(top.len() > 80, "{} gives no reason", patch.name);
        assert!(top.lines().all(|l| l.chars().count() <= 120), "{} has a line above 120 characters", patch.name);
    }
}

#[test]
fn a_patch_that_does_not_exist_cannot_be_left_out() {
    let error = build_with(&fresh("unknown"), Variant::Release, Some("99-nothing")).unwrap_err();
    assert!(matches!(error, Error::UnknownPatch { .. }), "{error}");
}
