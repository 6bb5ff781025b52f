//! A machine in QEMU, with a terminal on its serial port and a control line, and with a debugger port and memory that
//! can be looked into if asked for. The command line is `alpha`'s own, the one that people's machines get.

use crate::{gdb::Gdb, qmp::Qmp, terminal::Terminal, Failure, Result};
use alpha::{
    qemu::{self, Accel, Config, Serial},
    Boot,
};
use std::{
    fs::{self, File},
    io::Read,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long QEMU may take to open a socket.
const CONNECT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Options {
    pub columns: u16,
    pub rows: u16,
    /// For everything that is done with this machine.
    pub limit: Duration,
    /// A debugger port, and memory in a file: what [`crate::victim`] needs.
    pub open: bool,
    /// A debugger port alone.
    pub debugger_only: bool,
    /// Stands still until a debugger lets it run.
    pub paused: bool,
    pub accel: Accel,
    /// What the network card is connected to; `None`: QEMU's user network.
    pub netdev: Option<String>,
    /// Words for the kernel's command line.
    pub append: Vec<String>,
    /// Further options of QEMU.
    pub extra: Vec<std::ffi::OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            columns: 80,
            rows: 24,
            limit: Duration::from_secs(120),
            open: false,
            debugger_only: false,
            paused: false,
            accel: Accel::Tcg,
            netdev: None,
            append: Vec::new(),
            extra: Vec::new(),
        }
    }
}

pub struct Machine {
    pub terminal: Terminal,
    pub qmp: Qmp,
    /// When QEMU was started.
    pub started: Instant,
    qemu: Child,
    folder: Folder,
}

impl Machine {
    pub fn start(boot: &Boot, options: &Options) -> Result<Self> {
        let folder = Folder::new()?;
        let console = folder.0.join("console");
        let control = folder.0.join("control");
        let mut config = Config::new(boot);
        config.accel = options.accel.clone();
        config.serial = Serial::Socket(console.clone());
        config.qmp = Some(control.clone());
        config.netdev.clone_from(&options.netdev);
        config.append.clone_from(&options.append);
        config.extra.clone_from(&options.extra);
        config.paused = options.paused;
        if options.open || options.debugger_only {
            config.gdb = Some(folder.0.join("debugger"));
        }
        if options.open {
            let (size, file) = (boot.memory_bytes, folder.0.join("memory"));
            let object = format!("memory-backend-file,id=ram,share=on,size={size},mem-path={}", file.display());
            config.extra.extend(["-object".into(), object.into(), "-machine".into(), "memory-backend=ram".into()]);
        }
        let mut command = qemu::command(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.0.join("errors"))?);
        let started = Instant::now();
        let qemu = command.spawn().map_err(|error| Failure::new(format!("{} does not start: {error}", qemu::QEMU)))?;
        let mut child = Running(Some(qemu));
        // QEMU waits for somebody at the serial port, so no byte is said before it is heard.
        let console = child.connect(&console, &folder)?;
        let terminal = Terminal::new(console, options.columns, options.rows, options.limit)?;
        let qmp = Qmp::new(child.connect(&control, &folder)?)?;
        Ok(Machine { terminal, qmp, started, qemu: child.0.take().expect("it runs"), folder })
    }

    /// Stops the machine and takes hold of it; `Gdb::detach` lets it run again.
    pub fn debugger(&self) -> Result<Gdb> {
        Gdb::attach(UnixStream::connect(self.folder.0.join("debugger"))?)
    }

    /// The guest's memory; QEMU's q35 puts all of it from 0 on where there is less than 2.75 GiB.
    pub fn memory(&self) -> Result<File> {
        Ok(File::open(self.folder.0.join("memory"))?)
    }

    /// Waits until QEMU ends by itself.
    pub fn wait_end(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.qemu.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > self.terminal.deadline {
                return Err(self.terminal.failure("waited for QEMU to end: the time is up"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.qemu.try_wait()?.is_none())
    }

    /// What QEMU complained about.
    pub fn errors(&self) -> String {
        errors(&self.folder)
    }

    /// QEMU's process.
    pub fn process(&self) -> u32 {
        self.qemu.id()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn errors(folder: &Folder) -> String {
    fs::read_to_string(folder.0.join("errors")).unwrap_or_default()
}

/// A QEMU that ends with this value if nobody takes it over.
struct Running(Option<Child>);

impl Running {
    fn connect(&mut self, path: &Path, folder: &Folder) -> Result<UnixStream> {
        let end = Instant::now() + CONNECT;
        loop {
            if let Ok(stream) = UnixStream::connect(path) {
                return Ok(stream);
            }
            let ended = self.0.as_mut().expect("it runs").try_wait()?;
            if let Some(status) = ended {
                return Err(Failure::new(format!("QEMU ended at once ({status}): {}", errors(folder))));
            }
            if Instant::now() > end {
                return Err(Failure::new(format!("QEMU does not open {}: {}", path.display(), errors(folder))));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a host program to its end, at most `limit`; gives its status and everything it said.
pub fn run_host(command: &mut Command, limit: Duration) -> Result<(ExitStatus, String)> {
    let folder = Folder::new()?;
    let path = folder.0.join("output");
    let output = File::create(&path)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn()?;
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            let said = fs::read_to_string(&path).unwrap_or_default();
            return Err(Failure::new(format!("still running after {} s; it said:\n{said}", limit.as_secs())));
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut said = Vec::new();
    File::open(&path)?.read_to_end(&mut said)?;
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

/// A folder for one machine's sockets and files, in memory where there is room; gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = Path::new("/dev/shm");
        let base = if base.is_dir() { base.to_path_buf() } else { std::env::temp_dir() };
        let path = base.join(format!("alpha-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
