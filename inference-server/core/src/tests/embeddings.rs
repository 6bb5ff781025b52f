use super::*;
use ipc::inference::VECTOR_CHUNK;

#[test]
fn a_text_is_embedded_in_pieces_of_the_protocols_size() {
    let mut bench = Bench::ready();
    bench.request(Request::Embed { id: 5, text: "a text".into() });
    let Some(Command::Embed { id, text }) = bench.commands().pop() else { panic!() };
    assert_eq!(text, "a text");
    let values: Vec<f32> = (0..1500).map(|i| i as f32).collect();
    bench.reply(Reply::Embedding { id, total: 1500, start: 0, values: values[..1024].to_vec() });
    bench.reply(Reply::Embedding { id, total: 1500, start: 1024, values: values[1024..].to_vec() });
    let mut got = Vec::new();
    let events = bench.events();
    for event in &events {
        match event {
            Event::Embedding { id: 5, start, total: 1500, values } => {
                assert_eq!(*start as usize, got.len());
                assert!(values.len() <= VECTOR_CHUNK);
                got.extend_from_slice(values);
            }
            Event::Embedded { id: 5 } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, values);
    assert_eq!(events.last(), Some(&Event::Embedded { id: 5 }));
}

#[test]
fn a_vector_that_makes_no_sense_fails() {
    for (total, start, len) in [(10, 1, 2), (10, 0, 11), (10, 0, 0), (u32::MAX, 0, 1), (10, u32::MAX, 1)] {
        let mut bench = Bench::ready();
        bench.request(Request::Embed { id: 5, text: "x".into() });
        let Some(Command::Embed { id, .. }) = bench.commands().pop() else { panic!() };
        bench.reply(Reply::Embedding { id, total, start, values: vec![0.0; len] });
        assert_eq!(bench.events(), [Event::Failed { id: 5, failure: Failure::Engine }]);
    }
}

#[test]
fn an_embedding_model_embeds_and_does_not_answer() {
    let mut bench = Bench::start(1, &["minilm.gguf"]);
    bench.reply(hello());
    bench.reply(Reply::Loaded(Loaded { can_generate: false, ..facts() }));
    bench.request(Request::Hello { nonce: 1 });
    bench.events();
    bench.commands();
    bench.ask(5, "x");
    assert_eq!(bench.events(), [Event::Failed { id: 5, failure: Failure::Unsupported }]);
    bench.request(Request::Embed { id: 6, text: "x".into() });
    assert!(matches!(bench.commands()[..], [Command::Embed { .. }]));
}

#[test]
fn texts_to_embed_have_limits() {
    let mut bench = Bench::ready();
    bench.request(Request::Embed { id: 5, text: String::new() });
    bench.request(Request::Embed { id: 6, text: "x".repeat(8 * 1024 + 1) });
    assert_eq!(
        bench.events(),
        [
            Event::Failed { id: 5, failure: Failure::Malformed },
            Event::Failed { id: 6, failure: Failure::TooLarge { limit: 8 * 1024 } },
        ]
    );
}
