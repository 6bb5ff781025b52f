//! Small specifications at random: PDs of all sides, memories, endpoints, notifications, devices, capabilities and
//! mappings to any of them with any rights, and crossings between any channels. Most are absurd; all are graphs.

use proptest::collection::vec;
use proptest::prelude::*;
use spec::*;

const NAMES: [&str; 7] = ["a", "b", "c", "gate", "cloud", "net", "d"];
const CHANNELS: [&str; 4] = ["share", "typed", "x", "display"];

fn modes() -> impl Strategy<Value = Modes> {
    (1u32..4).prop_map(Modes)
}

fn rights() -> impl Strategy<Value = Rights> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(read, write, grant_reply)| Rights {
        read,
        write,
        grant_reply,
    })
}

fn cap() -> impl Strategy<Value = Cap> {
    let object = prop_oneof![
        (0u16..3).prop_map(Object::Endpoint),
        (0u16..4).prop_map(Object::Notification),
        (0u16..3).prop_map(Object::Irq),
        (0u16..3).prop_map(Object::Ports),
        Just(Object::RootEndpoint),
    ];
    (object, rights(), prop_oneof![Just(label::BADGE_FAULT), Just(label::BADGE_REQUEST), Just(1)], modes()).prop_map(
        |(object, mut rights, badge, modes)| {
            // Nobody beside root receives on root's endpoint: the checker refuses that outright.
            rights.read &= object != Object::RootEndpoint;
            Cap { slot: 1, object, rights, badge, modes }
        },
    )
}

fn map() -> impl Strategy<Value = Map> {
    (0u16..6, any::<bool>(), modes()).prop_map(|(memory, write, modes)| Map { memory, vaddr: 0, write, modes })
}

fn crossing() -> impl Strategy<Value = Crossing> {
    let end = || {
        let other = prop::option::of(prop::sample::select(&NAMES[..]).prop_map(String::from));
        prop_oneof![
            4 => (prop::sample::select(&CHANNELS[..]), other)
                .prop_map(|(name, other)| End::Channel { name: name.into(), other }),
            1 => prop::sample::select(&["console", "nic", "disk"][..])
                .prop_map(|name| End::Device { name: name.into() }),
        ]
    };
    (end(), end()).prop_map(|(from, to)| Crossing { from, to, why: "w".into(), tests: "t".into() })
}

fn memory() -> impl Strategy<Value = Memory> {
    let kind = prop_oneof![
        3 => Just(MemoryKind::Ring),
        1 => Just(MemoryKind::RingPage { ring: 0 }),
        2 => Just(MemoryKind::Ram),
        1 => (0u64..3).prop_map(|at| MemoryKind::Device { paddr: at * PAGE }),
        1 => (0u64..3).prop_map(|at| MemoryKind::Loaded { paddr: at * PAGE }),
    ];
    (kind, prop::sample::select(&CHANNELS[..]), 1u64..3).prop_map(|(kind, channel, pages)| Memory {
        name: format!("{channel}: a to b"),
        modes: Modes(3),
        bytes: pages * PAGE,
        page: PageSize::Small,
        kind,
    })
}

fn pd(index: usize) -> impl Strategy<Value = Pd> {
    let trust = prop::sample::select(&[Trust::Private, Trust::Public, Trust::Trusted, Trust::Trusted][..]);
    let bound = prop::option::of(0u16..4);
    let dma = prop::option::weighted(0.1, 0u16..2);
    (trust, modes(), vec(cap(), 0..3), vec(map(), 0..3), vec(crossing(), 0..3), bound, dma).prop_map(
        move |(trust, modes, caps, maps, crossings, notification, dma)| Pd {
            name: NAMES[index].into(),
            purpose: String::new(),
            trust,
            crossings: if trust == Trust::Trusted { crossings } else { Vec::new() },
            modes,
            cnode_bits: 4,
            image: Image { entry: 0, segments: Vec::new() },
            threads: Vec::new(),
            private: dma
                .map(|device| PrivateMemory {
                    name: "dma".into(),
                    vaddr: 0,
                    bytes: PAGE,
                    page: PageSize::Small,
                    dma: Some(Dma { device, io_address: 0 }),
                })
                .into_iter()
                .collect(),
            start_vaddr: 0,
            start: StartPage::Words(Vec::new()),
            caps,
            maps,
            notification,
        },
    )
}

pub fn system() -> impl Strategy<Value = System> {
    let pds = (pd(0), pd(1), pd(2), pd(3), pd(4), pd(5), pd(6));
    let owners = vec(prop::option::weighted(0.9, 0u16..7), 7);
    let root = (vec(map(), 0..2), vec(crossing(), 0..2), vec(cap(), 0..2));
    let devices = (prop::sample::select(&[0x1041_1af4u32, 0x1042_1af4][..]), 0u16..7, any::<bool>());
    (pds, vec(memory(), 6), owners, root, devices).prop_map(
        |((a, b, c, d, e, f, g), memories, owners, root, devices)| {
            let owned = |i: &Option<u16>| Owned { name: "o".into(), owner: *i };
            let mode = |name: &str| Mode { name: name.into(), title: name.into() };
            let ring = handle::RingOut { vaddr: 0, capacity: 0, credit_vaddr: None, doorbell: 0, credit_bit: 0 };
            let irq = |name: &str, vector| Irq {
                name: name.into(),
                driver: 0,
                source: IrqSource::IoApic { ioapic: 0, pin: vector, level: false, active_low: false, vector },
            };
            let ports = |name: &str, first, last| PortRange { name: name.into(), driver: 0, first, last };
            let function = |name: &str, id, at: u64, driver, can_dma| PciFunction {
                name: name.into(),
                bus: 0,
                device: 1,
                function: 0,
                id,
                bars: vec![(0, at * PAGE, PAGE)],
                driver,
                can_dma,
                reset: None,
            };
            System {
                version: VERSION,
                hash: [7; 32],
                name: "random".into(),
                kernel: String::new(),
                platform: "test".into(),
                modes: vec![mode("local-only"), mode("network-sharing")],
                cores: 1,
                memory_bytes: 0,
                model: None,
                spare: None,
                memories,
                endpoints: owners[..3].iter().map(owned).collect(),
                notifications: owners[3..].iter().map(owned).collect(),
                irqs: vec![irq("console", 1), irq("nic", 2), irq("disk", 2)],
                ports: vec![ports("console", 0, 7), ports("console 1", 6, 9), ports("nic", 20, 30)],
                pci: vec![
                    function("nic", devices.0, 1, devices.1, devices.2),
                    function("disk", 0x1042_1af4, 2, 0, devices.2),
                ],
                pds: vec![a, b, c, d, e, f, g],
                root: Root {
                    crossings: root.1,
                    maps: root.0,
                    display: ring,
                    logs: Vec::new(),
                    focus: None,
                    pci_config: Some((28, 40)),
                    notification: 0,
                    tick_bit: 1,
                    tick_us: 1,
                    signals: root.2,
                    power_off: PowerOff::None,
                    entropy: Entropy::None,
                    priority: 1,
                    spin_limit_us: 1,
                },
                channels: Vec::new(),
            }
        },
    )
}
