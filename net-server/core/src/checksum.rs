//! The Internet checksum (RFC 1071), eight bytes at a time: over every byte of a download, it is a good part of what
//! receiving costs.

/// A sum that is not folded yet.
#[derive(Clone, Copy, Default)]
pub struct Sum(u128);

impl Sum {
    /// Adds bytes; all but the last to be added must be even in number.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> Sum {
        // Ones' complement sums do not depend on the order of bytes or on the width of the words: the folding sets both
        // right. A frame has too few words for the sum to overflow.
        let (words, rest) = bytes.as_chunks::<8>();
        let sum = words.iter().fold(self.0, |sum, word| sum + u128::from(u64::from_ne_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        Sum(sum + u128::from(u64::from_ne_bytes(last)))
    }

    #[inline]
    pub fn number(self, number: u16) -> Sum {
        Sum(self.0 + u128::from(number.to_be()))
    }

    /// The sum in 16 bits, in the order in which it stands in a packet.
    #[inline]
    pub fn fold(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff_ffff_ffff_ffff) + (sum >> 64);
            let word = sum as u64;
            let carry = sum >> 64;
            let half = u128::from(word & 0xffff_ffff) + u128::from(word >> 32) + carry;
            sum = (half & 0xffff) + (half >> 16);
        }
        (sum as u16).to_ne_bytes()
    }

    /// What a packet that is whole, its checksum included, adds up to.
    #[inline]
    pub fn is_whole(self) -> bool {
        self.fold() == [0xff; 2]
    }

    /// What to put into the field.
    #[inline]
    pub fn checksum(self) -> [u8; 2] {
        self.fold().map(|byte| !byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the RFC writes it.
    fn plain(bytes: &[u8]) -> [u8; 2] {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (sum as u16).to_be_bytes()
    }

    proptest! {
        #[test]
        fn it_is_the_sum_of_the_rfc(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            number in any::<u16>(),
            at in 0usize..50,
        ) {
            prop_assert_eq!(Sum::default().bytes(&bytes).fold(), plain(&bytes));
            let (first, second) = bytes.split_at((2 * at).min(bytes.len() & !1));
            let together = [&number.to_be_bytes()[..], &bytes].concat();
            prop_assert_eq!(Sum::default().bytes(first).number(number).bytes(second).fold(), plain(&together));
        }

        #[test]
        fn high_bytes_carry_as_they_should(length in 0usize..70_000, low in 0xfcu8..) {
            let bytes = vec![low; length];
            prop_assert_eq!(Sum::default().bytes(&bytes).fold(), plain(&bytes));
        }

        #[test]
        fn a_packet_with_its_checksum_is_whole(mut bytes in prop::collection::vec(any::<u8>(), 2..100)) {
            bytes[..2].fill(0);
            let checksum = Sum::default().bytes(&bytes).checksum();
            bytes[..2].copy_from_slice(&checksum);
            prop_assert!(Sum::default().bytes(&bytes).is_whole());
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            prop_assert!(!Sum::default().bytes(&bytes).is_whole());
        }
    }
}
