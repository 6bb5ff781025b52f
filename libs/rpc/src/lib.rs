//! Calls: bytes to a server and back, in the kernel's message registers.
//!
//! Eight bytes go into each word, little-endian; what is left of the last word is zero. The label carries what the
//! words cannot say:
//!
//! | bits | call | reply |
//! |---|---|---|
//! | 0..3 | unused bytes in the last word | the same |
//! | 3..19 | the protocol's version | the status (`ipc::status`) |
//! | 19 | 0 | 0 |
//!
//! Up to 32 bytes travel in registers and take the kernel's fast path; up to 960 go through the IPC buffer. A caller
//! whose server dies before it replied is woken by the kernel with a badge that no reply has.
#![cfg_attr(not(test), no_std)]

mod buffer;

use ipc::{status, CallError, Reply, Transport, MESSAGE_BYTES};
use sel4::{Endpoint, Message, MessageInfo, MAX_WORDS};
use serde::{de::DeserializeOwned, Serialize};
use spec::{handle, label::BADGE_CALLER};

const REGISTERS: usize = sel4::MESSAGE_REGISTERS;
const REGISTER_BYTES: usize = 8 * REGISTERS;
const _: () = assert!(MESSAGE_BYTES == 8 * MAX_WORDS);

fn info(value: u16, bytes: usize) -> MessageInfo {
    let words = bytes.div_ceil(8);
    MessageInfo::new(u64::from(value) << 3 | (8 * words - bytes) as u64, words)
}

/// Version or status, and length in bytes; `None` if the label is none of ours.
fn read_info(info: MessageInfo) -> Option<(u16, usize)> {
    let (label, words) = (info.label(), (info.length() as usize).min(MAX_WORDS));
    let bytes = (8 * words).checked_sub((label & 7) as usize)?;
    (label >> 19 == 0).then_some(((label >> 3) as u16, bytes))
}

/// Bytes into words; the rest of the last word becomes zero, so that nothing else leaves the PD in it.
#[inline]
fn pack(bytes: &[u8], words: &mut [u64]) {
    let (whole, rest) = bytes.as_chunks::<8>();
    let (to, behind) = words.split_at_mut(whole.len());
    for (word, chunk) in to.iter_mut().zip(whole) {
        *word = u64::from_le_bytes(*chunk);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        behind[0] = u64::from_le_bytes(last);
    }
}

/// Words into bytes, as many as there is room for.
#[inline]
fn unpack(words: &[u64], bytes: &mut [u8]) {
    let (whole, rest) = bytes.as_chunks_mut::<8>();
    for (chunk, word) in whole.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    if let Some(word) = words.get(whole.len()) {
        rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]);
    }
}

/// The words of the IPC buffer behind those that travel in registers.
fn with_buffer<R>(f: impl FnOnce(&mut [u64]) -> R) -> R {
    // SAFETY: the thread's own buffer; the kernel touches it only in a system call, and `f` makes none.
    let buffer = unsafe { &mut *sel4::ipc_buffer() };
    f(&mut buffer.msg[REGISTERS..])
}

/// Puts at most [`MESSAGE_BYTES`] bytes into registers and IPC buffer.
#[inline]
fn put(bytes: &[u8]) -> [u64; REGISTERS] {
    let mut registers = [0; REGISTERS];
    let (first, rest) = bytes.split_at(bytes.len().min(REGISTER_BYTES));
    pack(first, &mut registers);
    if !rest.is_empty() {
        with_buffer(|words| pack(rest, words));
    }
    registers
}

/// Copies a message's bytes out, all of `bytes`.
#[inline]
fn take(message: &Message, bytes: &mut [u8]) {
    let (first, rest) = bytes.split_at_mut(bytes.len().min(REGISTER_BYTES));
    unpack(&message.mr, first);
    if !rest.is_empty() {
        with_buffer(|words| unpack(words, rest));
    }
}

