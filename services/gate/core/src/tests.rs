use super::*;
use alloc::vec::Vec;
use core::num::NonZeroU16;
use ipc::outbound::{Host, Payload};
use proptest::prelude::*;

/// Router, serial, cloud, the record, and whoever sits in front of the screen.
#[derive(Default)]
struct World {
    requests: VecDeque<Request>,
    typed: VecDeque<Typed>,
    typed_broke: bool,
    requests_broke: bool,
    /// On their way to the screen, and on it.
    way: VecDeque<Item>,
    screen: Vec<Item>,
    /// Records that the way holds.
    room: Option<usize>,
    recorded: Vec<(Verdict, Request)>,
    sent: Vec<Request>,
}

impl Ends for World {
    fn request(&mut self) -> Came<Request> {
        if core::mem::take(&mut self.requests_broke) {
            return Came::Broken;
        }
        self.requests.pop_front().map_or(Came::Nothing, Came::One)
    }

    fn typed(&mut self) -> Came<Typed> {
        if core::mem::take(&mut self.typed_broke) {
            return Came::Broken;
        }
        self.typed.pop_front().map_or(Came::Nothing, Came::One)
    }

    fn show(&mut self, item: &Item) -> bool {
        let Item::Lines { text, .. } = item else { panic!("{item:?}") };
        assert!(!text.is_empty() && text.len() <= TEXT_BYTES, "serial would cut {} bytes", text.len());
        let fits = self.room.is_none_or(|room| self.way.len() < room);
        if fits {
            self.way.push_back(item.clone());
        }
        fits
    }

    fn all_taken(&mut self) -> bool {
        self.way.is_empty()
    }

    fn record(&mut self, decision: &Decision) {
        self.recorded.push((decision.verdict, decision.request.clone()));
    }

    fn send(&mut self, request: &Request) {
        let known = matches!(request, Request::NetStatus { .. })
            || self.recorded.last() == Some(&(Verdict::Confirmed, request.clone()));
        assert!(known, "sent without a record: {request:?}");
        self.sent.push(request.clone());
    }
}

impl World {
    /// Serial takes what is on its way.
    fn serial_takes(&mut self) {
        self.screen.extend(self.way.drain(..));
    }

    fn seen(&self) -> Vec<String> {
        let text = |item: &Item| match item {
            Item::Lines { text, .. } => text.lines().map(String::from).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        self.screen.iter().flat_map(text).collect()
    }

    fn last_said(&self) -> String {
        self.seen().pop().unwrap_or_default()
    }
}

struct Desk {
    gate: Gate,
    world: World,
    now_us: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk { gate: Gate::new(1), world: World::default(), now_us: 1_000_000 }
    }

    /// Gate runs, serial runs, until nobody has anything to do.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..20 {
            while self.gate.turn(&mut self.world, self.now_us) {}
            self.world.serial_takes();
        }
        self
    }

    /// Gate runs, serial does not.
    fn turn(&mut self) -> &mut Self {
        while self.gate.turn(&mut self.world, self.now_us) {}
        self
    }

    fn ask(&mut self, request: Request) -> &mut Self {
        self.world.requests.push_back(request);
        self
    }

    fn type_(&mut self, typed: Typed) -> &mut Self {
        self.world.typed.push_back(typed);
        self
    }

    fn open(&mut self) -> &mut Self {
        self.type_(Typed::Opened).settle()
    }

    fn line(&mut self, text: &str) -> &mut Self {
        self.type_(Typed::Line { text: text.into() }).settle()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.world.recorded.iter().map(|(verdict, _)| *verdict).collect()
    }
}

fn host() -> Host {
    "example.org".try_into().unwrap()
}

fn fetch(id: u64, bytes: &[u8]) -> Request {
    let port = NonZeroU16::new(80).unwrap();
    Request::Fetch { id, host: host(), port, payload: Payload::try_from(bytes.to_vec()).unwrap() }
}

fn ping(id: u64) -> Request {
    Request::Ping { id, host: host() }
}

