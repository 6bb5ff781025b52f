//! `kernel-config build`: builds one kernel and prints where it is.

use kernel_config::{build, default_cache, patches, source_in_registry, Options, Variant};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
kernel-config build [--platform x86_64] [--variant release|debug] [--cache DIR] [--source DIR] [--without PATCH]
kernel-config patches [--platform x86_64]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("kernel-config: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let verb = args.next().ok_or(USAGE)?;
    let (mut platform, mut variant, mut without) = (String::from("x86_64"), Variant::Release, None);
    let (mut cache, mut source) = (default_cache(), None);
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} wants a value\n{USAGE}"));
        match flag.as_str() {
            "--platform" => platform = value()?,
            "--cache" => cache = PathBuf::from(value()?),
            "--source" => source = Some(PathBuf::from(value()?)),
            "--without" => without = Some(value()?),
            "--variant" => {
                variant = match value()?.as_str() {
                    "release" => Variant::Release,
                    "debug" => Variant::Debug,
                    other => return Err(format!("no variant is called {other}")),
                }
            }
            _ => return Err(format!("unknown option {flag}\n{USAGE}")),
        }
    }
    match verb.as_str() {
        "build" => {
            let source = match source {
                Some(dir) => dir,
                None => source_in_registry().map_err(|e| e.to_string())?,
            };
            let kernel = build(Options {
                sel4_source: &source,
                cache: &cache,
                platform: &platform,
                variant,
                without_patch: without.as_deref(),
                progress: &mut |line| eprintln!("{line}"),
            })
            .map_err(|e| e.to_string())?;
            println!("elf     {}", kernel.elf.display());
            println!("elf32   {}", kernel.elf32.display());
            println!("source  {}", kernel.source.display());
            println!("build   {}", kernel.build_dir.display());
        }
        "patches" => {
            for patch in patches(&platform).map_err(|e| e.to_string())? {
                println!("{}", patch.name);
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
