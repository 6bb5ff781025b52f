//! One function for each decoder: takes any bytes, and panics if something is wrong. The fuzz targets call them with
//! what the fuzzer finds, `tests/corpus.rs` with the corpus and with random bytes.

use ipc::{decode, CallError, Reply, Transport, MESSAGE_BYTES};
use std::fmt::Debug;
use std::num::NonZeroU16;

pub const DECODERS: [(&str, fn(&[u8])); 13] = [
    ("display", |bytes| record::<ipc::display::Item>(bytes)),
    ("keys", |bytes| record::<ipc::keys::Event>(bytes)),
    ("focus", |bytes| record::<ipc::focus::Typed>(bytes)),
    ("prompts", |bytes| record::<ipc::prompts::Item>(bytes)),
    ("outbound", |bytes| record::<ipc::outbound::Request>(bytes)),
    ("inference_request", |bytes| record::<ipc::inference::Request>(bytes)),
    ("inference_event", |bytes| record::<ipc::inference::Event>(bytes)),
    ("net_record", |bytes| borrowing(bytes, |bytes| decode::<ipc::net::Record>(bytes).ok().map(again))),
    ("net_event", |bytes| borrowing(bytes, |bytes| decode::<ipc::net::Event>(bytes).ok().map(again))),
    ("net_call", net_call),
    ("inference_call", inference_call),
    ("router_call", router_call),
    ("supervisor_call", supervisor_call),
];

/// A record either is refused or means something: encoded again and decoded, it is the same.
fn record<T>(bytes: &[u8])
where
    T: serde::Serialize + for<'a> serde::Deserialize<'a> + Debug,
{
    borrowing(bytes, |bytes| decode::<T>(bytes).ok().map(again))
}

/// As [`record`], for values that borrow from their bytes: `decode` gives what [`again`] makes of one.
fn borrowing(bytes: &[u8], decode: impl Fn(&[u8]) -> Option<(String, Vec<u8>)>) {
    let Some((value, encoded)) = decode(bytes) else { return };
    // A number can be written longer than it has to be, never shorter than we write it.
    assert!(encoded.len() <= bytes.len());
    let (again, _) = decode(&encoded).expect("what was encoded can be decoded");
    // Not a comparison of the values: NaN is in order, and is no equal of itself.
    assert_eq!(value, again);
}

/// What a value says of itself, and what it is encoded as.
fn again(value: impl serde::Serialize + Debug) -> (String, Vec<u8>) {
    let mut buffer = vec![0; 128 * 1024];
    let encoded = ipc::encode(&value, &mut buffer).expect("what was decoded can be encoded").to_vec();
    (format!("{value:?}"), encoded)
}

/// Serves a call and looks at the reply: whatever was asked, a status that we know and bytes that fit.
fn call(bytes: &[u8], dispatch: impl FnOnce(u16, &[u8], &mut [u8]) -> Reply) {
    let (version, request) = match bytes {
        [first, request @ ..] => (u16::from(*first), request),
        [] => (1, bytes),
    };
    let mut reply = [0; MESSAGE_BYTES];
    let answer = dispatch(version, request, &mut reply);
    assert!(answer.status <= ipc::status::TOO_LONG && answer.bytes <= MESSAGE_BYTES);
    assert!(answer.status == ipc::status::OK || answer.bytes == 0);
}

/// A server that answers with these bytes.
struct Answers<'a>(&'a [u8]);

impl Transport for Answers<'_> {
    fn call(&mut self, _version: u16, _request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError> {
        let bytes = self.0.len().min(reply.len());
        reply[..bytes].copy_from_slice(&self.0[..bytes]);
        // A faulty transport may say more than there is.
        Ok(Reply { status: 0, bytes: self.0.len() })
    }
}

fn inference_call(bytes: &[u8]) {
    use ipc::inference::{call, Stopped};
    struct Engine;
    impl call::Server for Engine {
        fn stop(&mut self, _caller: u64, id: u64) -> Stopped {
            if id % 2 == 0 { Stopped::Running } else { Stopped::Unknown }
        }
    }
    self::call(bytes, |version, request, reply| call::dispatch(&mut Engine, 1, version, request, reply));
    _ = call::Client(Answers(bytes)).stop(1);
}

