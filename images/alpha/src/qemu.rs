//! QEMU's command line, in one place for running, testing and measuring.

use crate::{Boot, Error, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

pub const QEMU: &str = "qemu-system-x86_64";
/// Older ones lack what is used here and in the tests.
pub const LEAST_VERSION: u32 = 9;

/// Vendor and device of a network device of virtio 1 (Virtual I/O Device specification 1.2, 4.1.2 and 5.1).
const VIRTIO_NET: u32 = 0x1041_1af4;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accel {
    /// Emulation with one host thread a core.
    #[default]
    Tcg,
    /// Emulation that counts instructions, for measurements: `-icount shift=N`.
    Icount(u8),
    Kvm,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Serial {
    /// The terminal; Ctrl-C reaches the guest.
    #[default]
    Stdio,
    /// A Unix socket on which QEMU listens; the machine starts once somebody is there.
    Socket(PathBuf),
}

#[derive(Clone, Debug)]
pub struct Config<'a> {
    pub boot: &'a Boot,
    pub accel: Accel,
    pub serial: Serial,
    /// Unix socket for QEMU's machine protocol.
    pub qmp: Option<PathBuf>,
    /// Unix socket for a debugger.
    pub gdb: Option<PathBuf>,
    /// Wait for the debugger or for QMP's `cont`.
    pub paused: bool,
    /// What the network device is connected to: a `-netdev` with the id `net`. `None`: QEMU's user network.
    pub netdev: Option<String>,
    /// More words for the kernel's command line.
    pub append: Vec<String>,
    pub extra: Vec<OsString>,
}

impl<'a> Config<'a> {
    pub fn new(boot: &'a Boot) -> Self {
        Config {
            boot,
            accel: Accel::default(),
            serial: Serial::default(),
            qmp: None,
            gdb: None,
            paused: false,
            netdev: None,
            append: Vec::new(),
            extra: Vec::new(),
        }
    }
}

/// A path inside a QEMU option: a comma is doubled.
fn path_option(before: &str, path: &std::path::Path, after: &str) -> OsString {
    let path = path.to_string_lossy().replace(',', ",,");
    format!("{before}{path}{after}").into()
}

pub fn command(config: &Config) -> Command {
    let boot = config.boot;
    let mut command = Command::new(QEMU);
    command.args(["-nodefaults", "-no-user-config", "-machine", "q35"]);
    match config.accel {
        Accel::Tcg => command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]),
        Accel::Icount(shift) => {
            command.args(["-accel", "tcg,thread=single", "-cpu", "max", "-icount", &format!("shift={shift},sleep=off")])
        }
        Accel::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
    };
    command.args(["-smp", &boot.cores.to_string(), "-m", &format!("{}M", boot.memory_bytes >> 20)]);
    command.args(["-display", "none", "-no-reboot"]);
    // The network device is always there, in the layout's place; that nobody but root can reach it is the layout's affair.
    // Behind an IOMMU it sees the memory that root maps for it and no other. No option ROM: nobody is to boot from it.
    command.args(["-device", "intel-iommu,intremap=off"]);
    if let Some(card) = boot.system.pci.iter().find(|function| function.id == VIRTIO_NET) {
        command.arg("-netdev").arg(config.netdev.as_deref().unwrap_or("user,id=net"));
        let place = format!("addr={:#x}.{:#x}", card.device, card.function);
        let device = format!("virtio-net-pci,netdev=net,bus=pcie.0,{place},disable-legacy=on,iommu_platform=on,romfile=");
        command.arg("-device").arg(device);
    }

    match &config.serial {
        // signal=off: the terminal's Ctrl-C is a byte like any other.
        Serial::Stdio => command.args(["-chardev", "stdio,id=console,signal=off"]),
        Serial::Socket(path) => {
            command.arg("-chardev").arg(path_option("socket,id=console,server=on,wait=on,path=", path, ""))
        }
    };
    command.args(["-serial", "chardev:console"]);
    if let Some(path) = &config.qmp {
        command.arg("-qmp").arg(path_option("unix:", path, ",server=on,wait=off"));
    }
    if let Some(path) = &config.gdb {
        command.arg("-chardev").arg(path_option("socket,id=gdb,server=on,wait=off,path=", path, ""));
        command.args(["-gdb", "chardev:gdb"]);
    }
    if config.paused {
        command.arg("-S");
    }

    command.arg("-kernel").arg(&boot.kernel).arg("-initrd").arg(&boot.image);
    let mut append = config.append.clone();
    if let Some(model) = &boot.model {
        // The spare lies right behind the model.
        let bytes = model.reserved_bytes + boot.spare.as_ref().map_or(0, |spare| spare.reserved_bytes);
        append.push(format!("reserve={:#x},{bytes:#x}", model.paddr));
    }
    for model in boot.model.iter().chain(&boot.spare) {
        command
            .arg("-device")
            .arg(path_option("loader,file=", &model.file, &format!(",addr={:#x},force-raw=on", model.paddr)));
    }
    if !append.is_empty() {
        command.arg("-append").arg(append.join(" "));
    }
    command.args(&config.extra);
    command
}

