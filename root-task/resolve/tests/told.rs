//! What root tells people of the real layout, and what it does when they answer.

mod common;

use common::{machine, real};
use ipc::focus::Typed;
use root_core::{
    dialog::{Dialog, Step},
    reach,
    report,
};
use spec::System;

fn system() -> System {
    real(&machine(1)).system
}

fn line(text: &str) -> Typed {
    Typed::Line { text: text.into() }
}

fn mode(system: &System, name: &str) -> usize {
    system.modes.iter().position(|mode| mode.name == name).unwrap()
}

#[test]
fn nobody_reaches_the_wire_in_local_only() {
    let system = system();
    assert_eq!(reach::to_devices(&system, 0), reach::Reach::default());
    assert!(!report::reaches_network(&system, 0));
    assert!(report::caps(&system, 0, true).ends_with("Network: nobody but root can reach a network device."));
}

#[test]
fn in_network_the_public_side_reaches_it_and_the_private_side_does_not() {
    let system = system();
    let network = mode(&system, "network");
    let reach = reach::to_devices(&system, network);
    assert_eq!((reach.freely, reach.guarded), (vec!["cloud".into(), "net".into()], vec!["shell".into(), "router".into()]));
    assert!(report::reaches_network(&system, network));
}

#[test]
fn the_mode_changes_after_a_yes_and_not_before() {
    let system = system();
    let network = mode(&system, "network");
    let number = line(&(network + 1).to_string());
    let mut dialog = Dialog::default();
    let mut typed = |typed: &Typed| dialog.typed(typed, &system, 0, true);
    // Lines that come without the focus mean nothing.
    assert_eq!(typed(&number), Step::Nothing);
    assert!(matches!(typed(&Typed::Opened), Step::Show(text) if text.contains("Local Only  (now)")));
    assert_eq!(typed(&line("1")), Step::Show("The mode is Local Only already.".into()));
    for wrong in ["", "0", "99", "-1", "yes", "Netwrok"] {
        assert!(matches!(typed(&line(wrong)), Step::Show(text) if text.starts_with("Type a number")), "{wrong}");
    }
    for no in ["no", "", "y", "yes please"] {
        assert!(matches!(typed(&number), Step::Show(text) if text.contains("is made: gate, cloud, net")));
        assert_eq!(typed(&line(no)), Step::Show("Nothing changed. The mode is Local Only.".into()), "{no}");
    }
    // To leave takes the question along.
    typed(&number);
    assert_eq!(typed(&Typed::Closed), Step::Nothing);
    assert_eq!(typed(&line("yes")), Step::Nothing);
    typed(&Typed::Opened);
    assert!(matches!(typed(&line("yes")), Step::Show(_)));
    typed(&number);
    assert_eq!(typed(&line("yes")), Step::Change(network));
}

#[test]
fn a_device_without_an_iommu_is_told_of() {
    let system = system();
    let network = mode(&system, "network");
    let caps = |confined| report::caps(&system, network, confined);
    assert!(caps(true).contains("behind the IOMMU, no other"));
    assert!(caps(false).contains("the device network can reach all memory, so net is trusted with it"));
    assert!(report::banner(&system, network, 0, false).contains("Note: this machine has no IOMMU in use"));
    assert!(!report::banner(&system, 0, 0, false).contains("IOMMU"));
}
