//! What can be wrong with a running system, kind by kind.

use std::fmt;

macro_rules! kinds {
    ($($(#[$what:meta])* $name:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$what])* $name),* }
        impl Kind {
            /// Every kind; each has a planted fault in the tests.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];
        }
    };
}

kinds! {
    /// A capability that the specification does not have.
    CapExtra,
    CapMissing,
    /// A capability of another kind than it should be.
    CapKind,
    /// Of the right kind, to another object.
    CapObject,
    Rights,
    Badge,
    /// The specification's number of slots, or the way that leads to them.
    CNodeShape,
    PageExtra,
    PageMissing,
    /// Another physical frame than it should be.
    PageFrame,
    PageSize,
    /// Writable or not, against the specification.
    PageWrite,
    PageExecute,
    PageCache,
    /// Writable and executable.
    WriteExecute,
    /// A physical frame in two places that the specification does not share.
    SharedFrame,
    PageZero,
    GuardPage,
    /// A page that no capability stands for.
    PageWithoutCap,
    /// A capability that says that it is mapped where it is not.
    CapWithoutPage,
    /// A page of a PD over memory that is a kernel object or the kernel.
    FrameOverObject,
    /// Free untyped memory over something that exists.
    UntypedOverUse,
    /// Code or constants that are not the image's.
    Content,
    /// A thread more or less.
    Threads,
    CSpace,
    VSpace,
    FaultHandler,
    Priority,
    ControlledPriority,
    Core,
    Domain,
    IpcBuffer,
    BoundNotification,
    /// A thread waits where it has no capability to.
    Queue,
    /// A right to answer somebody who cannot have called.
    Reply,
    /// Where an interrupt leads.
    IrqRoute,
    /// Root holds what is not on its list.
    RootHolds,
    /// What root's helper threads hold.
    Helper,
    /// An address space of nobody's.
    AddressSpace,
    /// The kernel's half of an address space.
    KernelHalf,
    /// Code or constants of the kernel.
    KernelCode,
    /// I/O ports open to user code without the kernel, for all or for one thread.
    PortMap,
    /// A processor's own settings.
    Processor,
    /// A capability in a place that no capability leads to.
    Hidden,
    /// A list or pointer of the kernel's that makes no sense.
    Broken,
    /// RAM that could hold objects and is neither the kernel's nor below an untyped capability.
    Unaccounted,
    /// What a device may reach through the IOMMU.
    DeviceMemory,
}

/// One sentence: who, where, what is there, what should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub kind: Kind,
    pub sentence: String,
}

impl Difference {
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Difference { kind, sentence: sentence.into() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.sentence, self.kind)
    }
}
