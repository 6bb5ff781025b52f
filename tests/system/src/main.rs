//! The system tests: `system-tests [--list] [NAME...]` runs those whose name contains one of the names, or all.
//!
//! Each test uses the booted release image and does with it what its name says; those that leave the machine as they
//! found it use one after the other. One line a test as it ends, and at the end `N passed, N failed`.

mod tests;

use alpha::{cargo::Toolchain, Boot, Programs, Progress, Tree, Variant, Wish};
use std::{
    cell::{OnceCell, RefCell},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};
use system_tests::{Failure, Result};

/// What every test may use. The programs are built once, by the first that boots something.
pub struct World {
    pub tree: Tree,
    toolchain: Toolchain,
    programs: OnceCell<Programs>,
    /// The machine that the last test has left for the next.
    pub shared: RefCell<Option<tests::Machine>>,
    /// Campaigns, not their short form.
    pub long: bool,
}

impl World {
    fn new(long: bool) -> Result<Self> {
        let tree = Tree::find().map_err(say)?;
        let toolchain = Toolchain::find(&tree).map_err(say)?;
        Ok(World { tree, toolchain, programs: OnceCell::new(), shared: RefCell::new(None), long })
    }

    /// The release image for a machine.
    pub fn boot(&self, wish: &Wish) -> Result<Boot> {
        alpha::image::make(&self.tree, self.programs()?, wish).map_err(say)
    }

    /// Kernel and programs that images are made of.
    pub fn programs(&self) -> Result<&Programs> {
        if self.programs.get().is_none() {
            let mut progress = Progress::new();
            let programs = Programs::build(&self.tree, &self.toolchain, Variant::Release, &mut progress);
            progress.finish();
            let _ = self.programs.set(programs.map_err(say)?);
        }
        Ok(self.programs.get().expect("just built"))
    }

    /// For programs that are in no image of people's.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// A place for a file that several runs use.
    pub fn kept(&self, name: &str) -> Result<PathBuf> {
        let folder = self.tree.build_dir().join("tests");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }

    /// A model file that is made for this run, under a name that people will see.
    pub fn model(&self, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = self.kept(name)?;
        write(&path)?;
        Ok(path)
    }

    /// The script that people start.
    pub fn script(&self) -> PathBuf {
        self.tree.root.join("alpha")
    }
}

fn say(error: alpha::Error) -> Failure {
    Failure::new(error.to_string())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let all = tests::all();
    if arguments.iter().any(|argument| argument == "--list") {
        for test in &all {
            println!("{}", test.name);
        }
        return ExitCode::SUCCESS;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let named = |name: &str| names.iter().any(|part| name.contains(part.as_str()));
    let chosen: Vec<_> = all.into_iter().filter(|test| names.is_empty() || named(&test.name)).collect();
    if chosen.is_empty() {
        eprintln!("no test has a name with {}", arguments.join(" or "));
        return ExitCode::FAILURE;
    }
    let world = match World::new(arguments.iter().any(|argument| argument == "--long")) {
        Ok(world) => world,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed) = (0, Vec::new());
    for test in &chosen {
        print!("test {} ... ", test.name);
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let outcome = (test.run)(&world);
        let seconds = start.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("ok ({seconds:.1} s)");
            }
            Err(failure) => {
                println!("FAILED\n  after {seconds:.1} s: {}", failure.to_string().replace('\n', "\n  "));
                failed.push(&test.name);
            }
        }
    }
    if !failed.is_empty() {
        println!("\nfailed:");
        failed.iter().for_each(|name| println!("  {name}"));
    }
    println!("\n{passed} passed, {} failed", failed.len());
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
