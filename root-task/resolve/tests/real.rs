//! The layout of this repository, resolved with programs that do nothing.

mod common;

use common::{real, machine, programs, real_layout};
use layout::{append_to_root, blob, needs, resolve, Wiring};
use spec::{Object, StartPage, Word, LARGE_PAGE};

#[test]
fn it_resolves() {
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    resolve(&layout, &wiring, &machine(2), &programs()).unwrap();
}

#[test]
fn the_same_layout_gives_the_same_bytes() {
    let bytes = || blob(&real(&machine(2))).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_pds_module_does_not_depend_on_the_machine() {
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    let before: Vec<String> = (0..layout.pds.len()).map(|pd| wiring.module(&layout, pd)).collect();
    for cores in [1, 8] {
        resolve(&layout, &wiring, &machine(cores), &programs()).unwrap();
    }
    let again = Wiring::new(&real_layout()).unwrap();
    assert_eq!(before, (0..layout.pds.len()).map(|pd| again.module(&layout, pd)).collect::<Vec<_>>());
}

#[test]
fn modules_name_what_a_pd_holds() {
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    let module = |name: &str| wiring.module(&layout, layout.pds.iter().position(|pd| pd.name == name).unwrap());
    let names = [
        ("serial", vec!["RING_OUT_KEYS: RingOut", "DISPLAYS: &[DisplayIn]", "RING_IN_DISPLAY_ROOT", "IRQ_CONSOLE", "PORTS_CONSOLE", "SIGNAL_OUT_INTERRUPT_ASSISTANT", "SIGNAL_OUT_INTERRUPT_CLOUD", "FOCUS: &[FocusOut]"]),
        ("shell", vec!["RING_IN_KEYS: RingIn", "RING_OUT_DISPLAY: RingOut", "CLIENT_ROUTER: Client", "SUPERVISOR: Client", "MEMORY_WALL_CLOCK"]),
        ("router", vec!["SERVER: Server", "CALLER_SHELL: u64", "RING_OUT_PROMPTS", "RING_OUT_OUTBOUND"]),
        ("gate", vec!["RING_IN_OUTBOUND", "RING_OUT_OUTBOUND", "RING_IN_FOCUS", "RING_OUT_DISPLAY", "TICK: u64"]),
        ("cloud", vec!["RING_IN_OUTBOUND", "CLIENT_NET", "RING_OUT_SEND", "RING_IN_RECEIVED", "SIGNAL_IN_INTERRUPT"]),
        ("net", vec!["SERVER", "RING_IN_SEND", "RING_OUT_RECEIVED", "IRQ_NETWORK", "DMA: Dma", "MEMORY_NETWORK"]),
        ("assistant", vec!["SIGNAL_IN_INTERRUPT: u64", "TICK: u64", "TICK_US: u64 = 100000", "RING_IN_TOKENS"]),
        ("clock", vec!["TICKS: &[Tick]", "PORTS_RTC", "IRQ_TIMER"]),
    ];
    for (pd, wanted) in names {
        let text = module(pd);
        for name in wanted {
            assert!(text.contains(&format!("pub const {name}")), "{pd} lacks {name}:\n{text}");
        }
    }
}

#[test]
fn both_ends_of_a_ring_agree() {
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    let pd = |name: &str| &wiring.pds[layout.pds.iter().position(|pd| pd.name == name).unwrap()];
    let (out, into) = (pd("assistant").ring_out("requests").unwrap(), pd("inference").ring_in("requests").unwrap());
    assert_eq!(out.capacity, into.capacity);
    assert!(out.credit_vaddr.is_some() && into.page_vaddr.is_some() && into.credit);
    let bell = pd("assistant").caps.iter().find(|c| c.slot == out.doorbell).unwrap();
    assert_eq!(bell.badge, into.bit);
    let credit = pd("inference").caps.iter().find(|c| c.slot == into.credit_bell).unwrap();
    assert_eq!(credit.badge, out.credit_bit);
}

/// A place to write to that the producer could read would be a way back.
#[test]
fn nobody_sees_the_position_of_a_one_way_ring_but_its_consumer() {
    let wiring = Wiring::new(&real_layout()).unwrap();
    let positions: Vec<_> = wiring.memories.iter().filter(|memory| memory.name.ends_with(", position")).collect();
    assert!(positions.iter().any(|memory| memory.name == "prompts: router to assistant, position"));
    for memory in positions {
        assert_eq!(memory.users.len(), 1, "{} is seen by others", memory.name);
    }
}

#[test]
fn a_serial_that_starts_again_finds_roots_sentences() {
    let system = real(&machine(2)).system;
    let display = system.root.display;
    let credits = system.root.maps.iter().find(|map| Some(map.vaddr) == display.credit_vaddr).expect("root maps the credits");
    let edge = system.channels.iter().find(|c| c.from == "root" && c.name == "display").unwrap();
    assert!(!credits.write && edge.to == "serial" && edge.kind == spec::ChannelKind::CreditRing);
    // Root looks when it ticks: serial has nothing to ring with.
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    let serial = &wiring.pds[layout.pds.iter().position(|pd| pd.name == "serial").unwrap()];
    assert_eq!(serial.ring_in("display").map(|ring| (ring.credit, ring.credit_bell)), Some((true, 0)));
}

#[test]
fn llama_gets_a_thread_a_core_and_nothing_but_notifications() {
    let system = real(&machine(3)).system;
    let llama = system.pds.iter().find(|pd| pd.name == "llama").unwrap();
    assert_eq!(llama.threads.iter().map(|t| t.core).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(llama.threads[2].argument, 2);
    for cap in &llama.caps {
        match cap.object {
            Object::Notification(_) => {}
            Object::RootEndpoint => assert!(cap.badge & spec::label::BADGE_FAULT != 0),
            other => panic!("llama holds {other:?}"),
        }
    }
    let StartPage::Words(words) = &llama.start else { panic!("llama's start page") };
    assert_eq!(words[3], Word::Const(3));
    assert_eq!(words[24], Word::TscHz);
    let model = llama.maps.last().unwrap();
    assert!(!model.write && system.memories[model.memory as usize].bytes % LARGE_PAGE == 0);
}

/// start.h is llama's half of the start page; its numbers and ours must be the same.
#[test]
fn llamas_start_page_is_the_one_of_start_h() {
    let header = include_str!("../../../inference-server/llama/program/start.h");
    let magic = u64::from_le_bytes(*b"ALPLLAMA");
    assert!(header.contains(&format!("{magic:#x}ull")), "magic {magic:#x}");
    assert!(header.contains("ALPHA_LLAMA_VERSION 2ull"));
    let system = real(&machine(1)).system;
    let llama = system.pds.iter().find(|pd| pd.name == "llama").unwrap();
    let StartPage::Words(words) = &llama.start else { panic!("llama's start page") };
    assert!(header.contains(&format!("== {},", words.len() * 8)), "{} bytes", words.len() * 8);
    let offset = |field: &str| {
        let line = header.lines().find(|l| l.contains(&format!(" {field};")) || l.contains(&format!(" {field}["))).unwrap();
        let comment = line.split("/*").nth(1).unwrap();
        comment.split_whitespace().next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(words[offset("arena_vaddr") / 8], Word::Const(layout::addresses::ARENA));
    assert_eq!(words[offset("model_vaddr") / 8], Word::Const(layout::addresses::MODEL));
    assert_eq!(words[offset("tsc_hz") / 8], Word::TscHz);
    assert_eq!(words[offset("epoch") / 8], Word::Epoch);
    assert_eq!(words[offset("model_name") / 8], Word::Const(u64::from_le_bytes(*b"tiny.ggu")));
}

#[test]
fn no_pd_holds_read_and_write_of_a_shared_notification() {
    let system = real(&machine(2)).system;
    for pd in system.pds.iter().filter(|pd| pd.name != "llama") {
        for cap in &pd.caps {
            if let Object::Notification(_) = cap.object {
                assert!(!(cap.rights.read && cap.rights.write), "{} {cap:?}", pd.name);
            }
        }
    }
}

#[test]
fn the_image_holds_root_and_behind_it_the_blob() {
    let resolved = real(&machine(2));
    let blob = blob(&resolved).unwrap();
    let root = common::elf(&[(0x40_0000, 5, 4096), (0x40_2000, 6, 5000)]);
    let image = append_to_root(&root, &blob).unwrap();
    let program = layout::Program::parse_any("image", &image).unwrap();
    let last = program.segments.last().unwrap();
    assert_eq!(program.segments.len(), 3);
    assert_eq!(last.vaddr, 0x40_4000);
    assert_eq!(last.data, blob);
    assert_eq!(program.entry, 0x40_0000);
}

#[test]
fn too_little_memory_is_said_with_the_numbers() {
    let system = real(&machine(2)).system;
    let needs = needs(&system, 8 << 20);
    assert!(needs.fit(needs.total()).is_ok());
    let sentence = needs.fit(32 << 20).unwrap_err().to_string();
    assert!(sentence.starts_with("The system needs ") && sentence.contains(" and has 32 MiB:"), "{sentence}");
    assert!(sentence.contains("llama's working memory"), "{sentence}");
}
