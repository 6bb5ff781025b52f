//! Boots the kernel tests in QEMU, on the patched kernel and, with `--mutations`, on kernels with one patch left out,
//! where that patch's test must fail: a test that cannot fail shows nothing.

mod qemu;
mod root;

use kernel_config::{build, patches, source_dir, Error, Kernel, Options, Patch, Variant};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "kernel-tests [--mutations] [--cache DIR] [--only PATCH]

Without --mutations: every test on the patched kernel, release and debug, on one and two cores, and on four where the
host has them.
With it also: each patch of the overlay left out in turn, and its test fails.
--only PATCH: only this patch left out, and nothing else.";

const PLATFORM: &str = "x86_64";

/// How a boot is made.
struct Setup {
    name: &'static str,
    variant: Variant,
    cores: u32,
    memory: &'static str,
    /// The physical range that QEMU fills and the kernel is told to reserve.
    range: [u64; 2],
    /// One test, or all.
    only: &'static str,
}

const RANGE: [u64; 2] = [0x1020_0000, 0x100_0000];

const SETUPS: &[Setup] = &[
    Setup { name: "release, 2 cores", variant: Variant::Release, cores: 2, memory: "512M", range: RANGE, only: "" },
    Setup { name: "debug, 2 cores", variant: Variant::Debug, cores: 2, memory: "512M", range: RANGE, only: "" },
    Setup { name: "release, 1 core", variant: Variant::Release, cores: 1, memory: "512M", range: RANGE, only: "" },
    Setup { name: "debug, 4 cores", variant: Variant::Debug, cores: 4, memory: "512M", range: RANGE, only: "" },
    // Nothing touches the 5 GiB, so the host does not need them. Odd borders: untypeds of every size.
    Setup {
        name: "release, above 4 GiB",
        variant: Variant::Release,
        cores: 2,
        memory: "5G",
        range: [0x1_2000_3000, 0x123_5000],
        only: "reserve",
    },
];

struct Driver {
    source: PathBuf,
    cache: PathBuf,
    work: PathBuf,
    passed: u32,
    failed: u32,
}

fn main() -> ExitCode {
    let (mut mutations, mut only, mut cache) = (false, None, kernel_config::default_cache());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match arg.as_str() {
            "--mutations" => mutations = true,
            "--cache" => cache = PathBuf::from(value()),
            "--only" => only = Some(value()),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    match run(mutations, only.as_deref(), cache) {
        Ok(driver) => {
            println!("{} passed, {} failed", driver.passed, driver.failed);
            ExitCode::from((driver.failed > 0) as u8)
        }
        Err(error) => {
            eprintln!("kernel-tests: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mutations: bool, only: Option<&str>, cache: PathBuf) -> Result<Driver, Error> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    // Two runs at a time must not write into each other's programs.
    let work = cache.join("kernel-tests").join(std::process::id().to_string());
    fs::create_dir_all(&work).map_err(|error| Error::Io { path: work.clone(), error })?;
    let mut driver = Driver { source: source_dir(&workspace)?, cache, work, passed: 0, failed: 0 };
    if only.is_none() {
        // A virtual core that the host does not run holds up all others (docs/kernel.md), so no more than there are.
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        for setup in SETUPS {
            if setup.cores > processors.max(2) {
                println!("     {}: left out, the host has {processors} processors", setup.name);
            } else {
                driver.all(setup)?;
            }
        }
        let kernel = driver.kernel(Variant::Release, None)?;
        let outcome = boot_time(&driver, &kernel)?;
        driver.check("release, instructions counted: boot_time", outcome);
        for test in SOURCE_TESTS {
            driver.check(&format!("source: {}", test.name), test.run(&kernel));
        }
    }
    if mutations || only.is_some() {
        for patch in patches(PLATFORM)? {
            if only.is_none_or(|only| patch.name.starts_with(only)) {
                driver.without(&patch)?;
            }
        }
    }
    Ok(driver)
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work);
    }
}

impl Driver {
    fn kernel(&self, variant: Variant, without_patch: Option<&str>) -> Result<Kernel, Error> {
        build(Options {
            sel4_source: &self.source,
            cache: &self.cache,
            platform: PLATFORM,
            variant,
            without_patch,
            progress: &mut |line| println!("     {line}"),
        })
    }

    fn check(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok   {name}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAIL {name}: {why}");
            }
        }
    }

    /// Boots once and takes each line that the tests print for a result.
    fn all(&mut self, setup: &Setup) -> Result<(), Error> {
        let kernel = self.kernel(setup.variant, None)?;
        let begin = Instant::now();
        let lines = self.boot(&kernel, setup, setup.only, Duration::from_secs(60))?;
        let mut seen = 0;
        for line in &lines {
            if let Some(rest) = line.strip_prefix("test ") {
                let (name, verdict) = rest.split_once(' ').unwrap_or((rest, ""));
                let result = if verdict == "ok" { Ok(()) } else { Err(verdict.to_string()) };
                self.check(&format!("{}: {name}", setup.name), result);
                seen += 1;
            } else if line.starts_with("cycles") {
                println!("     {line}");
            }
        }
        let ended = lines.iter().any(|l| l == root::LAST_LINE);
        let last = lines.last().cloned().unwrap_or_default();
        let wanted = if setup.only.is_empty() { root::TESTS } else { 1 };
        let complete =
            if ended && seen == wanted { Ok(()) } else { Err(format!("{seen} of {wanted} tests, then: {last}")) };
        self.check(&format!("{}: all tests ran ({:.1} s)", setup.name, begin.elapsed().as_secs_f32()), complete);
        Ok(())
    }

    /// A kernel without the patch must fail the patch's test.
    fn without(&mut self, patch: &Patch) -> Result<(), Error> {
        let test = patch.text.lines().find_map(|l| l.strip_prefix("Test: ")).unwrap_or("");
        let name = format!("without {}: {test} fails", patch.name);
        let kernel = match (self.kernel(Variant::Release, Some(&patch.name)), patch.is_build_fix()) {
            (Err(Error::Tool { .. }), true) => {
                self.check(&name, Ok(()));
                return Ok(());
            }
            (Ok(kernel), false) => kernel,
            (Ok(_), true) => {
                self.check(&name, Err("the kernel builds without it".into()));
                return Ok(());
            }
            (Err(error), _) => {
                self.check(&name, Err(error.to_string()));
                return Ok(());
            }
        };
        let outcome = if let Some(test) = SOURCE_TESTS.iter().find(|t| t.name == test) {
            test.run(&kernel).err().ok_or("the test passes".to_string())
        } else if test == "boot_time" {
            boot_time(self, &kernel)?.err().ok_or("the test passes".to_string())
        } else {
            let lines = self.boot(&kernel, &SETUPS[0], test, Duration::from_secs(22))?;
            match lines.iter().find_map(|l| l.strip_prefix("test ")) {
                Some(line) if line.ends_with(" ok") => Err("the test passes".into()),
                Some(line) if line.starts_with("FAILED") => Err(format!("the test itself broke: {line}")),
                Some(line) => Ok(line.split_once("FAILED: ").map_or(line, |(_, why)| why).to_string()),
                None if lines.iter().any(|l| l.starts_with("kernel tests on")) => Ok("the kernel stands still".into()),
                None => Err("the kernel did not boot".into()),
            }
        };
        if let Ok(how) = &outcome {
            println!("     {how}");
        }
        self.check(&name, outcome.map(|_| ()));
        Ok(())
    }

    fn boot(&self, kernel: &Kernel, setup: &Setup, only: &str, idle: Duration) -> Result<Vec<String>, Error> {
        let root = root::build(kernel, &self.work, only, setup.range)?;
        let pattern = root::pattern(&self.work, setup.range)?;
        let range = Some((setup.range, pattern.as_path()));
        let machine = qemu::Machine { cores: setup.cores, memory: setup.memory, range, count_instructions: false };
        qemu::boot(kernel, &root, &machine, root::LAST_LINE, idle)
    }
}

