//! Boots the kernel tests in QEMU, on the patched kernel and, with `--mutations`, on kernels with one patch left out,
//! where that patch's test must fail: a test that cannot fail shows nothing. `--long` goes on with the fuzz test for
//! half an hour.

mod fuzz;
mod outside;
mod qemu;
mod root;

use kernel_config::{build, patches, source_dir, Error, Kernel, Options, Patch, Variant};
use qemu::Iommu;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "kernel-tests [--mutations] [--long] [--cache DIR] [--only PATCH]
kernel-tests --seed N [--call N] [--release] [--without PATCH] [--cache DIR]

Without options: every test on the patched kernel, release and debug, on one and two cores, and on four where the
host has them.
With it also: each patch of the overlay left out in turn, and its test fails.
--long: then the fuzz test for half an hour more, seed after seed.
--only PATCH: only this patch left out, and nothing else.
--seed N: the fuzz test alone with one seed; --call N: from this call on; --release: not on the debug kernel;
--without PATCH: without a patch.";

const PLATFORM: &str = "x86_64";

/// How a boot is made.
#[derive(Clone, Copy)]
struct Setup {
    name: &'static str,
    variant: Variant,
    cores: u32,
    memory: &'static str,
    /// The physical range that QEMU fills and the kernel is told to reserve.
    range: [u64; 2],
    iommu: Iommu,
    /// Calls of the fuzz test.
    fuzz: u64,
    /// One test, or all.
    only: &'static str,
}

/// What most boots have in common.
const USUAL: Setup = Setup {
    name: "",
    variant: Variant::Release,
    cores: 2,
    memory: "512M",
    range: [0x1020_0000, 0x100_0000],
    iommu: Iommu::None,
    fuzz: 1_600,
    only: "",
};

/// The first is the one on which a patch is left out.
const SETUPS: &[Setup] = &[
    Setup { name: "release, 2 cores, IOMMU", iommu: Iommu::Usable, ..USUAL },
    Setup { name: "debug, 2 cores, IOMMU", variant: Variant::Debug, iommu: Iommu::Usable, ..USUAL },
    Setup { name: "release, 1 core", cores: 1, ..USUAL },
    Setup { name: "debug, 4 cores", variant: Variant::Debug, cores: 4, ..USUAL },
    Setup { name: "debug, 1 core, IOMMU", variant: Variant::Debug, fuzz: QUICK_CALLS, ..FUZZ },
    Setup { name: "release, 1 core, IOMMU", cores: 1, iommu: Iommu::Usable, only: "iommu_told", ..USUAL },
    Setup { name: "release, 2 cores, IOMMU left off", iommu: Iommu::LeftOff, only: "iommu_told", ..USUAL },
    // Nothing touches the 5 GiB, so the host does not need them. Odd borders: untypeds of every size.
    Setup { name: "release, above 4 GiB", memory: "5G", range: [0x1_2000_3000, 0x123_5000], only: "reserve", ..USUAL },
];

/// A test that is more than the lines of a boot: the driver takes part.
struct Driven {
    name: &'static str,
    cores: &'static [u32],
    run: fn(&Driver, &Kernel, u32) -> Result<Result<(), String>, Error>,
}

const DRIVEN_TESTS: &[Driven] = &[
    Driven { name: "boot_time", cores: &[1], run: boot_time },
    Driven { name: "fpu_is_switched", cores: &[2, 1], run: outside::fpu_is_switched },
    Driven { name: "supervisor_protection", cores: &[2, 1], run: outside::supervisor_protection },
];

/// The fuzz test by itself. On one core each run is like the other; two wait for each other on a busy host.
const FUZZ: Setup = Setup { name: "1 core, IOMMU", cores: 1, iommu: Iommu::Usable, only: "fuzz", ..USUAL };
const FUZZ_ON_TWO: Setup = Setup { name: "2 cores, IOMMU", cores: 2, ..FUZZ };
const SEED: u64 = 1;
const QUICK_CALLS: u64 = 20_000;
/// How long a line may be awaited before the kernel counts as standing still.
const IDLE: Duration = Duration::from_secs(60);
const FUZZ_IDLE: Duration = Duration::from_secs(20);
/// Of one boot of the long round, on one core and on two.
const LONG_CALLS: [u64; 2] = [500_000, 10_000];
const LONG_ROUND: Duration = Duration::from_secs(1800);

