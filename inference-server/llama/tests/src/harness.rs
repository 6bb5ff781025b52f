//! The other side of the llama program, on Linux: two rings in shared memory, two bells, the process.
//!
//! Every wait has a limit; a program that says nothing for that long is an outcome of its own, never a test that hangs.

use llama_proto::{Command, Generate, Load, Prompt, Reply, Sampling};
use ring::{Consumer, Producer};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, AsRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PAGE: usize = 4096;

/// Where builds are kept: `ALPHA_LLAMA_CACHE`, or `build/llama` in the repository.
pub fn cache() -> PathBuf {
    match std::env::var_os("ALPHA_LLAMA_CACHE") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../build/llama"),
    }
}

/// Builds a flavour of the program, or takes it from the cache.
pub fn program(flavour: llama_build::Flavour) -> PathBuf {
    let source = llama_build::find_source().expect("cargo fetch");
    let mut progress = |text: &str| eprintln!("{text}");
    llama_build::build(llama_build::Options { source: &source, cache: &cache(), arch: "x86_64", flavour, progress: &mut progress })
        .unwrap_or_else(|e| panic!("{e}"))
}

fn host_program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| match std::env::var_os("ALPHA_LLAMA_HOST") {
        Some(elf) => elf.into(), // for a machine that cannot build
        None => program(llama_build::Flavour::Host),
    })
}

pub struct Settings {
    /// A second model file.
    pub spare: Option<PathBuf>,
    pub arena_bytes: u64,
    pub threads: u32,
    pub capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { spare: None, arena_bytes: 64 << 20, threads: 1, capacity: 1 << 16 }
    }
}

/// How a wait for a reply ended.
#[derive(Debug)]
pub enum Event {
    Reply(Reply),
    /// The program ended; the signal that ended it.
    Died(Option<i32>),
    Silent,
}

/// A running program and our ends of its rings.
pub struct Llama {
    child: Child,
    memory: *mut u8,
    length: usize,
    capacity: usize,
    commands: Producer,
    replies: Consumer,
    buffer: Vec<u8>,
    /// Bytes of the reply ring that were taken.
    pub taken: u64,
    /// How long it may say nothing.
    pub patience: Duration,
    /// Log lines that came.
    pub log: Vec<String>,
}

// SAFETY: the mapping belongs to this value. Beside the rings' ends, which are `Send`, only atomics look into it.
unsafe impl Send for Llama {}

