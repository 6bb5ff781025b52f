//! The decoder and the flavor, held to postcard's own.

use super::*;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Debug, string::String, vec::Vec};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Option<bool>),
    Tuple(i8, char),
    Struct { number: u128, text: String },
}

type Unsigned = (u8, u16, u32, u64, u128);
type Signed = (i8, i16, i32, i64, i128);

/// All that the format knows, but floats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct All {
    unsigned: Unsigned,
    signed: Signed,
    kinds: Vec<Kind>,
    map: BTreeMap<u16, String>,
    text: heapless::String<16>,
    unit: (),
    newtype: Newtype,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<usize>);

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<Option<bool>>().prop_map(Kind::Newtype),
        any::<(i8, char)>().prop_map(|(number, letter)| Kind::Tuple(number, letter)),
        (any::<u128>(), ".{0,9}").prop_map(|(number, text)| Kind::Struct { number, text }),
    ]
}

fn all() -> impl Strategy<Value = All> {
    let kinds = prop::collection::vec(kind(), 0..4);
    let map = prop::collection::btree_map(any::<u16>(), "[a-zäß€]{0,40}", 0..3);
    (any::<Unsigned>(), any::<Signed>(), kinds, map, "[a-zä]{0,8}", any::<Option<usize>>()).prop_map(
        |(unsigned, signed, kinds, map, text, option)| All {
            unsigned,
            signed,
            kinds,
            map,
            text: text.as_str().try_into().unwrap(),
            unit: (),
            newtype: Newtype(option),
        },
    )
}

/// Both decoders take the same bytes for the same value, leave the same, and refuse the same for the same reason.
fn same<'a, T: Deserialize<'a> + PartialEq + Debug>(bytes: &'a [u8]) {
    let mut decoder = Decoder::new(bytes);
    let ours = T::deserialize(&mut decoder).map(|value| (value, decoder.rest));
    assert_eq!(ours, postcard::take_from_bytes::<T>(bytes));
}

proptest! {
    #[test]
    fn what_postcard_encodes_is_decoded(all in all()) {
        let bytes = postcard::to_allocvec(&all).unwrap();
        same::<All>(&bytes);
        prop_assert_eq!(crate::decode(&bytes), Ok(all));
    }

    #[test]
    fn a_value_is_encoded_as_postcard_does_if_it_fits(all in all(), cut in any::<prop::sample::Index>()) {
        let bytes = postcard::to_allocvec(&all).unwrap();
        let mut room = vec![0xff; bytes.len() + 9];
        prop_assert_eq!(crate::encode(&all, &mut room), Some(&bytes[..]));
        prop_assert_eq!(crate::encode(&all, &mut room[..bytes.len()]), Some(&bytes[..]));
        let less = cut.index(bytes.len());
        prop_assert_eq!(crate::encode(&all, &mut room[..less]), None);
    }

    #[test]
    fn damaged_values_are_refused_as_postcard_refuses_them(
        all in all(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = postcard::to_allocvec(&all).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        same::<All>(&bytes);
        same::<All>(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_bytes_are_what_postcard_takes_them_for(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        same::<u8>(&bytes);
        same::<u16>(&bytes);
        same::<u32>(&bytes);
        same::<u64>(&bytes);
        same::<u128>(&bytes);
        same::<i64>(&bytes);
        same::<char>(&bytes);
        same::<bool>(&bytes);
        same::<&str>(&bytes);
        same::<&[u8]>(&bytes);
        same::<Vec<u16>>(&bytes);
        same::<Kind>(&bytes);
        // Floats by their bits, for not every one equals itself.
        let ours = <(f32, f64)>::deserialize(&mut Decoder::new(&bytes));
        let bits = |(short, long): (f32, f64)| (short.to_bits(), long.to_bits());
        prop_assert_eq!(ours.map(bits), postcard::from_bytes(&bytes).map(bits));
    }

    #[test]
    fn numbers_are_what_postcard_takes_them_for(
        high in prop::collection::vec(0x7fu8.., 0..20),
        last in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let bytes = [high, last].concat();
        same::<u16>(&bytes);
        same::<u32>(&bytes);
        same::<u64>(&bytes);
        same::<u128>(&bytes);
        same::<i16>(&bytes);
        same::<i32>(&bytes);
        same::<i128>(&bytes);
    }

    #[test]
    fn text_is_what_the_standard_library_takes_for_one(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
        prop_assert_eq!(text(&bytes), str::from_utf8(&bytes).ok());
    }
}

#[test]
fn no_byte_of_a_text_is_overlooked() {
    for length in 0..140 {
        let mut bytes = vec![b'x'; length];
        assert!(is_ascii(&bytes));
        for at in 0..length {
            bytes[at] = 0x80;
            assert!(!is_ascii(&bytes), "byte {at} of {length}");
            assert_eq!(text(&bytes), None);
            bytes[at] = b'x';
        }
        let text_of = |letters: &str| text(letters.as_bytes()).map(String::from);
        let umlauts = "ä".repeat(length);
        assert_eq!(text_of(&umlauts), Some(umlauts));
    }
}
