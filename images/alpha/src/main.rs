//! `alpha`: see `./alpha help`.

use alpha::cargo::Toolchain;
use alpha::{doctor, run, test, Progress, Result, Tree, Wish};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// AlphaOS: a local-first AI operating system on the seL4 microkernel.
#[derive(Parser)]
#[command(name = "alpha", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Builds what is not built yet and starts the system; type /help there, /quit leaves.
    Run(RunArgs),
    /// Runs the tests, all or those whose name contains NAME; ends with `N passed, N failed`.
    Test { name: Vec<String> },
    /// Builds the boot image and says where it is and what it is made of.
    Image(MachineArgs),
    /// Measures, and writes docs/bench.md.
    Bench { arguments: Vec<String> },
    /// Says what is here, what is missing, and which Rust toolchain is taken and why.
    Doctor,
    /// Shows this.
    Help,
}

#[derive(Args)]
struct MachineArgs {
    /// A GGUF file to speak with, instead of the small model that comes along.
    #[arg(long, value_name = "FILE.gguf")]
    model: Option<PathBuf>,
    /// Processor cores, 1 to 8.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    cores: u8,
    /// Memory of the machine, for example 2G or 1536M; chosen from the model's size if left out.
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| alpha::memory::parse_size(text).map_err(|e| e.to_string()))]
    memory: Option<u64>,
    /// The kernel with its own checks and messages.
    #[arg(long)]
    debug_kernel: bool,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    machine: MachineArgs,
    /// Use the processor's virtualisation instead of emulation (not tested by this project).
    #[arg(long)]
    kvm: bool,
    /// Put the console on a Unix socket; the machine waits until somebody connects.
    #[arg(long, value_name = "PATH")]
    serial_socket: Option<PathBuf>,
    /// QEMU's machine protocol on a Unix socket.
    #[arg(long, value_name = "PATH")]
    qmp: Option<PathBuf>,
    /// A debugger's socket.
    #[arg(long, value_name = "PATH")]
    gdb: Option<PathBuf>,
    /// Start stopped.
    #[arg(long)]
    paused: bool,
}

impl MachineArgs {
    fn options(self) -> run::Options {
        let wish = Wish { cores: self.cores, memory: self.memory, model: self.model, ..Wish::default() };
        run::Options { wish, debug_kernel: self.debug_kernel, ..run::Options::default() }
    }
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("alpha: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<u8> {
    let tree = Tree::find()?;
    let toolchain = || Toolchain::find(&tree);
    match cli.verb {
        Verb::Run(args) => {
            let mut options = args.machine.options();
            options.kvm = args.kvm;
            options.serial_socket = args.serial_socket;
            options.qmp = args.qmp;
            options.gdb = args.gdb;
            options.paused = args.paused;
            Ok(run::run(&tree, &toolchain()?, &options)?.clamp(0, 255) as u8)
        }
        Verb::Image(args) => {
            let mut progress = Progress::new();
            let boot = run::build(&tree, &toolchain()?, &args.options(), &mut progress)?;
            progress.finish();
            alpha::image::describe(&boot)?;
            Ok(0)
        }
        Verb::Test { name } => test::run(&tree, &toolchain()?, &name),
        Verb::Bench { arguments } => test::bench(&tree, &toolchain()?, &arguments),
        Verb::Doctor => doctor::run(&tree),
        Verb::Help => {
            use clap::CommandFactory;
            let _ = Cli::command().print_help();
            Ok(0)
        }
    }
}
