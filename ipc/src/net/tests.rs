use super::*;
use proptest::prelude::*;

fn id() -> impl Strategy<Value = Id> {
    any::<(u32, u32)>().prop_map(|(life, number)| Id { life, number })
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    let mut buffer = vec![0; RECORD_BYTES];
    crate::encode(value, &mut buffer).unwrap().to_vec()
}

proptest! {
    #[test]
    fn a_head_and_its_bytes_are_the_record(id in id(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut buffer = [0; HEAD_BYTES];
        let record = [data_head(id, bytes.len(), &mut buffer), &bytes].concat();
        prop_assert_eq!(&record, &encoded(&Record::Data { id, bytes: &bytes }));
        prop_assert_eq!(crate::decode(&record), Ok(Record::Data { id, bytes: &bytes }));
        let record = [event_data_head(id, bytes.len(), &mut buffer), &bytes].concat();
        prop_assert_eq!(&record, &encoded(&Event::Data { id, bytes: &bytes }));
        prop_assert_eq!(crate::decode(&record), Ok(Event::Data { id, bytes: &bytes }));
    }
}

#[test]
fn the_largest_record_fits() {
    let bytes = vec![0xa5; DATA_BYTES];
    let id = Id { life: u32::MAX, number: u32::MAX };
    let record = encoded(&Event::Data { id, bytes: &bytes });
    assert_eq!(crate::decode(&record), Ok(Event::Data { id, bytes: &bytes }));
    let mut buffer = [0; HEAD_BYTES];
    assert!(!event_data_head(id, usize::MAX, &mut buffer).is_empty());
}

#[test]
fn the_longest_messages_fit_into_a_call() {
    let mut buffer = [0; crate::MESSAGE_BYTES];
    let name: String = std::iter::repeat_n('x', 253).collect();
    let host = Host::Name(Name::try_from(name.as_str()).unwrap());
    assert!(crate::encode(&Request::Connect { host, port: u16::MAX, timeout_ms: u32::MAX }, &mut buffer).is_some());
    let count = Count { frames: u64::MAX, bytes: u64::MAX };
    let ipv6 = Ipv6Addr::from([0xff; 16]);
    let status = Status {
        mac: [0xff; 6],
        reach: Reach::Ready,
        ipv4: Some((Ipv4Addr::BROADCAST, 32)),
        ipv6: [(ipv6, 128); ADDRESSES].into_iter().collect(),
        gateway: Some(Ipv4Addr::BROADCAST),
        gateway6: Some(ipv6),
        dns: [IpAddr::V6(ipv6); ADDRESSES].into_iter().collect(),
        sockets: u16::MAX,
        pings: u16::MAX,
        received: count,
        sent: count,
        bad_frames: u64::MAX,
        full: u64::MAX,
        malformed: u64::MAX,
    };
    let bytes = crate::encode(&status, &mut buffer).unwrap();
    assert_eq!(crate::decode(bytes), Ok(status));
}

#[test]
fn every_error_is_one_sentence_of_its_own() {
    let names = [
        NameError::Malformed,
        NameError::NoServer,
        NameError::Unknown,
        NameError::NoAddress,
        NameError::Server { code: 2 },
        NameError::Server { code: 5 },
        NameError::Server { code: 9 },
        NameError::NoAnswer,
    ];
    let errors = [
        Error::LinkDown,
        Error::NoAddress,
        Error::AddressLost,
        Error::Unreachable,
        Error::Refused,
        Error::Reset,
        Error::TimedOut { after_ms: 2500 },
        Error::TooMany { limit: 8 },
        Error::NoMemory,
        Error::BadPort,
        Error::Overrun,
        Error::Device,
    ];
    let sentences: std::collections::BTreeSet<String> =
        errors.into_iter().chain(names.map(Error::Name)).map(|error| error.to_string()).collect();
    assert_eq!(sentences.len(), errors.len() + names.len());
    for sentence in &sentences {
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
    }
    assert!(sentences.contains("No answer within 2.5 s."));
}
