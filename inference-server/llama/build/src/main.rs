//! `llama-build CACHE [pd|host|linux|proto-check]`: builds by hand and prints where the ELF is.
//! `llama-build scan ELF`: what the scan of an ELF says.

use llama_build::{build, find_source, scan, Flavour, Options};
use std::path::Path;
use std::process::exit;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["scan", elf] => scan(Path::new(elf)).map(|report| println!("{report}")),
        [cache] => make(cache, Flavour::Pd),
        [cache, "pd"] => make(cache, Flavour::Pd),
        [cache, "host"] => make(cache, Flavour::Host),
        [cache, "linux"] => make(cache, Flavour::Linux),
        [cache, "proto-check"] => make(cache, Flavour::ProtoCheck),
        _ => {
            eprintln!("llama-build CACHE [pd|host|linux|proto-check]\nllama-build scan ELF");
            exit(2);
        }
    };
    if let Err(e) = outcome {
        eprintln!("{e}");
        exit(1);
    }
}

fn make(cache: &str, flavour: Flavour) -> Result<(), llama_build::Error> {
    let source = find_source().unwrap_or_default();
    let mut progress = |text: &str| eprintln!("{text}");
    let elf = build(Options { source: &source, cache: Path::new(cache), arch: "x86_64", flavour, progress: &mut progress })?;
    println!("{}", elf.display());
    Ok(())
}
