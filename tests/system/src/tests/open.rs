//! Tests that a run of the whole suite leaves out, each with what is known of it. They run by name, or with `--all`.
//! Whoever mends the fault strikes the line.

/// Part of a test's name, and why it is not asked for yet.
const OPEN: &[(&str, &str)] = &[
    ("a model of 1.5 GiB", "never seen passing; the one run was ended by hand after about 2 minutes"),
];

/// Why this test is left out of a run of the whole suite.
pub fn why(name: &str) -> Option<&'static str> {
    OPEN.iter().find(|(part, _)| name.contains(part)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_open_test_exists() {
        let all = super::super::all();
        for (part, _) in super::OPEN {
            assert!(all.iter().any(|test| test.name.contains(part)), "no test has a name with {part:?}");
        }
    }
}
