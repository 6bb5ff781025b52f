//! Bit fields, as the kernel's build preprocessed them (`*.pbf`).
//!
//! Blocks list their fields from the highest bit down. `base 64(49,1)` says that a `field_high` keeps the upper bits of
//! a value of 49 bits, and that such a value is sign-extended when it is read.

use crate::{Error, Result};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Bits {
    blocks: HashMap<String, Block>,
    unions: HashMap<String, Union>,
}

#[derive(Debug, Default)]
pub struct Block {
    pub words: usize,
    fields: HashMap<String, Field>,
}

#[derive(Debug)]
pub struct Union {
    pub tag_field: String,
    /// Block names and tag values.
    pub tags: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    word: usize,
    shift: u32,
    bits: u32,
    /// Low bits of the value that are not stored.
    dropped: u32,
    /// The value's highest bit, if it is to be copied into those above.
    sign: Option<u32>,
}

impl Field {
    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    pub fn get(self, words: &[u64]) -> u64 {
        let value = (words[self.word] >> self.shift & self.mask()) << self.dropped;
        match self.sign {
            Some(sign) if value >> sign & 1 == 1 => value | u64::MAX << sign,
            _ => value,
        }
    }

    pub fn set(self, words: &mut [u64], value: u64) {
        let word = &mut words[self.word];
        *word = *word & !(self.mask() << self.shift) | (value >> self.dropped & self.mask()) << self.shift;
    }
}

impl Bits {
    pub fn block(&self, name: &str) -> Result<&Block> {
        self.blocks.get(name).ok_or_else(|| Error::new(format!("the kernel's formats have no block {name}")))
    }

    pub fn has(&self, name: &str) -> bool {
        self.blocks.contains_key(name)
    }

    pub fn union(&self, name: &str) -> Result<&Union> {
        self.unions.get(name).ok_or_else(|| Error::new(format!("the kernel's formats have no union {name}")))
    }

    pub fn field(&self, block: &str, field: &str) -> Result<Field> {
        let found = self.block(block)?.fields.get(field);
        found.copied().ok_or_else(|| Error::new(format!("the kernel's {block} has no field {field}")))
    }

    /// Reads one file's text.
    pub fn read(&mut self, text: &str) -> Result<()> {
        let words = words(text);
        let mut input = Input { words: &words, at: 0 };
        let mut base = Base { word: 64, bits: 64, sign: false };
        while let Ok(keyword) = input.next() {
            match keyword {
                "base" => base = input.base()?,
                "block" => {
                    let name = input.next()?.to_owned();
                    let block = input.block(&name, base)?;
                    self.blocks.insert(name, block);
                }
                "tagged_union" => {
                    let name = input.next()?.to_owned();
                    let union = input.union(&name)?;
                    self.unions.insert(name, union);
                }
                other => return Err(Error::new(format!("a format file says {other}, which is not understood"))),
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Base {
    word: u32,
    /// Bits of a value that `field_high` is a part of.
    bits: u32,
    sign: bool,
}

/// The words of a text without comments; signs are words of their own.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.split("--").next().unwrap_or("").split('#').next().unwrap_or("");
        let mut word = String::new();
        for c in line.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                out.push(std::mem::take(&mut word));
            }
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
        }
    }
    out
}

struct Input<'a> {
    words: &'a [String],
    at: usize,
}

