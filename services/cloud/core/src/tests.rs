use super::*;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU16;
use ipc::net::{Count, NameError, Reach};
use proptest::prelude::*;

const LIFE: u32 = 3;
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2));

/// A network server that answers calls as it is told, and keeps what it was sent.
struct FakeNet {
    connect: Result<Result<(), Error>, CallError>,
    status: Result<Status, CallError>,
    /// Records that its ring holds.
    room: usize,
    numbers: u32,
    asked: Vec<(Host, u16)>,
    data: Vec<u8>,
    shutdowns: usize,
    taken: u64,
    closed: Vec<Id>,
}

impl Default for FakeNet {
    fn default() -> Self {
        FakeNet {
            connect: Ok(Ok(())),
            status: Err(CallError::ServerDied),
            room: usize::MAX,
            numbers: 0,
            asked: Vec::new(),
            data: Vec::new(),
            shutdowns: 0,
            taken: 0,
            closed: Vec::new(),
        }
    }
}

impl Net for FakeNet {
    fn connect(&mut self, host: Host, port: u16, timeout_ms: u32) -> Result<Result<Id, Error>, CallError> {
        assert!(timeout_ms > 0);
        self.asked.push((host, port));
        self.numbers += 1;
        self.connect.map(|result| result.map(|()| Id { life: LIFE, number: self.numbers }))
    }

    fn ping(&mut self, host: Host, timeout_ms: u32) -> Result<Result<Id, Error>, CallError> {
        self.connect(host, 0, timeout_ms)
    }

    fn status(&mut self) -> Result<Status, CallError> {
        self.status.clone()
    }

    fn close(&mut self, id: Id) {
        self.closed.push(id);
    }

    fn send(&mut self, record: &Record) -> bool {
        let Some(room) = self.room.checked_sub(1) else { return false };
        self.room = room;
        match record {
            Record::Data { bytes, .. } => {
                assert_eq!(self.shutdowns, 0, "bytes behind the end");
                self.data.extend_from_slice(bytes);
            }
            Record::Shutdown { .. } => self.shutdowns += 1,
            Record::Taken { bytes, .. } => self.taken += u64::from(*bytes),
        }
        true
    }
}

struct Desk {
    cloud: Cloud,
    net: FakeNet,
    now_us: u64,
    shown: Vec<Item>,
}

impl Desk {
    fn new() -> Desk {
        Desk { cloud: Cloud::new(1), net: FakeNet::default(), now_us: 1_000_000, shown: Vec::new() }
    }

    fn fetching(payload: &[u8]) -> Desk {
        let mut desk = Desk::new();
        desk.request(fetch(payload));
        desk
    }

    fn connected(payload: &[u8]) -> Desk {
        let mut desk = Desk::fetching(payload);
        let id = desk.id();
        desk.event(Event::Connected { id, address: ADDRESS, port: 80 });
        desk
    }

    fn id(&self) -> Id {
        Id { life: LIFE, number: self.net.numbers }
    }

    fn after(&mut self) -> &mut Self {
        self.cloud.send(&mut self.net);
        while let Some(item) = self.cloud.next_shown() {
            match &item {
                Item::Lines { text, .. } => assert!(!text.is_empty() && text.len() <= ipc::display::TEXT_BYTES),
                Item::Progress { .. } => {}
                other => panic!("{other:?}"),
            }
            self.shown.push(item);
        }
        self
    }

    fn request(&mut self, request: Request) -> &mut Self {
        assert!(self.cloud.idle());
        self.cloud.request(request, &mut self.net, self.now_us);
        self.after()
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.cloud.event(event, &mut self.net, self.now_us);
        self.after()
    }

    fn data(&mut self, bytes: &[u8]) -> &mut Self {
        let id = self.id();
        self.event(Event::Data { id, bytes })
    }

    fn wait(&mut self, us: u64) -> &mut Self {
        self.now_us += us;
        self.cloud.tick(&mut self.net, self.now_us);
        self.after()
    }

    fn interrupt(&mut self) -> &mut Self {
        self.cloud.interrupt(&mut self.net, self.now_us);
        self.after()
    }

