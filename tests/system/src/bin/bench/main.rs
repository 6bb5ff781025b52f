//! Measures AlphaOS against a Linux guest with the same llama.cpp in the same QEMU, in pairs, and writes docs/bench.md.
//!
//!     bench [--quick] [--print] [PART...]
//!
//! Parts: image, calls, network, start, memory, speed, instructions. `--print` writes the page to standard output only,
//! and so does `--quick`.

mod linux;
mod network;
mod report;
mod run;
mod stats;

use alpha::{cargo::Toolchain, qemu::Accel, Boot, Programs, Progress, Tree, Variant, Wish};
use linux::Linux;
use llama_build::Flavour;
use llama_tests::gguf;
use report::{at_most, count, mib, reaches, show, Report};
use rpc_bench::calls;
use run::Talk;
use stats::{median, ratio};
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};
use system_tests::{Failure, Result};

const PARTS: [&str; 7] = ["image", "calls", "network", "start", "memory", "speed", "instructions"];
/// What both are asked; long enough to see how fast a prompt is read.
const QUESTION: &str = "Please explain to me in a few sentences how the parts of this system are kept apart from each \
other, what each of them may touch, and what happens to a conversation when one of them stops working.";
const SHORT_QUESTION: &str = "Hello!";

struct Bench {
    tree: Tree,
    programs: Programs,
    linux: Linux,
    quick: bool,
    report: Report,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn say(error: alpha::Error) -> Failure {
    Failure::new(error.to_string())
}

fn start() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let parts: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(Failure::new(format!("no part {unknown}; there are {}", PARTS.join(", "))));
    }
    let chosen = |part: &str| parts.is_empty() || parts.iter().any(|p| *p == part);
    let tree = Tree::find().map_err(say)?;
    let toolchain = Toolchain::find(&tree).map_err(say)?;
    let mut progress = Progress::new();
    let programs = Programs::build(&tree, &toolchain, Variant::Release, &mut progress).map_err(say)?;
    let llama = alpha::build::llama(&tree, &toolchain, Flavour::Linux, &mut progress).map_err(say)?;
    progress.finish();
    let linux = Linux::prepare(&tree.build_dir().join("bench/linux"), llama)?;
    let mut bench = Bench { tree, programs, linux, quick: flag("--quick"), report: Report::default() };
    let measures: [(&str, fn(&mut Bench) -> Result<()>); 7] = [
        ("image", Bench::image),
        ("calls", Bench::calls),
        ("network", Bench::network),
        ("start", Bench::starting),
        ("memory", Bench::memory),
        ("speed", Bench::speed),
        ("instructions", Bench::instructions),
    ];
    let path = bench.tree.root.join("docs/bench.md");
    // Parts that are not measured this time stay as they are.
    let known = fs::read_to_string(&path).unwrap_or_default();
    let mut sections: Vec<(&str, String)> = PARTS.iter().map(|part| (*part, section(&known, part).to_owned())).collect();
    for (part, measure) in measures {
        if !chosen(part) {
            continue;
        }
        let begun = Instant::now();
        measure(&mut bench)?;
        let text = format!("{}\n\n{}\n", bench.report.take().trim(), bench.circumstances(begun));
        sections.iter_mut().filter(|(name, _)| *name == part).for_each(|(_, known)| known.clone_from(&text));
        // What a long run has, if it is ended by hand.
        fs::write(bench.tree.build_dir().join("bench/so-far.md"), bench.page(&sections))?;
    }
    let page = bench.page(&sections);
    print!("{page}");
    if !flag("--print") && !bench.quick {
        fs::write(&path, page)?;
        eprintln!("bench: written to {}", path.display());
    }
    Ok(())
}

/// Where a part's figures begin on the page, for the next run to find them.
fn mark(part: &str) -> String {
    format!("<!-- ./alpha bench {part} -->\n")
}

/// A part's text on an earlier page.
fn section<'a>(page: &'a str, part: &str) -> &'a str {
    let text = page.split_once(&mark(part)).map_or("", |(_, rest)| rest);
    text.split_once("<!-- ").map_or(text, |(text, _)| text).trim()
}

/// A model to measure with, and how much to ask of it.
struct Subject {
    name: &'static str,
    file: PathBuf,
    /// What is asked where speed is measured.
    question: &'static str,
    tokens: u32,
    tokens_counted: u32,
    /// Runs of each guest; fewer where one takes a minute or more.
    pairs: usize,
}

impl Bench {
    fn pairs(&self, full: usize) -> usize {
        if self.quick {
            2
        } else {
            full
        }
    }

    fn small(&self) -> Subject {
        Subject { name: "alpha-small", file: self.tree.default_model(), question: QUESTION, tokens: 48, tokens_counted: 24, pairs: 8 }
    }

