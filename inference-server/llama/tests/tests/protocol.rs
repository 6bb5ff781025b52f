//! The Rust and the C++ side of the protocol against each other.

use llama_proto::*;
use llama_tests::gguf::Random;
use std::io::{Read, Write};
use std::process::{Child, Command as Process, Stdio};

/// `program/proto_check.cpp`: decodes and encodes again.
struct Other(Child);

impl Other {
    fn start() -> Self {
        let elf = llama_tests::harness::program(llama_build::Flavour::ProtoCheck);
        Other(Process::new(elf).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn again(&mut self, reply: bool, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut message = vec![u8::from(reply)];
        message.extend((bytes.len() as u32).to_le_bytes());
        message.extend(bytes);
        self.0.stdin.as_mut().unwrap().write_all(&message).unwrap();
        let mut head = [0; 5];
        let out = self.0.stdout.as_mut().unwrap();
        out.read_exact(&mut head).expect("the C++ side died");
        let mut back = vec![0; u32::from_le_bytes(head[1..].try_into().unwrap()) as usize];
        out.read_exact(&mut back).unwrap();
        (head[0] == 1).then_some(back)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(r: &mut Random) -> String {
    let letters: Vec<char> = "a \n\0é€😀\u{200b}\"".chars().collect();
    (0..r.next() % 40).map(|_| letters[r.next() as usize % letters.len()]).collect()
}

fn number(r: &mut Random) -> u64 {
    match r.next() % 4 {
        0 => r.next() % 3,
        1 => 1 << (r.next() % 64),
        2 => u64::MAX >> (r.next() % 64),
        _ => r.next(),
    }
}

fn n32(r: &mut Random) -> u32 {
    number(r) as u32
}

fn float(r: &mut Random) -> f32 {
    [0.0, -0.0, 1.5, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY][r.next() as usize % 6]
}

fn many<T>(r: &mut Random, mut make: impl FnMut(&mut Random) -> T) -> Vec<T> {
    (0..r.next() % 6).map(|_| make(r)).collect()
}

fn pick<T: Copy>(r: &mut Random, all: &[T]) -> T {
    all[r.next() as usize % all.len()]
}

fn messages(r: &mut Random) -> Vec<Message> {
    many(r, |r| Message { role: pick(r, &[Role::System, Role::User, Role::Assistant]), content: text(r) })
}

fn command(r: &mut Random, variant: u64) -> Option<Command> {
    Some(match variant {
        0 => Command::Load(Load {
            n_ctx: n32(r),
            n_batch: n32(r),
            threads: n32(r),
            repack: pick(r, &[Repack::Auto, Repack::Never, Repack::Always]),
            template: text(r),
            spare: r.next() % 2 == 0,
        }),
        1 => Command::Unload,
        2 => Command::Tokenize { id: n32(r), text: text(r), add_special: r.next() % 2 == 0, parse_special: r.next() % 2 == 0 },
        3 => Command::ApplyTemplate { id: n32(r), messages: messages(r), add_assistant: r.next() % 2 == 0 },
        4..=6 => Command::Generate(Generate {
            id: n32(r),
            prompt: match variant {
                4 => Prompt::Messages(messages(r)),
                5 => Prompt::Text(text(r)),
                _ => Prompt::Tokens(many(r, n32)),
            },
            max_tokens: n32(r),
            sampling: Sampling {
                temperature: float(r),
                top_k: n32(r),
                top_p: float(r),
                min_p: float(r),
                repeat_penalty: float(r),
                repeat_last: n32(r),
                seed: n32(r),
            },
            stop: many(r, text),
        }),
        7 => Command::Stop { id: n32(r) },
        8 => Command::Embed { id: n32(r), text: text(r) },
        9 => Command::Metadata { id: n32(r) },
        10 => Command::Forget,
        _ => return None,
    })
}

fn reply(r: &mut Random, variant: u64) -> Option<Reply> {
    let template = pick(r, &[Template::Model, Template::Given, Template::Missing, Template::Unknown]);
    Some(match variant {
        0 => Reply::Hello { version: n32(r), threads: n32(r), arena_bytes: number(r), model_bytes: number(r) },
        1 => Reply::LoadProgress { permille: number(r) as u16 },
        2 => Reply::Loaded(Loaded {
            name: text(r),
            architecture: text(r),
            file_type: text(r),
            parameters: number(r),
            weight_bytes: number(r),
            n_ctx_train: n32(r),
            n_ctx: n32(r),
            n_vocab: n32(r),
            n_embd: n32(r),
            threads: n32(r),
            template,
            template_name: text(r),
            can_generate: r.next() % 2 == 0,
            repacked: r.next() % 2 == 0,
            arena_used: number(r),
            arena_peak: number(r),
            arena_bytes: number(r),
            kv_bytes: number(r),
            compute_bytes: number(r),
            load_us: number(r),
        }),
        3 => Reply::LoadFailed {
            reason: pick(r, &[
                LoadError::Cpu, LoadError::NoModel, LoadError::NotGguf, LoadError::Version, LoadError::Truncated,
                LoadError::UnknownArchitecture, LoadError::OutOfMemory, LoadError::Malformed, LoadError::Context,
            ]),
            detail: text(r),
        },
        4 => Reply::Unloaded,
        5 => Reply::Tokens { id: n32(r), total: n32(r), start: n32(r), tokens: many(r, n32) },
        6 => Reply::Templated { id: n32(r), template, tokens: n32(r), total: n32(r), start: n32(r), text: text(r) },
        7 => Reply::PromptProgress { id: n32(r), done: n32(r), total: n32(r), reused: n32(r) },
        8 => Reply::Text { id: n32(r), text: text(r), tokens: n32(r) },
        9 => Reply::Done(Done {
            id: n32(r),
            reason: pick(r, &[Reason::EndOfText, Reason::MaxTokens, Reason::Stopped, Reason::StopText, Reason::ContextFull]),
            prompt_tokens: n32(r),
            reused_tokens: n32(r),
            generated_tokens: n32(r),
            prompt_us: number(r),
            first_token_us: number(r),
            generate_us: number(r),
        }),
        10 => Reply::Embedding { id: n32(r), total: n32(r), start: n32(r), values: many(r, float) },
        11 => Reply::Metadata { id: n32(r), total: n32(r), start: n32(r), entries: many(r, |r| Entry { key: text(r), value: text(r) }) },
        12 => Reply::Error {
            id: n32(r),
            error: pick(r, &[
                Error::Malformed, Error::NoModel, Error::TooLong, Error::Unsupported, Error::BadArgument, Error::OutOfMemory,
                Error::Busy, Error::Stopped, Error::Compute,
            ]),
            detail: text(r),
        },
        13 => Reply::Log { level: pick(r, &[Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal]), text: text(r) },
        _ => return None,
    })
}

fn all_encoded(r: &mut Random) -> Vec<(bool, Vec<u8>)> {
    let commands = (0..).map_while(|v| command(r, v)).map(|c| (false, postcard::to_allocvec(&c).unwrap())).collect::<Vec<_>>();
    let replies = (0..).map_while(|v| reply(r, v)).map(|c| (true, postcard::to_allocvec(&c).unwrap())).collect::<Vec<_>>();
    commands.into_iter().chain(replies).collect()
}

/// Both decoders hold to "exactly one value"; the strings of the two must be UTF-8, the enums known.
fn rust(reply: bool, bytes: &[u8]) -> Option<Vec<u8>> {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<Vec<u8>> {
        match postcard::take_from_bytes::<T>(bytes) {
            Ok((value, [])) => Some(postcard::to_allocvec(&value).unwrap()),
            _ => None,
        }
    }
    if reply { again::<Reply>(bytes) } else { again::<Command>(bytes) }
}

#[test]
fn every_message_comes_back_as_it_went() {
    let mut other = Other::start();
    let mut random = Random(3);
    for round in 0..200 {
        for (is_reply, bytes) in all_encoded(&mut random) {
            assert_eq!(other.again(is_reply, &bytes), Some(bytes.clone()), "round {round}: {bytes:?}");
        }
    }
}

#[test]
fn both_sides_agree_on_damaged_messages() {
    let mut other = Other::start();
    let mut random = Random(4);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..100 {
        for (is_reply, bytes) in all_encoded(&mut random) {
            for _ in 0..8 {
                let mut bytes = bytes.clone();
                match random.next() % 4 {
                    0 if !bytes.is_empty() => bytes.truncate(random.next() as usize % bytes.len()),
                    1 => bytes.push(random.next() as u8),
                    _ => {
                        for _ in 0..1 + random.next() % 3 {
                            let at = random.next() as usize % bytes.len();
                            bytes[at] = random.next() as u8;
                        }
                    }
                }
                let (ours, theirs) = (rust(is_reply, &bytes), other.again(is_reply, &bytes));
                assert_eq!(ours, theirs, "{is_reply} {bytes:?}");
                if ours.is_some() { good += 1 } else { bad += 1 }
            }
        }
    }
    println!("{good} still messages, {bad} refused");
    assert!(good > 500 && bad > 1000);
}
