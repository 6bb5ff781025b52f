//! Capabilities as types.

use crate::{
    arch,
    generated::{syscall, CNode, CapData, CapRights, PrioProps, Untyped},
    message::Message,
    MessageInfo, Result, Word,
};
use core::ops::BitOr;

/// A slot in the caller's CSpace, whatever lies in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CPtr(pub Word);

impl CPtr {
    /// No capability.
    pub const NULL: CPtr = CPtr(0);
}

/// Makes a capability type: a newtype around a slot.
macro_rules! cap_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub Word);

        impl $name {
            /// The slot.
            #[inline]
            pub const fn cptr(self) -> CPtr {
                CPtr(self.0)
            }
        }

        impl From<$name> for CPtr {
            #[inline]
            fn from(cap: $name) -> CPtr {
                CPtr(cap.0)
            }
        }

        impl From<CPtr> for $name {
            #[inline]
            fn from(cptr: CPtr) -> $name {
                $name(cptr.0)
            }
        }
    };
}
pub(crate) use cap_type;

cap_type! {
    /// An endpoint.
    Endpoint
}
cap_type! {
    /// A notification.
    Notification
}

/// Who sent a message, or which bits were signalled: the badge of the capability that was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Badge(pub Word);

impl Endpoint {
    /// Sends and waits until it is taken. `mr` are the first words; further ones must be in the IPC buffer.
    #[inline]
    pub fn send(self, info: MessageInfo, mr: [Word; 4]) {
        arch::send(syscall::SEND, self.0, info, mr)
    }

    /// Sends if a receiver waits, else does nothing.
    #[inline]
    pub fn nb_send(self, info: MessageInfo, mr: [Word; 4]) {
        arch::send(syscall::NB_SEND, self.0, info, mr)
    }

    /// Sends and waits for the reply. A capability with neither Grant nor GrantReply never gets one: its caller is
    /// stopped for good.
    #[inline]
    pub fn call(self, info: MessageInfo, mr: [Word; 4]) -> Message {
        arch::send_recv(syscall::CALL, self.0, info, mr)
    }

    /// Waits for a message (or for a signal of the notification that is bound to the thread).
    #[inline]
    pub fn recv(self) -> Message {
        arch::recv(syscall::RECV, self.0)
    }

    /// Takes a message if one is there; else the badge is 0 and nothing of the message has a meaning.
    #[inline]
    pub fn nb_recv(self) -> Message {
        arch::recv(syscall::NB_RECV, self.0)
    }

    /// Replies to the last caller and waits for the next message.
    #[inline]
    pub fn reply_recv(self, info: MessageInfo, mr: [Word; 4]) -> Message {
        arch::send_recv(syscall::REPLY_RECV, self.0, info, mr)
    }
}

impl Notification {
    /// Sets the badge's bits and wakes a waiter. Never blocks.
    #[inline]
    pub fn signal(self) {
        arch::send(syscall::SEND, self.0, MessageInfo::default(), [0; 4])
    }

    /// Waits until a bit is set, and takes all of them.
    #[inline]
    pub fn wait(self) -> Badge {
        arch::recv(syscall::RECV, self.0).badge
    }

    /// Takes the bits that are set.
    #[inline]
    pub fn poll(self) -> Badge {
        arch::recv(syscall::NB_RECV, self.0).badge
    }
}

impl MessageInfo {
    /// A message of `words` words without capabilities.
    #[inline]
    pub const fn new(label: Word, words: usize) -> Self {
        MessageInfo(0).with_label(label).with_length(words as Word)
    }
}

impl CapRights {
    pub const NONE: CapRights = CapRights(0);
    pub const WRITE: CapRights = CapRights(Self::CAP_ALLOW_WRITE_MASK);
    pub const READ: CapRights = CapRights(Self::CAP_ALLOW_READ_MASK);
    pub const GRANT: CapRights = CapRights(Self::CAP_ALLOW_GRANT_MASK);
    /// May be replied to (overlay).
    pub const GRANT_REPLY: CapRights = CapRights(Self::GRANT_REPLY_MASK);
    pub const READ_WRITE: CapRights = CapRights(Self::READ.0 | Self::WRITE.0);
    pub const ALL: CapRights = CapRights(Self::READ_WRITE.0 | Self::GRANT.0 | Self::GRANT_REPLY.0);

    #[inline]
    pub const fn union(self, other: CapRights) -> CapRights {
        CapRights(self.0 | other.0)
    }
}

impl BitOr for CapRights {
    type Output = CapRights;
    #[inline]
    fn bitor(self, other: CapRights) -> CapRights {
        self.union(other)
    }
}

impl CapData {
    /// Leaves badge and guard as they are.
    pub const NONE: CapData = CapData(0);

    /// A guard of zeros that makes a CNode of `radix_bits` slots resolve a whole word.
    pub const fn skip_guard(radix_bits: u8) -> CapData {
        CapData::guard(0, 64 - radix_bits as Word)
    }
}

impl PrioProps {
    /// Priority, with no right to give any thread a priority.
    pub const fn fixed(priority: u8) -> PrioProps {
        PrioProps(0).with_prio(priority as Word)
    }
}

/// Where a capability lies or shall lie: a slot of a CNode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The CNode at which the address starts.
    pub root: CNode,
    pub index: Word,
    /// Bits of `index` that are resolved.
    pub depth: u8,
}

impl Slot {
    /// The slot that `index` names in a CSpace with `root` at its top that resolves a whole word.
    pub const fn deep(root: CNode, index: Word) -> Slot {
        Slot { root, index, depth: 64 }
    }

    /// Slot `index` of the CNode `root` itself, of `2^radix_bits` slots and without a guard.
    pub const fn shallow(root: CNode, index: Word, radix_bits: u8) -> Slot {
        Slot { root, index, depth: radix_bits }
    }

    /// Puts a copy of `source` here, with at most `rights`.
    #[inline]
    pub fn copy_from(self, source: Slot, rights: CapRights) -> Result<()> {
        self.root.copy(self.index, self.depth, source.root, source.index, source.depth, rights)
    }

    /// As [`Slot::copy_from`], with a badge or guard.
    #[inline]
    pub fn mint_from(self, source: Slot, rights: CapRights, data: CapData) -> Result<()> {
        self.root.mint(self.index, self.depth, source.root, source.index, source.depth, rights, data)
    }

    /// Moves `source` here.
    #[inline]
    pub fn move_from(self, source: Slot) -> Result<()> {
        self.root.move_(self.index, self.depth, source.root, source.index, source.depth)
    }

    #[inline]
    pub fn delete(self) -> Result<()> {
        self.root.delete(self.index, self.depth)
    }

    /// Deletes all that was derived from what lies here.
    #[inline]
    pub fn revoke(self) -> Result<()> {
        self.root.revoke(self.index, self.depth)
    }

    /// Saves the reply capability of the last caller here.
    #[inline]
    pub fn save_caller(self) -> Result<()> {
        self.root.save_caller(self.index, self.depth)
    }
}

impl Untyped {
    /// Makes `count` objects and puts their capabilities into the slots from `first` on of the CNode that is `into`
    /// itself (the CNode's own capability, not a path). `size_bits` counts for untyped memory and CNodes only.
    #[inline]
    pub fn retype_into(self, object: Word, size_bits: u8, into: CNode, first: Word, count: Word) -> Result<()> {
        self.retype(object, size_bits as Word, into, 0, 0, first, count)
    }
}
