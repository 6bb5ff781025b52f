//! Bytes through the network: down from a server in this program and up to it, by a client on AlphaOS and by curl on
//! Linux.

use crate::{
    report::{mib, reaches, show},
    run::options,
    stats::{median, ratio},
    Bench,
};
use alpha::{qemu::Accel, Boot, Tree, Wish};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};
use system_tests::{ensure, machine::Machine, person::Person, Failure, Result};

/// At least this many times what Linux does.
const BAR: f64 = 0.8;
/// Longer than a machine takes to start and to have an address.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is written and read at once here.
const PIECE: usize = 256 * 1024;

/// Bytes in a second, as this program sees them.
#[derive(Clone, Copy, Debug)]
struct Rates {
    download: f64,
    upload: f64,
}

impl Bench {
    pub fn network(&mut self) -> Result<()> {
        let ours = self.other_layout("network", |folder| {
            let place = folder.join("layout");
            layout(&self.tree, &place)?;
            rpc_bench::build_for(&place.to_string_lossy(), &wish()).map_err(|error| Failure::new(error.to_string()))
        })?;
        let bytes: u64 = if self.quick { 32 << 20 } else { 256 << 20 };
        let theirs = self.linux.boot(&ours, self.linux.with_curl(bytes)?);
        let server = Server::new(bytes)?;
        let (mut rates, mut open) = (Vec::new(), Vec::new());
        let pairs = self.pairs(8);
        for pair in 0..pairs {
            let (alpha, linux) = if pair % 2 == 0 {
                let alpha = server.alpha(&ours)?;
                (alpha, server.linux(&theirs, true)?)
            } else {
                let linux = server.linux(&theirs, true)?;
                (server.alpha(&ours)?, linux)
            };
            let off = server.linux(&theirs, false)?;
            let sides = |pick: fn(&Rates) -> f64| [&alpha, &linux, &off].map(|rates| mib(pick(rates))).join(", ");
            eprintln!(
                "network, pair {} of {pairs}, AlphaOS, Linux, Linux without IOMMU: download {}; upload {} a second",
                pair + 1,
                sides(|rates| rates.download),
                sides(|rates| rates.upload),
            );
            rates.push((alpha, linux));
            open.push(off);
        }
        let rows: Vec<_> = [("download", true), ("upload", false)]
            .map(|(what, down)| {
                let pick = |rates: &Rates| if down { rates.download } else { rates.upload };
                let pairs: Vec<_> = rates.iter().map(|(alpha, linux)| (pick(alpha), pick(linux))).collect();
                let ratio = ratio(&pairs);
                let side = |pick: fn(&(f64, f64)) -> f64| mib(median(&pairs.iter().map(pick).collect::<Vec<_>>()));
                vec![
                    what.to_owned(),
                    pairs.len().to_string(),
                    side(|pair| pair.0),
                    side(|pair| pair.1),
                    show(&ratio),
                    reaches(&ratio, BAR),
                ]
            })
            .into();
        self.report.heading("Network");
        self.report.paragraph(&format!(
            "{} in one TCP connection, from a server on the host and to it, through QEMU's user network; bytes in a \
             second, median, as that server sees them from the first to the last. One core. AlphaOS: net and a client \
             in cloud's place. Linux: Debian's curl, with `/dev/null` and a file in memory at its end, and \
             `intel_iommu=on`, so that the card is behind the IOMMU for both.",
            mib(bytes as f64),
        ));
        self.report.table(&["what", "pairs", "AlphaOS", "Linux", "ratio (95 %)", "bar"], &rows);
        let of = |pick: fn(&Rates) -> f64| mib(median(&open.iter().map(pick).collect::<Vec<_>>()));
        self.report.paragraph(&format!(
            "Linux with the IOMMU left off, where the card reaches all memory: download {}, upload {}.",
            of(|rates| rates.download),
            of(|rates| rates.upload),
        ));
        Ok(())
    }
}

/// The product's layout with the measuring client in cloud's place, and nothing else changed. It is written below the
/// build folder: the tree itself has no layout that lets the network be used without gate's word.
fn layout(tree: &Tree, folder: &Path) -> Result<()> {
    let product = tree.root.join("root-task/layout");
    let text = fs::read_to_string(product.join("system.toml"))?;
    let (cloud, client) = ("\npackage = \"cloud\"\n", "\npackage = \"net-client\"\n");
    ensure!(text.matches(cloud).count() == 1, "the layout does not name cloud's program once");
    fs::create_dir_all(folder)?;
    fs::write(folder.join("system.toml"), text.replace(cloud, client))?;
    let platform = "platform-x86_64.toml";
    fs::copy(product.join(platform), folder.join(platform))?;
    Ok(())
}

fn wish() -> Wish {
    // Room for what curl sends.
    Wish { cores: 1, memory: Some(1 << 30), ..Wish::default() }
}

struct Server {
    listener: TcpListener,
    bytes: u64,
    over: AtomicBool,
}

