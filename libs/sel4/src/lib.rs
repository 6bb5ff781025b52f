//! The kernel's interface: system calls, typed capabilities and their invocations, messages, faults, the boot
//! information.
//!
//! What the kernel's own files say is in [`generated`], written at build time by `sel4-bindgen` from the source that
//! the kernel itself is built from; `ALPHA_GENERATED` names the folder. What differs between architectures is in
//! [`arch`]. A capability type is a number of a slot and nothing more: holding one gives no authority, the kernel
//! checks every use.
#![no_std]

pub mod arch;
mod bootinfo;
mod cap;
mod error;
mod message;

/// What the kernel's own files say.
#[allow(missing_docs)]
#[allow(clippy::all)]
pub mod generated {
    use crate::{cap::cap_type, message::invoke, CPtr, Result, Word};

    include!(concat!(env!("ALPHA_GENERATED"), "/sel4.rs"));
}

pub use bootinfo::{BootInfo, UntypedInfo};
pub use cap::{Badge, CPtr, Endpoint, Notification, Slot};
pub use error::{Error, LookupFailure, Result};
pub use generated::{
    config, consts, CNode, CapData, CapRights, DomainSet, Fault, IpcBuffer, IrqControl, IrqHandler, MessageInfo,
    PrioProps, Tcb, Untyped, UserContext, VmAttributes, MESSAGE_REGISTERS,
};
pub use message::{
    debug_put_char, ipc_buffer, mr, reply, set_cap, set_ipc_buffer, set_mr, yield_now, Message, MAX_WORDS,
};

/// A machine word.
pub type Word = u64;

/// Badge of the message that wakes a caller whose server died before it replied (overlay). The badge of a reply is 0,
/// so no server can send this.
pub const DEAD_SERVER: Badge = Badge(consts::DEAD_SERVER_BADGE);

// Without these, a call is never answered and a dead server's callers wait for ever: nothing that is built on this
// crate would work.
const _: () = assert!(CapRights::GRANT_REPLY.0 != 0, "the bindings are not from the patched kernel: no GrantReply");
const _: () = assert!(DEAD_SERVER.0 != 0, "the bindings are not from the patched kernel: no seL4_DeadServer");
