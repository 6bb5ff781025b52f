//! GGUF files with random weights, the same bytes for the same request. They say nothing worth reading, but have the
//! shape, size and speed of the models that they imitate.

use std::io::{self, Write};

/// How weights are stored. The numbers are GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q8_0 = 8,
}

impl Kind {
    /// Weights in a block, and its bytes.
    fn block(self) -> (u64, u64) {
        match self {
            Kind::F32 => (1, 4),
            Kind::F16 => (1, 2),
            Kind::Q4_0 => (32, 18),
            Kind::Q8_0 => (32, 34),
        }
    }

    /// `general.file_type`.
    fn file_type(self) -> u32 {
        match self {
            Kind::F32 => 0,
            Kind::F16 => 1,
            Kind::Q4_0 => 2,
            Kind::Q8_0 => 7,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    dims: Vec<u64>,
    kind: Kind,
    /// Norms are ones, biases zeros, matrices random.
    fill: Fill,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    Ones,
    Zeros,
    Random,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        let (weights, bytes) = self.kind.block();
        self.dims.iter().product::<u64>() / weights * bytes
    }
}

#[derive(Clone, Debug)]
pub struct Gguf {
    entries: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

pub const ALIGNMENT: u64 = 32;

/// The form that most models of today use, in the words that their files use for it.
pub const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

pub struct Shape {
    pub name: &'static str,
    pub architecture: &'static str,
    pub layers: u32,
    pub width: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub feed_forward: u32,
    pub vocabulary: u32,
    pub context: u32,
    pub kind: Kind,
}

/// A few hundred kilobytes; loads in no time. Its vocabulary holds every single byte.
pub const TINY: Shape = Shape {
    name: "tiny", architecture: "llama", layers: 2, width: 64, heads: 4, kv_heads: 2, feed_forward: 128,
    vocabulary: 512, context: 512, kind: Kind::Q8_0,
};
/// Qwen2.5-0.5B.
pub const HALF_B: Shape = Shape {
    name: "0.5b", architecture: "qwen2", layers: 24, width: 896, heads: 14, kv_heads: 2, feed_forward: 4864,
    vocabulary: 151936, context: 32768, kind: Kind::Q4_0,
};
/// Qwen2.5-1.5B: as Q8_0 a file of 1.5 GiB.
pub const ONE_AND_A_HALF_B: Shape = Shape {
    name: "1.5b", architecture: "qwen2", layers: 28, width: 1536, heads: 12, kv_heads: 2, feed_forward: 8960,
    vocabulary: 151936, context: 32768, kind: Kind::Q8_0,
};
/// About what the default model is.
pub const FIVE_M: Shape = Shape {
    name: "5m", architecture: "llama", layers: 6, width: 256, heads: 8, kv_heads: 4, feed_forward: 768,
    vocabulary: 4096, context: 2048, kind: Kind::Q8_0,
};

/// A model of this shape, with a chat template.
pub fn model(shape: &Shape) -> Gguf {
    let mut g = Gguf { entries: Vec::new(), tensors: Vec::new() };
    let a = shape.architecture;
    g.set("general.architecture", Value::Text(a.into()));
    g.set("general.name", Value::Text(format!("random {}", shape.name)));
    g.set("general.file_type", Value::U32(shape.kind.file_type()));
    g.set(&format!("{a}.context_length"), Value::U32(shape.context));
    g.set(&format!("{a}.embedding_length"), Value::U32(shape.width));
    g.set(&format!("{a}.block_count"), Value::U32(shape.layers));
    g.set(&format!("{a}.feed_forward_length"), Value::U32(shape.feed_forward));
    g.set(&format!("{a}.attention.head_count"), Value::U32(shape.heads));
    g.set(&format!("{a}.attention.head_count_kv"), Value::U32(shape.kv_heads));
    g.set(&format!("{a}.attention.layer_norm_rms_epsilon"), Value::F32(1e-6));
    g.set(&format!("{a}.rope.freq_base"), Value::F32(10000.0));
    if a == "llama" {
        g.set("llama.rope.dimension_count", Value::U32(shape.width / shape.heads));
        sentencepiece(&mut g, shape.vocabulary);
    } else {
        byte_pairs(&mut g, shape.vocabulary);
    }
    g.set("tokenizer.chat_template", Value::Text(CHATML.into()));

    let (width, ff, kind) = (u64::from(shape.width), u64::from(shape.feed_forward), shape.kind);
    let kv = width / u64::from(shape.heads) * u64::from(shape.kv_heads);
    g.matrix("token_embd.weight", &[width, u64::from(shape.vocabulary)], kind);
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        g.vector(&name("attn_norm.weight"), width, Fill::Ones);
        for (part, to) in [("attn_q", width), ("attn_k", kv), ("attn_v", kv)] {
            g.matrix(&name(&format!("{part}.weight")), &[width, to], kind);
            if a == "qwen2" {
                g.vector(&name(&format!("{part}.bias")), to, Fill::Zeros);
            }
        }
        g.matrix(&name("attn_output.weight"), &[width, width], kind);
        g.vector(&name("ffn_norm.weight"), width, Fill::Ones);
        g.matrix(&name("ffn_gate.weight"), &[width, ff], kind);
        g.matrix(&name("ffn_up.weight"), &[width, ff], kind);
        g.matrix(&name("ffn_down.weight"), &[ff, width], kind);
    }
    g.vector("output_norm.weight", width, Fill::Ones);
    if a == "llama" {
        g.matrix("output.weight", &[width, u64::from(shape.vocabulary)], kind);
    }
    g
}

/// Every byte, a few control tokens, and short words.
fn sentencepiece(g: &mut Gguf, size: u32) {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"].map(String::from).into();
    let mut types = vec![2, 3, 3, 3, 3];
    for byte in 0..=255u32 {
        tokens.push(format!("<0x{byte:02X}>"));
        types.push(6);
    }
    let letters = "\u{2581}etaoinshrdlucmfwypvbgkqjxz.,?!ABCDEF0123456789äöüßéñ日本語😀";
    let mut words: Vec<String> = letters.chars().map(String::from).collect();
    'outer: for length in 2.. {
        let mut random = Random(length);
        for _ in 0..2000 {
            if tokens.len() + words.len() >= size as usize {
                break 'outer;
            }
            let word: String = (0..length).map(|_| letters.chars().nth(random.next() as usize % 27).unwrap()).collect();
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    for word in words {
        tokens.push(word);
        types.push(1);
    }
    tokens.truncate(size as usize);
    types.truncate(size as usize);
    g.set("tokenizer.ggml.model", Value::Text("llama".into()));
    g.set("tokenizer.ggml.scores", Value::F32s((0..tokens.len()).map(|i| -(i as f32)).collect()));
    g.set("tokenizer.ggml.token_type", Value::I32s(types));
    g.set("tokenizer.ggml.tokens", Value::Texts(tokens));
    g.set("tokenizer.ggml.bos_token_id", Value::U32(1));
    g.set("tokenizer.ggml.eos_token_id", Value::U32(4));
    g.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
}

/// As GPT-2 and Qwen have it: the bytes, and tokens that each merge two earlier ones.
fn byte_pairs(g: &mut Gguf, size: u32) {
    let printable = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || (174..=255).contains(&b);
    let mut spare = 256;
    let mut tokens: Vec<String> = (0..256u32)
        .map(|b| {
            let code = if printable(b) { b } else { spare += 1; spare - 1 };
            char::from_u32(code).unwrap().to_string()
        })
        .collect();
    let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let (mut merges, mut random) = (Vec::new(), Random(7));
    let mut seen: std::collections::HashSet<String> = tokens.iter().cloned().collect();
    let letters: Vec<usize> = (b'a'..=b'z').map(usize::from).chain([32]).collect();
    while tokens.len() < size as usize - control.len() {
        let known = tokens.len() as u64 - 256;
        let pick = |r: &mut Random| {
            if known < 100 || r.next() % 2 == 0 { letters[r.next() as usize % letters.len()] } else { 256 + (r.next() % known) as usize }
        };
        let (a, b) = (pick(&mut random), pick(&mut random));
        let word = format!("{}{}", tokens[a], tokens[b]);
        if word.chars().count() <= 10 && seen.insert(word.clone()) {
            merges.push(format!("{} {}", tokens[a], tokens[b]));
            tokens.push(word);
        }
    }
    let mut types = vec![1; tokens.len()];
    tokens.extend(control.map(String::from));
    types.extend([3; 3]);
    g.set("tokenizer.ggml.model", Value::Text("gpt2".into()));
    g.set("tokenizer.ggml.pre", Value::Text("qwen2".into()));
    g.set("tokenizer.ggml.tokens", Value::Texts(tokens));
    g.set("tokenizer.ggml.token_type", Value::I32s(types));
    g.set("tokenizer.ggml.merges", Value::Texts(merges));
    g.set("tokenizer.ggml.eos_token_id", Value::U32(size - 1));
    g.set("tokenizer.ggml.bos_token_id", Value::U32(size - 3));
    g.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
}

impl Gguf {
    /// Sets or replaces a metadata entry.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| k == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key.into(), value)),
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|(k, _)| k != key);
    }