    /// Random weights in the shape of a model of half a billion parameters.
    fn half_b(&self) -> Result<Subject> {
        let file = self.tree.build_dir().join("bench/0.5b.gguf");
        let model = gguf::model(&gguf::HALF_B);
        if !file.metadata().is_ok_and(|meta| meta.len() == model.len()) {
            fs::create_dir_all(self.tree.build_dir().join("bench"))?;
            model.write(&mut BufWriter::with_capacity(1 << 22, File::create(&file)?))?;
        }
        Ok(Subject { name: "0.5B shape, Q4_0", file, question: SHORT_QUESTION, tokens: 6, tokens_counted: 3, pairs: 3 })
    }

    /// The same machine twice: with AlphaOS and with Linux.
    fn machines(&self, subject: &Subject, cores: u8) -> Result<(Boot, Boot)> {
        let wish = Wish { cores, memory: Some(2 << 30), model: Some(subject.file.clone()), ..Wish::default() };
        let ours = alpha::image::make(&self.tree, &self.programs, &wish).map_err(say)?;
        let stem = subject.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let initrd = self.linux.with_model(&stem, &subject.file)?;
        let theirs = self.linux.boot(&ours, initrd);
        Ok((ours, theirs))
    }

    /// Runs both, one after the other, the first one in turn.
    fn talk_pairs(&self, what: &str, subject: &Subject, cores: u8, pairs: usize, tokens: Option<u32>) -> Result<Vec<(Talk, Talk)>> {
        let (ours, theirs) = self.machines(subject, cores)?;
        let question = if tokens.is_some() { subject.question } else { SHORT_QUESTION };
        let mut talks = Vec::new();
        for pair in 0..pairs {
            let alpha = || run::alpha(&ours, question, tokens, Accel::Tcg);
            let linux = || run::linux(&theirs, question, tokens, Accel::Tcg);
            let (alpha, linux) = if pair % 2 == 0 {
                let alpha = alpha()?;
                (alpha, linux()?)
            } else {
                let linux = linux()?;
                (alpha()?, linux)
            };
            eprintln!(
                "{what}, {}, {cores} cores, pair {} of {pairs}: {:.1} and {:.1} tokens/s, first word {:.2} and {:.2} s",
                subject.name,
                pair + 1,
                alpha.tokens_per_second(),
                linux.tokens_per_second(),
                alpha.first_s,
                linux.first_s,
            );
            talks.push((alpha, linux));
        }
        Ok(talks)
    }

    fn speed(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        for subject in [self.small(), self.half_b()?] {
            for cores in [1, 2] {
                let talks = self.talk_pairs("speed", &subject, cores, self.pairs(subject.pairs), Some(subject.tokens))?;
                let prompt_tokens = talks[0].1.prompt_tokens;
                let speeds = |of: fn(&Talk, f64) -> f64| -> Vec<(f64, f64)> {
                    talks.iter().map(|(a, l)| (of(a, prompt_tokens), of(l, prompt_tokens))).collect()
                };
                let prompt = speeds(|talk, tokens| tokens / talk.first_s);
                let answer = speeds(|talk, _| talk.tokens_per_second());
                for (what, speeds) in [("prompt", prompt), ("answer", answer)] {
                    let ratio = ratio(&speeds);
                    let side = |pick: fn(&(f64, f64)) -> f64| median(&speeds.iter().map(pick).collect::<Vec<_>>());
                    rows.push(vec![
                        subject.name.into(),
                        cores.to_string(),
                        talks.len().to_string(),
                        what.into(),
                        format!("{:.1}", side(|pair| pair.0)),
                        format!("{:.1}", side(|pair| pair.1)),
                        show(&ratio),
                        reaches(&ratio, 1.0),
                    ]);
                }
            }
        }
        self.report.heading("Speed");
        self.report.paragraph(
            "Tokens in a second, median, as they arrive at the terminal: of the prompt until the first word, of the answer \
             from there to its end.",
        );
        self.report.table(&["model", "cores", "pairs", "what", "AlphaOS", "Linux", "ratio (95 %)", "bar"], &rows);
        Ok(())
    }

