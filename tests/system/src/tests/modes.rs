//! Modes: what comes and goes with them, as a person changes them and as the machine shows from outside.

use super::{limit, start, test, Shared, Test};
use crate::World;
use alpha::{Boot, Wish};
use spec::{PciFunction, System};
use system_tests::{
    ensure,
    machine::Options,
    person::Person,
    victim::{kill, Signature},
    Failure, Result,
};

/// Changes there and back.
const CHANGES: usize = 10;
const LONG_CHANGES: usize = 500;

pub fn tests() -> Vec<Test> {
    vec![
        test("network and back: what comes, what goes, and what the network device may do", there_and_back),
        test("changing the mode does not disturb an answer", undisturbed),
        test("what was typed before is forgotten by the public side", forgotten),
        test("a part of the network that dies is started again", dies),
        test("many changes of the mode leave nothing behind", many),
    ]
}

/// Boots with memory that the network's parts fit in.
fn person(world: &World, options: &Options) -> Result<(Boot, Person)> {
    let boot = world.boot(&Wish::default())?;
    let person = Person::boot(&boot, options)?;
    Ok((boot, person))
}

fn mode(system: &System, name: &str) -> Result<usize> {
    let found = system.modes.iter().position(|mode| mode.name == name);
    found.ok_or_else(|| Failure::new(format!("the layout has no mode {name}")))
}

/// A word of a function's configuration space, as QEMU has it.
fn configuration(person: &mut Person, function: &PciFunction, register: u8) -> Result<u32> {
    let place = u32::from(function.source_id()) << 8;
    let address = 1 << 31 | place | u32::from(register & 0xfc);
    let qmp = &mut person.machine.qmp;
    qmp.monitor(&format!("o/w 0xcf8 {address:#x}"))?;
    let text = qmp.monitor("i/w 0xcfc")?;
    let word = text.rsplit("0x").next().and_then(|word| u32::from_str_radix(word.trim(), 16).ok());
    word.ok_or_else(|| Failure::new(format!("QEMU reads no configuration space: {text}")))
}

/// Whether the device may write to memory, and whether it answers at its addresses.
fn command(person: &mut Person, function: &PciFunction) -> Result<(bool, bool)> {
    let command = configuration(person, function, 4)?;
    Ok((command >> 2 & 1 != 0, command >> 1 & 1 != 0))
}

fn running(system: &System, mode: usize) -> Vec<String> {
    system.pds.iter().filter(|pd| pd.modes.has(mode)).map(|pd| pd.name.clone()).collect()
}

fn there_and_back(world: &World) -> Result<()> {
    let (boot, mut person) = person(world, &limit(300))?;
    let network = mode(&boot.system, "network")?;
    let function = boot.system.pci.first().cloned().ok_or_else(|| Failure::new("the layout has no PCI device"))?;
    ensure!(configuration(&mut person, &function, 0)? == function.id, "the device is not in its place");
    ensure!(command(&mut person, &function)? == (false, false), "the device is on the bus in Local Only");

    let shown = person.change_mode(network + 1, "Network")?;
    for pd in boot.system.pds.iter().filter(|pd| pd.modes.has(network) && !pd.modes.has(0)) {
        ensure!(shown.contains(&pd.name), "root did not say that {} comes:\n{shown}", pd.name);
    }
    ensure!(command(&mut person, &function)? == (true, true), "the device is off the bus in Network");
    let names: Vec<String> = person.status()?.into_iter().map(|part| part.name).filter(|name| name != "root").collect();
    ensure!(names == running(&boot.system, network), "{names:?} run in Network");
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer in Network");

    person.change_mode(1, "Local Only")?;
    ensure!(command(&mut person, &function)? == (false, false), "the device is on the bus again in Local Only");
    let names: Vec<String> = person.status()?.into_iter().map(|part| part.name).filter(|name| name != "root").collect();
    ensure!(names == running(&boot.system, 0), "{names:?} run in Local Only");
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer after coming back");
    person.quit()
}