    /// Makes a matrix larger or smaller than the rest of the file expects.
    pub fn resize_tensor(&mut self, name: &str, dims: &[u64]) {
        self.tensors.iter_mut().find(|t| t.name == name).unwrap().dims = dims.into();
    }

    fn matrix(&mut self, name: &str, dims: &[u64], kind: Kind) {
        self.tensors.push(Tensor { name: name.into(), dims: dims.into(), kind, fill: Fill::Random });
    }

    fn vector(&mut self, name: &str, len: u64, fill: Fill) {
        self.tensors.push(Tensor { name: name.into(), dims: vec![len], kind: Kind::F32, fill });
    }

    /// Header, metadata and tensor infos, padded to where the data begin.
    fn head(&self) -> Vec<u8> {
        let mut h = Vec::new();
        h.extend(b"GGUF");
        h.extend(3u32.to_le_bytes());
        h.extend((self.tensors.len() as u64).to_le_bytes());
        h.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            text(&mut h, key);
            match value {
                Value::U32(v) => (h.extend(4u32.to_le_bytes()), h.extend(v.to_le_bytes())).1,
                Value::F32(v) => (h.extend(6u32.to_le_bytes()), h.extend(v.to_le_bytes())).1,
                Value::Bool(v) => (h.extend(7u32.to_le_bytes()), h.push(u8::from(*v))).1,
                Value::Text(v) => (h.extend(8u32.to_le_bytes()), text(&mut h, v)).1,
                Value::Texts(v) => (array(&mut h, 8, v.len()), v.iter().for_each(|s| text(&mut h, s))).1,
                Value::F32s(v) => (array(&mut h, 6, v.len()), v.iter().for_each(|x| h.extend(x.to_le_bytes()))).1,
                Value::I32s(v) => (array(&mut h, 5, v.len()), v.iter().for_each(|x| h.extend(x.to_le_bytes()))).1,
            }
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            text(&mut h, &tensor.name);
            h.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|d| h.extend(d.to_le_bytes()));
            h.extend((tensor.kind as u32).to_le_bytes());
            h.extend(offset.to_le_bytes());
            offset += tensor.bytes().next_multiple_of(ALIGNMENT);
        }
        h.resize(h.len().next_multiple_of(ALIGNMENT as usize), 0);
        h
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.head().len() as u64 + self.tensors.iter().map(|t| t.bytes().next_multiple_of(ALIGNMENT)).sum::<u64>()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// Where the tensor data begin.
    pub fn data_start(&self) -> u64 {
        self.head().len() as u64
    }

    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.head())?;
        let mut random = Random(42);
        for tensor in &self.tensors {
            let bytes = tensor.bytes();
            fill(to, tensor, &mut random)?;
            to.write_all(&vec![0; (bytes.next_multiple_of(ALIGNMENT) - bytes) as usize])?;
        }
        to.flush()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.write(&mut all).unwrap();
        all
    }
}