    fn starting(&mut self) -> Result<()> {
        let subject = self.small();
        let pairs = self.pairs(8);
        let talks = self.talk_pairs("start", &subject, 2, pairs, None)?;
        let words: Vec<_> = talks.iter().map(|(a, l)| (a.start_to_word_s, l.start_to_word_s)).collect();

        let (ours, _) = self.machines(&subject, 2)?;
        let theirs = self.linux.boot(&ours, self.linux.with_shell()?);
        let (our_entry, their_entry) = (run::entry_point(&ours.kernel)?, run::entry_point(&theirs.kernel)?);
        let mut prompts = Vec::new();
        for pair in 0..pairs {
            let alpha = run::entry_to_prompt(&ours, our_entry, &[], ">")?;
            let linux = run::entry_to_prompt(&theirs, their_entry, &["console=ttyS0", "quiet"], "#")?;
            eprintln!("start, pair {} of {pairs}: kernel entry to prompt {alpha:.2} and {linux:.2} s", pair + 1);
            prompts.push((alpha, linux));
        }
        let mut rows = Vec::new();
        for (what, seconds, bar) in [("QEMU's start to the first word", words, 0.5), ("kernel entry to the prompt", prompts, 0.25)]
        {
            let ratio = ratio(&seconds);
            let side = |pick: fn(&(f64, f64)) -> f64| median(&seconds.iter().map(pick).collect::<Vec<_>>());
            rows.push(vec![
                what.into(),
                format!("{:.2} s", side(|pair| pair.0)),
                format!("{:.2} s", side(|pair| pair.1)),
                show(&ratio),
                at_most(&ratio, bar),
            ]);
        }
        self.report.heading("Start");
        self.report.paragraph(
            "The default model, 2 cores, medians. The first word answers a short question that AlphaOS is asked as soon as \
             there is a prompt; on Linux llama.cpp is the first program and has the question on its command line. Kernel \
             entry is the first instruction of each kernel (for Linux that of the file that unpacks itself); the prompts \
             are AlphaOS' own and that of a shell without any init system.",
        );
        self.report.table(&["what", "AlphaOS", "Linux", "ratio (95 %)", "bar"], &rows);
        Ok(())
    }

    fn instructions(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        for subject in [self.small(), self.half_b()?] {
            if self.quick && subject.name != "alpha-small" {
                continue;
            }
            let (ours, theirs) = self.machines(&subject, 1)?;
            let tokens = Some(subject.tokens_counted);
            let alpha = run::alpha(&ours, SHORT_QUESTION, tokens, Accel::Icount(0))?;
            let linux = run::linux(&theirs, SHORT_QUESTION, tokens, Accel::Icount(0))?;
            eprintln!("instructions, {}: {} and {}", subject.name, count(alpha.ns_a_token), count(linux.ns_a_token));
            rows.push(vec![
                subject.name.into(),
                count(alpha.ns_a_token),
                count(linux.ns_a_token),
                format!("{:.2}x", alpha.ns_a_token / linux.ns_a_token),
            ]);
        }
        self.report.heading("Instructions for each token");
        self.report.paragraph(
            "Of the whole machine between the first token of an answer and its last, one core, under QEMU's `-icount \
             shift=0`, where an instruction lasts a nanosecond of the machine's time: from what each guest says of its own \
             speed, which AlphaOS rounds to two or three digits.",
        );
        self.report.table(&["model", "AlphaOS", "Linux", "ratio"], &rows);
        Ok(())
    }

    fn memory(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        for subject in [self.small(), self.half_b()?] {
            let talks = self.talk_pairs("memory", &subject, 2, 1, Some(subject.tokens_counted))?;
            let weights = fs::metadata(&subject.file)?.len() as f64;
            let (alpha, linux) = talks[0];
            // The same file and the same context; the engine tells their size on Linux.
            let cache = linux.cache_bytes;
            let (ours, theirs) = (alpha.memory_bytes - weights - cache, linux.memory_bytes - weights - cache);
            let ratio = ratio(&[(ours, theirs)]);
            rows.push(vec![
                subject.name.into(),
                mib(weights),
                mib(cache),
                mib(ours),
                mib(theirs),
                format!("{:.2}x", ratio.mean),
                at_most(&ratio, 0.5),
            ]);
        }
        self.report.heading("Memory");
        self.report.paragraph(
            "What the machine has less after an answer than it was given, without the model file and the keys and values \
             of the conversation. For AlphaOS all that is not free, as `/status` says, room that llama was given and does \
             not use among it; for Linux all but `MemAvailable`.",
        );
        self.report.table(&["model", "weights", "keys and values", "AlphaOS", "Linux", "ratio", "bar"], &rows);
        Ok(())
    }

