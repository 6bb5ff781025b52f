//! Model files made for tests: a [`Speaker`] says word for word what a test wants to hear, and [`broken`] lists every
//! way in which a file can be bad. (Files with the measures of known models are `llama_tests::gguf`'s.)

use crate::Result;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

const ALIGNMENT: u64 = 32;

/// How weights are stored, with the format's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32 = 0,
    F16 = 1,
}

impl Kind {
    fn bytes(self) -> u64 {
        match self {
            Kind::F32 => 4,
            Kind::F16 => 2,
        }
    }
}

#[derive(Clone, Debug)]
enum Content {
    Zero,
    /// All elements, of kind F32.
    Values(Vec<f32>),
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    dimensions: Vec<u64>,
    kind: Kind,
    content: Content,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        self.dimensions.iter().product::<u64>() * self.kind.bytes()
    }
}

/// A file in the making.
#[derive(Clone, Debug, Default)]
pub struct Gguf {
    entries: Vec<(String, Vec<u8>)>,
    tensors: Vec<Tensor>,
}

impl Gguf {
    fn entry(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.remove(key);
        self.entries.push((key.into(), [&kind.to_le_bytes(), value].concat()));
    }

    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|(name, _)| name != key);
    }

    pub fn u32(&mut self, key: &str, value: u32) {
        self.entry(key, 4, &value.to_le_bytes());
    }

    pub fn f32(&mut self, key: &str, value: f32) {
        self.entry(key, 6, &value.to_le_bytes());
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.entry(key, 8, &text_bytes(value));
    }

    fn array(&mut self, key: &str, kind: u32, count: usize, values: &[u8]) {
        let head = [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes()].concat();
        self.entry(key, 9, &[&head, values].concat());
    }

    fn tensor(&mut self, name: impl Into<String>, dimensions: &[u64], kind: Kind, content: Content) {
        self.tensors.push(Tensor { name: name.into(), dimensions: dimensions.to_vec(), kind, content });
    }

    fn tensor_mut(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).expect("a tensor of this name")
    }

    /// Byte values, control tokens, and `words` behind them, the way SentencePiece models have them.
    fn vocabulary(&mut self, words: impl Iterator<Item = String>) {
        let mut tokens: Vec<String> = vec!["<unk>".into(), "<s>".into(), "</s>".into()];
        let mut kinds: Vec<i32> = vec![2, 3, 3];
        for byte in 0..=255u8 {
            tokens.push(format!("<0x{byte:02X}>"));
            kinds.push(6);
        }
        for word in words {
            tokens.push(word);
            kinds.push(1);
        }
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| text_bytes(token)).collect();
        self.text("tokenizer.ggml.model", "llama");
        self.array("tokenizer.ggml.tokens", 8, tokens.len(), &bytes);
        self.array("tokenizer.ggml.scores", 6, tokens.len(), &vec![0; tokens.len() * 4]);
        let bytes: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_le_bytes()).collect();
        self.array("tokenizer.ggml.token_type", 5, tokens.len(), &bytes);
        self.u32("tokenizer.ggml.unknown_token_id", 0);
        self.u32("tokenizer.ggml.bos_token_id", 1);
        self.u32("tokenizer.ggml.eos_token_id", END);
    }

    /// Everything before the weights.
    fn head(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            out.extend(text_bytes(key));
            out.extend(value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            out.extend(text_bytes(&tensor.name));
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            out.extend(tensor.dimensions.iter().flat_map(|d| d.to_le_bytes()));
            out.extend((tensor.kind as u32).to_le_bytes());
            out.extend(u64::to_le_bytes(offset));
            offset += tensor.bytes().next_multiple_of(ALIGNMENT);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT as usize), 0);
        out
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        self.write_to(&mut out)?;
        Ok(out.flush()?)
    }

    fn write_to(&self, out: &mut impl Write) -> Result<()> {
        out.write_all(&self.head())?;
        for tensor in &self.tensors {
            let bytes = tensor.bytes();
            match &tensor.content {
                Content::Zero => std::io::copy(&mut std::io::Read::take(std::io::repeat(0), bytes), out).map(drop)?,
                Content::Values(values) => {
                    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                    out.write_all(&values)?;
                }
            }
            let padding = (bytes.next_multiple_of(ALIGNMENT) - bytes) as usize;
            out.write_all(&[0; ALIGNMENT as usize][..padding])?;
        }
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out).expect("memory takes all bytes");
        out
    }
}

fn text_bytes(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The control token that ends an answer.
const END: u32 = 2;
/// The first token behind control tokens and bytes.
const WORDS: usize = 3 + 256;

/// A model that answers everything with the same pieces of text, one a token.
///
/// Each token's embedding is one unit vector, all layers add nothing, and the output weights of the token that shall
/// come next point along it. So the token decides its successor, as certainly as sampling allows.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub pieces: Vec<Piece>,
    /// Begin again instead of ending.
    pub forever: bool,
    /// Layers that compute and change nothing, for those who need time.
    pub layers: u32,
    pub template: Option<String>,
}

/// What one token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// No two the same.
    Text(String),
    /// A byte that need not be UTF-8; each at most once.
    Byte(u8),
}

impl Speaker {
    pub fn says<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Self {
        let pieces = pieces.into_iter().map(|text| Piece::Text(text.into())).collect();
        Speaker { pieces, forever: false, layers: 1, template: None }
    }

    /// Counts on and on, `slowly` as a model of some size would.
    pub fn counts(slowly: bool) -> Self {
        let mut speaker = Speaker::says([]);
        speaker.pieces = (1..=400).map(|number| Piece::Text(format!("{number} "))).collect();
        speaker.forever = true;
        speaker.layers = if slowly { 4 } else { 1 };
        speaker
    }

