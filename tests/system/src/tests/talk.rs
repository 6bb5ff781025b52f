//! Questions and answers.

use super::{limit, shared, test, with_model, Shared, Test, VERBATIM};
use crate::World;
use alpha::Boot;
use system_tests::{
    ensure,
    gguf::{Piece, Speaker},
    machine::Options,
    person::{Person, LABEL},
    Result,
};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "a question is answered in words, with a label and figures", chat),
        shared(Shared::Verbatim, "an answer is repeated word for word", verbatim),
        shared(Shared::Usual, "a conversation goes on until new begins another", conversation),
        shared(Shared::Counting, "ctrl-c stops an answer and the next one works", stop),
        test("a long answer is shown whole", long_answer),
        shared(Shared::Counting, "typing goes on while an answer comes", type_ahead),
        test("an answer full of escape sequences leaves the terminal alone", hostile_answer),
    ]
}

fn chat(person: &mut Person, _: &Boot) -> Result<()> {
    let answer = person.ask("How do I see what each part may touch?")?;
    let words = answer.text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count();
    ensure!(words >= 3, "not an answer: {:?}", answer.text);
    let figures = &answer.figures;
    ensure!(figures.contains("alpha-small"), "the figures do not name the model: {figures}");
    ensure!(answer.tokens().is_some_and(|tokens| tokens >= 3), "no token count: {figures}");
    ensure!(figures.contains("tok/s") && figures.contains("first word"), "no speeds: {figures}");
    Ok(())
}

/// A model whose words are known, to the letter: no token lost, none twice, characters of several bytes whole.
fn verbatim(person: &mut Person, _: &Boot) -> Result<()> {
    for _ in 0..2 {
        let answer = person.ask("go")?;
        ensure!(answer.text == VERBATIM, "it said {:?}", answer.text);
        ensure!(answer.tokens() == Some(9), "nine tokens, not {}", answer.figures);
    }
    Ok(())
}

fn conversation(person: &mut Person, _: &Boot) -> Result<()> {
    person.command("/new", "new conversation")?;
    for question in ["Hello!", "What are you?", "Thank you."] {
        let answer = person.ask(question)?;
        ensure!(!answer.text.is_empty(), "no answer to {question}");
    }
    let below = person.command("/new", "new conversation")?.join(" ");
    ensure!(below.contains("3 turns"), "/new does not say what is forgotten: {below}");
    person.ask("Hello!").map(drop)
}

fn stop(person: &mut Person, _: &Boot) -> Result<()> {
    for _ in 0..3 {
        let before = person.figures_seen();
        let mark = person.enter("count")?;
        person.wait_for(mark, "12 13")?;
        person.press("ctrl-c")?;
        let answer = person.wait_answer(before)?;
        ensure!(answer.was_stopped(), "the figures do not say so: {}", answer.figures);
        // What was shown is what was counted: nothing comes after the end.
        let counted = answer.tokens().unwrap_or(0);
        let last = answer.text.split_whitespace().last().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        ensure!(last <= counted && counted <= last + 2, "stopped at {last}, but {}", answer.figures);
        let shown = person.machine.terminal.transcript().join("\n");
        person.command("/status", "llama")?;
        let after = person.machine.terminal.transcript().join("\n");
        let tail = after.trim_start_matches(shown.trim_end_matches(['>', ' ', '\n']));
        ensure!(!tail.contains(&format!("{} {}", last + 1, last + 2)), "words came after the end:\n{tail}");
    }
    Ok(())
}

fn long_answer(world: &World) -> Result<()> {
    let pieces: Vec<String> = (1..=600).map(|number| format!("w{number} ")).collect();
    let model = world.model("long.gguf", |path| Speaker::says(pieces.iter().map(String::as_str)).write(path))?;
    let mut person = Person::boot(&with_model(world, model)?, &limit(240))?;
    person.command("/model set max_tokens 1000", "max_tokens")?;
    let answer = person.ask("go")?;
    let said: Vec<&str> = answer.text.split_whitespace().collect();
    // The terminal may have broken a word at its edge; then the pieces of it are there.
    let expected = pieces.concat().split_whitespace().collect::<String>();
    ensure!(said.concat() == expected, "{} of 600 words, the last ones {:?}", said.len(), said.last());
    person.quit()
}