    /// The layout of tests/bench-pds, whose programs call each other and say how long it took.
    fn calls(&mut self) -> Result<()> {
        let boot = self.other_layout("calls", |_| {
            rpc_bench::build(calls::LAYOUT).map_err(|error| Failure::new(error.to_string()))
        })?;
        let failed = |error: Box<dyn std::error::Error>| Failure::new(error.to_string());
        let measure = |accel| calls::costs(&rpc_bench::run(&boot, accel).map_err(failed)?).map_err(failed);
        let cycles = measure(Accel::Tcg)?;
        let instructions = measure(Accel::Icount(0))?;
        let rows: Vec<_> = instructions
            .iter()
            .zip(&cycles)
            .map(|(i, c)| {
                let figures = [i.typed, i.bare, c.typed, c.bare].map(count);
                [vec![i.bytes.to_string()], figures.to_vec(), vec![format!("{:.2}x, {:.2}x", i.ratio(), c.ratio())]].concat()
            })
            .collect();
        self.report.heading("Calls");
        self.report.paragraph(
            "A call and its reply between two programs of different address spaces on one core: through a protocol, and \
             as bare as the kernel has it with as many words. Medians of ten rounds of 2000 calls; cycles are those of \
             the processor's counter. The call of one byte has an empty reply.",
        );
        let heads = ["bytes each way", "typed, instructions", "bare", "typed, cycles", "bare", "typed to bare"];
        self.report.table(&heads, &rows);
        let longest = |costs: &[calls::Cost]| {
            let ratio = ratio(&costs.last().map(|cost| (cost.typed, cost.bare)).into_iter().collect::<Vec<_>>());
            format!("{:.2}x ({})", ratio.mean, at_most(&ratio, calls::BAR))
        };
        self.report.paragraph(&format!(
            "Typed to bare, 64 bytes: {} in instructions, {} in cycles.",
            longest(&instructions),
            longest(&cycles),
        ));
        Ok(())
    }

    /// Builds another layout than the product's: programs are compiled against theirs, so these have a build folder of
    /// their own.
    fn other_layout(&self, name: &str, build: impl FnOnce(&Path) -> Result<Boot>) -> Result<Boot> {
        let folder = self.tree.build_dir().join("bench").join(name);
        let cache = self.tree.cache();
        let before = std::env::var_os("ALPHA_BUILD");
        std::env::set_var("ALPHA_BUILD", &folder);
        // Neither the kernel nor llama.cpp depends on the layout: share what is built.
        let link = self.tree.cache();
        let built = fs::create_dir_all(&folder).and_then(|()| match link.exists() {
            true => Ok(()),
            false => std::os::unix::fs::symlink(cache, &link),
        });
        let boot = built.map_err(Failure::from).and_then(|()| build(&folder));
        std::env::remove_var("ALPHA_LAYOUT_DIR");
        match before {
            Some(before) => std::env::set_var("ALPHA_BUILD", before),
            None => std::env::remove_var("ALPHA_BUILD"),
        }
        boot
    }

    fn image(&mut self) -> Result<()> {
        let wish = Wish::default();
        let boot = alpha::image::make(&self.tree, &self.programs, &wish).map_err(say)?;
        let length = |path: &Path| -> Result<f64> { Ok(fs::metadata(path)?.len() as f64) };
        let mut rows = vec![
            vec!["kernel".into(), mib(length(&boot.kernel)?)],
            vec!["root task, specification and programs".into(), mib(length(&boot.image)?)],
        ];
        if let Some(model) = &boot.model {
            rows.push(vec!["model".into(), mib(length(&model.file)?)]);
        }
        self.report.heading("Sizes");
        self.report.table(&["file", "size"], &rows);
        let parts = run::parts(&boot)?;
        self.report.paragraph("Memory by part after the start, as `/status` says:");
        let rows: Vec<_> = parts.iter().map(|part| vec![part.name.clone(), part.memory.clone()]).collect();
        self.report.table(&["part", "memory"], &rows);
        Ok(())
    }

    /// When a part was measured.
    fn circumstances(&self, begun: Instant) -> String {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(&self.tree.root).output().ok();
        let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default();
        let (seconds, load) = (begun.elapsed().as_secs(), load.split_whitespace().next().unwrap_or("?"));
        format!("Measured in {seconds} s at commit {commit}; load of the host at the end: {load}.")
    }

    fn page(&self, sections: &[(&str, String)]) -> String {
        let version = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output().ok();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            text.lines().next().unwrap_or("?").to_string()
        };
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("?").trim();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN);
        let lead = format!(
            "Written by `./alpha bench`, part by part; nothing here was typed in.\n\n\
             Host: {cpu}, {cores} cores, {:.0} GiB. {}. TCG, one host thread a core.\n\
             Linux: Debian's {} (cloud kernel), llama.cpp of the same source and compiler as in AlphaOS, in an initrd with \
             the model. Both guests get the same QEMU command line but for kernel and initrd, and are run in pairs, the \
             first one in turn. Ratios are AlphaOS to Linux: geometric means with the 95 % interval of Student's t over \
             their logarithms.\n",
            memory / f64::from(1 << 20),
            version(alpha::qemu::QEMU, "--version"),
            self.linux.version,
        );
        let measured = sections.iter().filter(|(_, text)| !text.is_empty());
        let text: Vec<String> = measured.map(|(part, text)| format!("{}{}\n", mark(part), text.trim())).collect();
        format!("# Figures\n\n{lead}\n{}", text.join("\n"))
    }
}
