//! x86_64. The number of a system call is in rdx, capability or badge in rdi, message info in rsi, the first words in
//! r10, r8, r9, r15. `syscall` takes rcx and r11, and this kernel loses the stack pointer, so r14 keeps it.

pub use crate::generated::{
    X64Pml4 as VSpace, X86AsidControl as AsidControl, X86AsidPool as AsidPool, X86IoPageTable as IoPageTable,
    X86IoPort as IoPort, X86IoSpace as IoSpace, X86Page as Frame, X86PageDirectory, X86PageTable, X86Pdpt,
};
use crate::{config, generated::consts, Badge, CPtr, CapData, Message, MessageInfo, Result, VmAttributes, Word};
use core::arch::asm;

/// A system call: its number, and the registers that it takes and gives. What all of them have in common is said here.
macro_rules! syscall {
    ($number:expr, $($register:tt)*) => {
        // SAFETY: the kernel changes no register but those that are named. Of the memory it writes the IPC buffer, to
        // which nobody holds a reference during a call; without `nomem` the compiler expects any change. What else an
        // invocation may do to this address space is up to who holds such capabilities, and that is root alone.
        unsafe {
            asm!(
                "mov r14, rsp",
                "syscall",
                "mov rsp, r14",
                inlateout("rdx") $number => _,
                $($register)*
                lateout("rcx") _,
                lateout("r11") _,
                out("r14") _,
                options(nostack),
            )
        }
    };
}

#[inline]
pub(crate) fn send(number: isize, dest: Word, info: MessageInfo, mr: [Word; 4]) {
    syscall!(
        number,
        inlateout("rdi") dest => _,
        inlateout("rsi") info.0 => _,
        inlateout("r10") mr[0] => _,
        inlateout("r8") mr[1] => _,
        inlateout("r9") mr[2] => _,
        inlateout("r15") mr[3] => _,
    )
}

#[inline]
pub(crate) fn recv(number: isize, source: Word) -> Message {
    let (badge, info, m0, m1, m2, m3);
    syscall!(
        number,
        inlateout("rdi") source => badge,
        lateout("rsi") info,
        lateout("r10") m0,
        lateout("r8") m1,
        lateout("r9") m2,
        lateout("r15") m3,
    );
    Message { info: MessageInfo(info), badge: Badge(badge), mr: [m0, m1, m2, m3] }
}

#[inline]
pub(crate) fn send_recv(number: isize, dest: Word, info: MessageInfo, mr: [Word; 4]) -> Message {
    let (badge, info_in, m0, m1, m2, m3);
    syscall!(
        number,
        inlateout("rdi") dest => badge,
        inlateout("rsi") info.0 => info_in,
        inlateout("r10") mr[0] => m0,
        inlateout("r8") mr[1] => m1,
        inlateout("r9") mr[2] => m2,
        inlateout("r15") mr[3] => m3,
    );
    Message { info: MessageInfo(info_in), badge: Badge(badge), mr: [m0, m1, m2, m3] }
}

#[inline]
pub(crate) fn null(number: isize) {
    syscall!(
        number,
        lateout("rdi") _,
        lateout("rsi") _,
    )
}

/// Word `i` of the thread's IPC buffer, whose address the kernel keeps in GS. `i` must be in the buffer.
#[inline]
pub(crate) fn buffer_word(i: usize) -> Word {
    let word;
    // SAFETY: the callers in this crate keep `i` inside the buffer, which is mapped as long as the thread lives.
    unsafe { asm!("mov {}, gs:[8 * {}]", out(reg) word, in(reg) i, options(nostack, preserves_flags, readonly)) }
    word
}

/// Sets word `i`, which must be in the buffer.
#[inline]
pub(crate) fn set_buffer_word(i: usize, word: Word) {
    // SAFETY: as above, and nobody keeps a reference into the buffer.
    unsafe { asm!("mov gs:[8 * {}], {}", in(reg) i, in(reg) word, options(nostack, preserves_flags)) }
}

/// We use addresses below this: the lower half, without its last page, where `syscall` could return to an address
/// that is none.
pub const USER_TOP: Word = 0x7fff_ffff_f000;

/// Sizes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameSize {
    /// 4 KiB
    Small,
    /// 2 MiB
    Large,
    /// 1 GiB
    Huge,
}

impl FrameSize {
    pub const fn bits(self) -> u8 {
        (match self {
            FrameSize::Small => consts::PAGE_BITS,
            FrameSize::Large => consts::LARGE_PAGE_BITS,
            FrameSize::Huge => consts::HUGE_PAGE_BITS,
        }) as u8
    }

    /// The object type for [`crate::Untyped::retype_into`].
    pub const fn object(self) -> Word {
        match self {
            FrameSize::Small => consts::X86_4K,
            FrameSize::Large => consts::X86_LARGE_PAGE_OBJECT,
            FrameSize::Huge => consts::X64_HUGE_PAGE_OBJECT,
        }
    }
}

/// Object type of the top of an address space, and its size.
pub const VSPACE_OBJECT: Word = consts::X64_PML4_OBJECT;
pub const VSPACE_BITS: u8 = consts::PML4_BITS as u8;

/// Page tables below the top, from the largest range to the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Pdpt,
    Directory,
    PageTable,
}

impl Table {
    pub const ALL: [Table; 3] = [Table::Pdpt, Table::Directory, Table::PageTable];

