//! The kernel's `.bf` files: bit fields and unions told apart by a tag.

use crate::c::{self, Defines};

#[derive(Debug, Default)]
pub struct Bitfields {
    pub blocks: Vec<Block>,
    pub unions: Vec<Union>,
}

#[derive(Debug)]
pub struct Block {
    pub name: String,
    /// Bits of the whole block.
    pub bits: u32,
    pub fields: Vec<Field>,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// Position of the lowest bit.
    pub shift: u32,
    pub bits: u32,
}

#[derive(Debug)]
pub struct Union {
    pub name: String,
    /// The field that tells the members apart.
    pub tag_field: String,
    /// Block names and tag values.
    pub tags: Vec<(String, u64)>,
}

impl Bitfields {
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|b| b.name == name)
    }

    pub fn read(&mut self, text: &str, defines: &Defines) -> Result<(), String> {
        let text: String =
            text.lines().map(|l| l.split("--").next().unwrap_or("").to_string() + "\n").collect();
        let text = c::conditionals(&text, defines)?;
        let mut words = text.split_whitespace().flat_map(split_braces);
        let mut next = |what: &str| words.next().ok_or_else(|| format!("the file ends where {what} should stand"));
        loop {
            let Ok(keyword) = next("a declaration") else { return Ok(()) };
            match keyword.as_str() {
                "base" => {
                    let base = next("the base")?;
                    if base != "64" {
                        return Err(format!("base {base}: only 64 is supported"));
                    }
                }
                "block" => {
                    let name = next("a name")?;
                    expect(&next("{")?, "{")?;
                    // Fields stand from the highest bit down.
                    let mut fields = Vec::new();
                    let mut used = 0;
                    loop {
                        match next("a field")?.as_str() {
                            "}" => break,
                            "padding" => used += number(&next("a size")?)? as u32,
                            "field" => {
                                let name = next("a name")?;
                                let bits = number(&next("a size")?)? as u32;
                                used += bits;
                                fields.push(Field { name, shift: used, bits });
                            }
                            other => return Err(format!("block {name}: {other} is not understood")),
                        }
                    }
                    if used % 64 != 0 {
                        return Err(format!("block {name}: {used} bits are not a number of words"));
                    }
                    for field in &mut fields {
                        field.shift = used - field.shift;
                    }
                    self.blocks.push(Block { name, bits: used, fields });
                }
                "tagged_union" => {
                    let name = next("a name")?;
                    let tag_field = next("a tag field")?;
                    expect(&next("{")?, "{")?;
                    let mut tags = Vec::new();
                    loop {
                        match next("a tag")?.as_str() {
                            "}" => break,
                            "tag" => tags.push((next("a block")?, number(&next("a value")?)?)),
                            other => return Err(format!("union {name}: {other} is not understood")),
                        }
                    }
                    self.unions.push(Union { name, tag_field, tags });
                }
                other => return Err(format!("{other} is not understood")),
            }
        }
    }
}

fn split_braces(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in word.chars() {
        if c == '{' || c == '}' {
            parts.push(c.to_string());
            parts.push(String::new());
        } else {
            parts.last_mut().expect("never empty").push(c);
        }
    }
    parts.retain(|p| !p.is_empty());
    parts
}

fn expect(word: &str, wanted: &str) -> Result<(), String> {
    (word == wanted).then_some(()).ok_or_else(|| format!("{word} stands where {wanted} should"))
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_count_from_the_top() {
        let mut b = Bitfields::default();
        b.read(
            "base 64 -- a comment\nblock Info {\n padding 32\n field label 20\n padding 3\n field caps 2\n field length 7\n}\n\
             #ifdef CONFIG_X\nblock No { padding 64 }\n#endif\ntagged_union U t { tag Info 3 }",
            &Defines::default(),
        )
        .unwrap();
        assert_eq!(b.blocks.len(), 1);
        let at = |name: &str| b.blocks[0].fields.iter().find(|f| f.name == name).map(|f| (f.shift, f.bits)).unwrap();
        assert_eq!(at("label"), (12, 20));
        assert_eq!(at("caps"), (7, 2));
        assert_eq!(at("length"), (0, 7));
        assert_eq!(b.unions[0].tags, [("Info".to_string(), 3)]);
    }

    #[test]
    fn a_block_that_is_no_number_of_words_is_refused() {
        assert!(Bitfields::default().read("block B { field a 3 }", &Defines::default()).is_err());
    }
}
