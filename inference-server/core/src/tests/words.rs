use crate::words;

#[test]
fn long_texts_are_cut_between_lines() {
    let pages = |text| words::pages(text, 8).collect::<Vec<_>>();
    assert_eq!(pages("one\ntwo\nthree"), ["one\ntwo", "three"]);
    assert_eq!(pages("12345678\nx"), ["12345678", "x"]);
    assert_eq!(pages("1234567890"), ["12345678", "90"]);
    assert_eq!(pages("ééééé"), ["éééé", "é"]);
    assert_eq!(pages(""), [""; 0]);
}

#[test]
fn sizes_and_times_read_well() {
    let sizes = [0, 999, 1000, 9_812_345, 999_499, 999_500, 1_500_000_000, 123_456_789_000];
    let words: Vec<String> = sizes.iter().map(|size| words::bytes(*size)).collect();
    assert_eq!(words, ["0 B", "999 B", "1.0 kB", "9.8 MB", "999 kB", "1.0 MB", "1.5 GB", "123 GB"]);
    assert_eq!(words::bytes(u64::MAX), "18446744 TB");
    assert_eq!(words::count(9_200_000), "9.2 million");
    assert_eq!([words::seconds(0), words::seconds(404_000), words::seconds(1_960_000)], ["0.00 s", "0.40 s", "2.0 s"]);
}
