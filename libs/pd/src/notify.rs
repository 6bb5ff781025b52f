//! Notifications, from both sides.

use spec::handle;

/// The sending side: wakes another PD, or tells it to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell(sel4::Notification);

impl Doorbell {
    /// The capability in this slot; `None` for slot 0, which is never one.
    pub fn from_slot(slot: u64) -> Option<Doorbell> {
        (slot != 0).then_some(Doorbell(sel4::Notification(slot)))
    }

    pub fn new(handle: handle::Signal) -> Doorbell {
        Doorbell(sel4::Notification(handle.slot))
    }

    /// Never blocks.
    #[inline]
    pub fn ring(self) {
        self.0.signal()
    }
}

/// The PD's own notification. Which bit stands for what is in the layout's module.
///
/// It is bound to the first thread: while that waits at its endpoint, signals arrive there ([`crate::rpc::Event`]).
#[derive(Clone, Copy, Debug)]
pub struct Notification(sel4::Notification);

impl Notification {
    /// `slot` is `layout::NOTIFICATION`.
    pub const fn new(slot: u64) -> Notification {
        Notification(sel4::Notification(slot))
    }

    /// Waits for at least one bit, and takes all that are set.
    #[inline]
    pub fn wait(self) -> u64 {
        self.0.wait().0
    }

    /// Takes all bits that are set; 0 if none is.
    #[inline]
    pub fn poll(self) -> u64 {
        self.0.poll().0
    }
}

/// An interrupt.
#[derive(Clone, Copy, Debug)]
pub struct Irq {
    handler: sel4::IrqHandler,
    bit: u64,
}

impl Irq {
    pub const fn new(handle: handle::Irq) -> Irq {
        Irq { handler: sel4::IrqHandler(handle.slot), bit: handle.bit }
    }

    /// Whether it is among these bits of the PD's notification.
    pub fn is_in(self, bits: u64) -> bool {
        bits & self.bit != 0
    }

    /// Lets the next one come.
    ///
    /// # Panics
    /// If the layout does not give this interrupt.
    pub fn ack(self) {
        if let Err(error) = self.handler.ack() {
            panic!("acknowledging an interrupt: {error:?}")
        }
    }
}
