//! What was typed.

use crate::{memory, run, Error, Result};
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;

pub const HELP: &str = "\
AlphaOS: a local-first AI operating system on the seL4 microkernel.

./alpha run      builds what is not built yet and starts the system; there, /help helps and /quit leaves
./alpha test     runs the tests; `./alpha test NAME...` those parts, packages or tests
./alpha prove    proves that private data cannot reach the network: on the layout, and on the memory of the running system
./alpha image    builds the boot image and says what it is made of
./alpha bench    measures, and writes docs/bench.md
./alpha doctor   says what is here, what is missing, and which Rust toolchain is taken and why
./alpha help     shows this

For run and image:
  --model FILE.gguf   a language model to speak with, instead of the small one that comes along
  --cores N           processor cores, 1 to 8 (left out: 2 if this computer has 4, else 1)
  --memory SIZE       memory of the machine, for example 2G or 1536M; left out: as much as the model needs
  --debug-kernel      the kernel with its own checks and messages

For run:
  --kvm                 the processor's virtualisation instead of emulation (not tested by this project)
  --serial-socket PATH  the console on a Unix socket; the machine waits until somebody connects
  --qmp PATH            QEMU's machine protocol on a Unix socket
  --gdb PATH            a debugger's socket
  --paused              starts stopped
";

const VERBS: [&str; 7] = ["run", "test", "prove", "image", "bench", "doctor", "help"];
const OPTIONS: [&str; 9] =
    ["--model", "--cores", "--memory", "--debug-kernel", "--kvm", "--serial-socket", "--qmp", "--gdb", "--paused"];

#[derive(Debug)]
pub enum Verb {
    Run(Box<run::Options>),
    Image(Box<run::Options>),
    Test(Vec<String>),
    Prove(Vec<String>),
    Bench(Vec<String>),
    Doctor,
    Help,
}

pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Verb> {
    let mut parser = Parser::from_args(words);
    let verb = match parser.next().map_err(wrong)? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Verb::Help),
        Some(Arg::Value(verb)) => verb.to_string_lossy().into_owned(),
        Some(option) => return Err(Error::CommandLine(format!("{} stands before what to do", name(&option)))),
    };
    match verb.as_str() {
        "run" => Ok(options(parser, true)?.map_or(Verb::Help, |o| Verb::Run(Box::new(o)))),
        "image" => Ok(options(parser, false)?.map_or(Verb::Help, |o| Verb::Image(Box::new(o)))),
        // What follows belongs to the tests.
        "test" | "bench" | "prove" => {
            let rest = parser.raw_args().map_err(wrong)?.map(|word| word.to_string_lossy().into_owned()).collect();
            Ok(match verb.as_str() {
                "test" => Verb::Test(rest),
                "prove" => Verb::Prove(rest),
                _ => Verb::Bench(rest),
            })
        }
        "doctor" | "help" => match parser.next().map_err(wrong)? {
            Some(Arg::Short('h') | Arg::Long("help")) => Ok(Verb::Help),
            Some(other) => Err(Error::CommandLine(format!("`{verb}` takes no {}", name(&other)))),
            None if verb == "doctor" => Ok(Verb::Doctor),
            None => Ok(Verb::Help),
        },
        other => Err(unknown("thing to do", other, &VERBS)),
    }
}

/// `None`: help was asked for.
fn options(mut parser: Parser, run: bool) -> Result<Option<run::Options>> {
    let mut options = run::Options::default();
    options.wish.cores = cores_for(std::thread::available_parallelism().map_or(1, usize::from));
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long("model") => options.wish.model = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("cores") => {
                let text = parser.value().and_then(ValueExt::string).map_err(wrong)?;
                let cores = text.parse().ok().filter(|n| (1..=8).contains(n));
                options.wish.cores =
                    cores.ok_or_else(|| Error::CommandLine(format!("--cores is `{text}`; it must be 1 to 8")))?;
            }
            Arg::Long("memory") => {
                let text = parser.value().and_then(ValueExt::string).map_err(wrong)?;
                options.wish.memory = Some(memory::parse_size(&text)?);
            }
            Arg::Long("debug-kernel") => options.debug_kernel = true,
            Arg::Long("kvm") if run => options.kvm = true,
            Arg::Long("serial-socket") if run => options.serial_socket = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("qmp") if run => options.qmp = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("gdb") if run => options.gdb = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("paused") if run => options.paused = true,
            Arg::Long(option @ ("kvm" | "serial-socket" | "qmp" | "gdb" | "paused")) => {
                return Err(Error::CommandLine(format!("--{option} is for `run`")));
            }
            Arg::Long(_) | Arg::Short(_) => return Err(unknown("option", &name(&argument), &OPTIONS)),
            Arg::Value(word) => {
                let word = word.to_string_lossy();
                let hint = if word.ends_with(".gguf") { format!("; did you mean `--model {word}`?") } else { String::new() };
                return Err(Error::CommandLine(format!("`{word}` means nothing here{hint}")));
            }
        }
    }
    Ok(Some(options))
}

/// Cores for a machine on a computer with so many processors. A virtual core that the computer does not run holds up
/// all others (docs/building.md), so each of them has a second processor to turn to.
fn cores_for(processors: usize) -> u8 {
    if processors >= 4 { 2 } else { 1 }
}

fn name(argument: &Arg) -> String {
    match argument {
        Arg::Long(name) => format!("--{name}"),
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Value(word) => format!("`{}`", word.to_string_lossy()),
    }
}

fn wrong(error: lexopt::Error) -> Error {
    Error::CommandLine(error.to_string())
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Error {
    let hint = match layout::nearest(word, known.iter().copied()) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => String::new(),
    };
    Error::CommandLine(format!("there is no {what} `{word}`{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Verb> {
        read(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn options_are_read() {
        let Ok(Verb::Run(o)) = typed("run --model a.gguf --cores=4 --memory 2G --kvm --qmp q") else { panic!() };
        assert_eq!((o.wish.model, o.wish.cores, o.wish.memory), (Some("a.gguf".into()), 4, Some(2 << 30)));
        assert!(o.kvm && !o.paused && o.qmp == Some("q".into()));
        let Ok(Verb::Test(names)) = typed("test kernel --mutations") else { panic!() };
        assert_eq!(names, ["kernel", "--mutations"]);
        for help in ["", "help", "--help", "-h", "run --help", "doctor -h"] {
            assert!(matches!(typed(help), Ok(Verb::Help)), "{help}");
        }
    }

    #[test]
    fn mistakes_get_a_sentence() {
        for (line, sentence) in [
            ("rnu", "there is no thing to do `rnu`; did you mean `run`?"),
            ("run --modle x", "there is no option `--modle`; did you mean `--model`?"),
            ("image --kvm", "--kvm is for `run`"),
            ("run --cores 9", "--cores is `9`; it must be 1 to 8"),
            ("run tiny.gguf", "`tiny.gguf` means nothing here; did you mean `--model tiny.gguf`?"),
            ("run --memory 2", "`2` is no size; write for example 512M, 2G or 1536M"),
            ("doctor now", "`doctor` takes no `now`"),
        ] {
            let error = typed(line).unwrap_err().to_string();
            assert!(error.starts_with(sentence), "{line}: {error}");
        }
        assert!(typed("run --model").is_err());
    }
}
