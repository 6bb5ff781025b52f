//! The root task: builds the system that the specification describes, then supervises it.
//!
//! It trusts the kernel, the specification and its own image, and nobody else: what comes over its endpoint can be
//! forged by any PD, except the badge. It never sends to a PD and never waits for one: its only blocking system call is
//! the receive at the top of its loop. It holds no policy: which objects exist, who holds what, and how large things
//! are, stands in the layout (`root-task/layout`), resolved and checked by `alpha`.
//!
//! After boot it keeps the CNodes, the spare memory and what a restart needs; the capabilities that make new authority
//! (all I/O ports, interrupts, address-space numbers beyond its pool) are deleted.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod blob;
mod clock;
mod domain;
mod failure;
mod heap;
mod iommu;
mod kernel;
mod memory;
mod modes;
mod pci;
mod request;
mod root_space;
mod shared;
mod slots;
mod supervisor;
mod trusted_path;
mod voice;
mod watch;
mod window;

use alloc::format;
use core::sync::atomic::{AtomicU64, Ordering};

use ipc::display::Style;
use root_core::{report, restart::Life};
use sel4::{arch::init, BootInfo, CPtr, CapData, CapRights};

use crate::{
    clock::Clock,
    failure::Failure,
    iommu::Iommu,
    memory::Memory,
    pci::Pci,
    root_space::RootSpace,
    shared::Shared,
    slots::Slots,
    supervisor::{Child, Supervisor},
    trusted_path::TrustedPath,
    voice::Voice,
    watch::Watch,
    window::Window,
};

/// The mode in which the system starts.
const START_MODE: usize = 0;

/// Slot of an I/O port capability that reaches the console, for last words.
static EMERGENCY_PORTS: AtomicU64 = AtomicU64::new(init::IO_PORTS.0);

/// Entered from `arch` with the address of the boot information.
extern "C" fn main(boot_info: *const u8) -> ! {
    let started = arch::counter();
    // SAFETY: the kernel passes this address in the first argument register.
    let boot = unsafe { BootInfo::new(boot_info) };
    // SAFETY: the kernel names the buffer that it mapped for this thread.
    unsafe { sel4::set_ipc_buffer(boot.ipc_buffer()) };
    match bring_up(boot, started) {
        Ok(supervisor) => supervisor.run(),
        Err(failure) => {
            last_words(&format!("\nAlphaOS cannot start: {failure}.\n"));
            arch::halt()
        }
    }
}

fn bring_up(boot: BootInfo, started: u64) -> Result<Supervisor, Failure> {
    let blob = blob::read().map_err(Failure::Specification)?;
    let system = blob.system;
    if boot.cores() < u64::from(system.cores) {
        return Err(Failure::Specification("fewer cores than the layout was resolved for"));
    }
    let untyped = boot.untyped().map(|block| kernel::Untyped {
        slot: block.cap.0,
        paddr: block.paddr,
        bits: block.size_bits,
        device: block.device,
    });
    let mut memory = Memory::new(Slots::new(boot.empty()), untyped);
    let mut space = RootSpace;
    let mut window = Window::new(&mut space, &mut memory)?;
    guard_stack(&boot)?;
    let mut shared = Shared::create(&system, &mut memory)?;
    let pci = Pci::open(&system, &mut memory)?;
    let iommu = Iommu::open(&boot, &system, &mut memory)?;
    pci.silence_all(&system)?;
    modes::make_objects(&system, &mut shared, &mut memory, START_MODE)?;
    shared.map_root(&system, &mut memory, &mut space)?;
    let trusted_path = TrustedPath::open(&system)?;
    let mut voice = Voice::open(&system, &shared, &mut memory)?;

    let clock = Clock::new(boot.tsc_mhz(), started);
    let power_off = memory.slots.take(1)?;
    if let Some((first, last)) = arch::power_off_ports(system.root.power_off) {
        kernel::mint(init::IO_PORTS.0, power_off, CapRights::ALL, CapData::ports(first, last))?;
    }
    bind_own_notification(&system, &shared)?;

    let watch = Watch::start(&system, &shared, &mut memory)?;
    let image_bytes = boot.image_frames().count() as u64 * spec::PAGE;
    let absent = || Child { domain: None, life: Life::absent(), last_failure: None, lowered: false };
    let mut root = Supervisor {
        mode: START_MODE,
        switches: 0,
        pci,
        iommu,
        trusted_path,
        children: system.pds.iter().map(|_| absent()).collect(),
        system,
        payload: blob.payload,
        shared,
        memory,
        window,
        watch,
        clock,
        voice,
        power_off,
        leaving: None,
        image_bytes,
    };
    root.start_mode()?;
    give_up_authority(&root.system, &root.shared)?;
    let boot_us = root.clock.now_us();
    root.voice.say(Style::Plain, &report::banner(&root.system, START_MODE, boot_us, root.iommu.is_some()));
    Ok(root)
}

/// Unmaps the page below root's stack: an overflow is a fault, not a silent overwrite.
fn guard_stack(boot: &BootInfo) -> Result<(), Failure> {
    extern "C" {
        static __image_start: u8;
        static __stack_guard: u8;
    }
    // The kernel hands out the image's frames in the order of their addresses. Only the addresses are taken here.
    let (start, guard) = (&raw const __image_start as u64, &raw const __stack_guard as u64);
    let frame = boot.image_frames().start + (guard - start) / spec::PAGE;
    kernel::unmap(frame)
}

/// Root hears ticks while it waits for messages.
fn bind_own_notification(system: &spec::System, shared: &Shared) -> Result<(), Failure> {
    let object = shared.object(spec::Object::Notification(system.root.notification))?;
    init::TCB.bind_notification(CPtr(object)).map_err(kernel::refused("bind root's notification"))?;
    init::TCB.set_priority(system.root.priority).map_err(kernel::refused("set root's priority"))
}

/// The range of I/O ports that the console's UART is in, if it has ports.
fn console_ports(system: &spec::System) -> Option<u16> {
    let index = system.ports.iter().position(|range| (range.first..=range.last).contains(&arch::CONSOLE_PORT))?;
    u16::try_from(index).ok()
}

/// Writes to the console without its server, for when there is none to speak through.
fn last_words(text: &str) {
    arch::emergency(EMERGENCY_PORTS.load(Ordering::Relaxed), text);
}

/// Deletes the capabilities from which new devices could be handed out; what PDs hold of them is kept for restarts.
fn give_up_authority(system: &spec::System, shared: &Shared) -> Result<(), Failure> {
    let ports = match console_ports(system) {
        Some(index) => shared.object(spec::Object::Ports(index))?,
        None => 0,
    };
    EMERGENCY_PORTS.store(ports, Ordering::Relaxed);
    for slot in [init::IO_PORTS.0, init::IRQ_CONTROL.0, init::ASID_CONTROL.0, init::IO_SPACE.0] {
        kernel::delete(slot)?;
    }
    Ok(())
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    last_words(&format!("\nAlphaOS: the root task failed: {info}.\n"));
    arch::halt()
}
