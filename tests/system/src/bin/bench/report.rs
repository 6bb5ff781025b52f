//! What was measured, as a page of the manual.

use crate::stats::Ratio;
use std::fmt::Write;

#[derive(Clone, Default)]
pub struct Report {
    text: String,
}

impl Report {
    pub fn heading(&mut self, text: &str) {
        let _ = write!(self.text, "\n## {text}\n\n");
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}\n");
    }

    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let _ = writeln!(self.text, "| {} |", head.join(" | "));
        let _ = writeln!(self.text, "|{}", "---|".repeat(head.len()));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
        self.text.push('\n');
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

/// Whether a bar is met, and the ratio with its interval.
pub fn show(ratio: &Ratio) -> String {
    match ratio.interval {
        Some((low, high)) => format!("{:.3}x ({low:.3} to {high:.3})", ratio.mean),
        None => format!("{:.3}x (one pair)", ratio.mean),
    }
}

/// The bar for something of which more is better: the interval reaches it.
pub fn reaches(ratio: &Ratio, bar: f64) -> String {
    let best = ratio.interval.map_or(ratio.mean, |(_, high)| high);
    verdict(best >= bar, &format!("at least {bar:.2}x"))
}

/// The bar for something of which less is better.
pub fn at_most(ratio: &Ratio, bar: f64) -> String {
    verdict(ratio.mean <= bar, &format!("at most {bar:.2}x"))
}

fn verdict(met: bool, bar: &str) -> String {
    format!("{bar}: {}", if met { "met" } else { "**missed**" })
}

pub fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

pub fn count(number: f64) -> String {
    match number {
        n if !n.is_finite() => "?".into(),
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}
