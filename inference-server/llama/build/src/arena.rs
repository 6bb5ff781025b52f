pub struct ModelFacts;
pub struct FactsError;
pub fn arena_bytes() -> u64 { 0 }
