//! As much of C as the kernel's public headers use: conditionals, object-like macros, constant expressions,
//! enumerations, and plain structures.

use std::collections::{BTreeMap, HashMap};

pub type Defines = BTreeMap<String, String>;

/// Headers, one after the other, as one translation unit.
#[derive(Debug, Default)]
pub struct Source {
    defines: Defines,
    body: String,
    error: Option<String>,
}

#[derive(Debug)]
pub struct Headers {
    pub defines: Defines,
    /// Enumerators and macros with a constant value whose names begin with `seL4_` or `SEL4_`, in order.
    pub constants: Vec<(String, i128)>,
    pub structs: Vec<Struct>,
    /// `typedef A B` as (A, B).
    pub typedefs: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub packed: bool,
    /// Aligned to its own size.
    pub self_aligned: bool,
    pub fields: Vec<StructField>,
}

#[derive(Debug)]
pub struct StructField {
    pub name: String,
    pub type_: String,
    pub pointer: bool,
    pub length: Option<u64>,
}

impl Headers {
    pub fn constant(&self, name: &str) -> Option<i128> {
        self.constants.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// A number of the configuration; `None` when it is not set or not a number.
    pub fn config(&self, name: &str) -> Option<i128> {
        evaluate(self.defines.get(name)?, &|_| None).ok()
    }
}

impl Source {
    pub fn define_all(&mut self, defines: &Defines) {
        self.defines.extend(defines.clone());
    }

    pub fn into_defines(self) -> Defines {
        self.defines
    }

    pub fn read(&mut self, text: &str) {
        let result = preprocess(text, &mut self.defines);
        match result {
            Ok(body) => self.body.push_str(&body),
            Err(e) => self.error = self.error.take().or(Some(e)),
        }
    }

    pub fn parse(self) -> Result<Headers, String> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let tokens = tokens(&self.body)?;
        let mut values: HashMap<String, i128> = HashMap::new();
        let mut constants: Vec<(String, i128)> = Vec::new();
        let mut structs = Vec::new();
        let mut typedefs = Vec::new();
        let mut i = 0;
        while i < tokens.len() {
            let word = tokens[i].as_str();
            if word == "enum" {
                let Some(open) = tokens[i..].iter().take(3).position(|t| t == "{") else {
                    i += 1;
                    continue;
                };
                let close = matching(&tokens, i + open)?;
                let mut value = -1i128;
                for item in split(&tokens[i + open + 1..close], ",") {
                    // A macro call pads the enumeration to the width of a long; it is no constant.
                    if item.is_empty() || item.get(1).is_some_and(|t| t == "(") {
                        continue;
                    }
                    value = match item.get(1).map(String::as_str) {
                        None => value + 1,
                        Some("=") => {
                            let lookup = |n: &str| lookup(n, &values, &self.defines);
                            Parser { tokens: &item[2..], at: 0, lookup: &lookup }.whole()?
                        }
                        Some(other) => return Err(format!("enumerator {}: {other} is not understood", item[0])),
                    };
                    values.insert(item[0].clone(), value);
                    constants.push((item[0].clone(), value));
                }
                i = close + 1;
            } else if word == "struct" {
                let Some(open) = tokens[i..].iter().take(3).position(|t| t == "{") else {
                    i += 1;
                    continue;
                };
                let close = matching(&tokens, i + open)?;
                let end = close + tokens[close..].iter().position(|t| t == ";").ok_or("a struct has no end")?;
                let after = &tokens[close + 1..end];
                let typedef = i > 0 && tokens[i - 1] == "typedef";
                let name = if typedef {
                    after.iter().find(|t| *t != "SEL4_PACKED" && *t != "__attribute__").cloned()
                } else {
                    (open == 2).then(|| tokens[i + 1].clone())
                };
                if let Some(name) = name {
                    let lookup = |n: &str| lookup(n, &values, &self.defines);
                    if let Ok(fields) = fields(&tokens[i + open + 1..close], &lookup) {
                        structs.push(Struct {
                            name,
                            packed: after.iter().any(|t| t == "SEL4_PACKED"),
                            self_aligned: after.iter().any(|t| t == "__aligned__"),
                            fields,
                        });
                    }
                }
                i = end + 1;
            } else if word == "typedef" && tokens.get(i + 3).is_some_and(|t| t == ";") {
                typedefs.push((tokens[i + 1].clone(), tokens[i + 2].clone()));
                i += 4;
            } else {
                i += 1;
            }
        }
        // Macros last: they may name enumerators, while enumerators found their macros through `lookup`.
        for name in self.defines.keys() {
            if let Some(value) = lookup(name, &values, &self.defines) {
                constants.push((name.clone(), value));
            }
        }
        constants.retain(|(n, _)| n.starts_with("seL4_") || n.starts_with("SEL4_"));
        Ok(Headers { defines: self.defines, constants, structs, typedefs })
    }
}

