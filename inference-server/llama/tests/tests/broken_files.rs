//! A file is whatever somebody made of it. Each damage must end in one sentence, a model that works, or a program that
//! ends after saying why; never in silence.

use llama_proto::*;
use llama_tests::gguf::{self, model, Random, Value, TINY};
use llama_tests::harness::{ask, Event, Llama, Settings, TemporaryFile};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    /// Loaded, and it generates.
    Works,
    /// Loaded, but generating ended in an error.
    WorksNot,
    /// The program ended with a last line that says why.
    DiedSpeaking,
    DiedSilent,
    Hung,
}

fn attempt(bytes: &[u8]) -> (Outcome, String) {
    let file = TemporaryFile::with(bytes);
    let mut llama = Llama::start(&file.0, Settings { arena_bytes: 48 << 20, ..Settings::default() }).unwrap();
    llama.patience = Duration::from_secs(30);
    let mut loaded = false;
    loop {
        match llama.event() {
            Event::Reply(Reply::Hello { .. }) => llama.send(&Command::Load(Load::default())),
            Event::Reply(Reply::LoadFailed { reason, detail }) => return (Outcome::Refused, format!("{reason}: {detail}")),
            Event::Reply(Reply::Loaded(_)) => {
                loaded = true;
                llama.send(&Command::Generate(ask(1, "hello", 3)));
            }
            Event::Reply(Reply::Done(_)) => return (Outcome::Works, String::new()),
            Event::Reply(Reply::Error { error, detail, .. }) => return (Outcome::WorksNot, format!("{error}: {detail}")),
            Event::Reply(_) => {}
            Event::Died(signal) => {
                let last = llama.log.last().cloned().unwrap_or_default();
                let what = format!("signal {signal:?}, loaded {loaded}: {last}");
                return (if last.starts_with("Fatal: ") || last.contains("memory ran out") { Outcome::DiedSpeaking } else { Outcome::DiedSilent }, what);
            }
            Event::Silent => return (Outcome::Hung, format!("loaded {loaded}")),
        }
    }
}

