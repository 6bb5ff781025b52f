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
use serde_json::json;
use system_tests::{ensure, machine::Options, person::Person, terminal::Mark, Failure, Result};

pub fn tests() -> Vec<Test> {
    vec![
        shared(Shared::Usual, "in local only requests for the network go nowhere, and router says why", nowhere),
        test("gate shows what would leave, and nothing leaves without a yes", asked),
        test("what goes wrong on the network is told in a sentence", trouble),
        test("a network that gives no address is told of", no_address),
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

/// Sends a line through gate, with a yes.
fn fetch(person: &mut Person, line: &str) -> Result<Mark> {
    let mark = person.enter(line)?;
    person.wait_printed(mark, "is a no.")?;
    person.wait_prompt()?;
    answer(person, "yes", "You said yes")?;
    Ok(mark)
}

fn in_network(world: &World, options: &Options) -> Result<Person> {
    let boot = world.boot(&Wish::default())?;
    let mut person = Person::boot(&boot, options)?;
    let network = boot.system.modes.iter().position(|mode| mode.name == "network");
    let network = network.ok_or_else(|| Failure::new("the layout has no mode network"))?;
    person.change_mode(network + 1, "Network")?;
    Ok(person)
}

fn trouble(world: &World) -> Result<()> {
    let mut person = in_network(world, &limit(300))?;
    // A port on which nobody listens any more.
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mark = fetch(&mut person, &format!("/fetch 10.0.2.2 {closed} x"))?;
    person.wait_printed(mark, "The connection was refused: nothing listens on that port.")?;

    // The other end breaks off: unread bytes make the host's kernel send a reset.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mark = fetch(&mut person, &format!(r"/fetch 10.0.2.2 {port} GET / HTTP/1.0\r\n\r\n"))?;
    let stream = accept(&listener)?;
    stream.peek(&mut [0])?;
    drop(stream);
    person.wait_printed(mark, "[cloud]")?;
    person.wait_printed(mark, "The other end has broken off the connection.")?;

    // Ctrl-C ends what would last for ever.
    let mark = fetch(&mut person, &format!(r"/fetch 10.0.2.2 {port} GET / HTTP/1.0\r\n\r\n"))?;
    let mut stream = accept(&listener)?;
    stream.write_all(b"the beginning\n")?;
    person.wait_printed(mark, "the beginning")?;
    person.press("ctrl-c")?;
    person.wait_printed(mark, "Stopped after 14 bytes")?;
    person.wait_prompt()?;

    let mark = fetch(&mut person, "/ping 10.0.2.2")?;
    person.wait_printed(mark, "10.0.2.2 answered in")?;

    person.machine.qmp.run("set_link", json!({ "name": "net", "up": false }))?;
    let mark = person.enter("/net")?;
    person.wait_printed(mark, "the link is down")?;
    person.wait_prompt()?;
    let mark = fetch(&mut person, &format!("/fetch 10.0.2.2 {port} x"))?;
    person.wait_printed(mark, "The network link is down.")?;
    person.machine.qmp.run("set_link", json!({ "name": "net", "up": true }))?;
    // The address comes again by itself.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let mark = person.enter("/net")?;
        person.wait_printed(mark, "records of cloud")?;
        person.wait_prompt()?;
        if person.machine.terminal.look(|view| view.printed_since(mark)).contains("10.0.2.15/24") {
            break;
        }
        ensure!(Instant::now() < end, "no address after the link was there again");
    }
    let mark = fetch(&mut person, "/ping 10.0.2.2")?;
    person.wait_printed(mark, "10.0.2.2 answered in")?;
    person.quit()
}

/// The card is connected to nothing that answers.
fn no_address(world: &World) -> Result<()> {
    let options = Options { netdev: Some("hubport,id=net,hubid=0".into()), ..limit(300) };
    let mut person = in_network(world, &options)?;
    let mark = person.enter("/net")?;
    person.wait_printed(mark, "the link is up; nobody has given an address")?;
    person.wait_prompt()?;
    let mark = fetch(&mut person, "/fetch 10.0.2.2 80 x")?;
    person.wait_printed(mark, "This computer has no network address: no DHCP server has answered.")?;
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer");
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
