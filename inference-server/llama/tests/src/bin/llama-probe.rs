//! `llama-probe FILE.gguf [arena=MIB] [threads=N] [ctx=N] [batch=N] [repack=auto|never|always] [prompt=TOKENS] [tokens=N] [embed]`
//! Loads a model into the llama program on this machine and prints what it says: facts, memory, speeds.

use llama_proto::*;
use llama_tests::harness::{ask, Llama, Settings};
use std::path::Path;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("a GGUF file");
    let rest: Vec<String> = arguments.collect();
    let text = |key: &str| rest.iter().find_map(|a| a.strip_prefix(key)?.strip_prefix('='));
    let number = |key: &str, otherwise: u64| text(key).map_or(otherwise, |v| v.parse().expect("a number"));
    let repack = match text("repack") {
        Some("never") => Repack::Never,
        Some("always") => Repack::Always,
        _ => Repack::Auto,
    };
    let facts = llama_build::ModelFacts::read(Path::new(&file)).expect("a GGUF file");
    let foretold = |embedding| llama_build::arena_bytes(&facts, number("ctx", 0), embedding);
    println!("foretold arena, plain and repacked: {:?}, with embeddings {:?}", foretold(false), foretold(true));
    let settings = Settings { arena_bytes: number("arena", 1024) << 20, threads: number("threads", 1) as u32, ..Settings::default() };
    let load = Load { n_ctx: number("ctx", 0) as u32, n_batch: number("batch", 0) as u32, repack, ..Load::default() };
    let (mut llama, facts) = Llama::loaded(Path::new(&file), settings, load);
    println!("{facts:#?}");
    let tokens = Prompt::Tokens((0..number("prompt", 128) as u32).map(|i| 300 + i * 7 % 200).collect());
    let (text, done) = llama.generate(Generate { prompt: tokens, ..ask(1, "", number("tokens", 64) as u32) });
    println!("{text:?}\n{done:?}");
    let rate = |n: u32, us: u64| f64::from(n) * 1e6 / us.max(1) as f64;
    println!("prompt {:.1} tokens/s, generation {:.1} tokens/s", rate(done.prompt_tokens, done.prompt_us), rate(done.generated_tokens, done.generate_us));
    if rest.iter().any(|a| a == "embed") {
        llama.send(&Command::Embed { id: 2, text: "a text to embed".into() });
        println!("{:?}", llama.reply());
    }
    for line in &llama.log {
        println!("{line}");
    }
}