fn payload(request: &Request) -> &[u8] {
    match request {
        Request::Fetch { payload, .. } => payload,
        _ => &[],
    }
}

/// The bytes that lines on the screen say.
fn read(lines: &[String]) -> Vec<u8> {
    let quoted = lines.iter().filter(|line| line.starts_with(visible::QUOTE)).cloned().collect::<Vec<_>>();
    visible::tests::read(&quoted)
}

#[test]
fn what_was_shown_leaves_after_a_yes() {
    let mut desk = Desk::new();
    let request = fetch(1, b"GET / HTTP/1.0\r\n\r\n");
    desk.ask(request.clone()).settle();
    assert!(desk.world.sent.is_empty());
    let seen = desk.world.seen();
    assert!(seen[0].contains("example.org") && seen[0].contains("port 80"), "{seen:?}");
    assert!(seen[1].contains("18 bytes"), "{seen:?}");
    assert_eq!(read(&seen), b"GET / HTTP/1.0\r\n\r\n");
    desk.open().line("yes");
    assert_eq!(desk.world.sent, [request]);
    assert_eq!(desk.verdicts(), [Verdict::Confirmed]);
    assert!(desk.world.last_said().contains("18 bytes to example.org, port 80"));
}

#[test]
fn a_ping_leaves_too_and_is_asked_about() {
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle();
    assert!(desk.world.sent.is_empty());
    desk.open().line("yes");
    assert_eq!(desk.world.sent, [ping(1)]);
}

#[test]
fn the_state_of_the_network_is_no_sending() {
    let mut desk = Desk::new();
    desk.ask(Request::NetStatus { id: 1 }).settle();
    assert_eq!(desk.world.sent, [Request::NetStatus { id: 1 }]);
    assert!(desk.world.screen.is_empty());
    // Even while somebody thinks about something else.
    desk.ask(ping(2)).ask(Request::NetStatus { id: 3 }).settle();
    assert_eq!(desk.world.sent.len(), 2);
    assert!(desk.verdicts().is_empty());
}

#[test]
fn anything_but_yes_is_a_no() {
    for answer in ["no", "", "y", "Yes", "YES", "yes please", "yes yes", "ye s", "\u{443}es", "yes\u{200b}", "да"] {
        let mut desk = Desk::new();
        desk.ask(ping(1)).settle().open().line(answer);
        assert!(desk.world.sent.is_empty(), "{answer:?}");
        assert_eq!(desk.verdicts(), [Verdict::Refused], "{answer:?}");
        // Second thoughts come too late.
        desk.line("yes");
        assert!(desk.world.sent.is_empty(), "{answer:?}");
    }
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle().open().line(" yes ");
    assert_eq!(desk.world.sent.len(), 1);
}

#[test]
fn one_yes_sends_once() {
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle().open().line("yes").line("yes").line("yes");
    assert_eq!(desk.world.sent.len(), 1);
    assert_eq!(desk.world.last_said(), words::NOTHING_WAITS);
}

#[test]
fn going_back_without_an_answer_is_a_no() {
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle().open().type_(Typed::Closed).settle();
    assert_eq!(desk.verdicts(), [Verdict::Closed]);
    desk.open().line("yes");
    assert!(desk.world.sent.is_empty());
}

#[test]
fn no_answer_in_time_is_a_no() {
    for opened in [false, true] {
        let mut desk = Desk::new();
        desk.ask(ping(1)).settle();
        if opened {
            desk.open();
        }
        desk.now_us += TIMEOUT_US - 1;
        desk.settle();
        assert!(desk.verdicts().is_empty());
        desk.now_us += 1;
        desk.settle();
        assert_eq!(desk.verdicts(), [Verdict::TimedOut]);
        desk.line("yes").open().line("yes");
        assert!(desk.world.sent.is_empty());
    }
}

#[test]
fn a_screen_that_takes_nothing_is_a_no_in_the_end() {
    let mut desk = Desk::new();
    desk.world.room = Some(0);
    desk.ask(ping(1)).settle().open().line("yes");
    desk.now_us += TIMEOUT_US;
    desk.settle();
    assert_eq!(desk.verdicts(), [Verdict::TimedOut]);
    assert!(desk.world.sent.is_empty());
}

