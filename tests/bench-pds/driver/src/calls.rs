//! What a call costs, typed and bare.

use crate::{said, Result};
use std::collections::BTreeMap;

pub const LAYOUT: &str = "tests/bench-pds/layout";

/// At most this many times a bare call of as many words.
pub const BAR: f64 = 1.3;

/// Ticks for a call, there and back: the median round. The shortest typed call, of one byte, has an empty reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub bytes: u64,
    pub typed: f64,
    pub bare: f64,
}

impl Cost {
    pub fn ratio(&self) -> f64 {
        self.typed / self.bare
    }
}

/// Reads the lines `call KIND BYTES ROUND TICKS CALLS`.
pub fn costs(lines: &[String]) -> Result<Vec<Cost>> {
    let mut rounds: BTreeMap<(u64, &str), Vec<f64>> = BTreeMap::new();
    for line in said(lines, "client") {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["call", kind, bytes, _round, ticks, calls] = words[..] {
            rounds.entry((bytes.parse()?, kind)).or_default().push(ticks.parse::<f64>()? / calls.parse::<f64>()?);
        }
    }
    let median = |bytes, kind| {
        let mut of = rounds.get(&(bytes, kind)).cloned().unwrap_or_default();
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied()
    };
    let sizes: Vec<u64> = rounds.keys().map(|(bytes, _)| *bytes).collect();
    let mut costs = Vec::new();
    for bytes in sizes {
        let (Some(typed), Some(bare)) = (median(bytes, "typed"), median(bytes, "bare")) else { continue };
        let cost = Cost { bytes, typed, bare };
        if costs.last() != Some(&cost) {
            costs.push(cost);
        }
    }
    if costs.is_empty() {
        return Err(format!("no figures in:\n{}", lines.join("\n")).into());
    }
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_medians() {
        let lines: Vec<String> =
            ["call typed 8 0 2400 2", "call bare 8 0 2000 2", "call typed 8 1 2600 2", "call typed 8 2 9000 2"]
                .iter()
                .map(|line| format!("client| {line}"))
                .collect();
        let costs = costs(&lines).unwrap();
        assert_eq!(costs, [Cost { bytes: 8, typed: 1300.0, bare: 1000.0 }]);
        assert_eq!(costs[0].ratio(), 1.3);
    }
}
