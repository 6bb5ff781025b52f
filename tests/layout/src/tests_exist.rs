//! A crossing names the tests that hold its code to it. Whether they suffice, a person judges; that there are some is
//! seen here.

use crate::rules::crossings;
use crate::violation::{Rule, Violation};
use spec::System;
use std::fs;
use std::path::Path;

/// `tree`: the top of the repository.
pub fn tests_exist(system: &System, tree: &Path) -> Result<(), Violation> {
    for (place, crossing) in crossings(system) {
        let package = tree.join(&crossing.tests);
        let inside = Path::new(&crossing.tests).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !(inside && package.join("Cargo.toml").is_file() && has_test(&package)) {
            let what =
                format!("a crossing of {place} ({}) names tests that do not exist: {}", crossing.why, crossing.tests);
            return Err(Violation { rule: Rule::CrossingsExplained, mode: None, what, path: Vec::new() });
        }
    }
    Ok(())
}

fn has_test(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.any(|path| match path.extension().and_then(|e| e.to_str()) {
        Some("rs") => fs::read_to_string(&path).is_ok_and(|text| text.contains("#[test]")),
        _ => path.is_dir() && has_test(&path),
    })
}