#[test]
fn a_line_without_the_key_is_no_answer() {
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle().line("yes");
    assert!(desk.world.sent.is_empty());
    assert!(desk.verdicts().is_empty(), "it still waits");
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1);
}

#[test]
fn a_request_that_comes_after_the_key_is_not_answered_by_it() {
    let mut desk = Desk::new();
    desk.open().ask(ping(1)).settle().line("yes");
    assert!(desk.world.sent.is_empty());
    // Nor is it refused: it was not meant.
    assert!(desk.verdicts().is_empty());
    desk.type_(Typed::Closed).settle();
    assert!(desk.verdicts().is_empty());
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1);
}

#[test]
fn the_next_request_wants_the_key_again() {
    let mut desk = Desk::new();
    desk.ask(fetch(1, b"first")).ask(fetch(2, b"second")).settle().open().line("yes").line("yes");
    assert_eq!(desk.world.sent, [fetch(1, b"first")]);
    assert!(desk.world.last_said().contains("no answer"), "{}", desk.world.last_said());
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 2);
}

#[test]
fn a_yes_that_is_on_its_way_does_not_meet_the_next_request() {
    let mut desk = Desk::new();
    desk.ask(fetch(1, b"first")).ask(fetch(2, b"second")).settle().open();
    // The time of the first is over in the moment in which the person presses Enter.
    desk.now_us += TIMEOUT_US;
    desk.turn().line("yes");
    assert_eq!(desk.verdicts(), [Verdict::TimedOut]);
    assert!(desk.world.sent.is_empty());
}

#[test]
fn the_key_before_serial_took_the_last_line_does_not_count() {
    let mut desk = Desk::new();
    desk.ask(fetch(1, b"text")).turn();
    // All of it is on its way, none on the screen.
    desk.type_(Typed::Opened).type_(Typed::Line { text: "yes".into() }).turn();
    assert!(desk.world.sent.is_empty() && desk.verdicts().is_empty());
    desk.settle();
    assert!(desk.world.seen().iter().any(|line| line == words::NOT_SHOWN_YET));
    desk.line("yes");
    assert!(desk.world.sent.is_empty());
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1);
}

/// The key, the answer, the request and what serial took lie there when gate looks: it must not take the key for later.
#[test]
fn the_key_that_lies_there_when_serial_has_taken_all_may_have_come_before() {
    let mut desk = Desk::new();
    desk.ask(fetch(1, b"text")).turn();
    desk.type_(Typed::Opened).type_(Typed::Line { text: "yes".into() });
    desk.world.serial_takes();
    desk.settle();
    assert!(desk.world.sent.is_empty() && desk.verdicts().is_empty());
}

#[test]
fn a_part_on_the_screen_is_not_all_of_it() {
    let mut desk = Desk::new();
    desk.world.room = Some(1);
    desk.ask(fetch(1, &[b'x'; 4096])).turn();
    // One record at a time: the person sees the beginning.
    desk.world.serial_takes();
    desk.turn();
    desk.world.serial_takes();
    desk.type_(Typed::Opened).type_(Typed::Line { text: "yes".into() }).turn();
    assert!(desk.world.sent.is_empty() && desk.verdicts().is_empty());
    desk.settle().type_(Typed::Closed).settle();
    assert_eq!(read(&desk.world.seen()), [b'x'; 4096]);
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1);
}