/// Calls the server behind an endpoint and waits for its reply. Gives the reply's status and length.
#[inline]
pub fn call(endpoint: Endpoint, version: u16, request: &[u8], reply: &mut [u8]) -> Result<(u16, usize), CallError> {
    if request.len() > MESSAGE_BYTES {
        return Err(CallError::TooLong);
    }
    let (answer, status, length) = ask(endpoint, info(version, request.len()), put(request))?;
    take(&answer, reply.get_mut(..length).ok_or(CallError::TooLong)?);
    Ok((status, length))
}

/// The call itself: the answer, its status and its length in bytes.
#[inline]
fn ask(endpoint: Endpoint, info: MessageInfo, mr: [u64; REGISTERS]) -> Result<(Message, u16, usize), CallError> {
    let answer = endpoint.call(info, mr);
    if answer.badge == sel4::DEAD_SERVER {
        return Err(CallError::ServerDied);
    }
    let (status, length) = read_info(answer.info).ok_or(CallError::Malformed)?;
    Ok((answer, status, length))
}

/// Copies the request out of a message that came in, for a server with a receive loop of its own. Gives the protocol's
/// version and the length; `None` if the message is no request.
pub fn request(message: &Message, bytes: &mut [u8; MESSAGE_BYTES]) -> Option<(u16, usize)> {
    let (version, length) = read_info(message.info)?;
    take(message, &mut bytes[..length]);
    Some((version, length))
}

/// Replies to the last caller.
pub fn reply(status: u16, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(MESSAGE_BYTES)];
    sel4::reply(info(status, bytes.len()), put(bytes));
}

/// The calling end of an endpoint: what a protocol's client is built on.
#[derive(Clone, Copy, Debug)]
pub struct Client(Endpoint);

impl Client {
    pub const fn new(handle: handle::Client) -> Client {
        Client(Endpoint(handle.slot))
    }
}

impl Transport for Client {
    #[inline]
    fn call(&mut self, version: u16, request: &[u8], reply: &mut [u8]) -> Result<Reply, CallError> {
        call(self.0, version, request, reply).map(|(status, bytes)| Reply { status, bytes })
    }

    /// Encodes straight into the IPC buffer and decodes from there: a value that is encoded or decoded makes no system
    /// call.
    #[inline]
    fn exchange<Q: Serialize, A: DeserializeOwned>(&mut self, version: u16, request: &Q) -> Result<A, CallError> {
        let (length, mr) = buffer::write(request).ok_or(CallError::TooLong)?;
        let (answer, status, length) = ask(self.0, info(version, length), mr)?;
        if status != status::OK {
            return Err(CallError::from_status(status));
        }
        buffer::read(&answer, length, |bytes| ipc::decode(bytes)).map_err(|_| CallError::Malformed)
    }
}

/// What a server wakes up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call, to be answered with [`Server::answer`] before the next event. `caller` is the badge: the kernel's word
    /// for who calls.
    Call { caller: u64 },
    /// Bits of the PD's notification.
    Signal { bits: u64 },
}

enum State {
    /// Nobody waits for us.
    Idle,
    /// A caller waits; its request of this version and length was copied out.
    Asked { version: u16, length: usize },
    /// The answer is ready and goes out with the next receive.
    Answered(Reply),
}

/// The serving end of an endpoint.
///
/// ```ignore
/// let mut server = rpc::Server::new(layout::SERVER);
/// loop {
///     match server.next() {
///         Event::Call { caller } => server.answer(|version, request, reply| {
///             ipc::router::dispatch(&mut core, caller, version, request, reply)
///         }),
///         Event::Signal { bits } => core.look(bits),
///     }
/// }
/// ```
pub struct Server {
    endpoint: Endpoint,
    request: [u64; MAX_WORDS],
    reply: [u64; MAX_WORDS],
    state: State,
}

impl Server {
    pub const fn new(handle: handle::Server) -> Server {
        Server { endpoint: Endpoint(handle.slot), request: [0; MAX_WORDS], reply: [0; MAX_WORDS], state: State::Idle }
    }

