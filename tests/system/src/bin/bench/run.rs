//! One run of one machine, and what was seen of it. Times are the host's, taken when output arrives, on both sides alike:
//! what the person waits for.

use alpha::{qemu::Accel, Boot};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};
use system_tests::{
    ensure,
    gdb::Gdb,
    machine::{Machine, Options},
    person::{at_prompt, is_figures, Part, Person},
    terminal::Mark,
    Failure, Result,
};

/// Nothing that is measured takes longer.
const LIMIT: Duration = Duration::from_secs(1800);
/// Wide, so that no line is broken.
const COLUMNS: u16 = 500;

pub fn options(accel: Accel) -> Options {
    Options { limit: LIMIT, columns: COLUMNS, rows: 50, accel, ..Options::default() }
}

/// A question, an answer, and how long they took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Talk {
    /// From the end of the question to the first word.
    pub first_s: f64,
    /// From there to the end.
    pub rest_s: f64,
    pub tokens: f64,
    /// Known on Linux only; the model and its template are the same.
    pub prompt_tokens: f64,
    /// Of the whole machine, in use while the model is loaded.
    pub memory_bytes: f64,
    /// Keys and values of the conversation.
    pub cache_bytes: f64,
    /// From QEMU's start to the first word.
    pub start_to_word_s: f64,
    /// For each generated token, by the guest's own clock. Where instructions are counted one takes a nanosecond of it.
    pub ns_a_token: f64,
}

impl Talk {
    pub fn tokens_per_second(&self) -> f64 {
        (self.tokens - 1.0) / self.rest_s
    }
}

/// AlphaOS: types the question as soon as there is a prompt. Settings first if the answer's length matters.
pub fn alpha(boot: &Boot, question: &str, tokens: Option<u32>, accel: Accel) -> Result<Talk> {
    let mut person = Person::boot(boot, &options(accel))?;
    let mut talk = Talk::default();
    if let Some(tokens) = tokens {
        person.command("/model set temperature 0", "temperature")?;
        person.command(&format!("/model set max_tokens {tokens}"), "max_tokens")?;
        // Code is translated at its first run: not what is compared.
        person.ask("Hi")?;
        person.command("/new", "new conversation")?;
    }
    let before = person.figures_seen();
    person.type_text(question)?;
    person.machine.terminal.wait("the question in the line", |view| view.contents().contains(question).then_some(()))?;
    let mark = person.mark();
    let start = Instant::now();
    person.press("enter")?;
    let first = person.wait_first_word(mark)?;
    talk.start_to_word_s = (first - person.machine.started).as_secs_f64();
    let done = |printed: &str| printed.lines().any(is_figures);
    let terminal = &person.machine.terminal;
    terminal.wait("the end of the answer", |view| done(&view.printed_since(mark)).then_some(()))?;
    let end = terminal.arrival(mark, done);
    let answer = person.wait_answer(before)?;
    talk.first_s = (first - start).as_secs_f64();
    talk.rest_s = (end - first).as_secs_f64();
    talk.tokens = answer.tokens().ok_or_else(|| Failure::new(format!("no tokens in {}", answer.figures)))? as f64;
    talk.ns_a_token = 1e9 / answer.tokens_per_second().unwrap_or(f64::NAN);
    let status = person.command("/status", "llama")?.join("\n");
    talk.memory_bytes = boot.memory_bytes as f64 - free_memory(&status)?;
    if tokens.is_some() {
        let facts = person.command("/model", "temperature")?.join("\n");
        talk.cache_bytes = size_behind(&facts, &["KV", "cache"]).unwrap_or(f64::NAN);
    }
    person.quit()?;
    Ok(talk)
}

/// `Memory: 812.4 MiB of 1 GiB free.`
fn free_memory(status: &str) -> Result<f64> {
    let part = status.split("Memory: ").nth(1).and_then(|rest| rest.split(" of ").next());
    part.and_then(size).ok_or_else(|| Failure::new(format!("/status does not say what is free:\n{status}")))
}

/// The first size on a line with one of these words.
fn size_behind(text: &str, words: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| words.iter().any(|word| line.contains(word)))?;
    let parts: Vec<&str> = line.split_whitespace().collect();
    parts.windows(2).find_map(|pair| size(&pair.join(" ").replace(['(', ')', ',', '.'].as_slice(), "")).or(size(&pair.join(" "))))
}

/// `9.8 MiB`
pub fn size(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = match unit.trim_end_matches([',', '.', ';', ')']) {
        "B" => 1u64,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit as f64)
}

