//! How much memory the llama program needs for a model file, before anything is started.
//!
//! What the program takes is of few kinds: the weights only if they are repacked, keys and values of the context, work
//! space for a step of the prompt, the vocabulary, and some for each tensor. docs/llama.md has the measurements that the
//! constants come from; they are rounded up.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// What of a GGUF file's header the estimate goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFacts {
    pub file_bytes: u64,
    pub architecture: String,
    /// `general.name`; empty if the file has none.
    pub name: String,
    pub tensors: u64,
    pub layers: u64,
    pub width: u64,
    pub heads: u64,
    /// Of the layer that has most.
    pub kv_heads: u64,
    /// Elements of a key and a value together, for one head.
    pub kv_head_elements: u64,
    pub feed_forward: u64,
    pub context: u64,
    pub vocabulary: u64,
    pub merges: u64,
    /// Bytes of the weights that llama.cpp puts into another order, which costs as much memory again.
    pub repacked_bytes: u64,
}

#[derive(Debug)]
pub enum FactsError {
    Io(io::Error),
    /// Not a GGUF file, or one that is damaged: the program would refuse it, with a sentence of its own.
    Unreadable(&'static str),
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactsError::Io(e) => write!(f, "{e}"),
            FactsError::Unreadable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for FactsError {}

impl From<io::Error> for FactsError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::UnexpectedEof => FactsError::Unreadable("the file is shorter than its header says"),
            _ => FactsError::Io(e),
        }
    }
}

const MIB: u64 = 1 << 20;
/// Context and step that the program chooses by itself (`Load` with zeros).
pub const DEFAULT_CONTEXT: u64 = 2048;
pub const DEFAULT_BATCH: u64 = 128;

/// Bytes of arena that a model needs with this context (0: the default), without repacked weights and with them.
/// `embedding` adds what the first embedding takes.
pub fn arena_bytes(facts: &ModelFacts, context: u64, embedding: bool) -> (u64, u64) {
    let most = if facts.context == 0 { DEFAULT_CONTEXT } else { facts.context };
    let cells = |n: u64| n.min(most).next_multiple_of(256);
    let context = cells(if context == 0 { DEFAULT_CONTEXT } else { context });
    let kv = |cells: u64| facts.layers * cells * facts.kv_heads * facts.kv_head_elements * 2;
    let step = |cells: u64, batch: u64, outputs: u64| {
        let row = 6 * facts.width + 4 * facts.feed_forward + 2 * cells; // f32
        4 * batch * row + 8 * outputs * facts.vocabulary
    };
    let fixed = 5 * MIB;
    let vocabulary = 224 * facts.vocabulary + 144 * facts.merges;
    let graph = (16 * 1024 * facts.tensors).max(4 * MIB); // llama.cpp makes room for 1024 nodes at least
    let mut plain = fixed + vocabulary + graph + kv(context) + step(context, DEFAULT_BATCH, 1);
    if embedding {
        plain += kv(cells(512)) + step(cells(512), 32, 32) + graph;
    }
    plain += plain / 16;
    (plain.next_multiple_of(MIB), (plain + facts.repacked_bytes).next_multiple_of(MIB))
}

impl ModelFacts {
    pub fn read(path: &Path) -> Result<ModelFacts, FactsError> {
        let file = File::open(path)?;
        let mut facts = ModelFacts { file_bytes: file.metadata()?.len(), ..ModelFacts::default() };
        facts.parse(&mut BufReader::new(file))?;
        Ok(facts)
    }

    fn parse(&mut self, from: &mut (impl Read + Seek)) -> Result<(), FactsError> {
        let mut magic = [0; 4];
        from.read_exact(&mut magic)?;
        if &magic != b"GGUF" {
            return Err(FactsError::Unreadable("the file is not a GGUF model"));
        }
        if !(2..=3).contains(&number(from, 4)?) {
            return Err(FactsError::Unreadable("the file has a version of GGUF that the engine does not read"));
        }
        self.tensors = number(from, 8)?;
        let (mut key_length, mut value_length) = (0, 0);
        for _ in 0..number(from, 8)? {
            let key = text(from)?;
            let kind = number(from, 4)?;
            let value = Value::read(from, kind, self.file_bytes)?;
            let field = key.strip_prefix(&format!("{}.", self.architecture)).unwrap_or(&key);
            match (field, value) {
                ("general.architecture", Value::Text(v)) => self.architecture = v,
                ("general.name", Value::Text(v)) => self.name = v,
                ("block_count", Value::Number(v)) => self.layers = v,
                ("embedding_length", Value::Number(v)) => self.width = v,
                ("attention.head_count", v) => self.heads = v.most(),
                ("attention.head_count_kv", v) => self.kv_heads = v.most(),
                ("attention.key_length", Value::Number(v)) => key_length = v,
                ("attention.value_length", Value::Number(v)) => value_length = v,
                ("feed_forward_length", v) => self.feed_forward = v.most(),
                ("context_length", Value::Number(v)) => self.context = v,
                ("tokenizer.ggml.tokens", Value::List { len, .. }) => self.vocabulary = len,
                ("tokenizer.ggml.merges", Value::List { len, .. }) => self.merges = len,
                _ => {}
            }
        }
        for _ in 0..self.tensors {
            // A file that is cut in here is refused by the engine, which says it better.
            match repacked_bytes(from) {
                Ok(bytes) => self.repacked_bytes = self.repacked_bytes.saturating_add(bytes),
                Err(_) => break,
            }
        }
        self.repacked_bytes = self.repacked_bytes.min(self.file_bytes);
        let bound = |v: u64| v.min(1 << 24); // a damaged file must not make the sums overflow
        for field in [&mut self.layers, &mut self.heads, &mut self.kv_heads, &mut self.tensors] {
            *field = (*field).min(1 << 16);
        }
        self.width = bound(self.width);
        self.feed_forward = bound(self.feed_forward);
        self.vocabulary = bound(self.vocabulary);
        self.merges = bound(self.merges);
        self.context = self.context.min(1 << 24);
        if self.kv_heads == 0 {
            self.kv_heads = self.heads;
        }
        let head = self.width / self.heads.max(1);
        let or_head = |v: u64| if v == 0 { head } else { v.min(1 << 16) };
        self.kv_head_elements = or_head(key_length) + or_head(value_length);
        Ok(())
    }
}