#[test]
fn when_serial_dies_the_request_is_shown_again_before_anybody_can_say_yes() {
    let mut desk = Desk::new();
    desk.ask(fetch(1, b"text")).settle();
    desk.world.screen.clear();
    desk.world.typed_broke = true;
    desk.type_(Typed::Opened).type_(Typed::Line { text: "yes".into() }).settle();
    assert!(desk.world.sent.is_empty());
    assert_eq!(read(&desk.world.seen()), b"text");
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1);
    // It had taken everything when it died.
    desk.ask(ping(3)).turn();
    desk.world.serial_takes();
    desk.world.typed_broke = true;
    desk.turn().type_(Typed::Opened).type_(Typed::Line { text: "yes".into() }).turn();
    assert_eq!(desk.world.sent.len(), 1);
    desk.settle().type_(Typed::Closed).open().line("no");
    // In the middle of an answer it is a no.
    desk.ask(ping(2)).settle().open();
    desk.world.typed_broke = true;
    desk.settle().line("yes");
    assert_eq!(desk.verdicts(), [Verdict::Confirmed, Verdict::Refused, Verdict::Closed]);
    assert_eq!(desk.world.sent.len(), 1);
}

#[test]
fn a_new_life_knows_nothing_of_what_was_asked() {
    let mut desk = Desk::new();
    desk.ask(ping(1)).settle().open();
    desk.gate = Gate::new(2);
    desk.line("yes").line("yes");
    assert!(desk.world.sent.is_empty());
    assert!(desk.world.seen().iter().any(|line| line == words::STARTED_ANEW));
}

#[test]
fn more_than_can_wait_is_refused_and_the_screen_is_not_flooded() {
    let mut desk = Desk::new();
    for id in 0..1000 {
        desk.ask(ping(id));
    }
    desk.settle();
    let about_refusal = |desk: &Desk| desk.world.seen().iter().filter(|line| line.contains("refused")).count();
    assert_eq!(about_refusal(&desk), 1);
    assert!(desk.world.seen().len() < 20);
    desk.now_us += COMPLAINT_US;
    desk.settle();
    assert_eq!(about_refusal(&desk), 2);
    for _ in 0..=QUEUE {
        desk.open().line("yes").type_(Typed::Closed).settle();
    }
    assert_eq!(desk.world.sent, (0..=QUEUE as u64).map(ping).collect::<Vec<_>>());
    desk.open().line("yes");
    assert_eq!(desk.world.sent.len(), 1 + QUEUE);
}

#[test]
fn a_broken_request_is_told() {
    let mut desk = Desk::new();
    desk.world.requests_broke = true;
    desk.settle();
    assert_eq!(desk.world.seen(), [words::UNREADABLE]);
    assert!(desk.world.sent.is_empty());
}

#[test]
fn the_key_that_gate_names_is_the_layouts() {
    let layout = include_str!("../../../../root-task/layout/system.toml");
    let ring = layout.split("\nname = \"focus\"\n").find(|table| table.contains("\nto = \"gate\"\n")).unwrap();
    assert!(ring.lines().any(|line| line == "focus_key = \"ctrl-g\""));
    for sentence in [words::NOTHING_WAITS, words::NOT_SHOWN_YET, &words::question(TIMEOUT_US)] {
        assert!(sentence.contains("Ctrl-G"));
    }
}

#[test]
fn the_log_line_names_the_bytes_by_their_hash() {
    let line = |request: &Request| alloc::format!("{}", Decision { verdict: Verdict::Confirmed, request });
    let text = line(&fetch(7, b"abc"));
    let behind = text.strip_prefix("confirmed: sha256 ").unwrap();
    let (hash, behind) = behind.split_at(64);
    assert!(hash.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
    assert_eq!(behind, ", request 7: 3 bytes to port 80 of example.org");
    assert_ne!(text, line(&fetch(7, b"abd")));
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Request),
    Type(Typed),
    Break,
    SerialTakes(usize),
    Turn,
    Wait(u64),
    Die,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        Just(b"| yes\n\\n \xc2\xb7\x1b[2J".to_vec()),
        prop::collection::vec(any::<u8>(), 1000..1400),
    ];
    let request = prop_oneof![
        6 => (any::<u64>(), bytes).prop_map(|(id, bytes)| fetch(id, &bytes)),
        1 => any::<u64>().prop_map(ping),
        1 => any::<u64>().prop_map(|id| Request::NetStatus { id }),
    ];
    let yes = Typed::Line { text: "yes".into() };
    let step = prop_oneof![
        3 => request.prop_map(Step::Ask),
        4 => Just(Step::Type(Typed::Opened)),
        5 => Just(Step::Type(yes)),
        1 => Just(Step::Type(Typed::Line { text: "no".into() })),
        2 => Just(Step::Type(Typed::Closed)),
        2 => Just(Step::Break),
        6 => (0usize..6).prop_map(Step::SerialTakes),
        8 => Just(Step::Turn),
        1 => prop_oneof![0..1000u64, Just(TIMEOUT_US)].prop_map(Step::Wait),
        1 => Just(Step::Die),
    ];
    prop::collection::vec(step, 0..120)
}

