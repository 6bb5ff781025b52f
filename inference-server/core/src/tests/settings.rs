use super::*;
use crate::settings;

#[test]
fn settings_reach_the_next_answer() {
    let mut bench = Bench::ready();
    assert_eq!(bench.set("temperature", "0.2"), "temperature is 0.2 from the next answer on.\n");
    assert_eq!(bench.set("Top-K", " 7 "), "top_k is 7 from the next answer on.\n");
    assert_eq!(bench.set("max_tokens", "50"), "max_tokens is 50 from the next answer on.\n");
    assert_eq!(bench.set("seed", "12"), "seed is 12 from the next answer on.\n");
    bench.ask(5, "x");
    let generate = bench.generating();
    let sampling = generate.sampling;
    assert_eq!((sampling.temperature, sampling.top_k, sampling.seed, generate.max_tokens), (0.2, 7, 12, 50));
    bench.reply(done(generate.id, Reason::MaxTokens));
    assert!(matches!(bench.events()[..], [Event::Done { finish: Finish::MaxTokens { limit: 50 }, .. }]));
}

#[test]
fn a_setting_goes_back_to_its_default() {
    let mut bench = Bench::ready();
    let default = Settings::default();
    for entry in &settings::ENTRIES {
        let before = default.value(entry.name);
        bench.set(entry.name, "1");
        assert_eq!(bench.set(entry.name, "default"), format!("{} is {before} from the next answer on.\n", entry.name));
    }
    assert_eq!(bench.server.settings, default);
}

#[test]
fn values_outside_the_range_are_refused_with_the_range() {
    let mut bench = Bench::ready();
    assert_eq!(bench.set("temperature", "9"), "temperature takes a number from 0 to 5; 9 is outside.\n");
    assert_eq!(bench.set("temperature", "-0.1"), "temperature takes a number from 0 to 5; -0.1 is outside.\n");
    assert_eq!(bench.set("temperature", "inf"), "temperature takes a number from 0 to 5; inf is outside.\n");
    assert_eq!(bench.set("temperature", "nan"), "temperature takes a number from 0 to 5, and `nan` is none.\n");
    assert_eq!(bench.set("temperature", "0,2"), "temperature takes a number from 0 to 5, and `0,2` is none.\n");
    assert_eq!(bench.set("top_k", "1.5"), "top_k takes a whole number from 0 to 10000, and `1.5` is none.\n");
    assert_eq!(bench.set("top_k", "-1"), "top_k takes a whole number from 0 to 10000; -1 is outside.\n");
    assert_eq!(
        bench.set("top_k", "99999999999999999999999999999999"),
        "top_k takes a whole number from 0 to 10000; 99999999999999999999999999999999 is outside.\n"
    );
    assert_eq!(bench.set("seed", "x"), "seed takes `random` or a whole number from 0 to 4294967295, and `x` is none.\n");
    assert_eq!(bench.server.settings, Settings::default());
}

#[test]
fn an_unknown_setting_suggests_the_nearest() {
    let mut bench = Bench::ready();
    let shown = bench.set("temprature", "1");
    assert!(shown.starts_with("There is no setting temprature. Did you mean temperature? There are: temperature, top_k,"));
    assert!(bench.set("quux_and_more", "1").starts_with("There is no setting quux_and_more. There are:"));
}

#[test]
fn answers_differ_unless_a_seed_is_set() {
    let mut bench = Bench::ready();
    let mut seeds = Vec::new();
    for id in 0..4 {
        bench.ask(id, "x");
        let generate = bench.generating();
        seeds.push(generate.sampling.seed);
        bench.reply(done(generate.id, Reason::EndOfText));
    }
    seeds.sort();
    seeds.dedup();
    assert_eq!(seeds.len(), 4);
}
