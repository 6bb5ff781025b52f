//! The fuzz targets' corpus and random bytes through every decoder, as ordinary tests. `seeds` writes the corpus:
//! `ALPHA_WRITE_CORPUS=1 cargo test -p ipc --test corpus`.

#[path = "../fuzz/decoders.rs"]
mod decoders;

use decoders::DECODERS;
use ipc::{display, focus, inference, keys, net, outbound, prompts, router, supervisor};
use proptest::prelude::*;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

fn folder(decoder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(decoder)
}

#[test]
fn the_corpus_passes_every_decoder() {
    for (name, decoder) in DECODERS {
        let mut files = 0;
        for entry in std::fs::read_dir(folder(name)).unwrap_or_else(|error| panic!("{name}: {error}")) {
            decoder(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "{name} has no corpus");
    }
}

#[test]
fn every_seed_is_in_the_corpus() {
    for (decoder, number, bytes) in seeds() {
        let file = folder(decoder).join(format!("seed-{number:02}"));
        if std::env::var_os("ALPHA_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(folder(decoder)).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        // The format is the protocol: a change here is a new version.
        assert_eq!(std::fs::read(&file).ok().as_deref(), Some(&bytes[..]), "{} has changed (see the top of this file)", file.display());
    }
}

#[test]
fn a_cut_or_lengthened_seed_is_refused_without_a_panic() {
    for (name, _, bytes) in seeds() {
        for end in 0..bytes.len() {
            decoders::run(name, &bytes[..end]);
        }
        decoders::run(name, &[&bytes[..], &[0]].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_pass_every_decoder(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, decoder) in DECODERS {
            decoder(&bytes);
        }
    }

    #[test]
    fn damaged_seeds_pass_every_decoder(which in any::<prop::sample::Index>(), damage in
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6))
    {
        let seeds = seeds();
        let (name, _, mut bytes) = seeds[which.index(seeds.len())].clone();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        decoders::run(name, &bytes);
    }
}

fn encoded(value: &impl serde::Serialize) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    ipc::encode(value, &mut buffer).unwrap().to_vec()
}

/// A request behind the version's low byte, as the call targets take it.
fn request(version: u16, value: &impl serde::Serialize) -> Vec<u8> {
    [vec![version as u8], encoded(value)].concat()
}

/// At least one of each variant.
fn seeds() -> Vec<(&'static str, usize, Vec<u8>)> {
    let mut all: Vec<(&'static str, usize, Vec<u8>)> = Vec::new();
    let mut add = |name: &'static str, bytes: Vec<u8>| {
        let number = all.iter().filter(|(of, ..)| *of == name).count();
        all.push((name, number, bytes));
    };

    use display::{Item, Style};
    for item in [
        Item::Lines { style: Style::Plain, text: "one\ntwo".into() },
        Item::Text { style: Style::Dim, text: "größer".into() },
        Item::Text { style: Style::Strong, text: String::new() },
        Item::End,
        Item::Progress { text: "50 %".into() },
        Item::Edit { prompt: "> ".into(), text: "hällo".into(), cursor: 3 },
        Item::EditDone,
        Item::Redraw,
        Item::Lines { style: Style::Error, text: "\x1b[2Jescape".into() },
    ] {
        add("display", encoded(&item));
    }

    use keys::{Event, Key, Modifiers};
    let control = Modifiers { control: true, ..Modifiers::default() };
    for event in [
        Event::Key { key: Key::Char('ß'), modifiers: Modifiers::default() },
        Event::Key { key: Key::Char('c'), modifiers: control },
        Event::Key { key: Key::Escape, modifiers: control },
        Event::Paste { text: "two\nlines".try_into().unwrap(), last: true },
        Event::Size { columns: 80, rows: 25 },
        Event::Invalid { bytes: 3 },
    ] {
        add("keys", encoded(&event));
    }

    let full = "ß".repeat(focus::LINE_BYTES / 2);
    for typed in [
        focus::Typed::Opened,
        focus::Typed::Line { text: "2 größer".into() },
        focus::Typed::Line { text: String::new() },
        focus::Typed::Line { text: full },
        focus::Typed::Closed,
    ] {
        let bytes = encoded(&typed);
        assert!(bytes.len() <= focus::RECORD_BYTES);
        add("focus", bytes);
    }

    let set = || ("temperature".try_into().unwrap(), "0.2".try_into().unwrap());
    let (name, value) = set();
    for item in [
        prompts::Item::Prompt { id: 1, text: "how?".into() },
        prompts::Item::Command(prompts::Command::Model),
        prompts::Item::Command(prompts::Command::ModelSet { name, value }),
        prompts::Item::Command(prompts::Command::New),
    ] {
        add("prompts", encoded(&item));
    }

    let host = || outbound::Host::try_from("example.org").unwrap();
    let port = NonZeroU16::new(80).unwrap();
    for request in [
        outbound::Request::Fetch { id: 1, host: host(), port, payload: b"GET /\r\n\x00\xff".to_vec().try_into().unwrap() },
        outbound::Request::Fetch { id: 2, host: "::1".try_into().unwrap(), port, payload: outbound::Payload::default() },
        outbound::Request::Ping { id: u64::MAX, host: host() },
        outbound::Request::NetStatus { id: 0 },
    ] {
        add("outbound", encoded(&request));
    }

    use inference::{Failure, Figures, Finish, Request, Role, State};
    let (name, value) = set();
    for request in [
        Request::Hello { nonce: 1 << 40 },
        Request::Begin { id: 5 },
        Request::Message { id: 5, role: Role::System, text: "be kind".into(), continues: false },
        Request::Message { id: 5, role: Role::User, text: "höher".into(), continues: true },
        Request::Generate { id: 5, max_tokens: 100 },
        Request::Embed { id: 6, text: "a text".into() },
        Request::NewConversation,
        Request::ShowModel,
        Request::SetSetting { name, value },
    ] {
        add("inference_request", encoded(&request));
    }

    let model = "alpha-small".try_into().unwrap();
    let figures = Figures { prompt_tokens: 30, reused_tokens: 20, answer_tokens: 23, first_us: 1, answer_us: u64::MAX };
    for event in [
        inference::Event::Started,
        inference::Event::Hello { nonce: 1, state: State::Loading },
        inference::Event::State(State::Ready { model, context_tokens: 2048 }),
        inference::Event::State(State::NoModel),
        inference::Event::Queued { id: 5, before: 1 },
        inference::Event::Prompt { id: 5, done: 1, total: 2, reused: 0 },
        inference::Event::Text { id: 5, text: "wörd".into() },
        inference::Event::Done { id: 5, finish: Finish::End, figures },
        inference::Event::Done { id: 5, finish: Finish::MaxTokens { limit: 9 }, figures },
        inference::Event::Embedding { id: 6, start: 0, total: 3, values: vec![0.5, f32::NAN, -0.0] },
        inference::Event::Embedded { id: 6 },
        inference::Event::TooLong { id: 5, tokens: 900, room: 768 },
        inference::Event::Failed { id: 5, failure: Failure::EngineDied },
        inference::Event::Failed { id: 5, failure: Failure::Busy { limit: 4 } },
    ] {
        add("inference_event", encoded(&event));
    }

    add("inference_call", request(inference::call::VERSION, &inference::call::Request::Stop { id: 5 }));
    add("inference_call", encoded(&inference::Stopped::Unknown));

    let chunk = "how do I".try_into().unwrap();
    for call in [
        router::Request::Append { chunk },
        router::Request::Clear {},
        router::Request::Submit {},
        router::Request::Private { command: prompts::Command::New },
        router::Request::Why {},
        router::Request::Attach { piece: router::Piece::from_slice(&[0, 255]).unwrap() },
        router::Request::Fetch { host: host(), port },
        router::Request::Ping { host: host() },
        router::Request::Net {},
    ] {
        add("router_call", request(router::VERSION, &call));
    }
    add("router_call", request(router::VERSION + 1, &router::Request::Why {}));
    let reasons = [router::Reason::LocalOnlyMode, router::Reason::NoCloudEngine].into_iter().collect();
    add("router_call", encoded(&Ok::<_, router::Error>(router::Decision { id: 1, engine: router::Engine::Local, reasons })));

    for call in [
        supervisor::Request::Status {},
        supervisor::Request::Caps {},
        supervisor::Request::Log {},
        supervisor::Request::Quit {},
    ] {
        add("supervisor_call", request(supervisor::VERSION, &call));
    }

    net_seeds(&mut add);
    all
}

fn net_seeds(add: &mut impl FnMut(&'static str, Vec<u8>)) {
    use net::{Count, Error, Event, Host, Id, NameError, Reach, Record, Request, Status};
    let id = Id { life: 3, number: 1 << 20 };
    for record in [
        Record::Data { id, bytes: b"GET / HTTP/1.1\r\n" },
        Record::Data { id, bytes: b"" },
        Record::Shutdown { id },
        Record::Taken { id, bytes: 70_000 },
    ] {
        add("net_record", encoded(&record));
    }

    let address = "10.0.2.2".parse().unwrap();
    for event in [
        Event::Started { life: 3 },
        Event::Network(Reach::LinkDown),
        Event::Network(Reach::Ready),
        Event::Connected { id, address, port: 443 },
        Event::Data { id, bytes: b"HTTP/1.1 200 OK\r\n" },
        Event::Sent { id, bytes: 1 << 16 },
        Event::End { id },
        Event::Closed { id },
        Event::Failed { id, error: Error::Reset },
        Event::Failed { id, error: Error::Name(NameError::Server { code: 2 }) },
        Event::Failed { id, error: Error::TimedOut { after_ms: 30_000 } },
        Event::Pong { id, address: "fe80::2".parse().unwrap(), time_us: 800 },
        Event::NoPong { id, error: Error::Unreachable },
    ] {
        add("net_event", encoded(&event));
    }

    let name = || Host::Name("example.org".try_into().unwrap());
    for call in [
        Request::Connect { host: name(), port: 443, timeout_ms: 10_000 },
        Request::Connect { host: Host::Address(address), port: 0, timeout_ms: 0 },
        Request::Close { id },
        Request::Ping { host: name(), timeout_ms: 1000 },
        Request::Status {},
    ] {
        add("net_call", request(net::VERSION, &call));
    }
    add("net_call", encoded(&Err::<Id, _>(Error::TooMany { limit: 8 })));
    let status = Status {
        mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
        reach: Reach::Ready,
        ipv4: Some(("10.0.2.15".parse().unwrap(), 24)),
        ipv6: [("fec0::5054:ff:fe12:3456".parse().unwrap(), 64)].into_iter().collect(),
        gateway: Some("10.0.2.2".parse().unwrap()),
        gateway6: Some("fe80::2".parse().unwrap()),
        dns: [address].into_iter().collect(),
        sockets: 1,
        pings: 0,
        received: Count { frames: 10, bytes: 9000 },
        sent: Count { frames: 7, bytes: 600 },
        bad_frames: 0,
        full: 0,
        malformed: 1,
    };
    add("net_call", encoded(&status));
}