    fn lines(&self) -> Vec<&str> {
        let texts = self.shown.iter().filter_map(|item| match item {
            Item::Lines { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.flat_map(str::lines).collect()
    }

    fn last(&self) -> &str {
        self.lines().last().copied().unwrap_or_default()
    }
}

fn host() -> outbound::Host {
    "example.org".try_into().unwrap()
}

fn fetch(payload: &[u8]) -> Request {
    let port = NonZeroU16::new(80).unwrap();
    Request::Fetch { id: 1, host: host(), port, payload: Payload::try_from(payload.to_vec()).unwrap() }
}

#[test]
fn a_page_is_fetched_and_shown_as_it_comes() {
    let request = b"GET / HTTP/1.0\r\n\r\n";
    let mut desk = Desk::fetching(request);
    assert_eq!(desk.net.asked, [(Host::Name("example.org".try_into().unwrap()), 80)]);
    assert!(desk.net.data.is_empty(), "not before there is a connection");
    let id = desk.id();
    desk.event(Event::Started { life: LIFE }).event(Event::Connected { id, address: ADDRESS, port: 80 });
    assert_eq!((&desk.net.data[..], desk.net.shutdowns), (&request[..], 0));
    desk.data(b"HTTP/1.0 200 OK\r\n\r\nhel");
    assert_eq!(desk.lines(), ["Connected to 10.0.2.2, port 80.", "HTTP/1.0 200 OK", ""]);
    desk.data(b"lo\n");
    assert_eq!((desk.last(), desk.net.taken), ("hello", 25));
    desk.now_us += 120_000;
    desk.event(Event::End { id });
    assert_eq!(desk.last(), "That was all: 25 bytes in 0.12 s.");
    assert!(!desk.cloud.idle(), "the connection says goodbye");
    assert_eq!(desk.net.shutdowns, 1);
    desk.event(Event::Closed { id });
    assert!(desk.cloud.idle() && desk.net.closed.is_empty());
}

#[test]
fn one_request_follows_another() {
    let mut desk = Desk::connected(b"one");
    let id = desk.id();
    desk.data(b"first\n").event(Event::Closed { id });
    desk.request(fetch(b"two"));
    let second = desk.id();
    // What is said of the first no longer matters.
    desk.event(Event::Data { id, bytes: b"late\n" }).event(Event::Failed { id, error: Error::Reset });
    desk.net.shutdowns = 0;
    desk.event(Event::Connected { id: second, address: ADDRESS, port: 80 }).data(b"second\n");
    assert_eq!(desk.last(), "second");
    assert_eq!(desk.net.data, b"onetwo");
}

#[test]
fn the_half_is_closed_where_only_that_says_that_it_was_all() {
    for (payload, shutdowns) in [
        (&b"hello\n"[..], 1),
        (b"GET /", 1),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0),
        (b"POST /x HTTP/1.0\n\nbody", 0),
        (b"", 0),
    ] {
        let desk = Desk::connected(payload);
        assert_eq!((&desk.net.data[..], desk.net.shutdowns), (payload, shutdowns));
    }
}

#[test]
fn a_full_ring_delays_and_loses_nothing() {
    let mut desk = Desk::new();
    desk.net.room = 0;
    desk.request(fetch(b"hello"));
    let id = desk.id();
    desk.event(Event::Connected { id, address: ADDRESS, port: 80 }).data(b"one\n").data(b"two\n");
    assert_eq!((desk.net.data.len(), desk.net.taken), (0, 0));
    for (data, shutdowns, taken) in [(5, 0, 0), (5, 1, 0), (5, 1, 8), (5, 1, 8)] {
        desk.net.room = 1;
        desk.after();
        assert_eq!((desk.net.data.len(), desk.net.shutdowns, desk.net.taken), (data, shutdowns, taken));
    }
}

#[test]
fn every_error_is_a_sentence() {
    let errors = [
        Error::LinkDown,
        Error::NoAddress,
        Error::AddressLost,
        Error::Name(NameError::Unknown),
        Error::Unreachable,
        Error::Refused,
        Error::Reset,
        Error::TimedOut { after_ms: 15_000 },
        Error::TooMany { limit: 8 },
        Error::NoMemory,
        Error::BadPort,
        Error::Overrun,
        Error::Device,
    ];
    for error in errors {
        for mut desk in [Desk::fetching(b"x"), Desk::connected(b"x")] {
            let id = desk.id();
            desk.event(Event::Failed { id, error });
            assert!(desk.cloud.idle() && desk.last().ends_with('.'), "{}", desk.last());
            assert!(desk.last().starts_with(&alloc::format!("{error}")));
        }
        let mut desk = Desk::new();
        desk.net.connect = Ok(Err(error));
        desk.request(fetch(b"x"));
        assert!(desk.cloud.idle() && desk.last().ends_with('.'));
    }
    for error in
        [CallError::ServerDied, CallError::Version, CallError::Malformed, CallError::Refused, CallError::TooLong]
    {
        let mut desk = Desk::new();
        desk.net.connect = Err(error);
        desk.request(fetch(b"x")).request(Request::Ping { id: 1, host: host() }).request(Request::NetStatus { id: 1 });
        assert!(desk.cloud.idle() && desk.lines().len() >= 3 && desk.last().ends_with('.'));
    }
}

#[test]
fn an_error_after_some_bytes_says_how_many_came() {
    let mut desk = Desk::connected(b"x");
    let id = desk.id();
    desk.data(b"half a li").event(Event::Failed { id, error: Error::Reset });
    assert_eq!(
        desk.lines()[1..],
        ["half a li", "The other end has broken off the connection. Before that came 9 bytes."]
    );
}

#[test]
fn a_ping_is_answered_or_not() {
    let mut desk = Desk::new();
    desk.request(Request::Ping { id: 1, host: host() });
    let id = desk.id();
    desk.event(Event::Pong { id, address: ADDRESS, time_us: 1234 });
    assert_eq!((desk.last(), desk.cloud.idle()), ("10.0.2.2 answered in 1.23 ms.", true));
    desk.request(Request::Ping { id: 2, host: host() });
    let id = desk.id();
    desk.event(Event::NoPong { id, error: Error::TimedOut { after_ms: 5000 } });
    assert_eq!((desk.last(), desk.cloud.idle()), ("No answer from example.org: No answer within 5.0 s.", true));
    desk.request(Request::Ping { id: 3, host: host() }).interrupt();
    assert_eq!((desk.last(), desk.cloud.idle(), desk.net.closed.len()), ("Stopped.", true, 1));
}

#[test]
fn the_state_of_the_network_is_shown_in_lines() {
    let mut desk = Desk::new();
    desk.net.status = Ok(Status {
        mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56],
        reach: Reach::Ready,
        ipv4: Some((Ipv4Addr::new(10, 0, 2, 15), 24)),
        ipv6: [(Ipv6Addr::LOCALHOST, 64)].into_iter().collect(),
        gateway: Some(Ipv4Addr::new(10, 0, 2, 2)),
        gateway6: None,
        dns: heapless::Vec::new(),
        sockets: 1,
        pings: 0,
        received: Count { frames: 1, bytes: 64 },
        sent: Count { frames: 2, bytes: 1 << 30 },
        bad_frames: 0,
        full: 0,
        malformed: 0,
    });
    desk.request(Request::NetStatus { id: 1 });
    let lines = desk.lines();
    for row in [
        "network   ready; card 52:54:00:12:34:56",
        "IPv4      10.0.2.15/24, gateway 10.0.2.2",
        "IPv6      ::1/64, gateway none",
        "DNS       none",
        "now       1 connection, 0 pings",
        "received  1 frame, 64 bytes",
        "sent      2 frames, 1024 MiB",
    ] {
        assert!(lines.contains(&row), "{row} is not in {lines:?}");
    }
}

#[test]
fn the_persons_key_stops_it_at_any_time() {
    for mut desk in [Desk::fetching(b"x"), Desk::connected(b"x")] {
        let id = desk.id();
        desk.interrupt();
        assert_eq!((desk.cloud.idle(), &desk.net.closed[..]), (true, &[id][..]));
        assert_eq!(desk.last(), "Stopped after 0 bytes in 0.00 s.");
        // Again: nothing is there to stop.
        let lines = desk.lines().len();
        assert_eq!(desk.interrupt().lines().len(), lines);
    }
    let mut desk = Desk::connected(b"x");
    desk.data(b"line\nrest").interrupt();
    assert_eq!(desk.lines()[1..], ["line", "rest", "Stopped after 9 bytes in 0.00 s."]);
}

#[test]
fn an_answer_without_end_is_shown_in_part_and_counted() {
    let mut desk = Desk::connected(b"x");
    for _ in 0..2000 {
        desk.data(&[b'x'; 1000]);
    }
    let shown: usize = desk.lines().iter().map(|line| line.matches('x').count()).sum();
    assert!((text::SHOWN_BYTES..text::SHOWN_BYTES + 100).contains(&shown), "{shown}");
    assert_eq!(desk.net.taken, 2_000_000, "it is taken nevertheless");
    assert!(desk.last().contains("64 KiB"));
    desk.wait(250_000);
    assert_eq!(desk.shown.last(), Some(&Item::Progress { text: "1953 KiB so far".into() }));
    let id = desk.id();
    desk.event(Event::End { id });
    assert!(desk.shown.contains(&Item::Progress { text: String::new() }));
    assert_eq!(desk.last(), "That was all: 1953 KiB in 0.25 s.");
}

#[test]
fn a_line_that_does_not_end_is_shown_after_a_moment() {
    let mut desk = Desk::connected(b"x");
    desk.data(b"login: ");
    assert_eq!(desk.wait(PATIENCE_US - 1).lines().len(), 1);
    assert_eq!(desk.wait(1).last(), "login: ");
}

#[test]
fn silence_has_an_end() {
    let mut desk = Desk::connected(b"x");
    desk.wait(SILENCE_US - 1).data(b"x\n").wait(SILENCE_US - 1);
    assert!(!desk.cloud.idle());
    assert_eq!(desk.wait(1).last(), "Nothing came for 30.00 s; the connection was closed after 2 bytes.");
    assert_eq!((desk.cloud.idle(), desk.net.closed.len()), (true, 1));
    // A network server that says nothing at all.
    let ping = Request::Ping { id: 1, host: host() };
    for request in [fetch(b"x"), ping] {
        let mut desk = Desk::new();
        desk.request(request).wait(u64::from(CONNECT_MS) * 1000 + GRACE_US);
        assert_eq!((desk.last(), desk.cloud.idle(), desk.net.closed.len()), (words::NO_WORD, true, 1));
    }
    // The other end never says goodbye.
    let mut desk = Desk::connected(b"x");
    let id = desk.id();
    desk.event(Event::End { id }).wait(GOODBYE_US - 1);
    assert!(!desk.cloud.idle());
    assert!(desk.wait(1).cloud.idle());
    assert_eq!(desk.net.closed, [id]);
}

#[test]
fn a_network_server_that_died_is_a_sentence() {
    let ping = Request::Ping { id: 1, host: host() };
    for request in [fetch(b"x"), ping] {
        let mut desk = Desk::new();
        desk.request(request).event(Event::Started { life: LIFE + 1 });
        assert_eq!((desk.last(), desk.cloud.idle()), (words::NET_DIED, true));
    }
    // Its first word in the life in which it was asked is no death.
    assert!(!Desk::fetching(b"x").event(Event::Started { life: LIFE }).cloud.idle());
    // After all was said there is nothing to say.
    let mut desk = Desk::connected(b"x");
    let id = desk.id();
    desk.event(Event::End { id });
    let lines = desk.lines().len();
    desk.event(Event::Started { life: LIFE + 1 });
    assert_eq!((desk.lines().len(), desk.cloud.idle()), (lines, true));
}

#[test]
fn what_makes_no_sense_ends_the_request() {
    let id = Desk::fetching(b"x").id();
    let pong = Event::Pong { id, address: ADDRESS, time_us: 1 };
    for event in [Event::Data { id, bytes: b"x" }, pong.clone(), Event::NoPong { id, error: Error::Reset }] {
        let mut desk = Desk::fetching(b"x");
        desk.event(event);
        assert_eq!((desk.last(), desk.cloud.idle(), desk.net.closed.len()), (words::NO_SENSE, true, 1));
    }
    let mut desk = Desk::connected(b"x");
    desk.event(Event::Connected { id, address: ADDRESS, port: 1 });
    assert_eq!((desk.last(), desk.cloud.idle()), (words::NO_SENSE, true));
    let mut desk = Desk::connected(b"x");
    desk.cloud.event_malformed(&mut desk.net);
    desk.after();
    assert_eq!((desk.last(), desk.cloud.idle()), (words::NO_SENSE, true));
    let mut desk = Desk::new();
    desk.request(Request::Ping { id: 1, host: host() }).event(Event::End { id });
    assert_eq!((desk.last(), desk.cloud.idle()), (words::NO_SENSE, true));
}

#[test]
fn a_new_life_says_what_is_lost() {
    let mut desk = Desk::new();
    desk.cloud = Cloud::new(2);
    assert_eq!(desk.after().last(), words::STARTED_ANEW);
}

#[derive(Clone, Debug)]
enum Step {
    Request(Request),
    Data {
        ours: bool,
        bytes: Vec<u8>,
    },
    /// Number of an event without bytes.
    Event {
        ours: bool,
        which: u8,
    },
    Malformed,
    Interrupt,
    Wait(u64),
    Room(usize),
    Calls(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..50).prop_map(|payload| Step::Request(fetch(&payload))),
        1 => Just(Step::Request(Request::Ping { id: 9, host: host() })),
        1 => Just(Step::Request(Request::NetStatus { id: 9 })),
        5 => (prop::bool::weighted(0.9), prop::collection::vec(any::<u8>(), 0..2000))
            .prop_map(|(ours, bytes)| Step::Data { ours, bytes }),
        8 => (prop::bool::weighted(0.9), 0u8..9).prop_map(|(ours, which)| Step::Event { ours, which }),
        1 => Just(Step::Malformed),
        1 => Just(Step::Interrupt),
        2 => prop_oneof![0..2_000_000u64, Just(SILENCE_US), Just(60_000_000)].prop_map(Step::Wait),
        1 => prop_oneof![Just(0usize), 1..5usize, Just(usize::MAX)].prop_map(Step::Room),
        1 => (0u8..4).prop_map(Step::Calls),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever the network server does, each request ends with one sentence, nobody is waited for, what is sent is
    /// what gate gave, and no more is given back than came.
    #[test]
    fn a_network_server_that_behaves_badly_does_no_harm(steps in steps()) {
        let mut desk = Desk::new();
        let (mut begun, mut came) = (0usize, 0u64);
        let mut payload: Vec<u8> = Vec::new();
        for step in steps {
            let current = Id { life: LIFE, number: desk.net.numbers };
            let id = |ours: bool| if ours { current } else { Id { life: 9, number: 9 } };
            match step {
                Step::Request(request) => {
                    if !desk.cloud.idle() {
                        continue;
                    }
                    if let Request::Fetch { payload: bytes, .. } = &request {
                        payload = bytes.to_vec();
                    }
                    (desk.net.data, desk.net.shutdowns, desk.net.taken, came) = (Vec::new(), 0, 0, 0);
                    desk.request(request);
                    begun += 1;
                }
                Step::Data { ours, bytes } => {
                    came += bytes.len() as u64;
                    let id = id(ours);
                    desk.event(Event::Data { id, bytes: &bytes });
                }
                Step::Event { ours, which } => {
                    let id = id(ours);
                    let event = match which {
                        0 => Event::Connected { id, address: ADDRESS, port: 1 },
                        1 => Event::Sent { id, bytes: u32::MAX },
                        2 => Event::End { id },
                        3 => Event::Closed { id },
                        4 => Event::Failed { id, error: Error::Reset },
                        5 => Event::Pong { id, address: ADDRESS, time_us: u32::MAX },
                        6 => Event::NoPong { id, error: Error::Unreachable },
                        7 => Event::Network(Reach::LinkDown),
                        _ => Event::Started { life: id.life },
                    };
                    desk.event(event);
                }
                Step::Malformed => {
                    desk.cloud.event_malformed(&mut desk.net);
                    desk.after();
                }
                Step::Interrupt => _ = desk.interrupt(),
                Step::Wait(us) => _ = desk.wait(us),
                Step::Room(room) => desk.net.room = room,
                Step::Calls(which) => desk.net.connect = match which {
                    0 => Err(CallError::ServerDied),
                    1 => Ok(Err(Error::TooMany { limit: 8 })),
                    _ => Ok(Ok(())),
                },
            }
            prop_assert!(desk.net.data.is_empty() || desk.net.data == payload);
            prop_assert!(desk.net.taken <= came && desk.net.shutdowns <= 1);
        }
        // Nothing more comes: after a bounded time it is over.
        for _ in 0..3 {
            desk.wait(60_000_000);
        }
        prop_assert!(desk.cloud.idle());
        let sentences = desk.shown.iter().filter(|item| match item {
            Item::Lines { style: Style::Error, .. } => true,
            Item::Lines { style: Style::Dim, text } => text.starts_with("That was all"),
            Item::Lines { style: Style::Plain, text } => text.contains("answered in"),
            _ => false,
        });
        prop_assert_eq!(sentences.count(), begun);
    }
}
