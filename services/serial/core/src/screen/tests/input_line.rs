use super::*;

#[test]
fn an_edit_in_the_middle_sends_the_rest_of_the_row_only() {
    let mut b = Bench::new(80, 24);
    b.edit_at("hello world", 5);
    assert_eq!(b.cursor(), (0, 7));
    let cost = b.edit_at("hello, world", 6);
    assert!(cost <= 7 + 5, "{cost}");
    assert_eq!(b.rows(), ["> hello, world"]);
    assert_eq!(b.cursor(), (0, 8));
    b.edit_at("hello", 5);
    assert_eq!(b.rows(), ["> hello"]);
}

#[test]
fn a_long_input_line_takes_several_rows_and_scrolls_when_it_fills_the_screen() {
    let mut b = Bench::new(20, 10);
    b.edit(&"a".repeat(16));
    b.edit(&"a".repeat(17));
    assert_eq!(b.cursor(), (0, 19));
    b.edit(&"a".repeat(18));
    assert_eq!(b.rows(), ["> aaaaaaaaaaaaaaaaa", "  a"]);
    assert_eq!(b.cursor(), (1, 3));
    b.lines(ROUTER, "above");
    assert_eq!(b.rows(), ["[router] above", "> aaaaaaaaaaaaaaaaa", "  a"]);
    let long: String = (0..400).map(|i| char::from(b'a' + (i / 17 % 26) as u8)).collect();
    b.edit(&long);
    let rows = b.rows();
    assert_eq!(rows.len(), 10 - 2 - 2 + 1);
    assert!(rows.last().unwrap().contains('x'), "{rows:?}");
    b.edit_at(&long, 0);
    let rows = b.rows();
    assert!(rows[rows.len() - 6].starts_with("> aaa"), "{rows:?}");
    b.edit("");
    assert_eq!(b.rows(), ["[router] above", ">"]);
}

#[test]
fn a_hundred_kilobytes_in_the_input_line_are_drawn_in_bounded_output() {
    let mut b = Bench::new(80, 24);
    let cost = b.edit(&"x".repeat(100_000));
    assert!(cost < 24 * 90, "{cost}");
    b.send(SHELL, Item::EditDone);
    b.edit("");
    assert_eq!(b.rows().last().unwrap(), ">");
}