fn text(to: &mut Vec<u8>, s: &str) {
    to.extend((s.len() as u64).to_le_bytes());
    to.extend(s.as_bytes());
}

fn array(to: &mut Vec<u8>, kind: u32, len: usize) {
    to.extend(9u32.to_le_bytes());
    to.extend(kind.to_le_bytes());
    to.extend((len as u64).to_le_bytes());
}

/// A block's values spread over what its kind can hold; the scale keeps the sums of a row near 1.
fn fill(to: &mut impl Write, tensor: &Tensor, random: &mut Random) -> io::Result<()> {
    let count = tensor.dims.iter().product::<u64>();
    let spread = 1.0 / (tensor.dims[0] as f32).sqrt();
    let mut buffer = Vec::with_capacity(1 << 20);
    let (weights, _) = tensor.kind.block();
    for _ in 0..count / weights {
        match (tensor.fill, tensor.kind) {
            (Fill::Ones, _) => buffer.extend(1f32.to_le_bytes()),
            (Fill::Zeros, _) => buffer.extend(0f32.to_le_bytes()),
            (Fill::Random, Kind::F32) => buffer.extend((random.float() * spread).to_le_bytes()),
            (Fill::Random, Kind::F16) => buffer.extend(half(random.float() * spread).to_le_bytes()),
            (Fill::Random, Kind::Q4_0) => {
                buffer.extend(half(spread / 4.6).to_le_bytes());
                (0..2).for_each(|_| buffer.extend(random.next().to_le_bytes()));
            }
            (Fill::Random, Kind::Q8_0) => {
                buffer.extend(half(spread / 74.0).to_le_bytes());
                (0..4).for_each(|_| buffer.extend(random.next().to_le_bytes()));
            }
        }
        if buffer.len() > (1 << 20) - 64 {
            to.write_all(&buffer)?;
            buffer.clear();
        }
    }
    to.write_all(&buffer)
}

/// Half precision, for normal numbers.
fn half(v: f32) -> u16 {
    let bits = v.to_bits();
    let (sign, exponent, fraction) = (bits >> 16 & 0x8000, (bits >> 23 & 0xff) as i32 - 112, bits >> 13 & 0x3ff);
    if exponent <= 0 {
        return sign as u16;
    }
    (sign | (exponent as u32) << 10 | fraction) as u16
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d049bb133111eb);
        z ^ z >> 31
    }

    /// About -1.7 to 1.7, with a mean square of 1.
    fn float(&mut self) -> f32 {
        ((self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5) * 3.46
    }
}