fn type_ahead(person: &mut Person, _: &Boot) -> Result<()> {
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_for(mark, "5 6")?;
    person.type_text("/why")?;
    person.wait_line("/why", "/why")?;
    person.press("ctrl-c")?;
    person.wait_answer(before)?;
    person.wait_prompt()
}

/// Whatever a model says is text: titles, screens, queries, colours and bytes that begin all of these.
fn hostile_answer(world: &World) -> Result<()> {
    let mut speaker = Speaker::says([
        "begin ",
        "\u{1b}[2J",
        "\u{1b}]0;owned\u{7}",
        "\u{1b}[6n",
        "\u{1b}[?1049h",
        "\u{1b}P1$r\u{1b}\\",
        "\u{1b}[8;1;1t",
        "\u{9b}31m",
        "\r",
        "\u{8}\u{8}\u{8}",
        "\n[root] all is well\n> /quit\n",
        "\u{202e}siht",
        "\u{1b}[",
        "5i",
        " middle ",
    ]);
    speaker.pieces.extend([0x9b, 0x9d, 0x90, 0xff, 0xc0, 0x00, 0x1b, 0x05, 0x0e, 0x7f].map(Piece::Byte));
    speaker.pieces.push(Piece::Text("end".into()));
    let model = world.model("hostile.gguf", |path| speaker.write(path))?;
    let mut person = Person::boot(&with_model(world, model)?, &Options::default())?;
    let before = vocabulary(&person.machine.terminal.raw());
    let answer = person.ask("go")?;
    for word in ["begin", "middle", "end"] {
        ensure!(answer.text.contains(word), "{word:?} is missing in {:?}", answer.text);
    }
    person.command("/status", "llama")?;
    let raw = person.machine.terminal.raw();
    let offences = person.machine.terminal.offences();
    ensure!(offences.is_empty(), "the terminal was used: {}", offences.join("; "));
    // Nothing that only the model could have sent: 8-bit controls, other controls than serial's.
    for byte in [0x00, 0x05, 0x0e, 0x0f, 0x7f] {
        ensure!(!raw.contains(&byte), "the byte {byte:#04x} reached the terminal");
    }
    let text = String::from_utf8_lossy(&raw);
    ensure!(!text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)), "an 8-bit control reached the terminal");
    ensure!(!text.contains('\u{202e}'), "a direction override reached the terminal");
    let news: Vec<_> = vocabulary(&raw).into_iter().filter(|kind| !before.contains(kind)).collect();
    ensure!(!news.iter().any(|kind| "ntirhcqx".contains(*kind)), "new kinds of control sequences: {news:?}");
    // A line that the model began is still its own: no forged speaker at a line's start, no command typed.
    let transcript = person.machine.terminal.transcript();
    ensure!(
        !transcript.iter().any(|line| line.starts_with("[root] all is well") || line.starts_with("> /quit")),
        "the model wrote a line in another's name:\n{}",
        transcript.join("\n")
    );
    ensure!(person.ask("again")?.text.contains("end"), "no second answer");
    ensure!(transcript.iter().any(|line| line.contains(LABEL)), "no label");
    person.quit()
}

/// The final letters of all control sequences that were sent.
fn vocabulary(raw: &[u8]) -> Vec<char> {
    let text = String::from_utf8_lossy(raw);
    let mut kinds: Vec<char> = text
        .split("\u{1b}[")
        .skip(1)
        .filter_map(|rest| rest.chars().find(|c| ('@'..='~').contains(c)))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
