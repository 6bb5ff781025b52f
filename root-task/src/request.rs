//! What the shell may ask of root. Replies are constants; what the person wanted to know goes to the display.

use ipc::{status, supervisor, MESSAGE_BYTES};
use sel4::Message;

use crate::supervisor::Supervisor;

/// Log lines that `/log` shows.
const LOG_LINES: usize = 30;

/// Answers a request at once: root never waits for anyone.
pub fn answer(root: &mut Supervisor, caller: u64, message: &Message) {
    let mut request = [0; MESSAGE_BYTES];
    let mut reply = [0; MESSAGE_BYTES];
    let (status, bytes) = match rpc::request(message, &mut request) {
        Some((version, length)) => {
            let reply = supervisor::dispatch(root, caller, version, &request[..length], &mut reply);
            (reply.status, reply.bytes)
        }
        None => (status::MALFORMED, 0),
    };
    rpc::reply(status, &reply[..bytes]);
}

impl supervisor::Server for Supervisor {
    fn status(&mut self, _caller: u64) {
        self.show_status();
    }

    fn caps(&mut self, _caller: u64) {
        self.show_caps();
    }

    fn log(&mut self, _caller: u64) {
        self.voice.show_log(LOG_LINES);
    }

    fn quit(&mut self, _caller: u64) {
        self.switch_off();
    }
}
