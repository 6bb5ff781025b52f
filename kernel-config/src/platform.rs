//! What differs between platforms in the build itself. Kernel options are in `platforms/NAME/*.h`.

use crate::{Error, Variant};
use std::fs;
use std::path::PathBuf;

pub struct Platform {
    pub name: &'static str,
    pub tool_prefix: &'static str,
    pub make: &'static [&'static str],
    pub cflags: &'static str,
    /// Where the kernel's Makefile looks for the configuration.
    pub autoconf_in_tree: &'static str,
    /// The object format that the boot loader wants, when it is not the kernel's own.
    pub boot_format: Option<&'static str>,
}

const PLATFORMS: &[Platform] = &[Platform {
    name: "x86_64",
    tool_prefix: "",
    make: &["ARCH=x86", "SEL4_ARCH=x86_64", "PLAT=pc99"],
    // gcc 12 warns where the compilers of 2017 did not, and the kernel's Makefile makes errors of warnings: the TSS is
    // read through a packed struct on purpose, and the BIOS data area lies at a fixed low address.
    // Without -mpopcnt gcc calls a libgcc function for popcount; every processor with AVX has the instruction.
    cflags: "-Wno-address-of-packed-member -Wno-array-bounds -mpopcnt",
    autoconf_in_tree: "include/plat/pc99/autoconf.h",
    boot_format: Some("elf32-i386"),
}];

pub fn find(name: &str) -> Result<&'static Platform, Error> {
    PLATFORMS.iter().find(|p| p.name == name).ok_or_else(|| Error::UnknownPlatform { name: name.into() })
}

impl Platform {
    pub fn autoconf(&self, variant: Variant) -> Result<String, Error> {
        let dir = home().join("platforms").join(self.name);
        let mut text = String::new();
        for file in ["autoconf.h", &format!("{}.h", variant.name())] {
            let path = dir.join(file);
            text += &fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        }
        Ok(text)
    }
}

/// This crate's folder in the repository, where `platforms/` and `overlay/` are.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