impl Server {
    fn new(bytes: u64) -> Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, transfer::PORT))?;
        listener.set_nonblocking(true)?;
        Ok(Server { listener, bytes, over: AtomicBool::new(false) })
    }

    /// Serves a download and an upload while the machine runs.
    fn serve(&self, machine: impl FnOnce() -> Result<()>) -> Result<Rates> {
        thread::scope(|scope| {
            let server =
                scope.spawn(|| -> Result<Rates> { Ok(Rates { download: self.one(true)?, upload: self.one(false)? }) });
            let ran = machine();
            // Nobody comes any more.
            self.over.store(ran.is_err(), Relaxed);
            let rates = server.join().map_err(|_| Failure::new("the server failed"))?;
            ran.and(rates)
        })
    }

    /// One connection, and how fast it was.
    fn one(&self, download: bool) -> Result<f64> {
        let mut stream = self.accept()?;
        let mut head = Vec::new();
        let length = loop {
            let mut some = [0; 1];
            ensure!(stream.read(&mut some)? == 1 && head.len() < transfer::HEAD_BYTES, "no request");
            head.push(some[0]);
            if let Some(length) = transfer::head_length(&head) {
                break length;
            }
        };
        ensure!(head.starts_with(if download { b"GET " } else { b"PUT " }), "{}", String::from_utf8_lossy(&head));
        let mut piece = vec![0; PIECE];
        if download {
            write!(stream, "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", self.bytes)?;
            let begun = Instant::now();
            let mut left = self.bytes;
            while left > 0 {
                let written = stream.write(&piece[..left.min(PIECE as u64) as usize])?;
                left -= written as u64;
            }
            stream.shutdown(Shutdown::Write)?;
            // The client closes when it has taken everything; till then much of it lies in buffers.
            ensure!(stream.read(&mut piece)? == 0, "more came than a request");
            return Ok(self.bytes as f64 / begun.elapsed().as_secs_f64());
        }
        ensure!(transfer::body_length(&head[..length]) == Some(self.bytes), "an upload of another length");
        let (mut begun, mut came) = (None, 0);
        while came < self.bytes {
            let some = stream.read(&mut piece)?;
            begun.get_or_insert_with(Instant::now);
            ensure!(some > 0, "the upload ended after {came} bytes");
            came += some as u64;
        }
        let elapsed = begun.map_or(f64::NAN, |begun| begun.elapsed().as_secs_f64());
        write!(stream, "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        Ok(self.bytes as f64 / elapsed)
    }

    fn accept(&self) -> Result<TcpStream> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && !self.over.load(Relaxed) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::new("nobody connected"))
    }

    /// The client begins as soon as the person has changed the mode.
    fn alpha(&self, boot: &Boot) -> Result<Rates> {
        let network = boot.system.modes.iter().position(|mode| mode.name == "network");
        let network = network.ok_or_else(|| Failure::new("the layout has no mode network"))?;
        self.serve(|| {
            let mut person = Person::boot(boot, &options(Accel::Tcg))?;
            let mark = person.mark();
            person.change_mode(network + 1, "Network")?;
            ended(&person.machine, |printed| printed.contains("uploaded"), |printed| printed.contains("cloud failed"))?;
            let bytes = self.bytes;
            person.wait_printed(mark, &format!("downloaded {bytes} bytes"))?;
            person.quit()
        })
    }

    /// With the card behind the IOMMU, as on seL4, or with the IOMMU left off.
    fn linux(&self, boot: &Boot, iommu: bool) -> Result<Rates> {
        self.serve(|| {
            let mut options = options(Accel::Tcg);
            let iommu = if iommu { "intel_iommu=on iommu=nopt" } else { "intel_iommu=off" };
            options.append = ["console=ttyS0", "quiet", "panic=-1", iommu].map(String::from).to_vec();
            let mut machine = Machine::start(boot, &options)?;
            let failed = |printed: &str| printed.contains("BENCH failed") || printed.contains("Kernel panic");
            ended(&machine, |printed| printed.contains("BENCH done"), failed)?;
            machine.wait_end().map(drop)
        })
    }
}

/// Waits until the machine has said that it is done.
fn ended(machine: &Machine, done: impl Fn(&str) -> bool, failed: impl Fn(&str) -> bool) -> Result<()> {
    let ok = machine.terminal.wait("the end of the transfers", |view| {
        let printed = view.printed_since(Default::default());
        if failed(&printed) {
            return Some(false);
        }
        done(&printed).then_some(true)
    })?;
    ensure!(ok, "{}", machine.terminal.failure("the transfers failed"));
    Ok(())
}

/// What the first program of the Linux guest does, with the file to be sent in memory before anything is measured.
pub fn script(bytes: u64, modules: &[String]) -> String {
    let (server, port) = (Ipv4Addr::new(10, 0, 2, 2), transfer::PORT);
    let modules: String = modules.iter().map(|module| format!("insmod /modules/{module}\n")).collect();
    format!(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         export PATH=/bin\n\
         fail() {{ echo BENCH failed: $1; poweroff -f; }}\n\
         mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp\n\
         {modules}\
         grep -q intel_iommu=off /proc/cmdline || grep -q DMA /sys/kernel/iommu_groups/*/type || fail iommu\n\
         ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via {server}\n\
         head -c {bytes} /dev/zero >/tmp/data\n\
         curl -s -o /dev/null http://{server}:{port}/ || fail download\n\
         curl -s -o /dev/null -H Expect: -T /tmp/data http://{server}:{port}/ || fail upload\n\
         echo BENCH done\n\
         poweroff -f\n"
    )
}