    pub fn gguf(&self) -> Gguf {
        let width = (self.pieces.len() as u64 + 1).next_multiple_of(64);
        let feed_forward = width * 4;
        let heads = width / 64;
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Byte(_) => None,
        };
        let words: Vec<String> = self.pieces.iter().filter_map(text).collect();
        let tokens = WORDS + words.len();
        let mut gguf = Gguf::default();
        gguf.text("general.architecture", "llama");
        gguf.text("general.name", "speaker");
        gguf.u32("llama.context_length", 2048);
        gguf.u32("llama.embedding_length", width as u32);
        gguf.u32("llama.block_count", self.layers);
        gguf.u32("llama.feed_forward_length", feed_forward as u32);
        gguf.u32("llama.attention.head_count", heads as u32);
        gguf.f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
        gguf.u32("llama.rope.dimension_count", 64);
        if let Some(template) = &self.template {
            gguf.text("tokenizer.chat_template", template);
        }
        gguf.vocabulary(words.into_iter());

        // Slot 0 is where every token of a prompt leads; slot i + 1 belongs to piece i.
        let width_elements = width as usize;
        let mut embedding = vec![0.0; tokens * width_elements];
        let mut output = vec![0.0; tokens * width_elements];
        for token in 0..tokens {
            embedding[token * width_elements] = 1.0;
        }
        let mut next_word = WORDS;
        let mut last = 0;
        let mut first_token = END as usize;
        for (index, piece) in self.pieces.iter().enumerate() {
            let token = match piece {
                Piece::Byte(byte) => 3 + *byte as usize,
                Piece::Text(_) => {
                    next_word += 1;
                    next_word - 1
                }
            };
            if index == 0 {
                first_token = token;
            }
            output[token * width_elements + last] = 10.0;
            last = index + 1;
            embedding[token * width_elements] = 0.0;
            embedding[token * width_elements + last] = 1.0;
        }
        let after_last = if self.forever { first_token } else { END as usize };
        output[after_last * width_elements + last] = 10.0;

        gguf.tensor("token_embd.weight", &[width, tokens as u64], Kind::F32, Content::Values(embedding));
        gguf.tensor("output_norm.weight", &[width], Kind::F32, Content::Values(vec![1.0; width_elements]));
        gguf.tensor("output.weight", &[width, tokens as u64], Kind::F32, Content::Values(output));
        for layer in 0..self.layers {
            let ones = Content::Values(vec![1.0; width_elements]);
            for norm in ["attn_norm", "ffn_norm"] {
                gguf.tensor(format!("blk.{layer}.{norm}.weight"), &[width], Kind::F32, ones.clone());
            }
            for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
                gguf.tensor(format!("blk.{layer}.{part}.weight"), &[width, width], Kind::F16, Content::Zero);
            }
            for part in ["ffn_gate", "ffn_up"] {
                gguf.tensor(format!("blk.{layer}.{part}.weight"), &[width, feed_forward], Kind::F16, Content::Zero);
            }
            gguf.tensor(format!("blk.{layer}.ffn_down.weight"), &[feed_forward, width], Kind::F16, Content::Zero);
        }
        gguf
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        self.gguf().write(path)
    }
}

/// Bad files, each named for what is wrong with it.
pub fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let good = Speaker::says(["Hello."]).gguf();
    let bytes = good.bytes();
    let head = good.head().len();
    let changed = |change: &dyn Fn(&mut Gguf)| {
        let mut gguf = good.clone();
        change(&mut gguf);
        gguf.bytes()
    };
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    vec![
        ("zero-length", Vec::new()),
        ("magic-wrong", patched(0, b"GGML")),
        ("version-unknown", patched(4, &99u32.to_le_bytes())),
        ("header-cut", bytes[..head / 2].to_vec()),
        ("header-counts-absurd", patched(8, &u64::MAX.to_le_bytes())),
        ("header-text-endless", patched(24, &(u64::MAX / 2).to_le_bytes())),
        ("architecture-unknown", changed(&|gguf| gguf.text("general.architecture", "abacus"))),
        ("heads-zero", changed(&|gguf| gguf.u32("llama.attention.head_count", 0))),
        ("tokenizer-missing", changed(&|gguf| gguf.remove("tokenizer.ggml.tokens"))),
        ("tokenizer-unknown", changed(&|gguf| gguf.text("tokenizer.ggml.model", "runes"))),
        ("tokenizer-too-short", changed(&|gguf| gguf.vocabulary(std::iter::empty()))),
        ("template-no-text", changed(&|gguf| gguf.u32("tokenizer.chat_template", 7))),
        ("tensor-missing", changed(&|gguf| gguf.tensors.retain(|tensor| tensor.name != "output_norm.weight"))),
        ("tensor-shape-wrong", changed(&|gguf| gguf.tensor_mut("blk.0.attn_q.weight").dimensions = vec![32, 64])),
        ("tensors-cut", bytes[..bytes.len() - 4096].to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_start_aligned_and_all_are_there() {
        let gguf = Speaker::says(["Hello", " there."]).gguf();
        let weights: u64 = gguf.tensors.iter().map(|t| t.bytes().next_multiple_of(ALIGNMENT)).sum();
        assert_eq!(gguf.head().len() % ALIGNMENT as usize, 0);
        assert_eq!(gguf.bytes().len() as u64, gguf.head().len() as u64 + weights);
    }

    #[test]
    fn broken_files_differ_from_the_good_one() {
        let good = Speaker::says(["Hello."]).gguf().bytes();
        for (name, bytes) in broken() {
            assert_ne!(bytes, good, "{name}");
        }
    }
}
