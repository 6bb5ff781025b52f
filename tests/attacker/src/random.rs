//! SplitMix64.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A word as it comes: edges, slots, addresses, noise.
    pub fn word(&mut self) -> u64 {
        const EDGES: [u64; 10] = [
            0,
            1,
            0xfff,
            0x2000_0000,
            0x4000_0000,
            0x7fff_ffff_f000,
            0x8000_0000_0000,
            0xffff_ffff_8000_0000,
            1 << 63,
            !0,
        ];
        match self.below(4) {
            0 => EDGES[self.below(EDGES.len() as u64) as usize],
            1 => self.below(64),
            2 => self.below(1 << 18) << 12,
            _ => self.next(),
        }
    }
}
