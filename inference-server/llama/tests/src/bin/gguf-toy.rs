//! `gguf-toy tiny|5m|0.5b|0.5b-q8|1.5b FILE`: writes a GGUF file with random weights.

use llama_tests::gguf::{self, Kind, Shape};
use std::fs::File;
use std::io::BufWriter;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path] = &arguments[..] else {
        eprintln!("gguf-toy tiny|5m|0.5b|0.5b-q8|1.5b FILE");
        std::process::exit(2);
    };
    let shape = match what.as_str() {
        "tiny" => gguf::TINY,
        "5m" => gguf::FIVE_M,
        "0.5b" => gguf::HALF_B,
        "0.5b-q8" => Shape { kind: Kind::Q8_0, ..gguf::HALF_B },
        "1.5b" => gguf::ONE_AND_A_HALF_B,
        _ => {
            eprintln!("no shape {what}");
            std::process::exit(2);
        }
    };
    let model = gguf::model(&shape);
    let outcome = File::create(path).and_then(|file| model.write(&mut BufWriter::with_capacity(1 << 22, file)));
    if let Err(e) = outcome {
        eprintln!("{path}: {e}");
        std::process::exit(1);
    }
    println!("{path}: {} bytes", model.len());
}