/// The kernel's part of the boot, firmware included, in milliseconds of a machine that takes one nanosecond an
/// instruction: 85 as it is, 235 with the kernel's own measuring, 155 with its own copying.
const BOOT_MS: u64 = 115;

fn boot_time(driver: &Driver, kernel: &Kernel) -> Result<Result<(), String>, Error> {
    let root = root::compile(kernel, &driver.work, "boot_time")?;
    let machine = qemu::Machine { cores: 1, memory: "512M", range: None, count_instructions: true };
    let lines = qemu::boot(kernel, &root, &machine, "tsc ", Duration::from_secs(10))?;
    let tsc = lines.iter().find_map(|l| l.strip_prefix("tsc ")?.parse::<u64>().ok());
    Ok(match tsc {
        Some(ns) if ns < BOOT_MS * 1_000_000 => Ok(()),
        Some(ns) => Err(format!("user space came after {} ms", ns / 1_000_000)),
        None => Err("the kernel did not boot".into()),
    })
}

/// For a fault that no boot here can show: a text that must not be in the patched source.
struct SourceTest {
    name: &'static str,
    files: &'static [&'static str],
    fault: &'static str,
    what: &'static str,
}

const SOURCE_TESTS: &[SourceTest] = &[
    SourceTest {
        name: "cnode_size",
        files: &["src/object/objecttype.c", "src/object/untyped.c"],
        fault: "1 << cap_cnode_cap_get_capCNodeRadix",
        what: "computes a CNode's size in an int (shows with a CNode of 64 GiB)",
    },
    SourceTest {
        name: "ipi_arguments",
        files: &["src/arch/x86/kernel/ipi.c"],
        fault: "handleRemoteCall(remoteCall, get_ipi_arg(0)",
        what: "reads the arguments before it looks for a call (a window of a few instructions)",
    },
];

impl SourceTest {
    fn run(&self, kernel: &Kernel) -> Result<(), String> {
        for file in self.files {
            let text = fs::read_to_string(kernel.source.join(file)).map_err(|e| format!("{file}: {e}"))?;
            if text.contains(self.fault) {
                return Err(format!("{file} {}", self.what));
            }
        }
        Ok(())
    }
}