enum Value {
    Number(u64),
    Text(String),
    /// The largest number in it, 0 for other things.
    List { len: u64, most: u64 },
    Other,
}

impl Value {
    fn most(&self) -> u64 {
        match self {
            Value::Number(v) | Value::List { most: v, .. } => *v,
            _ => 0,
        }
    }

    fn read(from: &mut (impl Read + Seek), kind: u64, file_bytes: u64) -> Result<Value, FactsError> {
        Ok(match kind {
            0..=7 | 10..=12 => {
                let size = size_of(kind).unwrap();
                let v = number(from, size)?;
                if matches!(kind, 0 | 2 | 4 | 10 | 1 | 3 | 5 | 11) { Value::Number(v) } else { Value::Other }
            }
            8 => Value::Text(text(from)?),
            9 => {
                let (of, len) = (number(from, 4)?, number(from, 8)?);
                if len > file_bytes {
                    return Err(FactsError::Unreadable("the file is shorter than its header says"));
                }
                let mut most = 0;
                match (of, size_of(of)) {
                    (8, _) => {
                        for _ in 0..len {
                            let bytes = number(from, 8)?;
                            skip(from, bytes, file_bytes)?;
                        }
                    }
                    (4 | 5 | 10 | 11, Some(size)) if len <= 4096 => {
                        for _ in 0..len {
                            most = most.max(number(from, size)?);
                        }
                    }
                    (_, Some(size)) => skip(from, len * size as u64, file_bytes)?,
                    _ => return Err(FactsError::Unreadable("the file is damaged")),
                }
                Value::List { len, most }
            }
            _ => return Err(FactsError::Unreadable("the file is damaged")),
        })
    }
}

/// Reads a tensor's description; its bytes, if it is of a kind that llama.cpp repacks for x86-64-v3
/// (`ggml_repack_get_optimal_repack_type` in ggml-cpu/repack.cpp).
fn repacked_bytes(from: &mut impl Read) -> Result<u64, FactsError> {
    text(from)?;
    let dimensions = number(from, 4)?;
    if dimensions > 4 {
        return Err(FactsError::Unreadable("the file is damaged"));
    }
    let mut elements = 1u64;
    for _ in 0..dimensions {
        elements = elements.saturating_mul(number(from, 8)?);
    }
    let kind = number(from, 4)?;
    number(from, 8)?; // where it lies
    let (block_elements, block_bytes) = match kind {
        2 => (32, 18),    // Q4_0
        12 => (256, 144), // Q4_K
        20 => (32, 18),   // IQ4_NL
        39 => (32, 17),   // MXFP4
        _ => return Ok(0),
    };
    Ok((elements / block_elements).saturating_mul(block_bytes))
}

/// Bytes of a scalar of this GGUF type.
fn size_of(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

fn number(from: &mut impl Read, size: usize) -> Result<u64, FactsError> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes[..size])?;
    Ok(u64::from_le_bytes(bytes))
}

fn text(from: &mut impl Read) -> Result<String, FactsError> {
    let len = number(from, 8)?;
    if len > 1 << 20 {
        /* a template may be long, a text longer than this is damage */
        return Err(FactsError::Unreadable("the file is damaged"));
    }
    let mut bytes = vec![0; len as usize];
    from.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn skip(from: &mut impl Seek, bytes: u64, file_bytes: u64) -> Result<(), FactsError> {
    if bytes > file_bytes {
        return Err(FactsError::Unreadable("the file is shorter than its header says"));
    }
    from.seek_relative(bytes as i64)?; // keeps what is buffered
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_headers_are_refused_and_never_panic() {
        let mut seed = 1u64;
        for round in 0..20000 {
            let mut bytes = b"GGUF\x03\0\0\0".to_vec();
            bytes.extend(3u64.to_le_bytes());
            bytes.extend(4u64.to_le_bytes());
            for _ in 0..round % 120 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes.push(if seed >> 62 == 0 { (seed >> 33) as u8 } else { (seed >> 40) as u8 % 12 });
            }
            let mut facts = ModelFacts { file_bytes: bytes.len() as u64, ..ModelFacts::default() };
            let _ = facts.parse(&mut io::Cursor::new(&bytes));
            let _ = arena_bytes(&facts, 0, true);
        }
    }
}