fn lookup(name: &str, values: &HashMap<String, i128>, defines: &Defines) -> Option<i128> {
    if let Some(value) = values.get(name) {
        return Some(*value);
    }
    // A macro that names itself, over any number of steps, has no value.
    fn expand(name: &str, values: &HashMap<String, i128>, defines: &Defines, depth: u32) -> Option<i128> {
        if let Some(value) = values.get(name) {
            return Some(*value);
        }
        if depth == 0 {
            return None;
        }
        evaluate(defines.get(name)?, &|n| expand(n, values, defines, depth - 1)).ok()
    }
    expand(name, values, defines, 16)
}

fn fields(tokens: &[String], lookup: &dyn Fn(&str) -> Option<i128>) -> Result<Vec<StructField>, String> {
    let mut fields = Vec::new();
    for declaration in split(tokens, ";") {
        if declaration.is_empty() {
            continue;
        }
        let type_ = declaration[0].clone();
        for part in split(&declaration[1..], ",") {
            let pointer = part.first().is_some_and(|t| t == "*");
            let part = &part[pointer as usize..];
            let name = part.first().ok_or("a field without a name")?.clone();
            let length = match part.get(1).map(String::as_str) {
                None => None,
                Some("[") => {
                    let inside = &part[2..part.len() - 1];
                    Some(Parser { tokens: inside, at: 0, lookup }.whole()? as u64)
                }
                Some(other) => return Err(format!("field {name}: {other} is not understood")),
            };
            fields.push(StructField { name, type_: type_.clone(), pointer, length });
        }
    }
    Ok(fields)
}

/// Position of the brace that closes the one at `open`.
fn matching(tokens: &[String], open: usize) -> Result<usize, String> {
    let mut depth = 0;
    for (i, t) in tokens.iter().enumerate().skip(open) {
        match t.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(i);
        }
    }
    Err("a brace is never closed".into())
}

