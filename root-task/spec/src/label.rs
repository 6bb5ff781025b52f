//! Message labels and badges on the endpoint where root receives.
//!
//! The kernel's own fault labels are small numbers, so ours start at [`FIRST`]. Root takes everything that comes here
//! for forgeable: a PD can send any label, but the badge is the kernel's word for who sent it.

/// Below this, a label is a kernel fault type.
pub const FIRST: u64 = 0x100;
/// A PD panicked: the text (file, line, message; UTF-8) is in the message registers, eight bytes each, its length in
/// the first one.
pub const PANIC: u64 = 0x100;

/// Low bits of the badge: index of the PD in the specification.
pub const BADGE_PD_MASK: u64 = 0xff;
/// Badge bit of the capability that faults and panics come over.
pub const BADGE_FAULT: u64 = 0x100;
/// Badge bit of every caller on a server's endpoint. A PD's notification is bound to its thread and arrives at the same
/// receive: its bits never include this one, so a badge with it is a call and one without it is a notification.
pub const BADGE_CALLER: u64 = 1 << 27;
/// Badge bit of the capability for requests to the supervisor (protocol `ipc::supervisor`).
pub const BADGE_REQUEST: u64 = 0x200;
