//! Decodes postcard's format as the `postcard` crate does, in fewer steps: a call between two PDs is short, and decoding
//! was most of what it cost above the kernel's part. Text that is ASCII is recognised by words, a number below 128 by
//! one comparison. Encoding is `postcard`'s, but for where the bytes go.

use core::{mem, str};
use postcard::{ser_flavors::Flavor, Error, Result};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

/// Room for an encoded value.
pub struct Room<'a> {
    rest: &'a mut [u8],
}

impl<'a> Room<'a> {
    #[inline]
    pub fn new(rest: &'a mut [u8]) -> Self {
        Room { rest }
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a mut [u8]> {
        if count > self.rest.len() {
            return Err(Error::SerializeBufferFull);
        }
        let (taken, rest) = mem::take(&mut self.rest).split_at_mut(count);
        self.rest = rest;
        Ok(taken)
    }
}

impl Flavor for Room<'_> {
    /// Bytes that are left.
    type Output = usize;

    #[inline]
    fn try_push(&mut self, byte: u8) -> Result<()> {
        self.take(1)?[0] = byte;
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> Result<()> {
        match bytes {
            // Nearly every number comes this way: spare it the call of `memcpy`.
            [byte] => self.try_push(*byte),
            _ => {
                self.take(bytes.len())?.copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    #[inline]
    fn finalize(self) -> Result<usize> {
        Ok(self.rest.len())
    }
}

/// What is still to be decoded.
pub struct Decoder<'de> {
    rest: &'de [u8],
}

/// A number of `$bits` bits: seven in each byte, the lowest first, the top bit set in all but the last.
macro_rules! varint {
    ($name:ident, $long:ident, $ty:ident) => {
        #[inline]
        fn $name(&mut self) -> Result<$ty> {
            match self.rest {
                [byte @ ..0x80, rest @ ..] => {
                    self.rest = rest;
                    Ok($ty::from(*byte))
                }
                rest => {
                    let (number, rest) = Self::$long(rest)?;
                    self.rest = rest;
                    Ok(number)
                }
            }
        }

        // By value, so that a decoder can stay in registers.
        fn $long(bytes: &'de [u8]) -> Result<($ty, &'de [u8])> {
            const LAST: usize = $ty::BITS.div_ceil(7) as usize - 1;
            let mut number = 0;
            for (i, byte) in bytes.iter().enumerate().take(LAST + 1) {
                number |= $ty::from(byte & 0x7f) << (7 * i);
                if *byte < 0x80 {
                    let fits = i < LAST || *byte < 1 << ($ty::BITS % 7);
                    return if fits { Ok((number, &bytes[i + 1..])) } else { Err(Error::DeserializeBadVarint) };
                }
            }
            Err(if bytes.len() > LAST { Error::DeserializeBadVarint } else { Error::DeserializeUnexpectedEnd })
        }
    };
}

/// The number that zigzag encoding made unsigned.
macro_rules! signed {
    ($number:expr, $ty:ident) => {{
        let number = $number;
        (number >> 1) as $ty ^ -((number & 1) as $ty)
    }};
}

impl<'de> Decoder<'de> {
    #[inline]
    pub fn new(bytes: &'de [u8]) -> Self {
        Decoder { rest: bytes }
    }

    /// Nothing is left.
    #[inline]
    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or(Error::DeserializeUnexpectedEnd)?;
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    fn bytes(&mut self, count: usize) -> Result<&'de [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Error::DeserializeUnexpectedEnd)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Error::DeserializeUnexpectedEnd)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Bytes with their number before them.
    #[inline]
    fn counted(&mut self) -> Result<&'de [u8]> {
        let count = self.usize()?;
        self.bytes(count)
    }

    #[inline]
    fn usize(&mut self) -> Result<usize> {
        // PDs and the host are 64-bit.
        self.u64().map(|number| number as usize)
    }

    varint!(u16, long_u16, u16);
    varint!(u32, long_u32, u32);
    varint!(u64, long_u64, u64);
    varint!(u128, long_u128, u128);
}

/// `core::str::from_utf8`, sooner done with ASCII.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        Some(unsafe { str::from_utf8_unchecked(bytes) })
    } else {
        str::from_utf8(bytes).ok()
    }
}

/// The last chunk overlaps the one before, so no single bytes are left but in the shortest texts.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<32>() {
        bytes.as_chunks::<32>().0.iter().all(ascii_chunk) && ascii_chunk(last)
    } else if let Some(last) = bytes.last_chunk::<8>() {
        bytes.as_chunks::<8>().0.iter().all(ascii_chunk) && ascii_chunk(last)
    } else {
        bytes.iter().fold(0, |all, byte| all | byte) < 0x80
    }
}

#[inline]
fn ascii_chunk<const N: usize>(bytes: &[u8; N]) -> bool {
    const { assert!(N.is_multiple_of(8)) };
    let words = bytes.as_chunks::<8>().0.iter();
    words.fold(0, |all, word| all | u64::from_ne_bytes(*word)) & 0x8080_8080_8080_8080 == 0
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    /// The format does not say what is in it.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Error::WontImplement)
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Error::DeserializeBadBool),
        }
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i8(self.byte()? as i8)
    }

    #[inline]
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i16(signed!(self.u16()?, i16))
    }

    #[inline]
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i32(signed!(self.u32()?, i32))
    }

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i64(signed!(self.u64()?, i64))
    }

    #[inline]
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i128(signed!(self.u128()?, i128))
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u8(self.byte()?)
    }

    #[inline]
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u16(self.u16()?)
    }

    #[inline]
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u32(self.u32()?)
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u64(self.u64()?)
    }

    #[inline]
    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u128(self.u128()?)
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    /// As a text, of which the first character counts: so says postcard.
    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let count = self.usize()?;
        if count > 4 {
            return Err(Error::DeserializeBadChar);
        }
        let first = text(self.bytes(count)?).and_then(|text| text.chars().next());
        visitor.visit_char(first.ok_or(Error::DeserializeBadChar)?)
    }

    #[inline(always)] // what it returns is as long as the text: better made where it shall lie than moved there
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(text(self.counted()?).ok_or(Error::DeserializeBadUtf8)?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_bytes(self.counted()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Error::DeserializeBadOption),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.usize()?;
        visitor.visit_seq(Items { decoder: self, left })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Items { decoder: self, left })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, left: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(left, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.usize()?;
        visitor.visit_map(Items { decoder: self, left })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_enum(self)
    }

    /// Fields have no names here.
    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Error::WontImplement)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Error::WontImplement)
    }
}

/// So many values, or pairs of them, that follow each other.
struct Items<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    /// Only a number that can be true: somebody reserves memory for it.
    #[inline]
    fn size_hint(&self) -> Option<usize> {
        (self.left <= self.decoder.rest.len()).then_some(self.left)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        seed.deserialize(&mut *self.decoder)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        SeqAccess::size_hint(self)
    }
}

impl<'de> EnumAccess<'de> for &mut Decoder<'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self)> {
        let number = self.u32()?;
        Ok((seed.deserialize(number.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Decoder<'de> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(left, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

#[cfg(test)]
mod tests {
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
}
