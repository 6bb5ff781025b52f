//! The call side: one definition, both ends.

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
}

/// Defines a protocol: `Variant method(argument: Type, ...) -> Reply;` for each call. Makes `VERSION`, the enum
/// `Request`, the trait `Server`, `dispatch` and `Client`.
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
            use $crate::status;
            if version != VERSION {
                return $crate::Reply { status: status::VERSION, bytes: 0 };
            }
            let Ok(request) = $crate::decode::<Request>(request) else {
                return $crate::Reply { status: status::MALFORMED, bytes: 0 };
            };
            match request {
                $( Request::$variant { $( $arg ),* } => {
                    let value: $reply = server.$method(caller, $( $arg ),*);
                    match $crate::encode(&value, reply) {
                        Some(bytes) => $crate::Reply { status: status::OK, bytes: bytes.len() },
                        None => $crate::Reply { status: status::TOO_LONG, bytes: 0 },
                    }
                } )+
            }
        }

        /// The calling side.
        pub struct Client<T>(pub T);

        impl<T: $crate::Transport> Client<T> {
            $( $(#[$doc])* pub fn $method(&mut self, $( $arg: $ty ),*) -> Result<$reply, $crate::CallError> {
                let mut out = [0u8; $crate::MESSAGE_BYTES];
                let mut back = [0u8; $crate::MESSAGE_BYTES];
                let request = $crate::encode(&Request::$variant { $( $arg ),* }, &mut out)
                    .ok_or($crate::CallError::TooLong)?;
                let reply = self.0.call(VERSION, request, &mut back)?;
                if reply.status != $crate::status::OK {
                    return Err($crate::CallError::from_status(reply.status));
                }
                back.get(..reply.bytes)
                    .and_then(|bytes| $crate::decode(bytes).ok())
                    .ok_or($crate::CallError::Malformed)
            } )+
        }
    };
}