/// Where a fuzz test begins.
#[derive(Clone, Copy)]
struct From {
    seed: u64,
    call: u64,
}

struct Driver {
    source: PathBuf,
    cache: PathBuf,
    work: PathBuf,
    /// A patch that the fuzz test shall do without, to see whether it finds the fault.
    without: Option<String>,
    passed: u32,
    failed: u32,
}

fn main() -> ExitCode {
    let (mut mutations, mut only, mut cache) = (false, None, kernel_config::default_cache());
    let (mut long, mut seed, mut call, mut variant, mut without) = (false, None, 0, Variant::Debug, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match arg.as_str() {
            "--mutations" => mutations = true,
            "--cache" => cache = PathBuf::from(value()),
            "--only" => only = Some(value()),
            "--long" => long = true,
            "--without" => without = Some(value()),
            "--release" => variant = Variant::Release,
            "--seed" => seed = value().parse().ok(),
            "--call" => call = value().parse().unwrap_or(0),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let outcome = Driver::new(cache).and_then(|mut driver| {
        driver.without = without;
        if seed.is_none() {
            run(&mut driver, mutations, only.as_deref())?;
        }
        if long || seed.is_some() {
            fuzz_rounds(&mut driver, long, variant, From { seed: seed.unwrap_or(SEED + 1), call })?;
        }
        Ok(driver)
    });
    match outcome {
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

/// The fuzz test with one seed, or with seed after seed until the time is up or a kernel halts.
fn fuzz_rounds(driver: &mut Driver, long: bool, variant: Variant, mut from: From) -> Result<(), Error> {
    let begin = Instant::now();
    loop {
        let setup = match (long, from.seed % 4) {
            (false, _) => Setup { fuzz: QUICK_CALLS, variant, ..FUZZ },
            (true, 0) => Setup { fuzz: LONG_CALLS[1], variant, ..FUZZ_ON_TWO },
            (true, _) => Setup { fuzz: LONG_CALLS[0], variant, ..FUZZ },
        };
        driver.all(&setup, from)?;
        if !long || driver.failed > 0 || begin.elapsed() > LONG_ROUND {
            return Ok(());
        }
        from = From { seed: from.seed + 1, call: 0 };
    }
}

fn run(driver: &mut Driver, mutations: bool, only: Option<&str>) -> Result<(), Error> {
    if only.is_none() {
        // A virtual core that the host does not run holds up all others (docs/kernel.md), so no more than there are.
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        for setup in SETUPS {
            if setup.cores > processors.max(2) {
                println!("     {}: left out, the host has {processors} processors", setup.name);
            } else {
                driver.all(setup, From { seed: SEED, call: 0 })?;
            }
        }
        let kernel = driver.kernel(Variant::Release, None)?;
        for test in DRIVEN_TESTS {
            for &cores in test.cores {
                let outcome = (test.run)(driver, &kernel, cores)?;
                driver.check(&format!("release, {cores} cores, from outside: {}", test.name), outcome);
            }
        }
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
    Ok(())
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.work);
    }
}

impl Driver {
    fn new(cache: PathBuf) -> Result<Driver, Error> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        // Two runs at a time must not write into each other's programs.
        let work = cache.join("kernel-tests").join(std::process::id().to_string());
        fs::create_dir_all(&work).map_err(|error| Error::Io { path: work.clone(), error })?;
        Ok(Driver { source: source_dir(&workspace)?, cache, work, without: None, passed: 0, failed: 0 })
    }

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
    fn all(&mut self, setup: &Setup, from: From) -> Result<(), Error> {
        let kernel = self.kernel(setup.variant, self.without.as_deref())?;
        let begin = Instant::now();
        let lines = self.boot(&kernel, setup, setup.only, from, if setup.only == "fuzz" { FUZZ_IDLE } else { IDLE })?;
        let mut seen = 0;
        for line in &lines {
            if let Some(rest) = line.strip_prefix("test ") {
                let (name, verdict) = rest.split_once(' ').unwrap_or((rest, ""));
                let result = if verdict == "ok" { Ok(()) } else { Err(verdict.to_string()) };
                self.check(&format!("{}: {name}", setup.name), result);
                seen += 1;
            } else if line.starts_with("cycles") || line.starts_with("fuzz:") {
                println!("     {line}");
            }
        }
        let ended = lines.iter().any(|l| l == root::LAST_LINE);
        let wanted = if setup.only.is_empty() { root::TESTS } else { 1 };
        let complete = if ended && seen == wanted {
            Ok(())
        } else {
            let call = fuzz::last_call(&lines, from.seed, &self.memory_file()).unwrap_or_default();
            Err(format!("{seen} of {wanted} tests, then: {} {call}", fuzz::last_words(&lines)))
        };
        self.check(&format!("{}: all tests ran ({:.1} s)", setup.name, begin.elapsed().as_secs_f32()), complete);
        Ok(())
    }

    /// A kernel without the patch must fail each of the patch's tests.
    fn without(&mut self, patch: &Patch) -> Result<(), Error> {
        let tests = patch.text.lines().find_map(|l| l.strip_prefix("Test: ")).unwrap_or("");
        tests.split(", ").try_for_each(|test| self.test_without(patch, test))
    }

    fn test_without(&mut self, patch: &Patch, test: &str) -> Result<(), Error> {
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
        } else if let Some(driven) = DRIVEN_TESTS.iter().find(|t| t.name == test) {
            (driven.run)(self, &kernel, driven.cores[0])?.err().ok_or("the test passes".to_string())
        } else {
            let lines = self.boot(&kernel, &SETUPS[0], test, From { seed: SEED, call: 0 }, Duration::from_secs(22))?;
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

    fn boot(
        &self,
        kernel: &Kernel,
        setup: &Setup,
        only: &str,
        from: From,
        idle: Duration,
    ) -> Result<Vec<String>, Error> {
        let parameters = root::Parameters {
            only,
            range: setup.range,
            iommu: setup.iommu == Iommu::Usable,
            fuzz: [from.seed, from.call, setup.fuzz],
        };
        let root = root::build(kernel, &self.work, &parameters)?;
        let pattern = root::pattern(&self.work, setup.range)?;
        let memory = self.memory_file();
        let machine = qemu::Machine {
            range: Some((setup.range, pattern.as_path())),
            iommu: setup.iommu,
            memory_file: (setup.memory == USUAL.memory).then_some(memory.as_path()),
            // A debug kernel says something of every refused call: some 3,000 calls a second on one core, and some
            // 30 on two that share a busy host.
            whole_boot: qemu::WHOLE_BOOT + Duration::from_secs(setup.fuzz / if setup.cores == 1 { 500 } else { 20 }),
            ..qemu::Machine::new(setup.cores, setup.memory)
        };
        qemu::boot(kernel, &root, &machine, root::LAST_LINE, idle)
    }

    fn memory_file(&self) -> PathBuf {
        self.work.join("memory")
    }
}

/// The kernel's part of the boot, firmware included, in milliseconds of a machine that takes one nanosecond an
/// instruction: 85 as it is, 235 with the kernel's own measuring, 155 with its own copying.
const BOOT_MS: u64 = 115;

fn boot_time(driver: &Driver, kernel: &Kernel, cores: u32) -> Result<Result<(), String>, Error> {
    let root = root::compile(kernel, &driver.work, "boot_time")?;
    for iommu in [Iommu::None, Iommu::Usable] {
        let machine = qemu::Machine { count_instructions: true, iommu, ..qemu::Machine::new(cores, "512M") };
        let lines = qemu::boot(kernel, &root, &machine, "tsc ", Duration::from_secs(10))?;
        let Some(ns) = lines.iter().find_map(|l| l.strip_prefix("tsc ")?.parse::<u64>().ok()) else {
            return Ok(Err("the kernel did not boot".into()));
        };
        let (ms, with) = (ns / 1_000_000, if iommu == Iommu::None { "out" } else { "" });
        println!("     user space came after {ms} ms with{with} IOMMU");
        if ms >= BOOT_MS {
            return Ok(Err(format!("user space came after {ms} ms with{with} IOMMU")));
        }
    }
    Ok(Ok(()))
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
        name: "io_space_delete",
        files: &["src/arch/x86/object/iospace.c"],
        fault: "invalidate_iotlb();\n    setThreadState",
        what: "makes the current thread runnable when an IO space goes (nothing to be seen from outside)",
    },
    SourceTest {
        name: "io_table_flush",
        files: &["src/arch/x86/object/iospace.c"],
        fault: "vtd_pte_t *ioptSlot)\n{\n    *ioptSlot = iopte;",
        what: "maps an IO page table that is cleared in the caches only (shows with an IOMMU that is not coherent)",
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
