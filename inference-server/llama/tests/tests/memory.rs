//! What `arena_bytes` says before the start is enough, and not far too much.

use llama_build::{arena_bytes, ModelFacts};
use llama_proto::*;
use llama_tests::gguf::{model, Kind, Shape, FIVE_M, TINY};
use llama_tests::harness::{ask, Llama, Settings, TemporaryFile};

/// Loads, generates and embeds with exactly the arena that was foretold; returns `(foretold, most ever used)`.
fn with_estimate(shape: &Shape, context: u32, repack: bool) -> (u64, u64) {
    let file = TemporaryFile::with(&model(shape).bytes());
    let facts = ModelFacts::read(&file.0).unwrap();
    assert_eq!((facts.layers, facts.width, facts.vocabulary), (shape.layers.into(), shape.width.into(), shape.vocabulary.into()));
    let (plain, repacked) = arena_bytes(&facts, context.into(), true);
    let arena_bytes = if repack { repacked } else { plain };
    let load = Load { n_ctx: context, repack: if repack { Repack::Always } else { Repack::Never }, ..Load::default() };
    let (mut llama, loaded) = Llama::loaded(&file.0, Settings { arena_bytes, ..Settings::default() }, load.clone());
    let prompt = Prompt::Tokens((0..loaded.n_ctx - 8).map(|i| 300 + i % 200).collect());
    llama.generate(Generate { prompt, ..ask(1, "", 8) });
    llama.send(&Command::Embed { id: 2, text: "etaoin ".repeat(20) });
    match llama.reply() {
        Reply::Embedding { .. } => {}
        other => panic!("{other:?}"),
    }
    // Once more, to hear how much was used at most.
    llama.send(&Command::Load(load));
    loop {
        match llama.reply() {
            Reply::Loaded(again) => return (arena_bytes, again.arena_peak),
            Reply::LoadFailed { reason, detail } => panic!("{reason}: {detail}"),
            _ => {}
        }
    }
}

#[test]
fn the_estimate_holds_and_is_not_wild() {
    let wide = Shape { name: "wide", width: 512, heads: 8, kv_heads: 8, feed_forward: 2048, layers: 8, ..FIVE_M };
    let large_vocabulary = Shape { name: "words", architecture: "qwen2", vocabulary: 60000, kind: Kind::Q4_0, ..FIVE_M };
    for (shape, context) in [(&TINY, 0), (&FIVE_M, 0), (&FIVE_M, 512), (&wide, 0), (&large_vocabulary, 0), (&large_vocabulary, 1024)] {
        for repack in [false, true] {
            let (foretold, used) = with_estimate(shape, context, repack);
            println!("{} ctx {context} repack {repack}: foretold {} KiB, used {} KiB", shape.name, foretold >> 10, used >> 10);
            assert!(used <= foretold && foretold < 3 * used + (8 << 20), "{} {context} {repack}", shape.name);
        }
    }
}