    pub const fn object(self) -> Word {
        match self {
            Table::Pdpt => consts::X86_PDPT_OBJECT,
            Table::Directory => consts::X86_PAGE_DIRECTORY_OBJECT,
            Table::PageTable => consts::X86_PAGE_TABLE_OBJECT,
        }
    }

    /// The object has 2^this bytes.
    pub const fn bits(self) -> u8 {
        (match self {
            Table::Pdpt => consts::PDPT_BITS,
            Table::Directory => consts::PAGE_DIR_BITS,
            Table::PageTable => consts::PAGE_TABLE_BITS,
        }) as u8
    }

    /// One table covers 2^this bytes of addresses, aligned to that.
    pub const fn span_bits(self) -> u8 {
        (match self {
            Table::Pdpt => consts::MAPPING_LOOKUP_NO_PDPT,
            Table::Directory => consts::MAPPING_LOOKUP_NO_PD,
            Table::PageTable => consts::MAPPING_LOOKUP_NO_PT,
        }) as u8
    }

    /// Which table a refused mapping lacks: from the `bits_left` of [`crate::LookupFailure::MissingCapability`].
    pub fn missing(bits_left: Word) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.span_bits() as Word == bits_left)
    }

    /// Maps the table in slot `table` for the range around `vaddr`.
    pub fn map(self, table: impl Into<CPtr>, vspace: VSpace, vaddr: Word) -> Result<()> {
        let (table, attr) = (table.into(), VmAttributes::default());
        match self {
            Table::Pdpt => X86Pdpt::from(table).map(vspace, vaddr, attr),
            Table::Directory => X86PageDirectory::from(table).map(vspace, vaddr, attr),
            Table::PageTable => X86PageTable::from(table).map(vspace, vaddr, attr),
        }
    }
}

/// Object type of the IOMMU's page tables, and its size. All levels are of one kind.
pub const IO_PAGE_TABLE_OBJECT: Word = consts::X86_IO_PAGE_TABLE_OBJECT;
pub const IO_PAGE_TABLE_BITS: u8 = consts::IO_PAGE_TABLE_BITS as u8;
const _: () = assert!(config::IOMMU, "this kernel knows no IOMMU");

/// Index bits of one table of the IOMMU.
const IO_INDEX_BITS: u8 = 9;

/// An IO table of this level (0 is the root, [`crate::BootInfo::iommu_levels`] - 1 the last) covers 2^this bytes of IO
/// addresses. One level more, and it is a page.
pub const fn io_span_bits(levels: u8, level: u8) -> u8 {
    FrameSize::Small.bits() + IO_INDEX_BITS * (levels - level)
}

/// A PCI function, as an IO space names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciId(pub u16);

impl PciId {
    pub const fn new(bus: u8, device: u8, function: u8) -> PciId {
        PciId((bus as u16) << 8 | (device as u16 & 31) << 3 | function as u16 & 7)
    }
}

impl VmAttributes {
    /// Ordinary memory.
    pub const CACHED: VmAttributes = VmAttributes(consts::X86_WRITE_BACK);
    /// Device registers.
    pub const DEVICE: VmAttributes = VmAttributes(consts::X86_CACHE_DISABLED);

    /// The same, and nothing there can be executed (overlay).
    pub const fn never_execute(self) -> VmAttributes {
        VmAttributes(self.0 | consts::X86_EXECUTE_NEVER)
    }
}

impl CapData {
    /// Narrows a capability for I/O ports to `first..=last`.
    pub const fn ports(first: u16, last: u16) -> CapData {
        CapData((first as Word) << 16 | last as Word)
    }

    /// Makes of the capability for all IO spaces one for a device's. No two devices may share a `domain`, and it may
    /// not be 0: what the IOMMU remembers of translations it keeps by domain. Device 0 is not to be had.
    pub const fn io_space(domain: u16, device: PciId) -> CapData {
        CapData((domain as Word) << 16 | device.0 as Word)
    }
}

/// Slots of the root task's own CNode at boot.
pub mod init {
    pub use super::{AsidControl, AsidPool, IoPort, IoSpace, VSpace};
    use crate::{generated::consts::*, CNode, CPtr, IrqControl, Tcb};

    pub const TCB: Tcb = Tcb(CAP_INIT_THREAD_TCB);
    pub const CNODE: CNode = CNode(CAP_INIT_THREAD_CNODE);
    pub const VSPACE: VSpace = VSpace(CAP_INIT_THREAD_VSPACE);
    pub const IRQ_CONTROL: IrqControl = IrqControl(CAP_IRQ_CONTROL);
    pub const ASID_CONTROL: AsidControl = AsidControl(CAP_ASID_CONTROL);
    pub const ASID_POOL: AsidPool = AsidPool(CAP_INIT_THREAD_ASID_POOL);
    /// All I/O ports.
    pub const IO_PORTS: IoPort = IoPort(CAP_IO_PORT);
    /// All IO spaces, to be minted with [`CapData::io_space`]; empty when [`crate::BootInfo::iommu_levels`] is 0.
    pub const IO_SPACE: IoSpace = IoSpace(CAP_IO_SPACE);
    pub const BOOT_INFO_FRAME: CPtr = CPtr(CAP_BOOT_INFO_FRAME);
    pub const IPC_BUFFER_FRAME: CPtr = CPtr(CAP_INIT_THREAD_IPC_BUFFER);
}
