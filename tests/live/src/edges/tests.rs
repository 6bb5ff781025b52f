use super::*;
use crate::{
    formats::SLOT,
    model::{Mapped, Page, Queue, Slot, Space, State, Thread, THREAD_SLOTS},
};

const RADIX: u64 = 4;
const A: u64 = 0x10_0000;
const B: u64 = 0x20_0000;
const OBJECT: u64 = 0x30_0000;
const FRAME: u64 = 0x40_0000;

/// Two PDs: CNodes at `A` and `B`, address spaces and threads behind them.
struct System(Model);

impl System {
    fn new() -> System {
        let mut model = Model::default();
        for at in [A, B] {
            model.cnodes.insert(at, RADIX);
            model.spaces.insert(at + 0x1000, Space::default());
            let cspace = Cap::CNode { at, radix: RADIX, guard: 0, guard_bits: 60 };
            let mut slots: [Option<Cap>; THREAD_SLOTS] = Default::default();
            slots[CSPACE] = Some(cspace);
            let thread = Thread {
                at: at + 0x2000,
                slots,
                bound: None,
                state: State::Runs,
                fault_handler: 0,
                ipc_buffer: 0,
                priority: 1,
                controlled: 0,
                domain: 0,
                core: 0,
                flags: 0,
                idle: false,
            };
            model.threads.insert(thread.at, thread);
        }
        System(model)
    }

    fn with(mut self, cnode: u64, index: u64, cap: Cap) -> System {
        let slot = Slot { place: Place::CNode { at: cnode, index }, cap, previous: None, next: None };
        self.0.slots.insert(cnode + index * SLOT, slot);
        self
    }

    fn map(mut self, cnode: u64, paddr: u64, bytes: u64, write: bool) -> System {
        let page = Page { vaddr: 0x1000, paddr, bytes, write, execute: false, cached: true };
        self.0.spaces.get_mut(&(cnode + 0x1000)).unwrap().pages.push(page);
        self
    }

    /// From, to and why of all edges.
    fn edges(&self) -> Vec<(String, String, Why)> {
        let parties = [(A, "a"), (A + 0x1000, "a"), (A + 0x2000, "a"), (B, "b"), (B + 0x1000, "b"), (B + 0x2000, "b")];
        edges(&self.0, &Names::of(&parties)).into_iter().map(|edge| (edge.from, edge.to, edge.why)).collect()
    }

    fn has(&self, wanted: &[(&str, &str, Why)]) {
        let wanted: Vec<_> = wanted.iter().map(|(from, to, why)| (from.to_string(), to.to_string(), *why)).collect();
        assert_eq!(self.edges(), wanted);
    }
}

fn endpoint(send: bool, receive: bool, grant_reply: bool) -> Cap {
    Cap::Endpoint { at: OBJECT, badge: 0, send, receive, grant: false, grant_reply }
}

fn notification(send: bool, receive: bool) -> Cap {
    Cap::Notification { at: OBJECT, badge: 0, send, receive }
}

fn frame(write: bool, device: bool) -> Cap {
    Cap::Frame { at: FRAME, bytes: 4096, asid: 0, mapped: Mapped::No, vaddr: 0, write, device }
}

#[test]
fn two_without_anything_in_common_have_no_edge() {
    System::new().map(A, FRAME, 4096, true).map(B, FRAME + 4096, 4096, true).has(&[]);
}

#[test]
fn a_call_is_two_edges_and_so_is_a_message_without_an_answer() {
    let calls = System::new().with(A, 1, endpoint(true, false, true)).with(B, 1, endpoint(false, true, false));
    calls.has(&[("a", "b", Why::Message), ("b", "a", Why::Reply)]);
    let sends = System::new().with(A, 1, endpoint(true, false, false)).with(B, 1, endpoint(false, true, false));
    sends.has(&[("a", "b", Why::Message), ("b", "a", Why::Taken)]);
}

#[test]
fn a_signal_is_one_edge_and_two_listeners_are_rivals() {
    let signal = System::new().with(A, 1, notification(true, false)).with(B, 1, notification(false, true));
    signal.has(&[("a", "b", Why::Signal)]);
    let rivals = System::new().with(A, 1, notification(false, true)).with(B, 1, notification(false, true));
    rivals.has(&[("a", "b", Why::Rival), ("b", "a", Why::Rival)]);
}

#[test]
fn a_bound_thread_listens_without_a_capability() {
    let mut system = System::new().with(A, 1, notification(true, false));
    system.0.notifications.insert(OBJECT, Queue { threads: vec![], bound: Some(B + 0x2000) });
    system.has(&[("a", "b", Why::Signal)]);
}

#[test]
fn who_writes_what_the_other_has_mapped_tells_it_something() {
    System::new().map(A, FRAME, 4096, true).map(B, FRAME, 4096, false).has(&[("a", "b", Why::Memory)]);
    System::new().map(A, FRAME, 4096, false).map(B, FRAME, 4096, false).has(&[]);
    // A small page inside a large one.
    let both = System::new().map(A, FRAME, 2 << 20, true).map(B, FRAME + 0x5000, 4096, true);
    both.has(&[("a", "b", Why::Memory), ("b", "a", Why::Memory)]);
}

#[test]
fn a_frame_capability_is_as_good_as_a_mapping() {
    let held = System::new().with(A, 1, frame(true, false)).map(B, FRAME, 4096, false);
    held.has(&[("a", "b", Why::Memory)]);
}

#[test]
fn devices_are_nodes() {
    System::new()
        .with(A, 1, Cap::IrqHandler { irq: 20 })
        .has(&[("a", "irq 20", Why::Interrupt), ("irq 20", "a", Why::Interrupt)]);
    System::new()
        .with(A, 1, Cap::Ports { first: 0x40, last: 0x43 })
        .has(&[("a", "ports 0x40-0x43", Why::Ports), ("ports 0x40-0x43", "a", Why::Ports)]);
}

#[test]
fn power_over_anothers_objects_is_both_ways() {
    let power = [("a", "b", Why::Power), ("b", "a", Why::Power)];
    System::new().with(A, 1, Cap::CNode { at: B, radix: RADIX, guard: 0, guard_bits: 0 }).has(&power);
    System::new().with(A, 1, Cap::Thread { at: B + 0x2000 }).has(&power);
    System::new().with(A, 1, Cap::Untyped { at: B, bits: 20, device: false, used: 0 }).has(&power);
    let table = Cap::Table { level: 3, at: B + 0x1000, asid: 0, mapped: true, vaddr: 0 };
    System::new().with(A, 1, table).has(&power);
    // A page over the other's CNode.
    System::new().map(A, B, 4096, true).has(&power);
}

#[test]
fn faults_go_where_the_threads_own_slot_leads() {
    let mut system = System::new().with(A, 3, endpoint(true, false, false)).with(B, 1, endpoint(false, true, false));
    system.0.threads.get_mut(&(A + 0x2000)).unwrap().fault_handler = 3;
    system.has(&[("a", "b", Why::Message), ("a", "b", Why::Fault), ("b", "a", Why::Taken)]);
}

#[test]
fn who_may_answer_is_one_edge() {
    let reply = Cap::Reply { thread: B + 0x2000, master: false, grant: false };
    System::new().with(A, 1, reply.clone()).has(&[("a", "b", Why::Reply)]);
    let mut system = System::new();
    system.0.threads.get_mut(&(A + 0x2000)).unwrap().slots[CALLER] = Some(reply);
    system.has(&[("a", "b", Why::Reply)]);
}