/// Splits at `separator`, but not inside brackets.
fn split<'a>(tokens: &'a [String], separator: &str) -> Vec<&'a [String]> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (i, t) in tokens.iter().enumerate() {
        match t.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            t if t == separator && depth == 0 => {
                parts.push(&tokens[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// `text` without the parts whose conditions do not hold under `defines`.
pub fn conditionals(text: &str, defines: &Defines) -> Result<String, String> {
    preprocess(text, &mut defines.clone())
}

/// Whether a condition as after `#if` holds.
pub fn condition(text: &str, defines: &Defines) -> Result<bool, String> {
    let tokens = tokens(text)?;
    // `defined X` and `defined(X)` become numbers before the rest is looked at.
    let mut plain = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i] == "defined" {
            let bracket = tokens.get(i + 1).is_some_and(|t| t == "(");
            let name = tokens.get(i + 1 + bracket as usize).ok_or("defined without a name")?;
            plain.push((defines.contains_key(name) as u32).to_string());
            i += if bracket { 4 } else { 2 };
        } else {
            plain.push(tokens[i].clone());
            i += 1;
        }
    }
    let none = HashMap::new();
    let lookup = |n: &str| Some(lookup(n, &none, defines).unwrap_or(0));
    Ok(Parser { tokens: &plain, at: 0, lookup: &lookup }.whole()? != 0)
}

fn preprocess(text: &str, defines: &mut Defines) -> Result<String, String> {
    let text = without_comments(text).replace("\\\n", " ");
    let mut out = String::new();
    // For each open conditional: (this branch is taken, an earlier branch was taken).
    let mut stack: Vec<(bool, bool)> = Vec::new();
    for line in text.lines() {
        let taken = stack.iter().all(|s| s.0);
        let Some(directive) = line.trim_start().strip_prefix('#') else {
            if taken {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        let directive = directive.trim();
        let (word, rest) = directive.split_once(|c: char| !c.is_alphanumeric()).unwrap_or((directive, ""));
        // The separator itself belongs to the rest: `#if(X)`.
        let rest = if rest.is_empty() { "" } else { directive[word.len()..].trim() };
        match word {
            "if" | "ifdef" | "ifndef" => {
                let holds = taken
                    && match word {
                        "if" => condition(rest, defines)?,
                        "ifdef" => defines.contains_key(rest),
                        _ => !defines.contains_key(rest),
                    };
                stack.push((holds, holds));
            }
            "elif" | "else" => {
                let (_, before) = stack.pop().ok_or(format!("#{word} without #if"))?;
                let outer = stack.iter().all(|s| s.0);
                let holds = outer && !before && (word == "else" || condition(rest, defines)?);
                stack.push((holds, before || holds));
            }
            "endif" => {
                stack.pop().ok_or("#endif without #if")?;
            }
            "define" if taken => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                // Macros with parameters are of no use here.
                if !rest[end..].starts_with('(') {
                    defines.insert(rest[..end].to_string(), rest[end..].trim().to_string());
                }
            }
            "undef" if taken => {
                defines.remove(rest);
            }
            _ => {}
        }
    }
    if stack.is_empty() {
        Ok(out)
    } else {
        Err("an #if is never closed".into())
    }
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        out.push_str(&rest[..start]);
        let (end, skip) = if rest[start..].starts_with("/*") {
            out.push(' ');
            (rest[start + 2..].find("*/").map(|e| e + start + 2), 2)
        } else {
            (rest[start..].find('\n').map(|e| e + start), 0)
        };
        rest = end.map_or("", |e| &rest[e + skip..]);
    }
    out + rest
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    const DOUBLE: [&str; 8] = ["<<", ">>", "<=", ">=", "==", "!=", "&&", "||"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if c == '"' {
            rest[1..].find('"').ok_or("a string is never closed")? + 2
        } else if DOUBLE.iter().any(|d| rest.starts_with(d)) {
            2
        } else {
            c.len_utf8()
        };
        tokens.push(rest[..length].to_string());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn evaluate(text: &str, lookup: &dyn Fn(&str) -> Option<i128>) -> Result<i128, String> {
    let tokens = tokens(text)?;
    Parser { tokens: &tokens, at: 0, lookup }.whole()
}

struct Parser<'a> {
    tokens: &'a [String],
    at: usize,
    lookup: &'a dyn Fn(&str) -> Option<i128>,
}

impl Parser<'_> {
    fn whole(mut self) -> Result<i128, String> {
        let value = self.binary(0)?;
        match self.tokens.get(self.at) {
            None => Ok(value),
            Some(t) => Err(format!("{t} is not understood in {}", self.tokens.join(" "))),
        }
    }

    fn binary(&mut self, lowest: u32) -> Result<i128, String> {
        let mut left = self.unary()?;
        while let Some(operator) = self.tokens.get(self.at) {
            let operator = operator.as_str();
            let strength = match operator {
                "||" => 1,
                "&&" => 2,
                "|" => 3,
                "^" => 4,
                "&" => 5,
                "==" | "!=" => 6,
                "<" | ">" | "<=" | ">=" => 7,
                "<<" | ">>" => 8,
                "+" | "-" => 9,
                "*" | "/" | "%" => 10,
                _ => break,
            };
            if strength <= lowest {
                break;
            }
            self.at += 1;
            let right = self.binary(strength)?;
            let shift = || u32::try_from(right).ok().filter(|s| *s < 64).ok_or(format!("a shift by {right}"));
            left = match operator {
                "||" => (left != 0 || right != 0) as i128,
                "&&" => (left != 0 && right != 0) as i128,
                "|" => left | right,
                "^" => left ^ right,
                "&" => left & right,
                "==" => (left == right) as i128,
                "!=" => (left != right) as i128,
                "<" => (left < right) as i128,
                ">" => (left > right) as i128,
                "<=" => (left <= right) as i128,
                ">=" => (left >= right) as i128,
                "<<" => left << shift()?,
                ">>" => left >> shift()?,
                "+" => left + right,
                "-" => left - right,
                "*" => left * right,
                "/" => left.checked_div(right).ok_or("a division by zero")?,
                _ => left.checked_rem(right).ok_or("a division by zero")?,
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i128, String> {
        let token = self.tokens.get(self.at).ok_or("an expression ends too early")?;
        self.at += 1;
        match token.as_str() {
            "-" => Ok(-self.unary()?),
            "+" => self.unary(),
            "~" => Ok(!self.unary()?),
            "!" => Ok((self.unary()? == 0) as i128),
            "(" => {
                let value = self.binary(0)?;
                self.close()?;
                Ok(value)
            }
            t if t.starts_with(|c: char| c.is_ascii_digit()) => {
                let digits = t.trim_end_matches(['u', 'U', 'l', 'L']);
                match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
                    Some(hex) => i128::from_str_radix(hex, 16),
                    None => digits.parse(),
                }
                .map_err(|_| format!("{t} is not a number"))
            }
            // The headers' own macro for a single bit.
            "LIBSEL4_BIT" | "BIT" if self.tokens.get(self.at).is_some_and(|t| t == "(") => {
                self.at += 1;
                let bit = self.binary(0)?;
                self.close()?;
                u32::try_from(bit).ok().filter(|b| *b < 64).map(|b| 1 << b).ok_or(format!("a bit {bit}"))
            }
            t => (self.lookup)(t).ok_or_else(|| format!("{t} has no value")),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        let closed = self.tokens.get(self.at).is_some_and(|t| t == ")");
        self.at += 1;
        closed.then_some(()).ok_or("a bracket is never closed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> Headers {
        let mut source = Source::default();
        source.define_all(&Defines::from([("CONFIG_N".to_string(), "4".to_string())]));
        source.read(text);
        source.parse().unwrap()
    }

    #[test]
    fn enumerators_count_on_and_see_earlier_ones() {
        let h = headers(
            "typedef enum a { seL4_A = -1, seL4_B, /* c */ seL4_C = CONFIG_N - 1, SEL4_FORCE_LONG_ENUM(x) } t;\n\
             enum b { seL4_D = seL4_C,\n#ifdef CONFIG_MISSING\nseL4_No,\n#endif\nseL4_E };",
        );
        let value = |n| h.constant(n);
        assert_eq!(value("seL4_A"), Some(-1));
        assert_eq!((value("seL4_B"), value("seL4_C")), (Some(0), Some(3)));
        assert_eq!((value("seL4_D"), value("seL4_E")), (Some(3), Some(4)));
        assert_eq!(value("seL4_No"), None);
    }

    #[test]
    fn macros_with_a_constant_value_are_constants() {
        let h = headers(
            "#define seL4_Bits 12\n#define seL4_Max (LIBSEL4_BIT(seL4_Bits)-1) // x\n#define seL4_F(x) x\n\
             #define seL4_Loop seL4_Loop\n#define seL4_Call f(1)\n#define seL4_Hex 0xfful\n#if 0\n#define seL4_No 1\n#elif \
             defined(CONFIG_N) && CONFIG_N > 3\n#define seL4_Yes 1\n#else\n#define seL4_No 2\n#endif\n",
        );
        assert_eq!(h.constant("seL4_Max"), Some(4095));
        assert_eq!(h.constant("seL4_Hex"), Some(255));
        assert_eq!(h.constant("seL4_Yes"), Some(1));
        for absent in ["seL4_F", "seL4_Loop", "seL4_Call", "seL4_No"] {
            assert_eq!(h.constant(absent), None, "{absent}");
        }
    }

    #[test]
    fn structures_keep_order_lengths_and_packing() {
        let h = headers(
            "typedef seL4_CPtr seL4_TCB;\ntypedef struct { seL4_Word a, b; T *p; seL4_Uint8 c[CONFIG_N * 2]; } SEL4_PACKED seL4_S;\n\
             typedef struct x_ { seL4_Word w; } seL4_X __attribute__ ((__aligned__ (sizeof(struct x_))));",
        );
        assert_eq!(h.typedefs, [("seL4_CPtr".to_string(), "seL4_TCB".to_string())]);
        let s = &h.structs[0];
        assert_eq!((s.name.as_str(), s.packed, s.fields.len()), ("seL4_S", true, 4));
        assert!(s.fields[2].pointer);
        assert_eq!(s.fields[3].length, Some(8));
        assert!(h.structs[1].self_aligned && !h.structs[1].packed);
    }

    #[test]
    fn conditions_nest() {
        let text = "#if 0\n#if 1\na\n#else\nb\n#endif\nc\n#else\nd\n#endif\n";
        assert_eq!(conditionals(text, &Defines::new()).unwrap(), "d\n");
        assert!(conditionals("#if 1\n", &Defines::new()).is_err());
        assert!(condition("2 + 3 * 4 == 14 && !(1 > 2)", &Defines::new()).unwrap());
        assert!(condition("1 +", &Defines::new()).is_err());
        assert!(condition("1 / 0", &Defines::new()).is_err());
    }
}
