use super::*;
use ipc::router::{Engine, Reason, Server};
use proptest::prelude::*;

fn router() -> Router {
    Router::new(Mode::LocalOnly)
}

fn append(router: &mut Router, text: &str) -> Result<(), Error> {
    router.append(0, Chunk::try_from(text).unwrap())
}

/// As the shell sends a prompt: in pieces that fit into a call.
fn send(router: &mut Router, text: &str) -> Result<Decision, Error> {
    let mut at = 0;
    while let Some(piece) = next_chunk::<{ ipc::router::CHUNK_BYTES }>(text, &mut at) {
        append(router, piece)?;
    }
    router.submit(0)
}

#[test]
fn a_prompt_goes_to_the_local_engine_because_of_the_mode() {
    let mut router = router();
    let decision = send(&mut router, "hello").unwrap();
    assert_eq!((decision.id, decision.engine), (1, Engine::Local));
    assert_eq!(decision.reasons, [Reason::LocalOnlyMode, Reason::NoCloudEngine]);
    assert_eq!(router.prompts(), [Item::Prompt { id: 1, text: "hello".into() }]);
    assert_eq!(router.prompts(), []);
    assert_eq!(router.display(), []);
}

#[test]
fn with_a_network_prompts_stay_here_and_the_reason_is_true() {
    let mut router = Router::new(Mode::Network);
    let decision = send(&mut router, "hello").unwrap();
    assert_eq!((decision.engine, &decision.reasons[..]), (Engine::Local, &[Reason::NoCloudEngine][..]));
    assert_eq!(router.prompts().len(), 1);
    assert_eq!(router.outbound(), []);
    router.why(0);
    assert!(!shown(&mut router).join("\n").contains("Local Only"));
}

#[test]
fn an_unknown_mode_is_local_only() {
    for title in ["Local Only", "", "Everything Everywhere", "network", "Network "] {
        assert_eq!(Mode::from_title(title), Mode::LocalOnly);
    }
    assert_eq!(Mode::from_title("Network"), Mode::Network);
}

fn shown(router: &mut Router) -> Vec<String> {
    let text = |item| match item {
        display::Item::Lines { text, .. } => text,
        other => panic!("{other:?}"),
    };
    router.display().into_iter().map(text).collect()
}

fn host() -> Host {
    Host::try_from("example.org").unwrap()
}

/// As the shell asks: payload in pieces that fit into a call.
fn fetch(router: &mut Router, payload: &[u8]) -> Result<(), Error> {
    for piece in payload.chunks(ipc::router::PIECE_BYTES) {
        router.attach(0, Piece::from_slice(piece).unwrap())?;
    }
    router.fetch(0, host(), NonZeroU16::new(80).unwrap())
}

#[test]
fn in_local_only_nothing_goes_to_gate_and_the_person_reads_why() {
    let mut router = router();
    assert_eq!(fetch(&mut router, b"GET /"), Ok(()));
    router.ping(0, host());
    router.net(0);
    assert_eq!(router.outbound(), []);
    let shown = shown(&mut router);
    assert_eq!(shown.len(), 3);
    for sentence in shown {
        assert!(sentence.contains("Local Only") && sentence.contains("Ctrl-T"), "{sentence}");
    }
}

#[test]
fn with_a_network_requests_go_to_gate_as_they_were_asked() {
    let mut router = Router::new(Mode::Network);
    let bytes: Vec<u8> = (0..PAYLOAD_BYTES).map(|i| i as u8).collect();
    assert_eq!(fetch(&mut router, &bytes), Ok(()));
    router.ping(0, host());
    router.net(0);
    let payload = Payload::try_from(bytes).unwrap();
    let expected = [
        Request::Fetch { id: 1, host: host(), port: NonZeroU16::new(80).unwrap(), payload },
        Request::Ping { id: 2, host: host() },
        Request::NetStatus { id: 3 },
    ];
    assert_eq!(router.outbound(), expected);
    assert_eq!(router.outbound(), []);
    assert!(shown(&mut router).iter().all(|sentence| sentence.contains("the mode is Network")));
}

#[test]
fn a_payload_that_is_too_long_is_dropped_whole() {
    let mut router = Router::new(Mode::Network);
    let too_long = Err(Error::TooLong { limit: PAYLOAD_BYTES as u32 });
    assert_eq!(fetch(&mut router, &[0; PAYLOAD_BYTES + 1]), too_long);
    // Its tail is not taken for another one.
    assert_eq!(router.attach(0, Piece::from_slice(b"tail").unwrap()), too_long);
    assert_eq!(router.fetch(0, host(), NonZeroU16::MIN), too_long);
    assert_eq!(router.outbound(), []);
    assert_eq!(fetch(&mut router, b"next"), Ok(()));
    let Request::Fetch { payload, .. } = &router.outbound()[0] else { panic!() };
    assert_eq!(&**payload, b"next");
}