/// Linux: llama.cpp is the first program and asks the question that stands on the kernel's command line.
pub fn linux(boot: &Boot, question: &str, tokens: Option<u32>, accel: Accel) -> Result<Talk> {
    let mut options = options(accel);
    let mut words = vec![format!("\"user={question}\""), format!("threads={}", boot.cores)];
    words.extend(tokens.map(|tokens| format!("n={tokens}")));
    options.append = ["console=ttyS0", "quiet", "panic=-1", "--"].map(String::from).to_vec();
    // A first answer warms up, as on the other side; the second one is measured.
    let runs = if tokens.is_some() { 2 } else { 1 };
    words.push(format!("repeat={runs}"));
    options.append.extend(words);
    let mut machine = Machine::start(boot, &options)?;
    let mut talk = Talk::default();
    let nth = |printed: &str, word: &str, n: usize| printed.match_indices(word).count() >= n;
    let wait = |machine: &Machine, word: &str, n: usize| -> Result<Instant> {
        let seen = |printed: &str| nth(printed, word, n);
        machine.terminal.wait(word, |view| seen(&view.printed_since(Mark::default())).then_some(()))?;
        Ok(machine.terminal.arrival(Mark::default(), seen))
    };
    // The word that the question starts with: the end of loading, or of the answer before.
    let asked = if runs == 1 { wait(&machine, "ALPHA loaded", 1)? } else { wait(&machine, "ALPHA done", 1)? };
    let first = wait(&machine, "ALPHA first", runs)?;
    let end = wait(&machine, "ALPHA done", runs)?;
    talk.start_to_word_s = (first - machine.started).as_secs_f64();
    talk.first_s = (first - asked).as_secs_f64();
    talk.rest_s = (end - first).as_secs_f64();
    wait(&machine, "ALPHA end", 1)?;
    let printed = machine.terminal.look(|view| view.printed_since(Mark::default()));
    let done = printed.lines().filter(|line| line.contains("ALPHA done")).nth(runs - 1).unwrap_or_default();
    let done = fields(done);
    let get = |fields: &BTreeMap<String, f64>, key: &str| {
        fields.get(key).copied().ok_or_else(|| Failure::new(format!("the Linux guest does not say {key}:\n{printed}")))
    };
    talk.tokens = get(&done, "generated")?;
    talk.prompt_tokens = get(&done, "prompt")?;
    // The first token comes with the prompt, as on the other side.
    talk.ns_a_token = get(&done, "generate_us")? * 1e3 / (talk.tokens - 1.0);
    let loaded = fields(printed.lines().find(|line| line.contains("ALPHA loaded")).unwrap_or_default());
    talk.cache_bytes = get(&loaded, "kv")?;
    let available = printed.lines().find_map(|line| line.split_once("MemAvailable:")?.1.split_whitespace().next()?.parse::<f64>().ok());
    let available = available.ok_or_else(|| Failure::new("the Linux guest does not say what memory is left"))?;
    talk.memory_bytes = boot.memory_bytes as f64 - available * 1024.0;
    machine.wait_end()?;
    Ok(talk)
}

/// `name=number` words.
fn fields(line: &str) -> BTreeMap<String, f64> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(name, value)| Some((name.to_string(), value.parse().ok()?)))
        .collect()
}

/// Seconds from the kernel's first instruction to a prompt. A breakpoint there tells when the firmware is done.
pub fn entry_to_prompt(boot: &Boot, entry: u64, append: &[&str], prompt: &str) -> Result<f64> {
    let mut options = options(Accel::Tcg);
    options.debugger_only = true;
    options.paused = true;
    options.append = append.iter().map(|word| (*word).to_string()).collect();
    let machine = Machine::start(boot, &options)?;
    let mut debugger: Gdb = machine.debugger()?;
    debugger.set_breakpoint(entry)?;
    let stop = debugger.run_to_stop()?;
    ensure!(stop.starts_with('T'), "no stop at the kernel's entry: {stop}");
    debugger.remove_breakpoint(entry)?;
    let start = Instant::now();
    debugger.detach()?;
    let prompted = machine.terminal.wait("the prompt", |view| {
        let there = if prompt == ">" { at_prompt(view) } else { view.cursor_row().0.trim_end().ends_with(prompt) };
        there.then(Instant::now)
    })?;
    Ok((prompted - start).as_secs_f64())
}

/// Where a kernel's first instruction stands: the entry point of an ELF file; Linux' 32-bit entry is where it is loaded.
pub fn entry_point(kernel: &std::path::Path) -> Result<u64> {
    let bytes = fs::read(kernel)?;
    let number = |at: usize, length: usize| -> u64 {
        bytes.get(at..at + length).map_or(0, |b| b.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if bytes.starts_with(b"\x7fELF") {
        return Ok(number(24, if bytes[4] == 1 { 4 } else { 8 }));
    }
    ensure!(number(0x202, 4) == 0x5372_6448, "{} is no kernel", kernel.display());
    Ok(number(0x214, 4))
}

/// `/status` right after the start.
pub fn parts(boot: &Boot) -> Result<Vec<Part>> {
    let mut person = Person::boot(boot, &options(Accel::Tcg))?;
    let parts = person.status()?;
    person.quit()?;
    Ok(parts)
}
