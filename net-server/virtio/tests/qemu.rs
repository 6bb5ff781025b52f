//! The driver against QEMU's card: registers through QEMU's test protocol, memory shared as a file. The machine's own
//! processor halts at its first instruction.
//! On top of it the network core, on the other side QEMU's user network and the host's TCP.

use ipc::net::{Error, Event, Host, Reach, Record, Server};
use net_core::{Net, Out, Start};
use net_virtio::{Dma, Nic, Registers, DMA_BYTES, QEMU};
use std::{
    cell::RefCell,
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

const MEMORY_BYTES: usize = 64 << 20;
/// Where the driver's memory lies in the machine's.
const DMA_BASE: usize = 16 << 20;
/// Where the test puts the card's registers, as firmware would.
const BAR: u64 = 0xfd00_0000;
const SLOT: u32 = 2;
const MAC_OPTION: &str = ",mac=52:54:00:12:34:56";
const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

struct Machine {
    qemu: Child,
    lines: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    monitor: RefCell<BufReader<UnixStream>>,
    folder: PathBuf,
    memory: *mut u8,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Machine {
    fn start(options: &str) -> Rc<Machine> {
        let folder = std::env::temp_dir().join(format!("net-virtio-{}-{}", std::process::id(), options.len()));
        std::fs::create_dir_all(&folder).unwrap();
        let (memory, monitor) = (folder.join("memory"), folder.join("monitor"));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&memory).unwrap();
        file.set_len(MEMORY_BYTES as u64).unwrap();
        // SAFETY: a mapping of its own, of a file that only QEMU sees too.
        let mapped = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), MEMORY_BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        // `cli; hlt`, and again, where the processor begins: 16 bytes before the end.
        let mut firmware = vec![0u8; 64 * 1024];
        firmware[0xfff0..0xfff4].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfd]);
        std::fs::write(folder.join("firmware"), firmware).unwrap();
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(["-bios".as_ref(), folder.join("firmware").as_os_str()])
            .args(["-machine", "q35,accel=tcg,memory-backend=mem", "-m", "64M", "-display", "none", "-nodefaults"])
            .args(["-object", &format!("memory-backend-file,id=mem,size=64M,share=on,mem-path={}", memory.display())])
            .args(["-qtest", "stdio", "-qmp", &format!("unix:{},server=on,wait=off", monitor.display())])
            .args(["-netdev", "user,id=u", "-device"])
            .arg(format!("virtio-net-pci,id=nic,netdev=u,addr={SLOT},disable-legacy=on,romfile={MAC_OPTION}{options}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 starts (./alpha doctor says what is missing)");
        let lines = (qemu.stdin.take().unwrap(), BufReader::new(qemu.stdout.take().unwrap()));
        let limit = Instant::now() + Duration::from_secs(20);
        let monitor = loop {
            match UnixStream::connect(&monitor) {
                Ok(stream) => break BufReader::new(stream),
                Err(_) => assert!(Instant::now() < limit, "QEMU makes its monitor"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        let (lines, monitor) = (RefCell::new(lines), RefCell::new(monitor));
        let machine = Rc::new(Machine { qemu, lines, monitor, folder, memory: mapped.cast() });
        machine.monitor("\"qmp_capabilities\"");
        machine
    }

    /// A command of the test protocol, and the number in its answer.
    fn ask(&self, command: std::fmt::Arguments) -> u64 {
        let (input, output) = &mut *self.lines.borrow_mut();
        writeln!(input, "{command}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let answer = line.trim().strip_prefix("OK").unwrap_or_else(|| panic!("{command}: {line}")).trim();
        answer.strip_prefix("0x").map_or(0, |number| u64::from_str_radix(number, 16).unwrap())
    }

    fn monitor(&self, command: &str) {
        let monitor = &mut *self.monitor.borrow_mut();
        writeln!(monitor.get_mut(), "{{\"execute\": {command}}}").unwrap();
        let mut line = String::new();
        while !line.contains("\"return\"") {
            line.clear();
            assert!(monitor.read_line(&mut line).unwrap() > 0);
        }
    }

    fn set_link(&self, up: bool) {
        self.monitor(&format!("\"set_link\", \"arguments\": {{\"name\": \"nic\", \"up\": {up}}}"));
    }

    fn pci_read(&self, register: u32) -> u32 {
        self.ask(format_args!("outl 0xcf8 {:#x}", 0x8000_0000 | SLOT << 11 | register & !3));
        self.ask(format_args!("inl 0xcfc")) as u32
    }

    fn pci_write(&self, register: u32, value: u32) {
        self.ask(format_args!("outl 0xcf8 {:#x}", 0x8000_0000 | SLOT << 11 | register));
        self.ask(format_args!("outl 0xcfc {value:#x}"));
    }

    /// What the card's capabilities say of its parts: kind, region, offset, and its own last word.
    fn parts(&self) -> Vec<(u8, u8, usize, usize)> {
        let mut parts = Vec::new();
        let mut at = self.pci_read(0x34) & 0xff;
        while at != 0 {
            let head = self.pci_read(at);
            if head & 0xff == 9 {
                let bar = self.pci_read(at + 4) as u8;
                parts.push(((head >> 24) as u8, bar, self.pci_read(at + 8) as usize, self.pci_read(at + 16) as usize));
            }
            at = head >> 8 & 0xff;
        }
        parts
    }

    fn card(self: &Rc<Machine>) -> Nic<Card> {
        self.pci_write(0x20, BAR as u32);
        self.pci_write(0x24, 0);
        // Memory, and bus mastering.
        self.pci_write(4, 6);
        // SAFETY: the mapping stays, and only this driver and QEMU's card use this part of it.
        let dma = Dma {
            vaddr: unsafe { self.memory.add(DMA_BASE) },
            bytes: MEMORY_BYTES - DMA_BASE,
            device_base: DMA_BASE as u64,
        };
        assert!(dma.bytes >= 2 * DMA_BYTES);
        // SAFETY: as above.
        unsafe { Nic::new(Card(self.clone()), QEMU, dma) }.expect("the card starts")
    }
}

struct Card(Rc<Machine>);

impl Registers for Card {
    fn read8(&self, offset: usize) -> u8 {
        self.0.ask(format_args!("readb {:#x}", BAR + offset as u64)) as u8
    }
    fn read16(&self, offset: usize) -> u16 {
        self.0.ask(format_args!("readw {:#x}", BAR + offset as u64)) as u16
    }
    fn read32(&self, offset: usize) -> u32 {
        self.0.ask(format_args!("readl {:#x}", BAR + offset as u64)) as u32
    }
    fn write8(&mut self, offset: usize, value: u8) {
        self.0.ask(format_args!("writeb {:#x} {value:#x}", BAR + offset as u64));
    }
    fn write16(&mut self, offset: usize, value: u16) {
        self.0.ask(format_args!("writew {:#x} {value:#x}", BAR + offset as u64));
    }
    fn write32(&mut self, offset: usize, value: u32) {
        self.0.ask(format_args!("writel {:#x} {value:#x}", BAR + offset as u64));
    }
}

#[derive(Default)]
struct Records(Vec<Vec<u8>>);

impl Out for Records {
    fn room(&self) -> usize {
        1 << 20
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        self.0.push(parts.concat());
        true
    }
}

struct Computer {
    net: Net<Nic<Card>>,
    start: Instant,
    out: Records,
}

impl Computer {
    /// Runs until an event is what is looked for; bytes that come are taken, and counted.
    #[track_caller]
    fn until(&mut self, what: &str, count: &mut u64, mut found: impl FnMut(&Event) -> bool) {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            // As the server's loop does it. Interrupts are asked for all the time: nobody brings them here.
            self.net.device().wake();
            self.net.device().interrupt();
            let link = self.net.device().link_up();
            let more = self.net.turn(self.start.elapsed().as_micros() as u64, link, &mut self.out);
            self.net.device().flush();
            assert_eq!(self.net.device().broken(), None);
            let mut there = false;
            for record in std::mem::take(&mut self.out.0) {
                let event: Event = ipc::decode(&record).unwrap();
                if let Event::Data { id, bytes } = event {
                    *count += bytes.len() as u64;
                    let (mut buffer, bytes) = ([0; 64], bytes.len() as u32);
                    self.net.record(ipc::encode(&Record::Taken { id, bytes }, &mut buffer).unwrap());
                }
                there |= found(&event);
            }
            if there {
                return;
            }
            assert!(Instant::now() < limit, "{what} does not come: {:?}", self.net.status(0));
            if !self.net.device().sleep() && !more {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

/// One test: the driver's memory is one for the whole program.
#[test]
fn the_driver_runs_qemus_card() {
    for options in ["", ",iommu_platform=on"] {
        let machine = Machine::start(options);
        if options.is_empty() {
            let parts = machine.parts();
            let part = |kind| parts.iter().find(|part| part.0 == kind).copied().unwrap();
            assert!(parts.iter().filter(|part| part.0 <= 4).all(|part| part.1 == 4), "all lie in BAR 4: {parts:?}");
            assert_eq!((part(1).2, part(3).2, part(4).2), (QEMU.common, QEMU.isr, QEMU.device));
            assert_eq!((part(2).2, part(2).3), (QEMU.notify, QEMU.notify_multiplier));
            machine.pci_write(0x20, u32::MAX);
            assert_eq!(!(machine.pci_read(0x20) & !15) as usize + 1, QEMU.bytes);
        }
        let card = machine.card();
        assert_eq!(card.mac(), MAC);
        assert!(card.link_up());
        let start = Start { life: 1, mac: card.mac(), seed: [9; 32], now_us: 0 };
        let mut computer = Computer { net: Net::new(card, start), start: Instant::now(), out: Records::default() };
        let mut bytes = 0;
        computer.until("an address", &mut bytes, |event| *event == Event::Network(Reach::Ready));

        const LENGTH: u64 = 4 << 20;
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(&vec![1; LENGTH as usize]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let host = Host::Address("10.0.2.2".parse().unwrap());
        let id = computer.net.connect(0, host.clone(), port, 30_000).unwrap();
        let begin = Instant::now();
        computer.until("the end", &mut bytes, |event| *event == Event::End { id });
        assert_eq!(bytes, LENGTH);
        println!("{:.1} MB/s through QEMU's card", bytes as f64 / 1e6 / begin.elapsed().as_secs_f64());

        // The link.
        machine.set_link(false);
        computer.until("the link's end", &mut bytes, |event| *event == Event::Network(Reach::LinkDown));
        computer.until("a failure", &mut bytes, |event| *event == Event::Failed { id, error: Error::LinkDown });
        machine.set_link(true);
        computer.until("an address", &mut bytes, |event| *event == Event::Network(Reach::Ready));
        let id = computer.net.ping(0, host, 30_000).unwrap();
        computer.until("a pong", &mut bytes, |event| matches!(event, Event::Pong { id: of, .. } if *of == id));
        server.join().unwrap();
    }
}
