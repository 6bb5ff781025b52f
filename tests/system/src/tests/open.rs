//! Tests that a run of the whole suite leaves out, each with what is known of it. They run by name, or with `--all`.
//! Whoever mends the fault strikes the line.

/// Part of a test's name, and why it is not asked for yet.
const OPEN: &[(&str, &str)] = &[
    ("assistant killed while idle", "fails: the assistant's next life is started, but does not answer the next prompt"),
    ("assistant killed while answering", "the same fault may show here"),
    ("inference killed", "not seen passing yet"),
    ("llama killed while answering", "not seen passing yet"),
    ("a part that keeps failing is started ever later", "not seen passing yet"),
    ("the line takes characters of all widths", "not seen passing; a run was ended by hand after 85 s of waiting, cause unknown"),
    ("an answer full of escape sequences", "the terminal came to no harm, but the next prompt failed on a zero byte; a mend is in, not rerun"),
    ("a bracketed paste of a page", "passed alone; in a whole run it was ended by hand after 72 s without an answer, cause unknown"),
    ("a terminal of 20 columns", "not seen passing; a run was ended by hand after 96 s of waiting, cause unknown"),
    ("a resized terminal", "not seen passing yet"),
    ("a model of 1.5 GiB", "never seen passing; the one run was ended by hand after about 2 minutes"),
    ("typing goes on while an answer comes", "not seen passing; a run was ended by hand while the machine stood idle, cause unknown"),
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