impl<'a> Input<'a> {
    fn next(&mut self) -> Result<&'a str> {
        let word = self.words.get(self.at).ok_or_else(|| Error::new("a format file ends too early"))?;
        self.at += 1;
        Ok(word)
    }

    fn peek(&self, word: &str) -> bool {
        self.words.get(self.at).is_some_and(|next| next == word)
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        match self.next()? {
            found if found == word => Ok(()),
            found => Err(Error::new(format!("a format file says {found} where {word} should stand"))),
        }
    }

    fn number(&mut self) -> Result<u32> {
        let word = self.next()?;
        word.parse().map_err(|_| Error::new(format!("a format file says {word} where a number should stand")))
    }

    fn base(&mut self) -> Result<Base> {
        let word = self.number()?;
        let mut base = Base { word, bits: word, sign: false };
        if self.peek("(") {
            self.expect("(")?;
            base.bits = self.number()?;
            self.expect(",")?;
            base.sign = self.number()? != 0;
            self.expect(")")?;
        }
        Ok(base)
    }

    fn block(&mut self, name: &str, base: Base) -> Result<Block> {
        // The order of a constructor's parameters, which is nothing to us.
        if self.peek("(") {
            while self.next()? != ")" {}
        }
        self.expect("{")?;
        let mut listed = Vec::new();
        let mut used = 0;
        loop {
            let kind = self.next()?;
            match kind {
                "}" => break,
                "padding" => used += self.number()?,
                "field" | "field_high" => {
                    let field = self.next()?.to_owned();
                    let bits = self.number()?;
                    used += bits;
                    listed.push((field, used, bits, kind == "field_high"));
                }
                other => return Err(Error::new(format!("block {name} says {other}, which is not understood"))),
            }
        }
        if used == 0 || used % base.word != 0 {
            return Err(Error::new(format!("block {name} has {used} bits, no number of words")));
        }
        let mut block = Block { words: (used / base.word) as usize, fields: HashMap::new() };
        for (field, end, bits, high) in listed {
            let low = used - end;
            let (word, shift) = ((low / base.word) as usize, low % base.word);
            let dropped = if high { base.bits.saturating_sub(bits) } else { 0 };
            if bits == 0 || shift + bits > base.word {
                return Err(Error::new(format!("field {field} of block {name} does not lie in one word")));
            }
            let sign = (high && base.sign).then_some(base.bits - 1);
            block.fields.insert(field, Field { word, shift, bits, dropped, sign });
        }
        Ok(block)
    }

    fn union(&mut self, name: &str) -> Result<Union> {
        let tag_field = self.next()?.to_owned();
        self.expect("{")?;
        let mut tags = Vec::new();
        loop {
            match self.next()? {
                "}" => return Ok(Union { tag_field, tags }),
                "tag" => tags.push((self.next()?.to_owned(), self.number()?.into())),
                other => return Err(Error::new(format!("union {name} says {other}, which is not understood"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits() -> Bits {
        let mut bits = Bits::default();
        bits.read(
            "---- a comment, with an apostrophe's\nbase 64(49,1)\nblock a_cap(x, y) {\n padding 9\n field flag 1\n \
             padding 54\n field kind 5\n padding 12\n field_high pointer 47\n}\n\
             block null_cap { padding 64 field kind 5 padding 59 }\n\
             tagged_union cap kind { tag null_cap 0 tag a_cap 3 }\n\
             base 32\nblock device { field x 16 field y 16 padding 32 }",
        )
        .unwrap();
        bits
    }

    #[test]
    fn fields_lie_where_the_kernels_generator_puts_them() {
        let bits = bits();
        let words = [3 << 59 | 0xffff_8000_1234_5678u64 >> 2 & (1 << 47) - 1, 1 << 54];
        assert_eq!(bits.field("a_cap", "kind").unwrap().get(&words), 3);
        assert_eq!(bits.field("a_cap", "flag").unwrap().get(&words), 1);
        // Bit 48 is set, so all above it are.
        assert_eq!(bits.field("a_cap", "pointer").unwrap().get(&words), 0xffff_8000_1234_5678);
        assert_eq!(bits.union("cap").unwrap().tags[1], ("a_cap".into(), 3));
        // Words of 32 bits are words of their own.
        assert_eq!(bits.field("device", "y").unwrap().get(&[0, 0xffff_ffff]), 0xffff);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_changes() {
        let bits = bits();
        let pointer = bits.field("a_cap", "pointer").unwrap();
        let mut words = [u64::MAX, u64::MAX];
        pointer.set(&mut words, 0x1234);
        assert_eq!(pointer.get(&words), 0x1234);
        assert_eq!(words[1], u64::MAX);
        assert_eq!(words[0] >> 47, u64::MAX >> 47);
        pointer.set(&mut words, 0xffff_ff80_0000_1000);
        assert_eq!(pointer.get(&words), 0xffff_ff80_0000_1000);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["block b { field a 3 }", "base x", "block b { field", "thing", "block b { field a 60 field b 68 }"]
        {
            assert!(Bits::default().read(text).is_err(), "{text}");
        }
    }
}