#[test]
fn clear_drops_what_was_attached() {
    let mut router = Router::new(Mode::Network);
    router.attach(0, Piece::from_slice(b"secret").unwrap()).unwrap();
    router.clear(0);
    fetch(&mut router, b"public").unwrap();
    let Request::Fetch { payload, .. } = &router.outbound()[0] else { panic!() };
    assert_eq!(&**payload, b"public");
}

#[test]
fn prompts_are_counted() {
    let mut router = router();
    assert_eq!(send(&mut router, "a").unwrap().id, 1);
    assert_eq!(send(&mut router, " \n "), Err(Error::Empty));
    assert_eq!(send(&mut router, "b").unwrap().id, 2);
}

#[test]
fn white_space_is_no_prompt() {
    let mut router = router();
    assert_eq!(router.submit(0), Err(Error::Empty));
    assert_eq!(send(&mut router, " \t\n"), Err(Error::Empty));
    assert_eq!(router.prompts(), []);
}

#[test]
fn clear_drops_what_was_appended() {
    let mut router = router();
    append(&mut router, "secret").unwrap();
    router.clear(0);
    assert_eq!(send(&mut router, "hello").unwrap().id, 1);
    assert_eq!(router.prompts(), [Item::Prompt { id: 1, text: "hello".into() }]);
}

#[test]
fn the_longest_prompt_passes_and_one_byte_more_does_not() {
    let mut router = router();
    assert!(send(&mut router, &"x".repeat(PROMPT_BYTES)).is_ok());
    assert_eq!(send(&mut router, &"x".repeat(PROMPT_BYTES + 1)), Err(Error::TooLong { limit: PROMPT_BYTES as u32 }));
}

#[test]
fn the_tail_of_a_too_long_prompt_is_not_taken_for_a_prompt() {
    let mut router = router();
    let piece = "y".repeat(ipc::router::CHUNK_BYTES);
    while append(&mut router, &piece).is_ok() {}
    assert!(append(&mut router, "tail").is_err());
    assert!(router.submit(0).is_err());
    assert_eq!(router.prompts(), []);
    assert!(send(&mut router, "next").is_ok());
}

#[test]
fn commands_pass_to_the_private_side() {
    let mut router = router();
    router.private(0, Command::New);
    router.private(0, Command::Model);
    assert_eq!(router.prompts(), [Item::Command(Command::New), Item::Command(Command::Model)]);
}

#[test]
fn why_explains_the_last_decision_in_sentences() {
    let mut router = router();
    router.why(0);
    send(&mut router, "one").unwrap();
    send(&mut router, "two").unwrap();
    router.why(0);
    let shown: Vec<String> = router
        .display()
        .into_iter()
        .map(|item| match item {
            display::Item::Lines { text, .. } => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown.len(), 2);
    assert!(shown[0].starts_with("No prompt was sent yet."));
    assert!(shown[1].starts_with("Prompt 2 went to the model on this machine."));
    assert!(shown.iter().flat_map(|text| text.lines()).all(|line| line.ends_with('.')));
}

#[test]
fn a_prompt_at_the_limit_fits_into_a_record() {
    let item = Item::Prompt { id: u64::MAX, text: "x".repeat(PROMPT_BYTES) };
    let mut buffer = vec![0; ipc::prompts::RECORD_BYTES];
    assert!(ipc::encode(&item, &mut buffer).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Append(String),
    Clear,
    Submit,
}

proptest! {
    /// Whatever the shell does, what comes out is what was appended since the last end of a prompt.
    #[test]
    fn what_was_appended_comes_out_or_nothing(steps in prop::collection::vec(
        prop_oneof![
            8 => "\\PC{0,200}".prop_map(Step::Append),
            1 => Just(Step::Append("z".repeat(896))),
            1 => Just(Step::Clear),
            2 => Just(Step::Submit),
        ], 0..200))
    {
        let mut router = router();
        let mut expected = Some(String::new());
        let mut id = 0;
        for step in steps {
            match step {
                Step::Append(text) => {
                    let Ok(chunk) = Chunk::try_from(text.as_str()) else { continue };
                    if let Some(so_far) = &mut expected {
                        so_far.push_str(&text);
                    }
                    if expected.as_ref().is_some_and(|text| text.len() > PROMPT_BYTES) {
                        expected = None;
                    }
                    prop_assert_eq!(router.append(0, chunk).is_ok(), expected.is_some());
                }
                Step::Clear => {
                    router.clear(0);
                    expected = Some(String::new());
                }
                Step::Submit => {
                    let result = router.submit(0);
                    match expected.replace(String::new()) {
                        Some(text) if !text.trim().is_empty() => {
                            id += 1;
                            prop_assert_eq!(result.unwrap().id, id);
                            prop_assert_eq!(router.prompts(), vec![Item::Prompt { id, text }]);
                        }
                        _ => {
                            prop_assert!(result.is_err());
                            prop_assert!(router.prompts().is_empty());
                        }
                    }
                }
            }
        }
    }
}
