//! The call side: one definition, both ends.

use serde::{de::DeserializeOwned, Serialize};

/// Bytes of a request or reply: 120 message registers, as in seL4's IPC buffer.
pub const MESSAGE_BYTES: usize = 960;

/// Status of a reply, carried beside its bytes.
pub mod status {
    pub const OK: u16 = 0;
    /// The server speaks another version of the protocol.
    pub const VERSION: u16 = 1;
    /// The request does not decode.
    pub const MALFORMED: u16 = 2;
    /// This caller may not call this method.
    pub const REFUSED: u16 = 3;
    /// The reply does not fit into a message.
    pub const TOO_LONG: u16 = 4;
}

/// A reply as the transport hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub bytes: usize,
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The server died before it answered, or answered what no server of this protocol answers. The call may or may
    /// not have had its effect: it is never repeated by itself.
    ServerDied,
    /// The server speaks another version.
    Version,
    /// The server could not decode the request, or we could not decode its reply.
    Malformed,
    /// The server refuses this caller.
    Refused,
    /// Request or reply exceed [`MESSAGE_BYTES`].
    TooLong,
}

impl CallError {
    #[cold]
    pub fn from_status(status: u16) -> Self {
        match status {
            status::VERSION => CallError::Version,
            status::MALFORMED => CallError::Malformed,
            status::REFUSED => CallError::Refused,
            status::TOO_LONG => CallError::TooLong,
            _ => CallError::ServerDied,
        }
    }
}

