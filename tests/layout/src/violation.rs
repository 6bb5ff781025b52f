//! What an image is refused for: one sentence that shows the path which the fault opens.

use crate::graph::{path_text, Edge};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    NoWayToTheWire,
    TypedIsTyped,
    SharesWhileSharing,
    TypedLocallyStays,
    PrivateHoldsTheSame,
    NothingLeadsToTheWireLocally,
    NoGrant,
    ReplyIsForCallers,
    SignalsGoOneWay,
    ClockTakesNothing,
    RootSaysConstants,
    OneDriver,
    WriteXorExecute,
    CrossingsExplained,
    FaultsGoToRoot,
    AllEdgesAreTold,
    /// The certificate does not say what the checker finds.
    CertificateHolds,
}

impl Rule {
    pub const ALL: [Rule; 17] = [
        Rule::NoWayToTheWire,
        Rule::TypedIsTyped,
        Rule::SharesWhileSharing,
        Rule::TypedLocallyStays,
        Rule::PrivateHoldsTheSame,
        Rule::NothingLeadsToTheWireLocally,
        Rule::NoGrant,
        Rule::ReplyIsForCallers,
        Rule::SignalsGoOneWay,
        Rule::ClockTakesNothing,
        Rule::RootSaysConstants,
        Rule::OneDriver,
        Rule::WriteXorExecute,
        Rule::CrossingsExplained,
        Rule::FaultsGoToRoot,
        Rule::AllEdgesAreTold,
        Rule::CertificateHolds,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Rule::NoWayToTheWire => "no-way-to-the-wire",
            Rule::TypedIsTyped => "typed-is-typed",
            Rule::SharesWhileSharing => "shares-while-sharing",
            Rule::TypedLocallyStays => "typed-locally-stays",
            Rule::PrivateHoldsTheSame => "private-holds-the-same",
            Rule::NothingLeadsToTheWireLocally => "nothing-leads-to-the-wire-locally",
            Rule::NoGrant => "no-grant",
            Rule::ReplyIsForCallers => "reply-is-for-callers",
            Rule::SignalsGoOneWay => "signals-go-one-way",
            Rule::ClockTakesNothing => "clock-takes-nothing",
            Rule::RootSaysConstants => "root-says-constants",
            Rule::OneDriver => "one-driver",
            Rule::WriteXorExecute => "write-xor-execute",
            Rule::CrossingsExplained => "crossings-explained",
            Rule::FaultsGoToRoot => "faults-go-to-root",
            Rule::AllEdgesAreTold => "all-edges-are-told",
            Rule::CertificateHolds => "certificate-holds",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    /// `None`: in all of them, or over a change.
    pub mode: Option<String>,
    pub what: String,
    /// From edge to edge; empty where the fault is no path.
    pub path: Vec<Edge>,
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "The wall has a hole: {}", self.what)?;
        if let Some(mode) = &self.mode {
            write!(f, ", in the mode `{mode}`")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", path_text(&self.path))?;
        }
        write!(f, " (rule {}, docs/wall.md)", self.rule.name())
    }
}
