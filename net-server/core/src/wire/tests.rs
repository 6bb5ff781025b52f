use super::*;
use proptest::prelude::*;

fn frame(ethertype: u16, packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ethertype.to_be_bytes(), packet].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u16;
    let mut head = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15];
    head[2..4].copy_from_slice(&length.to_be_bytes());
    let checksum = Sum::default().bytes(&head).checksum();
    head[10..12].copy_from_slice(&checksum);
    frame(0x0800, &[&head, payload].concat())
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut head = vec![0x60, 0, 0, 0, 0, 0, next, 255];
    head[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    head.extend_from_slice(&[0xfe; 16]);
    head.extend_from_slice(&[0xfd; 16]);
    frame(0x86dd, &[&head, payload].concat())
}

fn segment(flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0, 80, 0xc0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0];
    segment.extend_from_slice(payload);
    segment
}

#[test]
fn a_segment_is_finished_so_that_it_is_taken_and_a_damaged_one_is_not() {
    for make in [ipv4, ipv6] {
        let mut whole = make(TCP, &segment(0x10, b"some bytes"));
        assert_eq!(look(&whole), Look::Drop);
        finish(&mut whole);
        assert_eq!(look(&whole), Look::Take);
        for at in 34..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert_eq!(look(&damaged), Look::Drop, "byte {at}");
        }
    }
}

#[test]
fn smoltcp_agrees_with_the_checksum() {
    let mut whole = ipv4(TCP, &segment(0x10, b"odd"));
    finish(&mut whole);
    let (source, destination) = (Ipv4Addr::new(10, 0, 2, 2), Ipv4Addr::new(10, 0, 2, 15));
    let packet = smoltcp::wire::TcpPacket::new_checked(&whole[34..]).unwrap();
    assert!(packet.verify_checksum(&source.into(), &destination.into()));
}

#[test]
fn a_reset_is_written_down() {
    let mut reset = ipv4(TCP, &segment(0x14, b""));
    finish(&mut reset);
    let ends = Ends { remote: Ipv4Addr::new(10, 0, 2, 2).into(), remote_port: 80, local_port: 0xc001 };
    assert_eq!(look(&reset), Look::Note(Note::Reset(ends)));
}

#[test]
fn a_routers_complaint_is_written_down_unless_it_is_damaged() {
    // Host unreachable, with the head of a segment of ours to 10.0.2.2, port 80.
    let mut ours = ipv4(TCP, &[0xc0, 1, 0, 80, 0, 0, 0, 0]);
    ours[14 + 16..14 + 20].copy_from_slice(&[10, 9, 9, 9]);
    let mut message = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &ours[14..]].concat();
    let checksum = Sum::default().bytes(&message).checksum();
    assert_eq!(look(&ipv4(1, &message)), Look::Take);
    message[2..4].copy_from_slice(&checksum);
    let ends = Ends { remote: Ipv4Addr::new(10, 9, 9, 9).into(), remote_port: 80, local_port: 0xc001 };
    assert_eq!(look(&ipv4(1, &message)), Look::Note(Note::Unreachable(ends)));
}

/// A router advertisement with one prefix.
fn advertisement(prefix: Ipv6Addr, bits: u8, length: u8) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&[3, length, bits, 0xc0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    message.extend_from_slice(&prefix.octets());
    let sum = pseudo_header(Ipv6Addr::from([0xfe; 16]).into(), Ipv6Addr::from([0xfd; 16]).into(), 58, message.len());
    let checksum = sum.bytes(&message).checksum();
    message[2..4].copy_from_slice(&checksum);
    ipv6(58, &message)
}

#[test]
fn a_router_may_announce_networks_only() {
    let network: Ipv6Addr = "2001:db8::".parse().unwrap();
    assert_eq!(look(&advertisement(network, 64, 4)), Look::Take);
    for (prefix, bits, length) in [
        ("ff02::", 64, 4),
        ("::", 64, 4),
        ("::1", 64, 4),
        ("2001:db8::", 129, 4),
        ("2001:db8::", 64, 0),
        ("2001:db8::", 64, 5),
        ("2001:db8::", 64, 1),
    ] {
        let advertisement = advertisement(prefix.parse().unwrap(), bits, length);
        assert_eq!(look(&advertisement), Look::Drop, "{prefix} {bits} {length}");
    }
}

#[test]
fn what_nothing_takes_is_dropped() {
    assert_eq!(look(&frame(0x0806, &[0; 28])), Look::Take);
    assert_eq!(look(&frame(0x88cc, &[0; 28])), Look::Drop);
    assert_eq!(look(&ipv4(47, &[0; 28])), Look::Drop);
    // A piece of a packet, and one with extension headers.
    let mut piece = ipv4(17, &[0; 28]);
    piece[14 + 6] = 0x20;
    assert_eq!(look(&piece), Look::Drop);
    assert_eq!(look(&ipv6(0, &[0; 28])), Look::Drop);
    assert_eq!(look(&[]), Look::Drop);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_frame_gets_a_verdict(
        which in 0usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = match which {
            0 => ipv4(TCP, &segment(4, b"bytes")),
            1 => ipv6(TCP, &segment(0, b"")),
            2 => ipv4(1, &[3, 1, 0xfc, 0xfe, 0, 0, 0, 0, 0x4f, 0, 0, 0]),
            _ => advertisement("2001:db8::".parse().unwrap(), 64, 4),
        };
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let end = cut.index(frame.len() + 1);
        look_at(&frame[..end]);
    }
}
