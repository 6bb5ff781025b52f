//! A machine in QEMU, with a terminal on its serial port, a control line and, if asked for, a debugger port and
//! memory that can be looked into.

use crate::{gdb::Gdb, qmp::Qmp, terminal::Terminal, Failure, Result};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long QEMU may take to open its sockets.
const CONNECT: Duration = Duration::from_secs(30);

/// What of a machine is the harness's business; kernel, modules and processors come with the command.
#[derive(Clone, Debug)]
pub struct Options {
    pub columns: u16,
    pub rows: u16,
    /// For the whole test.
    pub limit: Duration,
    /// Bytes of memory, if the harness shall look into it: it then lies in a file.
    pub open_memory: Option<u64>,
    /// A debugger port.
    pub debugger: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { columns: 80, rows: 24, limit: Duration::from_secs(120), open_memory: None, debugger: false }
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
    /// Starts `command`, which is a whole QEMU command line but for serial port, monitor and display.
    pub fn start(mut command: Command, options: &Options) -> Result<Self> {
        let folder = Folder::new()?;
        let console = Listener::new(folder.0.join("console"))?;
        let control = Listener::new(folder.0.join("control"))?;
        command
            .args(["-display", "none", "-no-reboot"])
            .args(console.chardev("console"))
            .args(["-serial", "chardev:console"])
            .args(control.chardev("control"))
            .args(["-mon", "chardev=control,mode=control"]);
        if options.debugger {
            let path = folder.0.join("debugger");
            command.arg("-chardev").arg(chardev("debugger", &path, ",server=on,wait=off"));
            command.args(["-gdb", "chardev:debugger"]);
        }
        if let Some(bytes) = options.open_memory {
            let mut object = OsString::from(format!("memory-backend-file,id=ram,share=on,size={bytes},mem-path="));
            object.push(folder.0.join("memory"));
            command.arg("-object").arg(object).args(["-machine", "memory-backend=ram"]);
        }
        let errors = folder.0.join("errors");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors)?);
        let started = Instant::now();
        let mut qemu = command.spawn().map_err(|error| {
            Failure::new(format!("{} does not start: {error}", command.get_program().to_string_lossy()))
        })?;
        let streams = console.accept(&mut qemu).and_then(|console| Ok((console, control.accept(&mut qemu)?)));
        let (console, control) = streams.map_err(|failure| {
            let _ = qemu.kill();
            let _ = qemu.wait();
            Failure::new(format!("{failure}\n{}", fs::read_to_string(&errors).unwrap_or_default()))
        })?;
        let terminal = Terminal::new(console, options.columns, options.rows, options.limit)?;
        Ok(Machine { terminal, qmp: Qmp::new(control)?, started, qemu, folder })
    }

    /// Stops the machine and takes hold of it; `Gdb::detach` lets it run again.
    pub fn debugger(&self) -> Result<Gdb> {
        Gdb::attach(UnixStream::connect(self.folder.0.join("debugger"))?)
    }

    /// The guest's memory; QEMU on x86 puts all of it from 0 on where there is less than 2 GiB.
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
        fs::read_to_string(self.folder.0.join("errors")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
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

/// The harness listens and QEMU connects, so that no byte is said before somebody hears it.
struct Listener {
    path: PathBuf,
    listener: UnixListener,
}

impl Listener {
    fn new(path: PathBuf) -> Result<Self> {
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Listener { path, listener })
    }

    fn chardev(&self, id: &str) -> [OsString; 2] {
        ["-chardev".into(), chardev(id, &self.path, "")]
    }

    fn accept(&self, qemu: &mut Child) -> Result<UnixStream> {
        let end = Instant::now() + CONNECT;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = qemu.try_wait()? {
                return Err(Failure::new(format!("QEMU ended at once ({status})")));
            }
            if Instant::now() > end {
                return Err(Failure::new("QEMU does not open its sockets"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn chardev(id: &str, path: &Path, more: &str) -> OsString {
    let mut text = OsString::from(format!("socket,id={id},path="));
    text.push(path);
    text.push(more);
    text
}