/// Runs all, prints the counts, and fails if one of them ended in a way that leaves the person without a word.
fn run(name: &str, files: Vec<(String, Vec<u8>)>) -> BTreeMap<Outcome, usize> {
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    let total = files.len();
    for (what, bytes) in files {
        let (outcome, said) = attempt(&bytes);
        let sentence = match outcome {
            Outcome::Refused => said.len() > 10,
            Outcome::DiedSilent | Outcome::Hung => false,
            _ => true,
        };
        if !sentence {
            wrong.push(format!("{what}: {outcome:?} {said}"));
        }
        *counts.entry(outcome).or_insert(0) += 1;
    }
    println!("{name}: {total} files, {counts:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    counts
}

fn whole() -> (Vec<u8>, usize) {
    let model = model(&TINY);
    (model.bytes(), model.data_start() as usize)
}

#[test]
fn cut_anywhere() {
    let (bytes, data) = whole();
    let mut lengths: Vec<usize> = (0..32).collect();
    lengths.extend((0..60).map(|i| 32 + i * (data - 32) / 60));
    lengths.extend((1..40).map(|i| data + i * (bytes.len() - data) / 40));
    lengths.extend([data - 1, data, data + 1, bytes.len() - 1]);
    let counts = run("cut", lengths.into_iter().map(|n| (format!("cut at {n}"), bytes[..n].to_vec())).collect());
    assert_eq!(counts.len(), 1, "a file that is cut is never loaded");
    assert!(counts.contains_key(&Outcome::Refused));
}

#[test]
fn each_kind_of_damage_gets_its_own_sentence() {
    let (bytes, _) = whole();
    let said = |bytes: &[u8]| attempt(bytes).1;
    assert!(said(&[]).starts_with("there is no model file"));
    assert!(said(b"PK\x03\x04 this is a zip file").starts_with("the file is not a GGUF model"));
    assert!(said(&bytes[..20]).starts_with("the file is shorter than its header says"));
    assert!(said(&bytes[..bytes.len() / 2]).starts_with("the file is shorter than its header says"), "{}", said(&bytes[..bytes.len() / 2]));
    let mut version = bytes.clone();
    version[4] = 9;
    assert!(said(&version).starts_with("the file has a version of GGUF"), "{}", said(&version));
    let mut strange = model(&TINY);
    strange.set("general.architecture", Value::Text("zebra".into()));
    let sentence = said(&strange.bytes());
    assert!(sentence.starts_with("the engine does not know this kind of model") && sentence.contains("zebra"), "{sentence}");
}

/// Bytes changed at random, 1 to 4 in each file.
fn mutated(name: &str, from: usize, to: usize, count: usize) {
    let (bytes, _) = whole();
    let mut random = Random(from as u64 + 1);
    let files = (0..count).map(|i| {
        let mut bytes = bytes.clone();
        let mut what = format!("{name} {i}:");
        for _ in 0..1 + random.next() % 4 {
            let at = from + random.next() as usize % (to - from);
            bytes[at] = match random.next() % 4 {
                0 => 0xff,
                1 => 0,
                2 => bytes[at] ^ 1 << (random.next() % 8),
                _ => random.next() as u8,
            };
            what += &format!(" [{at}]={:#x}", bytes[at]);
        }
        (what, bytes)
    });
    run(name, files.collect());
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap()
}

#[test]
fn changed_in_the_header() {
    mutated("header", 0, 24, 60);
}

#[test]
fn changed_in_the_metadata() {
    let (bytes, _) = whole();
    mutated("metadata", 24, find(&bytes, "tokenizer.ggml.model"), 120);
}

#[test]
fn changed_in_the_tokenizer() {
    let (bytes, _) = whole();
    mutated("tokenizer", find(&bytes, "tokenizer.ggml.model"), find(&bytes, "tokenizer.chat_template"), 120);
}

#[test]
fn changed_in_the_template() {
    let (bytes, _) = whole();
    let start = find(&bytes, "tokenizer.chat_template");
    mutated("template", start, start + 260, 60);
}

#[test]
fn changed_in_the_tensor_infos() {
    let (bytes, data) = whole();
    mutated("tensor infos", find(&bytes, "token_embd.weight"), data, 120);
}

#[test]
fn changed_in_the_weights() {
    let (bytes, data) = whole();
    mutated("weights", data, bytes.len(), 40);
}

#[test]
fn numbers_that_do_not_fit_together() {
    let mut files = Vec::new();
    for key in ["context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count",
                "attention.head_count_kv", "rope.dimension_count"] {
        for value in [0, 1, 3, 7, 255, 65536, 1 << 31, u32::MAX] {
            let mut m = model(&TINY);
            m.set(&format!("llama.{key}"), Value::U32(value));
            files.push((format!("{key} = {value}"), m.bytes()));
        }
    }
    for value in [f32::NAN, f32::INFINITY, -1.0, 0.0] {
        for key in ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"] {
            let mut m = model(&TINY);
            m.set(key, Value::F32(value));
            files.push((format!("{key} = {value}"), m.bytes()));
        }
    }
    for key in ["tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.model",
                "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "general.architecture", "llama.block_count",
                "llama.attention.head_count", "general.file_type"] {
        let mut m = model(&TINY);
        m.remove(key);
        files.push((format!("no {key}"), m.bytes()));
        let mut m = model(&TINY);
        m.set(key, Value::Text("what".into()));
        files.push((format!("{key} is a text"), m.bytes()));
        let mut m = model(&TINY);
        m.set(key, Value::U32(u32::MAX));
        files.push((format!("{key} is a number"), m.bytes()));
    }
    for (name, dims) in [("token_embd.weight", [64, 256]), ("output.weight", [32, 512]), ("blk.0.attn_q.weight", [64, 32]),
                         ("blk.1.ffn_down.weight", [128, 96])] {
        let mut m = model(&TINY);
        m.resize_tensor(name, &dims);
        files.push((format!("{name} is {dims:?}"), m.bytes()));
    }
    let mut m = model(&TINY);
    m.set("tokenizer.ggml.tokens", Value::Texts(vec![String::new(); 512]));
    files.push(("empty tokens".into(), m.bytes()));
    let mut m = model(&TINY);
    m.set("tokenizer.chat_template", Value::Text("\u{1b}[2J".repeat(5000)));
    files.push(("a template of escape sequences".into(), m.bytes()));
    run("numbers", files);
}

#[test]
fn an_arena_that_is_too_small_is_said() {
    let file = TemporaryFile::with(&model(&gguf::FIVE_M).bytes());
    let mut outcomes = BTreeMap::new();
    for mib in [4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48] {
        let mut llama = Llama::start(&file.0, Settings { arena_bytes: mib << 20, ..Settings::default() }).unwrap();
        llama.patience = Duration::from_secs(30);
        let what = loop {
            match llama.event() {
                Event::Reply(Reply::Hello { .. }) => llama.send(&Command::Load(Load::default())),
                Event::Reply(Reply::Loaded(facts)) => break format!("loaded, {} KiB used", facts.arena_peak >> 10),
                Event::Reply(Reply::LoadFailed { reason, detail }) => break format!("{reason}: {detail}"),
                Event::Reply(_) => {}
                Event::Died(_) => break format!("died: {}", llama.log.last().expect("without a word")),
                Event::Silent => panic!("{mib} MiB: silent"),
            }
        };
        println!("{mib} MiB: {what}");
        outcomes.insert(mib, what);
    }
    assert!(outcomes[&48].starts_with("loaded"));
}
