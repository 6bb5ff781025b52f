//! What the resolver refuses. Each file of refused/ is one fault: its first line is the sentence that people read, the
//! rest is added to base.toml (`platform_*`: to base-platform.toml). `# without: LINE` takes a line of the base away,
//! `# after LINE: OTHER` adds one inside of it.

mod common;

use common::{elf, machine, elf_that_wants};
use layout::{resolve, verify, Error, Layout, Program, Resolved, Wiring};
use spec::Object;
use std::collections::BTreeMap;
use std::path::Path;

const BASE: &str = include_str!("base.toml");
const BASE_PLATFORM: &str = include_str!("base-platform.toml");

fn with_fault(base: &str, fault: &str) -> String {
    let mut lines: Vec<&str> = base.lines().collect();
    for line in fault.lines() {
        if let Some(gone) = line.strip_prefix("# without: ") {
            let before = lines.len();
            lines.retain(|line| *line != gone);
            assert!(lines.len() < before, "the base has no line `{gone}`");
        } else if let Some((place, other)) = line.strip_prefix("# after ").and_then(|l| l.split_once(": ")) {
            let at = lines.iter().position(|line| *line == place).expect("the base has this line");
            lines.insert(at + 1, other);
        }
    }
    lines.join("\n") + "\n" + fault
}

/// Every step from the texts to the specification of every mode.
fn resolve_all(system: &str, platform: &str, programs: &BTreeMap<String, Vec<u8>>, cores: u8) -> Result<Resolved, Error> {
    let layout = Layout::parse(system, "test", platform)?;
    let wiring = Wiring::new(&layout)?;
    let mut machine = machine(cores);
    machine.model = None;
    resolve(&layout, &wiring, &machine, programs)
}

fn programs() -> BTreeMap<String, Vec<u8>> {
    let program = elf(&[(0x20_0000, 5, 0x1234), (0x20_2000, 6, 0x3000)]);
    ["screen", "clock", "shell", "store", "gate", "llama"].map(|name| (name.to_owned(), program.clone())).into()
}

fn case(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(file).unwrap();
    let (sentence, fault) = text.split_once('\n').unwrap();
    let (system, platform) = match name.starts_with("platform_") {
        true => (BASE.to_owned(), with_fault(BASE_PLATFORM, fault)),
        false => (with_fault(BASE, fault), BASE_PLATFORM.to_owned()),
    };
    let error = resolve_all(&system, &platform, &programs(), 1).expect_err("it was not refused");
    assert_eq!(format!("# {error}"), sentence);
}

macro_rules! refused {
    ($($name:ident)*) => {
        $(#[test] fn $name() { case(stringify!($name)); })*

        #[test]
        fn every_file_is_a_case() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused");
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                assert!([$(stringify!($name)),*].contains(&name.as_str()), "{name}");
            }
        }
    };
}

refused! {
    channel_declared_twice channel_of_an_unknown_kind channel_to_itself channel_to_nobody
    crossing_between_edges_that_are_not_there crossing_without_a_reason crossings_of_an_untrusted_pd
    dma_without_a_device focus_key_of_an_untrusted_pd focus_key_that_is_enter focus_key_twice device_that_does_not_exist device_with_two_drivers
    foreign_program_with_a_log key_missing key_misspelt key_that_means_nothing llama_without_its_rings
    mode_with_a_pd_twice mode_with_an_unknown_pd mode_without_a_clock mode_without_a_display
    name_that_is_no_name no_clock no_display no_stack number_as_text package_and_program
    page_with_a_reader_twice pd_called_root platform_interrupt_without_its_kind platform_pin_twice
    platform_ports_backwards platform_ports_overlap platform_registers_in_parts_of_pages
    platform_registers_overlap platform_vector_above_the_kernels platform_vector_twice
    priority_above_the_kernels priority_that_does_not_exist private_answers_a_public_call private_calls_public
    private_gives_credits_to_public private_page_to_public private_ring_to_public private_signal_to_public
    program_missing reserved_marker_without_a_display ring_larger_than_the_address_range ring_of_three_pages
    ring_that_blocks root_without_a_spin_limit tick_without_a_unit trust_of_an_unknown_kind
    trusted_without_crossings two_clocks two_editors_of_the_input_line
}

#[test]
fn the_base_is_not_refused() {
    resolve_all(BASE, BASE_PLATFORM, &programs(), 8).unwrap();
}