/// An onlooker who sees the screen and the keys, but not gate, and who knows when an answer may count: it is the first
/// line after a key that was pressed when all of the request was on the screen and nothing else was asked since.
#[derive(Default)]
struct Onlooker {
    /// The request whose end was last seen on the screen, if nothing was asked after it.
    on_screen: Option<Vec<u8>>,
    reading: Option<Vec<String>>,
    answer_to: Option<Vec<u8>>,
    may_go: Vec<Vec<u8>>,
}

impl Onlooker {
    fn sees(&mut self, item: &Item) {
        let Item::Lines { text, .. } = item else { return };
        for line in text.lines() {
            if line.contains("would go") {
                self.on_screen = None;
                self.reading = Some(Vec::new());
            } else if line.starts_with(visible::QUOTE) {
                self.reading.as_mut().expect("bytes belong to a request").push(line.into());
            } else if line.starts_with("If that is to leave") {
                self.on_screen = self.reading.take().map(|lines| read(&lines));
            }
        }
    }

    fn sees_typed(&mut self, typed: &Typed) {
        match typed {
            Typed::Opened => self.answer_to = self.on_screen.clone(),
            Typed::Line { text } => match self.answer_to.take() {
                Some(bytes) if text == "yes" => self.may_go.push(bytes),
                _ => {}
            },
            Typed::Closed => self.answer_to = None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The whole of it: whatever happens in whatever order, what leaves was on the screen byte for byte when the key
    /// was pressed, with nothing asked after it, and the next line was yes; and each yes sends once.
    #[test]
    fn nothing_leaves_that_was_not_shown_and_confirmed(steps in steps(), room in 1usize..20) {
        let mut desk = Desk::new();
        desk.world.room = Some(room);
        let mut onlooker = Onlooker::default();
        for step in steps {
            match step {
                Step::Ask(request) => _ = desk.ask(request),
                Step::Type(typed) => {
                    onlooker.sees_typed(&typed);
                    desk.type_(typed);
                }
                Step::Break => desk.world.typed_broke = true,
                Step::SerialTakes(count) => {
                    for _ in 0..count {
                        let Some(item) = desk.world.way.pop_front() else { break };
                        onlooker.sees(&item);
                        desk.world.screen.push(item);
                    }
                }
                Step::Turn => _ = desk.turn(),
                Step::Wait(us) => desk.now_us += us,
                Step::Die => desk.gate = Gate::new(2),
            }
            let left: Vec<&Request> =
                desk.world.sent.iter().filter(|request| !matches!(request, Request::NetStatus { .. })).collect();
            let mut may_go = onlooker.may_go.clone();
            for request in left {
                let found = may_go.iter().position(|bytes| bytes == payload(request));
                prop_assert!(found.is_some(), "{request:?} left, {:?} was confirmed", onlooker.may_go);
                may_go.remove(found.unwrap());
            }
        }
    }

    #[test]
    fn what_is_sent_is_what_was_shown(bytes in prop::collection::vec(any::<u8>(), 0..4097)) {
        let mut desk = Desk::new();
        desk.ask(fetch(1, &bytes)).settle();
        prop_assert_eq!(&read(&desk.world.seen()), &bytes);
        desk.open().line("yes");
        prop_assert_eq!(payload(&desk.world.sent[0]), &bytes[..]);
    }
}
