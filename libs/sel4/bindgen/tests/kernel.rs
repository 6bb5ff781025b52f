//! The generator against the kernel's real source, as Cargo has it after `cargo fetch`.

use sel4_bindgen::{generate, generate_with, Config};
use std::path::{Path, PathBuf};

fn kernel() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cargo"));
    let registries = home.join("registry/src");
    std::fs::read_dir(&registries)
        .expect("Cargo's registry folder")
        .map(|e| e.expect("a folder").path().join("sel4-sys-0.0.28/seL4"))
        .find(|p| p.exists())
        .expect("the crate sel4-sys is not in Cargo's registry folder: run `cargo fetch`")
}

fn platform() -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../kernel-config/platforms/x86_64");
    Config::read(&[folder.join("autoconf.h"), folder.join("release.h")]).expect("the platform's configuration")
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|l| l.contains(start)).unwrap_or_else(|| panic!("nothing says {start}"))
}

#[test]
fn x86_64_has_what_root_needs() {
    let text = generate_with(&kernel(), "x86_64", &platform()).unwrap();
    for expected in [
        "pub const UNTYPED_RETYPE: Word = 1;",
        "pub const TCB_SET_AFFINITY: Word = 14;",
        "pub const X86PDPT_MAP: Word = 29;",
        "pub const X86_PAGE_MAP: Word = 38;",
        "pub const CALL: isize = -1;",
        "pub const NB_RECV: isize = -8;",
        "pub const X86_4K: Word = 0x8;",
        "pub const NOT_ENOUGH_MEMORY: Word = 0xa;",
        "pub const TCB_BITS: Word = 0xb;",
        "pub const LABEL_SHIFT: u32 = 12;",
        "pub const DEBUG_BUILD: bool = false;",
        "pub msg: [Word; 120],",
        "5 => Fault::VmFault(VmFault::read(word)),",
        "pub enum Fault",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    assert!(line(&text, "pub fn retype(").contains("kind: Word, size_bits: Word, root: CNode, node_index: Word"));
    // The words of a message: capabilities apart, small values packed together.
    assert!(text.contains(
        "label::TCB_CONFIGURE, [cspace_root.cptr(), vspace_root.into(), buffer_frame.into()], \
         [fault_ep, priority.0, cspace_root_data.0, vspace_root_data.0, buffer]"
    ));
    assert!(text.contains("[suspend_source as Word | (arch_flags as Word) << 8, count]"));
}

#[test]
fn labels_move_with_the_configuration() {
    let mut one_core = platform();
    one_core.add("#undef CONFIG_MAX_NUM_NODES\n#define CONFIG_MAX_NUM_NODES 1\n");
    let text = generate_with(&kernel(), "x86_64", &one_core).unwrap();
    assert!(!text.contains("TCB_SET_AFFINITY"));
    assert!(text.contains("pub const CNODE_REVOKE: Word = 14;"));

    let text = generate_with(&kernel(), "x86_64", &platform()).unwrap();
    assert!(text.contains("pub const X86_IO_PAGE_TABLE_OBJECT: Word = 0xc;"));
    let mut no_iommu = platform();
    no_iommu.add("#undef CONFIG_IOMMU\n");
    let text = generate_with(&kernel(), "x86_64", &no_iommu).unwrap();
    assert!(text.contains("pub const X86_IO_PAGE_TABLE_OBJECT: Word = 0xffffff;"));
}

#[test]
fn aarch64_is_understood_too() {
    let mut config = Config::default();
    config.add("#define CONFIG_MAX_NUM_NODES 1\n#define CONFIG_NUM_PRIORITIES 256\n#define CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS 230\n");
    let text = generate_with(&kernel(), "aarch64", &config).unwrap();
    for expected in
        ["impl ArmPageTable", "pub struct UserContext", "pub spsr: Word", "pub const ARCH: &str = \"aarch64\""]
    {
        assert!(text.contains(expected), "{expected}");
    }
}

#[test]
fn an_unknown_architecture_and_a_missing_configuration_are_errors() {
    assert!(generate_with(&kernel(), "riscv64", &platform()).is_err());
    // aarch64 has several platforms, so nobody can guess which is meant.
    assert!(generate(&kernel(), "aarch64").is_err());
}
