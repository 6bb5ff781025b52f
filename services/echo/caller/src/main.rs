//! Calls the example server, has it fail, and calls it again. What it sees, it shows.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{format, string::String};
use ipc::{
    display::{Item, Style},
    echo::{Client, Text},
    supervisor,
};
use pd::RingOut;

pd::layout!("echo-caller");
pd::main!(run);

fn run(_start: &'static pd::Start) -> ! {
    let mut display = RingOut::open(layout::RING_OUT_DISPLAY);
    let mut show = |text: String| {
        let mut record = [0; 256];
        if let Some(bytes) = ipc::encode(&Item::Lines { style: Style::Plain, text }, &mut record) {
            let _ = display.push(&[bytes]);
        }
    };
    let mut echo = Client(pd::rpc::Client::new(layout::CLIENT_ECHO));
    let hello = Text::try_from("hello").unwrap_or_default();
    show(format!("{:?}", echo.echo(hello.clone())));
    show(format!("{:?}", echo.echo(hello.clone())));
    show(format!("{:?}", echo.fail()));
    show(format!("{:?}", echo.echo(hello)));
    let mut root = supervisor::Client(pd::rpc::Client::new(layout::SUPERVISOR));
    show(format!("{:?}", root.log()));
    let _ = root.quit();
    // The machine is switched off a moment later, when what was said is on the screen.
    let notification = pd::Notification::new(layout::NOTIFICATION);
    loop {
        notification.wait();
    }
}