/// Carries a request to the server and its reply back.
pub trait Transport {
    fn call(&mut self, version: u16, request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError>;

    /// A call as values. A transport that can encode to where the bytes leave from does it in its own way.
    #[inline]
    fn exchange<Q, A>(&mut self, version: u16, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize,
        A: DeserializeOwned,
        Self: Sized,
    {
        let mut out = [0; MESSAGE_BYTES];
        let mut back = [0; MESSAGE_BYTES];
        let request = crate::encode(request, &mut out).ok_or(CallError::TooLong)?;
        let reply = self.call(version, request, &mut back)?;
        if reply.status != status::OK {
            return Err(CallError::from_status(reply.status));
        }
        let bytes = back.get(..reply.bytes).ok_or(CallError::Malformed)?;
        crate::decode(bytes).map_err(|_| CallError::Malformed)
    }
}

/// What the code that [`protocol!`] makes stands on.
#[doc(hidden)]
pub mod made {
    use super::{status, Reply};
    pub use crate::wire::Decoder;
    pub use serde::Deserialize;
    use serde::Serialize;

    #[inline]
    pub fn refuse(status: u16) -> Reply {
        Reply { status, bytes: 0 }
    }

    #[inline]
    pub fn reply<T: Serialize>(value: &T, buffer: &mut [u8]) -> Reply {
        match crate::encode(value, buffer) {
            Some(bytes) => Reply { status: status::OK, bytes: bytes.len() },
            None => refuse(status::TOO_LONG),
        }
    }
}

/// Defines a protocol: `Variant method(argument: Type, ...) -> Reply;` for each call. Makes `VERSION`, the enum
/// `Request`, the trait `Server`, `dispatch` and `Client`.
///
/// Neither end builds a `Request`, whose size is that of the largest: they write and read the number of the variant and
/// then its arguments, which is what a `Request` is encoded as.
#[macro_export]
macro_rules! protocol {
    (
        version $version:literal;
        $( $(#[$doc:meta])* $variant:ident $method:ident ( $( $arg:ident : $ty:ty ),* $(,)? ) -> $reply:ty ; )+
    ) => {
        /// Version of this protocol; a server refuses every other.
        pub const VERSION: u16 = $version;

        /// What travels in a call.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum Request {
            $( $(#[$doc])* $variant { $( $arg: $ty ),* }, )+
        }

        /// Numbers of the requests, as serde counts them.
        #[repr(u32)]
        enum RequestNumber {
            $( $variant, )+
        }

        /// The serving side. `caller` is the badge: the kernel's word for who calls.
        pub trait Server {
            $( $(#[$doc])* fn $method(&mut self, caller: u64, $( $arg: $ty ),*) -> $reply; )+
        }

        /// Decodes a request, hands it to the server, encodes what it returns into `reply`.
        pub fn dispatch<S: Server>(
            server: &mut S,
            caller: u64,
            version: u16,
            request: &[u8],
            reply: &mut [u8],
        ) -> $crate::Reply {
            use $crate::{made, status};
            if version != VERSION {
                return made::refuse(status::VERSION);
            }
            let mut decoder = made::Decoder::new(request);
            let Ok(number) = <u32 as made::Deserialize>::deserialize(&mut decoder) else {
                return made::refuse(status::MALFORMED);
            };
            match number {
                $( number if number == RequestNumber::$variant as u32 => {
                    $( let Ok($arg) = <$ty as made::Deserialize>::deserialize(&mut decoder) else {
                        return made::refuse(status::MALFORMED);
                    }; )*
                    // A request is exactly one value: nothing may follow.
                    if !decoder.at_end() {
                        return made::refuse(status::MALFORMED);
                    }
                    made::reply::<$reply>(&server.$method(caller, $( $arg ),*), reply)
                } )+
                _ => made::refuse(status::MALFORMED),
            }
        }

        /// The calling side.
        pub struct Client<T>(pub T);

        impl<T: $crate::Transport> Client<T> {
            $( $(#[$doc])* pub fn $method(&mut self, $( $arg: $ty ),*) -> Result<$reply, $crate::CallError> {
                self.0.exchange(VERSION, &(RequestNumber::$variant as u32, $( &$arg, )*))
            } )+
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Text = heapless::String<16>;
    type Bytes = heapless::Vec<u8, 700>;

    crate::protocol! {
        version 3;
        First first() -> ();
        Second second(number: u64, text: Text) -> (u64, Text);
        /// Its reply can be longer than its request.
        Third third(bytes: Bytes) -> (Bytes, Bytes);
    }

    #[derive(Default)]
    struct Echoes(Vec<Request>);

    impl Server for Echoes {
        fn first(&mut self, _: u64) {
            self.0.push(Request::First {});
        }
        fn second(&mut self, _: u64, number: u64, text: Text) -> (u64, Text) {
            self.0.push(Request::Second { number, text: text.clone() });
            (number, text)
        }
        fn third(&mut self, _: u64, bytes: Bytes) -> (Bytes, Bytes) {
            self.0.push(Request::Third { bytes: bytes.clone() });
            (bytes.clone(), bytes)
        }
    }

    impl Transport for &mut Echoes {
        fn call(&mut self, version: u16, request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError> {
            Ok(dispatch(*self, 7, version, request, reply))
        }
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::First {}),
            (any::<u64>(), "[a-zäß€]{0,4}")
                .prop_map(|(number, text)| Request::Second { number, text: Text::try_from(text.as_str()).unwrap() }),
            prop::collection::vec(any::<u8>(), 0..700)
                .prop_map(|bytes| Request::Third { bytes: bytes.into_iter().collect() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_called_is_what_is_served(request in request()) {
            let mut server = Echoes::default();
            let mut client = Client(&mut server);
            match request.clone() {
                Request::First {} => prop_assert_eq!(client.first(), Ok(())),
                Request::Second { number, text } => prop_assert_eq!(client.second(number, text.clone()), Ok((number, text))),
                Request::Third { bytes } if bytes.len() < 470 => {
                    prop_assert_eq!(client.third(bytes.clone()), Ok((bytes.clone(), bytes)))
                }
                Request::Third { bytes } if bytes.len() > 478 => prop_assert_eq!(client.third(bytes), Err(CallError::TooLong)),
                Request::Third { bytes } => drop(client.third(bytes)),
            }
            prop_assert_eq!(server.0, [request]);
        }

        #[test]
        fn both_ends_write_what_a_request_is_encoded_as(request in request()) {
            let mut buffer = [0; MESSAGE_BYTES];
            let bytes = crate::encode(&request, &mut buffer).unwrap();
            let mut server = Echoes::default();
            dispatch(&mut server, 7, VERSION, bytes, &mut [0; MESSAGE_BYTES]);
            prop_assert_eq!(server.0, [request]);
        }

        #[test]
        fn bytes_are_refused_exactly_when_they_are_no_request(bytes in prop::collection::vec(0u8..20, 0..24)) {
            let mut server = Echoes::default();
            let reply = dispatch(&mut server, 7, VERSION, &bytes, &mut [0; MESSAGE_BYTES]);
            match crate::decode::<Request>(&bytes) {
                Ok(request) => prop_assert_eq!(server.0, [request]),
                Err(_) => {
                    prop_assert_eq!(reply.status, status::MALFORMED);
                    prop_assert!(server.0.is_empty());
                }
            }
        }
    }

    #[test]
    fn another_version_is_refused_before_anything_is_read() {
        let mut server = Echoes::default();
        assert_eq!(dispatch(&mut server, 7, VERSION + 1, &[0xff], &mut []).status, status::VERSION);
        assert!(server.0.is_empty());
    }
}
