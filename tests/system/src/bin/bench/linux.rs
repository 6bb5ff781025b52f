//! The other side: Debian's cloud kernel, an initrd with nothing but what is measured, and the same llama.cpp built for
//! Linux. Packages are downloaded and unpacked, never installed.

use crate::network;
use alpha::Boot;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use system_tests::{Failure, Result};

const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";
const SHELL_PACKAGE: &str = "busybox-static";
const CURL_PACKAGE: &str = "curl";
/// Loads every program that is not static.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// The network card's driver, in the order in which it is loaded.
const NETWORK_MODULES: [&str; 8] = [
    "virtio/virtio_ring.ko",
    "virtio/virtio.ko",
    "virtio/virtio_pci_legacy_dev.ko",
    "virtio/virtio_pci_modern_dev.ko",
    "virtio/virtio_pci.ko",
    "../net/core/failover.ko",
    "net/net_failover.ko",
    "net/virtio_net.ko",
];

pub struct Linux {
    folder: PathBuf,
    pub kernel: PathBuf,
    /// As the package names it.
    pub version: String,
    busybox: PathBuf,
    llama: PathBuf,
}

impl Linux {
    pub fn prepare(folder: &Path, llama: PathBuf) -> Result<Self> {
        fs::create_dir_all(folder)?;
        // The first package only names the one with the kernel.
        let depends = said(Command::new("apt-cache").args(["depends", "--important", KERNEL_PACKAGE]))?;
        let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        let package = package.ok_or_else(|| Failure::new(format!("{KERNEL_PACKAGE} names no kernel:\n{depends}")))?;
        let kernel = unpack(folder, &format!("linux-image-{package}"))?.join("boot").join(format!("vmlinuz-{package}"));
        let busybox = unpack(folder, SHELL_PACKAGE)?.join("bin/busybox");
        Ok(Linux { folder: folder.into(), kernel, version: package.into(), busybox, llama })
    }

    /// The machine of `like`, with Linux in it: the same QEMU command line but for kernel and initrd.
    pub fn boot(&self, like: &Boot, initrd: PathBuf) -> Boot {
        Boot { kernel: self.kernel.clone(), image: initrd, model: None, spare: None, ..like.clone() }
    }

    /// llama.cpp and its model; it starts as soon as the kernel is up, with what stands on the command line.
    pub fn with_model(&self, name: &str, model: &Path) -> Result<PathBuf> {
        let mut archive = Cpio::default();
        archive.folder("proc");
        archive.folder("dev");
        archive.console();
        archive.program("init", &fs::read(&self.llama)?);
        archive.file("model.gguf", &fs::read(model)?);
        self.put(name, archive)
    }

    /// A shell and nothing else.
    pub fn with_shell(&self) -> Result<PathBuf> {
        let mut archive = Cpio::default();
        for folder in ["bin", "dev", "proc"] {
            archive.folder(folder);
        }
        archive.console();
        archive.program("bin/busybox", &fs::read(&self.busybox)?);
        archive.program("init", b"#!/bin/busybox sh\nexec /bin/busybox sh\n");
        self.put("shell", archive)
    }

    /// curl with the libraries that it needs, and the network card's driver: downloads and uploads.
    pub fn with_curl(&self, bytes: u64) -> Result<PathBuf> {
        let mut archive = Cpio::default();
        for folder in ["bin", "dev", "proc", "sys", "tmp", "modules", "lib", "lib64"] {
            archive.folder(folder);
        }
        archive.console();
        archive.program("bin/busybox", &fs::read(&self.busybox)?);
        let drivers = self.folder.join(format!("linux-image-{}", self.version));
        let drivers = drivers.join(format!("lib/modules/{}/kernel/drivers", self.version));
        let mut modules = Vec::new();
        for module in NETWORK_MODULES {
            let name = module.rsplit('/').next().unwrap_or(module);
            archive.file(&format!("modules/{name}"), &fs::read(drivers.join(module))?);
            modules.push(name.to_owned());
        }
        let (curl, libraries) = self.curl()?;
        archive.program("bin/curl", &fs::read(curl)?);
        for (name, path) in libraries {
            let folder = if name == LOADER { "lib64" } else { "lib" };
            archive.program(&format!("{folder}/{name}"), &fs::read(path)?);
        }
        archive.program("init", network::script(bytes, &modules).as_bytes());
        self.put("curl", archive)
    }

    /// Debian has no static curl: its program, and all libraries that it and they name.
    fn curl(&self) -> Result<(PathBuf, BTreeMap<String, PathBuf>)> {
        let leave_out = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
        let leave_out = leave_out.map(|kind| format!("--no-{kind}"));
        let said = said(Command::new("apt-cache").args(["depends", "--recurse"]).args(leave_out).arg(CURL_PACKAGE))?;
        let mut found = BTreeMap::new();
        // Packages begin a line; what they depend on, and packages that exist by name only, do not.
        for package in said.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric())) {
            let place = unpack(&self.folder, package)?;
            for folder in ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"] {
                for entry in fs::read_dir(place.join(folder)).into_iter().flatten().flatten() {
                    found.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
                }
            }
        }
        let curl = self.folder.join(CURL_PACKAGE).join("usr/bin/curl");
        let (mut libraries, mut open) = (BTreeMap::new(), vec![curl.clone()]);
        while let Some(file) = open.pop() {
            for name in needed(&file)? {
                let path = found.get(&name).ok_or_else(|| Failure::new(format!("no package of curl has {name}")))?;
                if libraries.insert(name, path.clone()).is_none() {
                    open.push(path.clone());
                }
            }
        }
        Ok((curl, libraries))
    }

    fn put(&self, name: &str, archive: Cpio) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.cpio"));
        fs::write(&path, archive.finish())?;
        Ok(path)
    }
}

/// Downloads a package's file, unless it is there, and unpacks it.
fn unpack(folder: &Path, package: &str) -> Result<PathBuf> {
    let place = folder.join(package);
    if place.join("complete").exists() {
        return Ok(place);
    }
    fs::create_dir_all(&place)?;
    said(Command::new("apt-get").args(["-qq", "download", package]).current_dir(&place))?;
    let file = fs::read_dir(&place)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Failure::new(format!("{package} was not downloaded")))?;
    said(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&place))?;
    fs::write(place.join("complete"), "")?;
    Ok(place)
}

/// The libraries that a program or library names.
fn needed(file: &Path) -> Result<Vec<String>> {
    let headers = said(Command::new("objdump").arg("-p").arg(file))?;
    Ok(headers.lines().filter_map(|line| Some(line.trim().strip_prefix("NEEDED")?.trim().to_owned())).collect())
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Failure::new(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

/// An archive as the kernel unpacks it ("newc").
#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

impl Cpio {
    fn folder(&mut self, name: &str) {
        self.entry(name, 0o40755, &[], (0, 0));
    }

    fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_644, content, (0, 0));
    }

    fn program(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_755, content, (0, 0));
    }

    /// The kernel opens it for its first program.
    fn console(&mut self) {
        self.entry("dev/console", 0o20_600, &[], (5, 1));
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }
}
