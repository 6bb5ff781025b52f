use super::*;
use llama_proto::Entry;

#[test]
fn model_shows_facts_settings_and_totals() {
    let mut bench = Bench::start(1, &["alpha-small.gguf"]);
    bench.now = 2 * S;
    bench.load();
    let Some(Command::Metadata { id }) = bench.commands().pop() else { panic!() };
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    let entries = vec![entry("general.architecture", "llama"), entry("general.license", "GPL\n2")];
    bench.reply(Reply::Metadata { id, total: 2, start: 0, entries });
    bench.request(Request::Hello { nonce: 1 });
    bench.ask(5, "x");
    let engine_id = bench.generating().id;
    bench.reply(done(engine_id, Reason::EndOfText));
    bench.shown();
    bench.request(Request::ShowModel);
    let shown = bench.shown();
    for part in [
        "alpha-small: llama, 9.2 million parameters, Q8_0, file 9.8 MB\n",
        "context        1024 tokens (trained with 1024)\n",
        "chat template  the file's own (chatml)\n",
        "memory         20.0 MB of 67.1 MB used, 30.0 MB at most: keys and values 4.0 MB, work space 2.0 MB; ",
        "ready 2.0 s after the machine's start\n",
        "temperature    0.2 ",
        "seed           random ",
        "1 answer of 23 tokens; 30 prompt tokens, 20 of them not computed again (prompt cache)\n",
        "file says      general.architecture = llama\n               general.license = GPL 2\n",
    ] {
        assert!(shown.contains(part), "{part:?} is missing in\n{shown}");
    }
}

#[test]
fn model_answers_while_loading_too() {
    let mut bench = Bench::start(1, &["big.gguf"]);
    bench.request(Request::Hello { nonce: 1 });
    bench.request(Request::ShowModel);
    assert!(bench.shown().starts_with("big.gguf (9.8 MB) is being loaded.\n"));
}
