//! Rules on what anybody may hold, beside the statement: each keeps a way shut of which the statement knows nothing, or
//! says earlier and plainer what would break it.

use crate::graph::{crossing_text, matches, Edge, Kind, ROOT};
use crate::statement::{is_local, is_public, is_sharing, is_wire, GATE, SHARE};
use crate::violation::{Rule, Violation};
use spec::{label, Cap, Crossing, Modes, Object, Pd, StartPage, System, Trust};
use std::collections::BTreeMap;

type Checked = Result<(), Violation>;

fn refused(rule: Rule, mode: Option<&str>, what: String, path: Vec<Edge>) -> Checked {
    Err(Violation { rule, mode: mode.map(Into::into), what, path })
}

/// Rules that no mode comes into.
pub fn hold(system: &System) -> Checked {
    crossings_explained(system)?;
    private_holds_the_same(system)?;
    for (index, pd) in system.pds.iter().enumerate() {
        write_xor_execute(pd)?;
        faults_go_to_root(index, pd)?;
        for cap in &pd.caps {
            reply_is_for_callers(system, pd, cap)?;
        }
    }
    Ok(())
}

/// Rules on one mode and its edges.
pub fn hold_in(system: &System, mode: usize, edges: &[Edge]) -> Checked {
    signals_go_one_way(system, mode)?;
    clock_takes_nothing(system, mode, edges)?;
    root_says_constants(system, mode, edges)?;
    nothing_leads_to_the_wire_locally(system, mode, edges)?;
    one_driver(system, mode, edges)
}

fn crossings_explained(system: &System) -> Checked {
    for (place, crossing) in crossings(system) {
        if crossing.why.trim().is_empty() || crossing.tests.trim().is_empty() {
            let what = format!("a crossing of {place} has no reason or names no tests: {}", crossing_text(crossing));
            return refused(Rule::CrossingsExplained, None, what, Vec::new());
        }
    }
    Ok(())
}

pub fn crossings(system: &System) -> impl Iterator<Item = (&str, &Crossing)> {
    let pds = system.pds.iter().flat_map(|pd| pd.crossings.iter().map(|crossing| (pd.name.as_str(), crossing)));
    system.root.crossings.iter().map(|crossing| (ROOT, crossing)).chain(pds)
}

/// A private PD that could see the mode change, or hold something more in one of them, would have a way to the other
/// side when nobody looks. What it shares with gate while the person shares is the one exception.
fn private_holds_the_same(system: &System) -> Checked {
    for pd in system.pds.iter().filter(|pd| pd.trust == Trust::Private) {
        let maps = pd.maps.iter().map(|map| {
            let memory = &system.memories[usize::from(map.memory)];
            let shared = crate::edges::channel_name(memory) == SHARE;
            (map.modes, shared, format!("memory `{}`", memory.name))
        });
        let caps = pd.caps.iter().map(|cap| {
            let owned = match cap.object {
                Object::Notification(i) => system.notifications.get(usize::from(i)),
                _ => None,
            };
            let owner = owned.and_then(|owned| system.pds.get(usize::from(owned.owner?)));
            let bell = owner.is_some_and(|owner| owner.name == GATE);
            (cap.modes, bell, format!("the capability in slot {}", cap.slot))
        });
        for (modes, may_share, what) in maps.chain(caps) {
            let lacks = |mode: &usize| pd.modes.has(*mode) && !modes.has(*mode);
            let Some(without) = (0..system.modes.len()).find(lacks) else { continue };
            let only_sharing = (0..system.modes.len()).all(|mode| !modes.has(mode) || is_sharing(system, mode));
            if !(may_share && only_sharing) {
                let with = names(system, modes);
                let what =
                    format!("{} (private) has {what} in {with}, and not in {}", pd.name, system.modes[without].name);
                return refused(Rule::PrivateHoldsTheSame, None, what, Vec::new());
            }
        }
    }
    Ok(())
}