    /// Sends the answer that is due, if any, and waits for what comes next, in one system call. A call that was not
    /// answered is refused.
    #[allow(clippy::should_implement_trait)] // it never ends
    #[inline] // a server has one such loop
    pub fn next(&mut self) -> Event {
        loop {
            let message = match core::mem::replace(&mut self.state, State::Idle) {
                State::Idle => self.endpoint.recv(),
                State::Asked { .. } => self.endpoint.reply_recv(info(status::REFUSED, 0), [0; REGISTERS]),
                State::Answered(reply) => {
                    let mr = buffer::put(&mut self.reply, reply.bytes);
                    self.endpoint.reply_recv(info(reply.status, reply.bytes), mr)
                }
            };
            if let Some(event) = self.read(message) {
                return event;
            }
        }
    }

    /// As [`Server::next`], but does not wait: `None` if nothing is there. For a server that has other work to go on
    /// with.
    pub fn poll(&mut self) -> Option<Event> {
        if let State::Asked { .. } = self.state {
            self.state = State::Answered(Reply { status: status::REFUSED, bytes: 0 });
        }
        self.flush();
        let message = self.endpoint.nb_recv();
        // No caller has badge 0, and no signal.
        if message.badge.0 == 0 {
            return None;
        }
        let event = self.read(message);
        self.flush();
        event
    }

    /// What came; `None` if it was no request of ours: then its answer is due.
    #[inline]
    fn read(&mut self, message: Message) -> Option<Event> {
        if message.badge.0 & BADGE_CALLER == 0 {
            return Some(Event::Signal { bits: message.badge.0 });
        }
        match read_info(message.info) {
            Some((version, length)) => {
                buffer::take(&message, length, &mut self.request);
                self.state = State::Asked { version, length };
                Some(Event::Call { caller: message.badge.0 })
            }
            None => {
                self.state = State::Answered(Reply { status: status::MALFORMED, bytes: 0 });
                None
            }
        }
    }

    /// Answers the call that [`Server::next`] gave: `answer` gets the protocol's version, the request and the space for
    /// the reply. It goes out with the next [`Server::next`], or at once with [`Server::flush`].
    #[inline]
    pub fn answer(&mut self, answer: impl FnOnce(u16, &[u8], &mut [u8]) -> Reply) {
        if let State::Asked { version, length } = self.state {
            let request = &buffer::bytes(&self.request)[..length];
            let mut reply = answer(version, request, buffer::bytes_mut(&mut self.reply));
            reply.bytes = reply.bytes.min(MESSAGE_BYTES);
            self.state = State::Answered(reply);
        }
    }

    /// Sends the answer now, for a server that has something longer to do before its next receive.
    pub fn flush(&mut self) {
        if let State::Answered(reply) = self.state {
            sel4::reply(info(reply.status, reply.bytes), buffer::put(&mut self.reply, reply.bytes));
            self.state = State::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_the_label() {
        for bytes in 0..=MESSAGE_BYTES {
            for value in [0, 1, 4, u16::MAX] {
                let info = info(value, bytes);
                assert_eq!(read_info(info), Some((value, bytes)));
                assert!(info.label() < 1 << 19);
            }
        }
    }

    #[test]
    fn labels_that_are_not_ours_are_refused() {
        assert_eq!(read_info(MessageInfo::new(1 << 19, 4)), None);
        assert_eq!(read_info(MessageInfo::new(7, 0)), None);
        // A length beyond the buffer, as a kernel would never give it.
        assert_eq!(read_info(MessageInfo::new(0, 127)), Some((0, MESSAGE_BYTES)));
    }

    #[test]
    fn bytes_survive_the_words() {
        let bytes: Vec<u8> = (0..MESSAGE_BYTES).map(|i| i as u8 | 1).collect();
        for length in 0..=MESSAGE_BYTES {
            let mut words = [u64::MAX; MAX_WORDS];
            pack(&bytes[..length], &mut words);
            let used = length.div_ceil(8);
            if length % 8 != 0 {
                assert_eq!(words[used - 1] >> (8 * (length % 8)), 0, "stale bytes in the last word");
            }
            assert!(words[used..].iter().all(|w| *w == u64::MAX));
            let mut back = vec![0; length];
            unpack(&words, &mut back);
            assert_eq!(back, bytes[..length]);
        }
    }
}
