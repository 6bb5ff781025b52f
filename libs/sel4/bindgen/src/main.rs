//! `sel4-bindgen SEL4_FOLDER ARCH [AUTOCONF...]`: prints the bindings. For use by hand; the build calls the library.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [sel4, arch, configs @ ..] = args.as_slice() else {
        eprintln!("usage: sel4-bindgen SEL4_FOLDER ARCH [AUTOCONF...]");
        return ExitCode::from(2);
    };
    let sel4 = Path::new(sel4);
    let result = if configs.is_empty() {
        sel4_bindgen::generate(sel4, arch)
    } else {
        sel4_bindgen::Config::read(configs).and_then(|c| sel4_bindgen::generate_with(sel4, arch, &c))
    };
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sel4-bindgen: {error}");
            ExitCode::FAILURE
        }
    }
}
