//! `alpha`: see `./alpha help`.

use alpha::cargo::Toolchain;
use alpha::command_line::{self, Verb, HELP};
use alpha::{doctor, image, run, test, Progress, Result, Tree};
use std::process::ExitCode;

fn main() -> ExitCode {
    match command_line::read(std::env::args_os().skip(1)).and_then(start) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("alpha: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(verb: Verb) -> Result<u8> {
    let tree = Tree::find()?;
    let toolchain = || Toolchain::find(&tree);
    match verb {
        Verb::Run(options) => Ok(run::run(&tree, &toolchain()?, &options)?.clamp(0, 255) as u8),
        Verb::Image(options) => {
            let mut progress = Progress::new();
            let boot = run::build(&tree, &toolchain()?, &options, &mut progress)?;
            progress.finish();
            image::describe(&boot)?;
            Ok(0)
        }
        Verb::Test(names) => test::run(&tree, &toolchain()?, &names),
        Verb::Prove(arguments) => test::program(&tree, &toolchain()?, "prove", &arguments),
        Verb::Bench(arguments) => test::program(&tree, &toolchain()?, "bench", &arguments),
        Verb::Doctor => doctor::run(&tree),
        Verb::Help => {
            print!("{HELP}");
            Ok(0)
        }
    }
}
