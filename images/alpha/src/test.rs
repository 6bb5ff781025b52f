//! `alpha test`: part by part, every line as it comes, and one line at the end.
//!
//! Each part is a program that prints either libtest's results or a line `N passed, N failed`; both are added up. A part
//! that ends badly without a failed test counts as one.

use crate::cargo::{self, Package, Toolchain};
use crate::{build, image, Error, Programs, Progress, Result, Tree, Variant, Wish};
use layout::Program;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Packages that are parts of their own; the host part leaves them out.
const LLAMA: &str = "llama-tests";
const KERNEL: &str = "kernel-tests";
const SYSTEM: &str = "system-tests";

/// Part, and what it is; cheap ones first.
const PARTS: [(&str, &str); 6] = [
    ("host", "libraries and host programs"),
    ("model", "the model file that comes along"),
    ("programs", "the programs of the image, and the layout with them"),
    ("llama", "llama.cpp in its box, on Linux"),
    (
        "kernel",
        "the kernel, a test for each patch (`./alpha test kernel --mutations`: and each patch left out; `--long`: and \
         half an hour of fuzzing)",
    ),
    ("system", "the whole system in QEMU, used through its console"),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads a line that reports results.
    fn read(line: &str) -> Option<Count> {
        let line = line.trim();
        let number_before = |word: &str| {
            let at = line.find(word)?;
            line[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let libtest = line.starts_with("test result: ");
        let own = line.ends_with(" failed") && line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" passed, ");
        (libtest || own).then(|| Some(Count { passed: number_before(" passed")?, failed: number_before(" failed")? }))?
    }
}

struct Suite<'a> {
    tree: &'a Tree,
    toolchain: &'a Toolchain,
    packages: Vec<Package>,
    /// Words such as `--mutations`, for a part's program.
    options: Vec<String>,
    start: Instant,
    count: Count,
    failed: Vec<String>,
}