fn undisturbed(world: &World) -> Result<()> {
    // A model that counts, whose answer is known.
    let (_, mut person, boot) = start(world, Shared::Counting)?;
    let network = mode(&boot.system, "network")?;
    let before = person.figures_seen();
    let mark = person.enter("count")?;
    person.wait_printed(mark, "3 4")?;
    person.change_mode(network + 1, "Network")?;
    person.change_mode(1, "Local Only")?;
    let seen = person.figures_seen();
    ensure!(seen == before, "the answer was over before the mode had changed twice: it shows nothing");
    person.wait_printed(mark, "15 16")?;
    person.press("ctrl-c")?;
    let answer = person.wait_answer(before)?;
    let numbers: Vec<u64> = answer.text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    ensure!(numbers.len() > 15 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {:?}", answer.text);
    person.quit()
}

fn forgotten(world: &World) -> Result<()> {
    let (boot, mut person) = person(world, &limit(300))?;
    let network = mode(&boot.system, "network")?;
    person.command("/why", "")?;
    person.change_mode(network + 1, "Network")?;
    // The shell's history is empty: there is nothing to go up to.
    person.press("up")?;
    person.type_text("x")?;
    person.wait_line("x", "x")?;
    person.press("ctrl-u")?;
    person.wait_prompt()?;
    for pd in boot.system.pds.iter().filter(|pd| pd.modes.has(0) && pd.modes.has(network)) {
        let starts = person.starts(&pd.name)?;
        ensure!(starts == 1, "{} says {starts} starts: public parts count anew, others run on", pd.name);
    }
    person.quit()
}

fn dies(world: &World) -> Result<()> {
    let (boot, mut person) = person(world, &Options { open: true, ..limit(300) })?;
    let network = mode(&boot.system, "network")?;
    person.change_mode(network + 1, "Network")?;
    for pd in boot.system.pds.iter().filter(|pd| pd.modes.has(network) && !pd.modes.has(0)) {
        let victim = Signature::of(&boot, &pd.name)?;
        let mark = person.mark();
        kill(&mut person.machine, &victim)?;
        person.wait_printed(mark, &format!("{} failed (", pd.name))?;
        person.wait_printed(mark, "was started again")?;
    }
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer");
    person.change_mode(1, "Local Only")?;
    person.quit()
}

/// Bytes are compared as root counts them; slots run out after some hundred changes if one is lost with each.
fn many(world: &World) -> Result<()> {
    let (boot, mut person) = person(world, &limit(1800))?;
    let network = mode(&boot.system, "network")?;
    let rounds = if world.long { LONG_CHANGES } else { CHANGES };
    let mut times = Vec::new();
    let mut free = None;
    for round in 0..rounds {
        times.push(took(&person.change_mode(network + 1, "Network")?)?);
        times.push(took(&person.change_mode(1, "Local Only")?)?);
        // The first round has reserved what every further one uses again.
        if round == 0 || round + 1 == rounds {
            let status = person.command("/status", "llama")?.join(" ");
            let now = status.split("Memory: ").nth(1).and_then(|rest| rest.split(" free").next()).map(str::to_owned);
            ensure!(now.is_some() && *free.get_or_insert(now.clone()) == now, "{free:?} was free, now {now:?}");
        }
    }
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("  {} changes of the mode: median {median} ms, worst {worst} ms", times.len());
    ensure!(!person.ask("Hello!")?.text.is_empty(), "no answer");
    person.quit()
}

/// `Changed in 41 ms.`
fn took(shown: &str) -> Result<u64> {
    let number = shown.split("Changed in ").nth(1).and_then(|rest| rest.split(" ms").next()?.trim().parse().ok());
    number.ok_or_else(|| Failure::new(format!("no time of the change in:\n{shown}")))
}
