//! Programs of the tests and of the measurements are in no image of the product: one of them uses the network without
//! gate's word.

use rpc_bench::Result;
use std::{fs, path::Path};

/// The packages below a folder that are programs for the kernel.
fn programs(folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            programs(&path, found)?;
        } else if path.ends_with("Cargo.toml") {
            let text = fs::read_to_string(&path)?;
            let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
            let name = name.ok_or_else(|| format!("{} names no package", path.display()))?;
            found.extend(text.contains("\npd = true").then(|| name.to_owned()));
        }
    }
    Ok(())
}

#[test]
fn the_product_has_no_program_of_the_tests() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut found = Vec::new();
    programs(&root.join("tests"), &mut found)?;
    for name in ["net-client", "printer", "rpc-client"] {
        assert!(found.iter().any(|found| found == name), "{name} is not among {found:?}");
    }
    let layout = fs::read_to_string(root.join("root-task/layout/system.toml"))?;
    let named = |name: &str| layout.lines().any(|line| line.trim() == format!("package = \"{name}\""));
    assert!(named("cloud") && named("net"), "the layout names its programs otherwise than it is read here");
    for name in found {
        assert!(!named(&name), "the product's layout names {name}");
    }
    Ok(())
}