fn names(system: &System, modes: Modes) -> String {
    let has = system.modes.iter().enumerate().filter(|(mode, _)| modes.has(*mode));
    has.map(|(_, mode)| mode.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn write_xor_execute(pd: &Pd) -> Checked {
    match pd.image.segments.iter().find(|segment| segment.write && segment.execute) {
        Some(segment) => {
            let what = format!("{} may write to and execute its segment at {:#x}", pd.name, segment.vaddr);
            refused(Rule::WriteXorExecute, None, what, Vec::new())
        }
        None => Ok(()),
    }
}

/// The kernel sends a thread's fault to whatever lies in the slot that root configures: a registers' worth of words.
fn faults_go_to_root(index: usize, pd: &Pd) -> Checked {
    let is_fault = |cap: &&Cap| cap.object == Object::RootEndpoint && cap.badge & label::BADGE_FAULT != 0;
    let handlers: Vec<&Cap> = pd.caps.iter().filter(is_fault).collect();
    let right = |cap: &Cap| {
        let told = match &pd.start {
            StartPage::Rust(start) => start.fault_slot == cap.slot,
            StartPage::Words(_) => true,
        };
        let own = cap.badge & label::BADGE_PD_MASK == index as u64;
        told && own && !cap.rights.read && cap.rights.write && cap.modes.0 & pd.modes.0 == pd.modes.0
    };
    match handlers[..] {
        [cap] if right(cap) => Ok(()),
        _ => {
            let what = format!("the faults of {} do not go to root, as its own, in all of its modes", pd.name);
            refused(Rule::FaultsGoToRoot, None, what, Vec::new())
        }
    }
}

/// The right to be answered is the only one beside reading and writing, and belongs to callers of an endpoint.
fn reply_is_for_callers(system: &System, pd: &Pd, cap: &Cap) -> Checked {
    let rights = cap.rights;
    let sound = match cap.object {
        Object::Endpoint(_) | Object::RootEndpoint => {
            !(rights.read && rights.write) && (rights.write || !rights.grant_reply)
        }
        Object::Notification(_) => !rights.grant_reply,
        Object::Irq(_) | Object::Ports(_) => !(rights.read || rights.write || rights.grant_reply),
    };
    // A server receives on its own endpoint and on no other.
    let receives = match cap.object {
        Object::Endpoint(i) => rights.read.then(|| system.endpoints.get(usize::from(i))).flatten(),
        _ => None,
    };
    let owner = |owned: &spec::Owned| owned.owner.and_then(|owner| system.pds.get(usize::from(owner)));
    if !sound
        || receives.is_some_and(|owned| owner(owned) != Some(pd))
        || cap.object == Object::RootEndpoint && rights.read
    {
        let object = match cap.object {
            Object::Endpoint(_) => "an endpoint",
            Object::RootEndpoint => "root's endpoint",
            Object::Notification(_) => "a notification",
            Object::Irq(_) => "an interrupt",
            Object::Ports(_) => "I/O ports",
        };
        let has = [(rights.read, "receive"), (rights.write, "send"), (rights.grant_reply, "be answered")];
        let has: Vec<&str> = has.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect();
        let what = format!("{} may {} by slot {}, which is {object}", pd.name, has.join(" and "), cap.slot);
        return refused(Rule::ReplyIsForCallers, None, what, Vec::new());
    }
    Ok(())
}

/// A notification that a PD may both signal and take is a word of memory for it and for the other end alike.
fn signals_go_one_way(system: &System, mode: usize) -> Checked {
    for (i, notification) in system.notifications.iter().enumerate() {
        let object = Object::Notification(i as u16);
        let running = || system.pds.iter().enumerate().filter(|(_, pd)| pd.modes.has(mode));
        let has = |pd: &Pd, right: &dyn Fn(&Cap) -> bool| {
            pd.caps.iter().any(|cap| cap.object == object && cap.modes.has(mode) && right(cap))
        };
        let touches = |pd: &Pd| has(pd, &|_| true) || pd.notification == Some(i as u16);
        // A PD's own threads wake each other over notifications that nobody else has.
        if running().filter(|(_, pd)| touches(pd)).count() <= 1 && system.root.notification != i as u16 {
            continue;
        }
        let waits = |index: usize, pd: &Pd| {
            has(pd, &|cap| cap.rights.read)
                || pd.notification == Some(i as u16)
                || notification.owner == Some(index as u16)
        };
        if let Some((_, pd)) = running().find(|(index, pd)| waits(*index, pd) && has(pd, &|cap| cap.rights.write)) {
            let mode = Some(system.modes[mode].name.as_str());
            let what = format!(
                "{} both signals and takes the notification `{}`, which others have too",
                pd.name, notification.name
            );
            return refused(Rule::SignalsGoOneWay, mode, what, Vec::new());
        }
    }
    Ok(())
}

/// The PD that wakes root: both sides hear it, so it may hear neither.
pub fn is_clock(system: &System, pd: &Pd) -> bool {
    let root = Object::Notification(system.root.notification);
    pd.caps.iter().any(|cap| cap.object == root && cap.rights.write && cap.badge & system.root.tick_bit != 0)
}

fn clock_takes_nothing(system: &System, mode: usize, edges: &[Edge]) -> Checked {
    for clock in system.pds.iter().filter(|pd| is_clock(system, pd)) {
        let device = |place: &str| place.contains(':');
        let roots = |edge: &Edge| edge.from == ROOT && matches!(edge.kind, Kind::Power | Kind::Reply);
        let asks = |edge: &&Edge| edge.to == clock.name && !device(&edge.from) && !roots(edge);
        if let Some(edge) = edges.iter().find(asks) {
            let what = format!("{} can ask {} for something, and everybody hears what it says", edge.from, clock.name);
            return refused(Rule::ClockTakesNothing, Some(&system.modes[mode].name), what, vec![edge.clone()]);
        }
    }
    Ok(())
}

/// What changes about private PDs goes to the display. So root declares no crossing to a public PD, and beside its
/// replies and the power that it has over everything there is nothing on which it could say more than a constant.
fn root_says_constants(system: &System, mode: usize, edges: &[Edge]) -> Checked {
    let to_public = || edges.iter().filter(|edge| edge.from == ROOT && is_public(system, &edge.to));
    let crossed =
        to_public().find_map(|out| Some((out, system.root.crossings.iter().find(|c| matches(&c.to, out, ROOT))?)));
    let mode = Some(system.modes[mode].name.as_str());
    if let Some((out, crossing)) = crossed {
        let into = edges.iter().find(|edge| edge.to == ROOT && matches(&crossing.from, edge, ROOT));
        let what = format!("root passes on to {} (public) what it hears: {}", out.to, crossing.why);
        return refused(Rule::RootSaysConstants, mode, what, into.into_iter().chain([out]).cloned().collect());
    }
    let memory = |edge: &&Edge| !matches!(edge.kind, Kind::Reply | Kind::Power | Kind::AnyMemory);
    if let Some(edge) = to_public().find(memory) {
        let what = format!("root has more than replies for {} (public)", edge.to);
        return refused(Rule::RootSaysConstants, mode, what, vec![edge.clone()]);
    }
    Ok(())
}

fn nothing_leads_to_the_wire_locally(system: &System, mode: usize, edges: &[Edge]) -> Checked {
    let leads = |edge: &&Edge| {
        (is_wire(&edge.to) && edge.from != ROOT)
            || (is_wire(&edge.from) && edge.to != ROOT && edge.kind != Kind::AnyMemory)
    };
    match edges.iter().find(leads).filter(|_| is_local(system, mode)) {
        Some(edge) => {
            let holder = if is_wire(&edge.to) { &edge.from } else { &edge.to };
            let what = format!("{holder} holds what leads to a network device where there is no network");
            refused(Rule::NothingLeadsToTheWireLocally, Some(&system.modes[mode].name), what, vec![edge.clone()])
        }
        None => Ok(()),
    }
}

/// Two drivers would meet in the device. What one alone drives is a part of it.
fn one_driver(system: &System, mode: usize, edges: &[Edge]) -> Checked {
    let mut drivers: BTreeMap<&str, &Edge> = BTreeMap::new();
    let mode = Some(system.modes[mode].name.as_str());
    let touches = |edge: &&Edge| edge.to.contains(':') && edge.from != ROOT && edge.kind != Kind::AnyMemory;
    for edge in edges.iter().filter(touches) {
        let declared = system.pci.iter().find(|function| edge.to.ends_with(&format!(":{}", function.name)));
        let driver = declared.and_then(|function| system.pds.get(usize::from(function.driver)));
        if let Some(driver) = driver.filter(|driver| driver.name != edge.from) {
            let what = format!("{} reaches {}, whose driver is {}", edge.from, edge.to, driver.name);
            return refused(Rule::OneDriver, mode, what, vec![edge.clone()]);
        }
        let first = drivers.entry(&edge.to).or_insert(edge);
        if first.from != edge.from {
            let back = Edge { from: edge.to.clone(), to: edge.from.clone(), ..edge.clone() };
            let what = format!("{} and {} both drive {}", first.from, edge.from, edge.to);
            return refused(Rule::OneDriver, mode, what, vec![(*first).clone(), back]);
        }
    }
    Ok(())
}
