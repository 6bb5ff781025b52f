//! What the runtime promises, as the caller of a PD sees it. One line for each.

use crate::layout;
use alloc::{format, string::String};
use ipc::CallError;
use rpc_protocol::{Client, Text};

pub fn run(say: &mut impl FnMut(String)) {
    let mut client = Client(pd::rpc::Client::new(layout::CLIENT_RPC_SERVER));
    let mut supervisor = ipc::supervisor::Client(pd::rpc::Client::new(layout::SUPERVISOR));

    let heap = client.heap().expect("the server fills its heap and lives");
    say(format!("heap {} {} {} {}", heap.layout_bytes, heap.had_bytes, heap.again_bytes, heap.large_refused));
    say(format!("thread-local {:x?}", client.thread_local()));
    say(format!("thread-local {:x?}", client.thread_local()));
    let logged = client.say(Text::try_from("a line for the log").unwrap_or_default());
    say(format!("logged {logged:?}"));
    say(format!("log {:?}", supervisor.log()));
    // Root says on the display what happened.
    say(format!("overflow {:?}", client.overflow()));
    say(match client.echo(1, Text::new()) {
        Ok((1, 1, _)) => "after the overflow: answered".into(),
        other => format!("after the overflow: {other:?}"),
    });
    say(format!("thread-local {:x?}", client.thread_local()));
    assert_eq!(client.echo(1, Text::new()).map_err(|error| error == CallError::ServerDied), Ok((1, 1, Text::new())));
    say(format!("log {:?}", supervisor.log()));
}
