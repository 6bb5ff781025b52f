//! What leaves this machine, and what does not.

use super::{limit, shared, test, Shared, Test};
use crate::World;
use alpha::{Boot, Wish};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};
use system_tests::{ensure, person::Person, Failure, Result};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "in local only requests for the network go nowhere, and router says why", nowhere),
        test("gate shows what would leave, and nothing leaves without a yes", asked),
    ]
}

fn nowhere(person: &mut Person, _: &Boot) -> Result<()> {
    for line in ["/fetch http://10.0.2.2/", "/ping 10.0.2.2", "/net"] {
        let mark = person.enter(line)?;
        person.wait_printed(mark, "went nowhere: the mode is Local Only")?;
        person.wait_prompt()?;
    }
    // Nobody hears who answers a gate that is not there.
    let mark = person.mark();
    person.press_later("ctrl-g")?;
    person.wait_printed(mark, "gate is no part of this mode")?;
    person.press_later("escape")?;
    person.wait_prompt()
}

/// Presses the key for gate, and answers.
fn answer(person: &mut Person, text: &str, expected: &str) -> Result<()> {
    let mark = person.mark();
    person.press_later("ctrl-g")?;
    person.wait_trusted_by("gate", "")?;
    person.type_text(text)?;
    person.wait_trusted_by("gate", text)?;
    person.press_later("enter")?;
    person.wait_printed(mark, expected)?;
    person.press_later("escape")?;
    person.wait_prompt()
}

fn asked(world: &World) -> Result<()> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, &limit(300))?;
    let network = boot.system.modes.iter().position(|mode| mode.name == "network");
    let network = network.ok_or_else(|| Failure::new("the layout has no mode network"))?;
    person.change_mode(network + 1, "Network")?;
    // QEMU's user network leads from 10.0.2.2 to the host.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();

    let mark = person.enter(&format!(r"/fetch 10.0.2.2 {port} two  words\x00\n"))?;
    person.wait_printed(mark, &format!("To 10.0.2.2, TCP port {port}, not encrypted, would go these 12 bytes"))?;
    person.wait_printed(mark, r"| two··words\x00\n")?;
    person.wait_printed(mark, "is a no.")?;
    // A yes to the shell is a prompt, and no answer.
    person.wait_prompt()?;
    person.ask("yes")?;
    answer(&mut person, "no", "You did not say yes. Nothing was sent.")?;

    let mark = person.enter(&format!(r"/fetch 10.0.2.2 {port} again\xff\n"))?;
    person.wait_printed(mark, "is a no.")?;
    person.wait_prompt()?;
    answer(&mut person, "yes", &format!("You said yes: 7 bytes to 10.0.2.2, port {port}, handed to cloud."))?;
    // The first connection that comes is the one that was confirmed: there was none before it.
    let mut stream = accept(&listener)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    ensure!(bytes == b"again\xff\n", "{bytes:x?} arrived");
    stream.write_all(b"good day\n")?;
    drop(stream);
    person.wait_printed(mark, "good day")?;
    person.wait_printed(mark, "That was all: 9 bytes in")?;

    let mark = person.enter("/net")?;
    person.wait_printed(mark, "10.0.2.15/24, gateway 10.0.2.2")?;
    person.wait_prompt()?;
    let mark = person.enter("/log")?;
    person.wait_printed(mark, "refused: sha256")?;
    person.wait_printed(mark, "confirmed: sha256")?;
    person.wait_prompt()?;

    person.change_mode(1, "Local Only")?;
    let mark = person.enter("/ping 10.0.2.2")?;
    person.wait_printed(mark, "went nowhere: the mode is Local Only")?;
    person.wait_prompt()?;
    listener.set_nonblocking(true)?;
    ensure!(listener.accept().is_err(), "there was a connection that nobody confirmed");
    person.quit()
}

/// The next connection, if one comes in time.
fn accept(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new("nobody connected"))
}