/// The major version of the QEMU that is installed.
pub fn version() -> Result<u32> {
    let output = Command::new(QEMU).arg("--version").output().map_err(|_| Error::ToolMissing(QEMU.into()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split("version ").nth(1).and_then(|t| t.split('.').next()?.parse().ok());
    number.ok_or_else(|| Error::Qemu(format!("does not say its version: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::LoadedModel;
    use spec::System;

    fn boot(model: Option<LoadedModel>) -> Boot {
        let system: System = postcard_system();
        let proof = wall::Proof { specification: [0; 32], modes: vec![], masters: vec![] };
        Boot { kernel: "k".into(), image: "i".into(), model, spare: None, cores: 2, memory_bytes: 1 << 30, system, proof }
    }

    fn postcard_system() -> System {
        System {
            version: spec::VERSION,
            hash: [0; 32],
            name: String::new(),
            kernel: String::new(),
            platform: String::new(),
            modes: vec![],
            cores: 2,
            memory_bytes: 1 << 30,
            model: None,
            spare: None,
            memories: vec![],
            endpoints: vec![],
            notifications: vec![],
            irqs: vec![],
            ports: vec![],
            pci: vec![spec::PciFunction {
                name: "network".into(),
                bus: 0,
                device: 5,
                function: 0,
                id: VIRTIO_NET,
                bars: vec![],
                driver: 0,
                can_dma: true,
                reset: None,
            }],
            pds: vec![],
            root: spec::Root {
                crossings: vec![],
                maps: vec![],
                display: spec::handle::RingOut { vaddr: 0, capacity: 0, credit_vaddr: None, doorbell: 0, credit_bit: 0 },
                logs: vec![],
                focus: None,
                pci_config: None,
                notification: 0,
                tick_bit: 0,
                tick_us: 0,
                signals: vec![],
                power_off: spec::PowerOff::None,
                entropy: spec::Entropy::None,
                priority: 0,
                spin_limit_us: 0,
            },
            channels: vec![],
        }
    }

    fn words(command: &Command) -> String {
        command.get_args().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_network_device_is_behind_the_iommu() {
        let line = words(&command(&Config::new(&boot(None))));
        let (iommu, device) = (line.find("intel-iommu").unwrap(), line.find("virtio-net-pci").unwrap());
        assert!(iommu < device && line[device..].contains("iommu_platform=on"));
        assert!(line[device..].contains("addr=0x5.0x0"), "it is not where the layout has it");
        assert!(line.contains("-nodefaults"), "no other device may be there");
    }

    #[test]
    fn the_kernel_is_told_where_the_model_lies() {
        let model = LoadedModel { file: "a,b.gguf".into(), paddr: 0x1000_0000, reserved_bytes: 0x40_0000 };
        let line = words(&command(&Config::new(&boot(Some(model)))));
        assert!(line.contains("-append reserve=0x10000000,0x400000"), "{line}");
        assert!(line.contains("loader,file=a,,b.gguf,addr=0x10000000,force-raw=on"), "{line}");
    }
}