pub fn run(tree: &Tree, toolchain: &Toolchain, words: &[String]) -> Result<u8> {
    let packages = cargo::packages(toolchain, tree)?;
    let (options, names): (Vec<String>, Vec<String>) = words.iter().cloned().partition(|word| word.starts_with("--"));
    let (start, count) = (Instant::now(), Count::default());
    let mut suite = Suite { tree, toolchain, packages, options, start, count, failed: Vec::new() };
    let is_part = |name: &String| PARTS.iter().any(|(part, _)| part == name);
    match names.split_first() {
        // A part and names: these of that part.
        Some((part, filter)) if is_part(part) && !filter.is_empty() && !filter.iter().any(is_part) => {
            suite.begin(part, &filter.join(", "));
            suite.part(part, &filter.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        _ => {
            for (part, what) in PARTS {
                if names.is_empty() || names.iter().any(|n| n == part) {
                    suite.begin(part, what);
                    suite.part(part, &[])?;
                }
            }
            for name in names.iter().filter(|n| !is_part(n)) {
                suite.named(name)?;
            }
        }
    }
    if !suite.failed.is_empty() {
        println!("\nfailed:");
        for name in &suite.failed {
            println!("    {name}");
        }
    }
    println!("\nin {}", minutes(start));
    println!("{} passed, {} failed", suite.count.passed, suite.count.failed);
    Ok(u8::from(suite.count.failed > 0))
}

fn minutes(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

/// `alpha bench`, `alpha prove`: programs of the package that the system tests are in.
pub fn program(tree: &Tree, toolchain: &Toolchain, name: &str, arguments: &[String]) -> Result<u8> {
    let mut progress = Progress::new();
    Programs::build(tree, toolchain, Variant::Release, &mut progress)?;
    progress.finish();
    let mut command = toolchain.host(tree, "run");
    command.args(["--quiet", "--package", SYSTEM, "--bin", name, "--"]).args(arguments);
    let status = command.status().map_err(Error::io(&toolchain.cargo))?;
    Ok(status.code().unwrap_or(1).clamp(0, 255) as u8)
}

impl Suite<'_> {
    fn begin(&self, part: &str, what: &str) {
        println!("\n=== {part}: {what}  ({})", minutes(self.start));
    }

    fn one(&mut self, name: &str, result: std::result::Result<(), String>) {
        match result {
            Ok(()) => {
                println!("test {name} ... ok");
                self.count.passed += 1;
            }
            Err(why) => {
                println!("test {name} ... FAILED\n    {why}");
                self.count.failed += 1;
                self.failed.push(name.to_owned());
            }
        }
    }

    fn part(&mut self, part: &str, filter: &[&str]) -> Result<()> {
        match part {
            "host" => self.host(filter),
            "model" => self.model(),
            "programs" => self.programs(),
            "llama" => self.tests_of(LLAMA, filter),
            "kernel" => self.program(KERNEL, filter),
            "system" => self.program(SYSTEM, filter),
            _ => unreachable!("parts are listed above"),
        }
    }

    /// A name that is no part: a package, or a test of the system, or a part of a host test's name.
    fn named(&mut self, name: &str) -> Result<()> {
        if self.packages.iter().any(|p| p.name == name && p.tested) {
            self.begin(name, "one package");
            return self.tests_of(name, &[]);
        }
        if self.system_tests()?.iter().any(|test| test.contains(name)) {
            self.begin("system", name);
            return self.program(SYSTEM, &[name]);
        }
        self.begin("host", name);
        let before = self.count;
        self.host(&[name])?;
        if self.count == before {
            let known = PARTS.iter().map(|(part, _)| (*part).to_owned()).collect();
            return Err(Error::NoTest { name: name.into(), known });
        }
        Ok(())
    }

    /// All in one call of cargo, so that nothing is compiled twice.
    fn host(&mut self, filter: &[&str]) -> Result<()> {
        // The libraries below PDs are compiled with what the kernel's interface generates.
        self.build("host: the kernel compiles", |tree, toolchain, progress| build::interface(tree, toolchain, progress))?;
        // The unit tests of what drives the system tests belong here, their program does not.
        let own = [LLAMA, KERNEL];
        let packages = self.packages.iter().filter(|p| p.tested && !own.contains(&p.name.as_str()));
        let packages: Vec<String> = packages.map(|p| p.name.clone()).collect();
        self.cargo_test("host", packages.iter().map(String::as_str), filter)
    }

    fn tests_of(&mut self, package: &str, filter: &[&str]) -> Result<()> {
        self.cargo_test(package, std::iter::once(package), filter)
    }

    fn cargo_test<'p>(&mut self, what: &str, packages: impl Iterator<Item = &'p str>, filter: &[&str]) -> Result<()> {
        let mut command = self.toolchain.host(self.tree, "test");
        command.args(["--locked", "--lib", "--bins", "--tests", "--no-fail-fast"]);
        for package in packages {
            command.args(["--package", package]);
        }
        command.arg("--").args(filter);
        self.stream(what, &mut command)
    }

    /// A package whose program is the test.
    fn program(&mut self, package: &str, names: &[&str]) -> Result<()> {
        let mut command = self.toolchain.host(self.tree, "run");
        command.args(["--locked", "--quiet", "--package", package, "--"]).args(&self.options).args(names);
        if package == KERNEL {
            command.arg("--cache").arg(self.tree.cache());
        }
        self.stream(package, &mut command)
    }

    fn system_tests(&self) -> Result<Vec<String>> {
        let mut command = self.toolchain.host(self.tree, "run");
        command.args(["--locked", "--quiet", "--package", SYSTEM, "--", "--list"]);
        let output = command.output().map_err(Error::io(&self.toolchain.cargo))?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|l| l.trim().to_owned()).collect())
    }

    fn model(&mut self) -> Result<()> {
        let script = self.tree.root.join("images/model/check.py");
        let output = Command::new("python3").arg(&script).stdin(Stdio::null()).output().map_err(Error::io("python3"))?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let sound = if output.status.success() { Ok(()) } else { Err(said.trim().replace('\n', "\n    ")) };
        self.one("model: alpha-small.gguf is sound, and knows none of the questions that it is measured by", sound);
        Ok(())
    }

    /// Builds something with a line of progress; a failure counts as a failed test, success is silent.
    fn build<T>(&mut self, name: &str, f: impl FnOnce(&Tree, &Toolchain, &mut Progress) -> Result<T>) -> Result<Option<T>> {
        let mut progress = Progress::new();
        let built = f(self.tree, self.toolchain, &mut progress);
        progress.finish();
        match built {
            Ok(built) => Ok(Some(built)),
            Err(e) => {
                self.one(name, Err(e.to_string()));
                Ok(None)
            }
        }
    }

    /// Every program stands alone and may be loaded, and every mode of the layout resolves with them.
    fn programs(&mut self) -> Result<()> {
        let name = "programs: everything compiles";
        let programs = self.build(name, |tree, toolchain, progress| Programs::build(tree, toolchain, Variant::Release, progress))?;
        let Some(programs) = programs else { return Ok(()) };
        self.one(name, Ok(()));
        for (name, file) in &programs.files {
            let checked = fs::read(file).map_err(|e| e.to_string()).and_then(|bytes| {
                let parse = if name == "root-task" { Program::parse_any } else { Program::parse };
                parse(name, &bytes).map(drop).map_err(|e| e.to_string())
            });
            self.one(&format!("programs: {name} is static, whole, and nowhere both writable and executable"), checked);
        }
        if let Some(llama) = programs.files.get("llama") {
            let scanned = llama_build::scan(llama).map(drop).map_err(|e| e.to_string());
            self.one("programs: llama holds no instruction that leads out", scanned);
        }
        for cores in [1, 2, 8] {
            let wish = Wish { cores, ..Wish::default() };
            let made = image::make(self.tree, &programs, &wish).map(drop).map_err(|e| e.to_string());
            self.one(&format!("programs: the layout resolves for {cores} cores"), made);
        }
        let twice = image::make(self.tree, &programs, &Wish::default()).and_then(|first| {
            let second = image::make(self.tree, &programs, &Wish::default())?;
            Ok(first.image == second.image)
        });
        let same = match twice {
            Ok(true) => Ok(()),
            Ok(false) => Err("two images of the same parts differ".to_owned()),
            Err(e) => Err(e.to_string()),
        };
        self.one("programs: the same parts give the same image", same);
        let mut spoiled = programs;
        spoiled.layout.root.crossings.push(spec::Crossing {
            from: spec::End::Channel { name: "log".into(), other: None },
            to: spec::End::Channel { name: "supervisor".into(), other: Some("shell".into()) },
            why: "the shell shows the log".into(),
            tests: "root-task/core".into(),
        });
        let refused = match image::make(self.tree, &spoiled, &Wish::default()) {
            Err(Error::Wall(hole)) if hole.rule == wall::Rule::RootSaysConstants => Ok(()),
            Err(e) => Err(format!("it is refused for another reason: {e}")),
            Ok(boot) => Err(format!("{} was made", boot.image.display())),
        };
        self.one("programs: a layout that lets private data out makes no image", refused);
        Ok(())
    }

    /// Runs a part, shows its lines, adds up its results.
    fn stream(&mut self, what: &str, command: &mut Command) -> Result<()> {
        // Both streams in one pipe, so that lines stay in order.
        let (reader, writer) = std::io::pipe().map_err(Error::io(what))?;
        let clone = writer.try_clone().map_err(Error::io(what))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(clone)
            .spawn()
            .map_err(Error::io(&self.toolchain.cargo))?;
        // The command keeps its ends of the pipe; without this the reader would never see the end.
        command.stdout(Stdio::null()).stderr(Stdio::null());

        let mut count = Count::default();
        let mut package = String::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.map_err(Error::io(what))?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if let Some(found) = Count::read(line) {
                count.add(found);
            }
            if let Some(path) = line.trim_start().strip_prefix("Running ") {
                package = path.split('/').next_back().unwrap_or(path).trim_end_matches(')').to_owned();
                package = package.rsplit_once('-').map_or(package.clone(), |(name, _)| name.to_owned());
            }
            if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) {
                let name = if package.is_empty() { name.to_owned() } else { format!("{package}: {name}") };
                self.failed.push(name);
            }
            if !line.is_empty() && !line.starts_with("running ") && !line.ends_with("0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s") {
                println!("{line}");
            }
        }
        let status = child.wait().map_err(Error::io(what))?;
        if !status.success() && count.failed == 0 {
            count.failed = 1;
            self.failed.push(format!("{what}: ended with {status}"));
        }
        self.count.add(count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let count = |passed, failed| Some(Count { passed, failed });
        assert_eq!(Count::read("test result: ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out"), count(12, 3));
        assert_eq!(Count::read("7 passed, 1 failed"), count(7, 1));
        assert_eq!(Count::read("test a ... ok"), None);
        assert_eq!(Count::read("4 tests passed, none failed"), None);
    }
}
