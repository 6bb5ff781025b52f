//! What the shell may ask of root. Replies are constants; the answer goes to the display.

use sel4::{Message, MessageInfo};

use crate::supervisor::Supervisor;

pub fn answer(supervisor: &mut Supervisor, caller: u64, message: &Message) {
    let _ = (supervisor, caller, message);
    sel4::reply(MessageInfo::new(0, 0), [0; 4]);
}