impl Llama {
    pub fn start(model: &Path, settings: Settings) -> io::Result<Llama> {
        let capacity = settings.capacity;
        let length = PAGE * 5 + 2 * capacity;
        // SAFETY: plain system calls; results are checked.
        let (fd, memory) = unsafe {
            let fd = libc::memfd_create(c"llama".as_ptr(), 0);
            if fd < 0 || libc::ftruncate(fd, length as i64) != 0 {
                return Err(io::Error::last_os_error());
            }
            let memory = libc::mmap(null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0);
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            (OwnedFd::from_raw_fd(fd), memory.cast::<u8>())
        };
        // SAFETY: the mapping has room for both rings, in this order, and is unmapped only when both are gone.
        let (commands, replies) = unsafe {
            let at = |offset: usize| memory.add(offset);
            let commands = Producer::credit(at(PAGE), capacity, at(2 * PAGE + capacity)).expect("a good ring");
            let replies = Consumer::credit(at(3 * PAGE + capacity), capacity, at(4 * PAGE + 2 * capacity)).expect("a good ring");
            (commands, replies)
        };
        let number = fd.as_raw_fd();
        let mut command = std::process::Command::new(host_program());
        command
            .args([number.to_string(), capacity.to_string(), capacity.to_string()])
            .arg(model)
            .args([settings.arena_bytes.to_string(), settings.threads.to_string(), "1".to_string()])
            .args(settings.spare)
            .stdin(Stdio::null());
        // SAFETY: only async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                libc::setrlimit(libc::RLIMIT_CORE, &none);
                Ok(())
            });
        }
        let child = command.spawn()?;
        Ok(Llama {
            child,
            memory,
            length,
            commands,
            replies,
            buffer: vec![0; capacity],
            capacity,
            taken: 0,
            patience: Duration::from_secs(60),
            log: Vec::new(),
        })
    }

    /// Started, loaded, and what was said about it.
    pub fn loaded(model: &Path, settings: Settings, load: Load) -> (Llama, llama_proto::Loaded) {
        let mut llama = Llama::start(model, settings).unwrap();
        assert!(matches!(llama.reply(), Reply::Hello { .. }));
        llama.send(&Command::Load(load));
        loop {
            match llama.reply() {
                Reply::LoadProgress { .. } => {}
                Reply::Loaded(loaded) => return (llama, loaded),
                other => panic!("{other:?}"),
            }
        }
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at + 8 <= self.length && at % 8 == 0);
        // SAFETY: inside the mapping, aligned, and only ever used as an atomic.
        unsafe { &*self.memory.add(at).cast() }
    }

    fn bell(&self, which: usize) -> &AtomicU32 {
        // SAFETY: the bells are the first two words of the mapping, and only ever used as atomics.
        unsafe { &*self.memory.add(4 * which).cast() }
    }

    fn ring(&self) {
        if self.bell(0).swap(1, Ordering::AcqRel) == 0 {
            // SAFETY: wakes whoever waits on a word of ours.
            unsafe { libc::syscall(libc::SYS_futex, self.bell(0).as_ptr(), libc::FUTEX_WAKE, 1) };
        }
    }

    pub fn send(&mut self, command: &Command) {
        self.send_bytes(&postcard::to_allocvec(command).unwrap());
    }

    pub fn send_bytes(&mut self, record: &[u8]) {
        let until = Instant::now() + self.patience;
        while let Err(e) = self.commands.push(&[record]) {
            assert!(Instant::now() < until, "the command ring: {e:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ring();
    }

    /// Says that there are `bytes` more (or less) on the command ring than there are, as a broken producer would.
    pub fn lie(&mut self, bytes: u64) {
        let head = self.word(PAGE + 16);
        head.store(head.load(Ordering::Acquire).wrapping_add(bytes), Ordering::Release);
        self.ring();
    }

    /// Bytes of the reply ring that were written.
    pub fn written(&self) -> u64 {
        self.word(PAGE * 3 + self.capacity + 16).load(Ordering::Acquire)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let length = self.replies.pop(&mut self.buffer).expect("a good reply ring")?;
        self.taken += (4 + length as u64).next_multiple_of(8);
        self.ring();
        Some(self.buffer[..length].to_vec())
    }

    /// The next reply or end, log lines left out.
    pub fn event(&mut self) -> Event {
        let until = Instant::now() + self.patience;
        loop {
            if let Some(record) = self.take() {
                match postcard::take_from_bytes::<Reply>(&record) {
                    Ok((Reply::Log { level, text }, [])) => self.log.push(format!("{level:?}: {text}")),
                    Ok((reply, [])) => return Event::Reply(reply),
                    other => panic!("a reply that is none: {other:?}"),
                }
                continue;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                // what it said last may have come between the look and the wait
                if self.replies.is_empty() {
                    return Event::Died(status.signal());
                }
                continue;
            }
            if Instant::now() >= until {
                return Event::Silent;
            }
            self.wait(Duration::from_millis(20));
        }
    }

    fn wait(&self, limit: Duration) {
        if self.bell(1).swap(0, Ordering::AcqRel) == 0 {
            let time = libc::timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
            // SAFETY: waits on a word of ours, with a limit.
            unsafe { libc::syscall(libc::SYS_futex, self.bell(1).as_ptr(), libc::FUTEX_WAIT, 0, &time) };
        }
    }

    pub fn reply(&mut self) -> Reply {
        match self.event() {
            Event::Reply(reply) => reply,
            other => panic!("{other:?}; log: {:?}", self.log),
        }
    }

    /// All of an answer: the text, and what was said at its end.
    pub fn generate(&mut self, ask: Generate) -> (String, llama_proto::Done) {
        let id = ask.id;
        self.send(&Command::Generate(ask));
        let mut all = String::new();
        loop {
            match self.reply() {
                Reply::PromptProgress { .. } => {}
                Reply::Text { id: of, text, .. } if of == id => all += &text,
                Reply::Done(done) if done.id == id => return (all, done),
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        self.kill();
        // SAFETY: our own mapping, and nothing refers to it any more.
        unsafe { libc::munmap(self.memory.cast(), self.length) };
    }
}

/// Always the likeliest token.
pub fn greedy() -> Sampling {
    Sampling { temperature: 0.0, repeat_penalty: 1.0, ..Sampling::default() }
}

pub fn ask(id: u32, prompt: &str, max_tokens: u32) -> Generate {
    Generate { id, prompt: Prompt::Text(prompt.into()), max_tokens, sampling: greedy(), stop: Vec::new() }
}

/// A file that is gone when the test is over.
pub struct TemporaryFile(pub PathBuf);

impl TemporaryFile {
    pub fn with(bytes: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
        let name = format!("llama-test-{}-{}.gguf", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = TemporaryFile(folder.join(name));
        std::fs::write(&file.0, bytes).unwrap();
        file
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
