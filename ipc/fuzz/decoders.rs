//! One function for each decoder: takes any bytes, and panics if something is wrong. The fuzz targets call them with
//! what the fuzzer finds, `tests/corpus.rs` with the corpus and with random bytes.

use ipc::{decode, CallError, Reply, Transport, MESSAGE_BYTES};
use std::fmt::Debug;
use std::num::NonZeroU16;

pub const DECODERS: [(&str, fn(&[u8])); 9] = [
    ("display", |bytes| record::<ipc::display::Item>(bytes)),
    ("keys", |bytes| record::<ipc::keys::Event>(bytes)),
    ("prompts", |bytes| record::<ipc::prompts::Item>(bytes)),
    ("outbound", |bytes| record::<ipc::outbound::Request>(bytes)),
    ("inference_request", |bytes| record::<ipc::inference::Request>(bytes)),
    ("inference_event", |bytes| record::<ipc::inference::Event>(bytes)),
    ("inference_call", inference_call),
    ("router_call", router_call),
    ("supervisor_call", supervisor_call),
];

/// A record either is refused or means something: encoded again and decoded, it is the same.
fn record<T>(bytes: &[u8])
where
    T: serde::Serialize + for<'a> serde::Deserialize<'a> + Debug,
{
    let Ok(value) = decode::<T>(bytes) else { return };
    let mut buffer = vec![0; bytes.len() + 64];
    // A number can be written longer than it has to be, never shorter than we write it.
    let encoded = ipc::encode(&value, &mut buffer).expect("what was decoded can be encoded").to_vec();
    assert!(encoded.len() <= bytes.len());
    let again = decode::<T>(&encoded).expect("what was encoded can be decoded");
    // Not a comparison of the values: NaN is in order, and is no equal of itself.
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
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

/// Runs the decoder of this name.
#[allow(dead_code)]
pub fn run(name: &str, bytes: &[u8]) {
    let (_, decoder) = DECODERS.iter().find(|(of, _)| *of == name).expect("a decoder of this name");
    decoder(bytes);
}