fn refusal(result: Result<impl Sized, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn a_folder_without_a_layout() {
    let sentence = refusal(Layout::load(Path::new("/nowhere"), "x86_64"));
    assert!(sentence.starts_with("/nowhere/system.toml: cannot be read: "), "{sentence}");
}

#[test]
fn a_file_that_is_no_toml() {
    let sentence = refusal(Layout::parse("[pd.\n", "test", BASE_PLATFORM));
    assert!(sentence.starts_with("system.toml: "), "{sentence}");
}

#[test]
fn more_signals_than_a_notification_tells_apart() {
    let channel = |n| format!("[[channel]]\nkind = \"notification\"\nname = \"n{n}\"\nfrom = \"shell\"\nto = \"store\"\nwhat = \"x\"\n");
    let with = |count| format!("{BASE}{}", (0..count).map(channel).collect::<String>());
    resolve_all(&with(27), BASE_PLATFORM, &programs(), 1).unwrap();
    let sentence = refusal(resolve_all(&with(28), BASE_PLATFORM, &programs(), 1));
    assert_eq!(sentence, "store waits for 28 different signals; its notification tells at most 27 apart.");
}

#[test]
fn cores_that_the_kernel_does_not_have() {
    for cores in [0, 9] {
        let sentence = refusal(resolve_all(BASE, BASE_PLATFORM, &programs(), cores));
        assert_eq!(sentence, format!("{cores} cores are asked for; this kernel runs on 1 to 8."));
    }
}

#[test]
fn a_program_that_was_not_built() {
    let mut programs = programs();
    programs.remove("clock");
    let sentence = refusal(resolve_all(BASE, BASE_PLATFORM, &programs, 1));
    assert_eq!(sentence, "clock needs the program `clock`, which was not built.");
}

#[test]
fn programs_that_are_no_programs() {
    let whole = elf(&[(0x20_0000, 5, 0x2000)]);
    let mut shared = whole.clone();
    shared[16] = 3;
    let mut dynamic = whole.clone();
    dynamic[64] = 2;
    let mut elsewhere = whole.clone();
    elsewhere[24..32].copy_from_slice(&0x30_0000u64.to_le_bytes());
    let no = |why: &str| format!("The program `p` is no usable ELF file: {why}.");
    for (file, sentence) in [
        (shared, no("it is not linked to fixed addresses")),
        (dynamic, no("it wants a dynamic linker")),
        (elsewhere, no("its entry lies in no executable segment")),
        (elf(&[(0x20_0000, 5, 0)]), no("it has no segment to load")),
        (whole[..whole.len() - 1].to_vec(), no("a segment lies outside of the file")),
        (elf(&[(0x20_0000, 7, 64)]), "The program `p` has a segment at 0x200000 that is both writable and executable.".into()),
        (elf(&[(0x20_0000, 5, 64), (0x20_0800, 6, 64)]), "Two segments of the program `p` share the page at 0x200000.".into()),
        (elf(&[(0x1f_f000, 5, 64)]), "A segment of the program `p` lies at 0x1ff000..0x1ff040, outside of 0x200000..0x20000000.".into()),
    ] {
        assert_eq!(refusal(Program::parse("p", &file)), sentence);
    }
    assert!(refusal(Program::parse("p", b"#!/bin/sh")).starts_with("The program `p` is no usable ELF file: "));
}

#[test]
fn a_program_with_an_undefined_symbol() {
    let file = elf_that_wants("memcpy");
    assert_eq!(refusal(Program::parse("p", &file)), "The program `p` needs the symbol `memcpy`, which nothing defines.");
}

/// [`verify`] reads a specification that somebody spoiled on its way.
#[test]
fn a_spoiled_specification() {
    let resolved = resolve_all(BASE, BASE_PLATFORM, &programs(), 2).unwrap();
    let spoiled = |spoil: &dyn Fn(&mut spec::System)| {
        let mut system = resolved.system.clone();
        spoil(&mut system);
        refusal(verify(&system))
    };
    let no = |what: &str| format!("The specification contradicts itself: {what}.");
    assert_eq!(spoiled(&|s| s.pds[0].caps[0].slot = 0), no("screen has a capability in slot 0 or outside of its CNode"));
    assert_eq!(spoiled(&|s| s.pds[0].caps[0].slot = 99), no("screen has a capability in slot 0 or outside of its CNode"));
    assert_eq!(spoiled(&|s| s.pds[0].caps[0].slot = s.pds[0].caps[1].slot), no("screen has two capabilities in one slot"));
    assert_eq!(spoiled(&|s| s.pds[0].caps[1].object = Object::Notification(77)), no("slot 2 of screen leads to no object"));
    assert_eq!(spoiled(&|s| s.pds[0].caps[1].badge = 1 << 28), no("the badge 0x10000000 of screen has more than 28 bits"));
    assert_eq!(spoiled(&|s| s.pds[0].caps[0].badge ^= 1), no("screen can pass for another PD at root"));
    assert_eq!(spoiled(&|s| s.pds[0].threads[0].core = 2), no("a thread of screen runs on core 2 of 2"));
    assert_eq!(spoiled(&|s| s.pds[0].maps[0].memory = 99), no(&format!("screen maps memory 99 of {}", resolved.system.memories.len())));
    assert_eq!(spoiled(&|s| s.pds[0].private[0].bytes = 5), no("heap of screen is not in whole pages"));
    assert_eq!(spoiled(&|s| s.pds[0].start_vaddr = 0), no("screen has something at 0x0, in page zero"));
    let shared = spoiled(&|s| s.pds[0].start_vaddr = s.pds[0].private[0].vaddr);
    assert_eq!(shared, "In screen, heap and the start page overlap at 0x40000000.");
    let writers = spoiled(&|s| {
        let shell = s.pds.iter_mut().find(|pd| pd.name == "shell").unwrap();
        let map = &mut shell.maps[0];
        map.write = !map.write;
    });
    assert!(writers.contains("writers instead of 1"), "{writers}");
    let execute = spoiled(&|s| {
        let segment = &mut s.pds[0].image.segments[0];
        (segment.write, segment.execute) = (true, true);
    });
    assert!(execute.contains("both writable and executable"), "{execute}");
}
