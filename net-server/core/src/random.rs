//! Numbers that somebody who does not see our traffic cannot guess: ports, DNS ids, echo tokens.

use core::hash::Hasher;

/// SipHash of a counter, under a secret key.
pub struct Random {
    key: (u64, u64),
    count: u64,
}

impl Random {
    /// `seed` must not be known to the network.
    pub fn new(seed: &[u8; 32]) -> Random {
        let (words, _) = seed.as_chunks::<8>();
        Random { key: (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])), count: 0 }
    }

    // The standard library wants another default for hash tables; the function itself is what we need, and `core` has
    // it.
    #[allow(deprecated)]
    pub fn next(&mut self) -> u64 {
        self.count += 1;
        let mut hasher = core::hash::SipHasher::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(self.count);
        hasher.finish()
    }

    /// One of the ports that are nobody's (RFC 6335).
    pub fn port(&mut self) -> u16 {
        49152 + (self.next() % 16384) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_gives_other_numbers_and_ports_are_nobodys() {
        let mut one = Random::new(&[1; 32]);
        let mut two = Random::new(&[2; 32]);
        let ports: std::collections::BTreeSet<u16> = (0..100).map(|_| one.port()).collect();
        assert!(ports.len() > 90 && ports.iter().all(|port| *port >= 49152));
        assert!((0..100).all(|_| one.next() != two.next()));
    }
}
