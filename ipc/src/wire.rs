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
mod tests;