fn router_call(bytes: &[u8]) {
    use ipc::router::{Chunk, Command, Decision, Engine, Error, Host, Piece, Reason, Server};
    struct Router;
    impl Server for Router {
        fn append(&mut self, _caller: u64, chunk: Chunk) -> Result<(), Error> {
            assert!(chunk.len() <= ipc::router::CHUNK_BYTES);
            if chunk.is_empty() { Err(Error::TooLong { limit: 1 }) } else { Ok(()) }
        }
        fn clear(&mut self, _caller: u64) {}
        fn submit(&mut self, caller: u64) -> Result<Decision, Error> {
            let reasons = heapless::Vec::from_slice(&[Reason::LocalOnlyMode]).unwrap();
            Ok(Decision { id: caller, engine: Engine::Local, reasons })
        }
        fn private(&mut self, _caller: u64, command: Command) {
            _ = format!("{command:?}");
        }
        fn why(&mut self, _caller: u64) {}
        fn attach(&mut self, _caller: u64, piece: Piece) -> Result<(), Error> {
            assert!(piece.len() <= ipc::router::PIECE_BYTES);
            Ok(())
        }
        fn fetch(&mut self, _caller: u64, host: Host, port: NonZeroU16) -> Result<(), Error> {
            assert!(Host::try_from(&*host).is_ok());
            if port.get() == 1 { Err(Error::TooLong { limit: 1 }) } else { Ok(()) }
        }
        fn ping(&mut self, _caller: u64, host: Host) {
            assert!(host.len() <= ipc::outbound::HOST_BYTES);
        }
        fn net(&mut self, _caller: u64) {}
    }
    call(bytes, |version, request, reply| ipc::router::dispatch(&mut Router, 1, version, request, reply));
    _ = ipc::router::Client(Answers(bytes)).submit();
    _ = ipc::router::Client(Answers(bytes)).append(Chunk::new());
}

fn supervisor_call(bytes: &[u8]) {
    struct Root;
    impl ipc::supervisor::Server for Root {
        fn status(&mut self, _caller: u64) {}
        fn caps(&mut self, _caller: u64) {}
        fn log(&mut self, _caller: u64) {}
        fn quit(&mut self, _caller: u64) {}
    }
    call(bytes, |version, request, reply| ipc::supervisor::dispatch(&mut Root, 1, version, request, reply));
    _ = ipc::supervisor::Client(Answers(bytes)).status();
}

fn net_call(bytes: &[u8]) {
    use ipc::net::{Client, Error, Host, Id, Server, Status};
    struct Net;
    impl Server for Net {
        fn connect(&mut self, _caller: u64, host: Host, port: u16, timeout_ms: u32) -> Result<Id, Error> {
            assert!(!matches!(host, Host::Name(name) if name.len() > 253));
            if port == 0 { Err(Error::BadPort) } else { Ok(Id { life: port.into(), number: timeout_ms }) }
        }
        fn close(&mut self, _caller: u64, id: Id) {
            _ = format!("{id:?}");
        }
        fn ping(&mut self, _caller: u64, _host: Host, after_ms: u32) -> Result<Id, Error> {
            Err(Error::TimedOut { after_ms })
        }
        fn status(&mut self, _caller: u64) -> Status {
            Status {
                mac: [2, 0, 0, 0, 0, 1],
                reach: ipc::net::Reach::NoAddress,
                ipv4: None,
                ipv6: heapless::Vec::new(),
                gateway: None,
                gateway6: None,
                dns: heapless::Vec::new(),
                sockets: 0,
                pings: 0,
                received: Default::default(),
                sent: Default::default(),
                bad_frames: 0,
                full: 0,
                malformed: 0,
            }
        }
    }
    call(bytes, |version, request, reply| ipc::net::dispatch(&mut Net, 1, version, request, reply));
    let host = Host::Address([127, 0, 0, 1].into());
    _ = Client(Answers(bytes)).connect(host, 80, 1000);
    _ = Client(Answers(bytes)).status().map(|status| format!("{status:?}"));
}

/// Runs the decoder of this name.
#[allow(dead_code)]
pub fn run(name: &str, bytes: &[u8]) {
    let (_, decoder) = DECODERS.iter().find(|(of, _)| *of == name).expect("a decoder of this name");
    decoder(bytes);
}
