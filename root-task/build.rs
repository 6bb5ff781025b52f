fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    println!("cargo:rustc-link-arg-bins=-T{here}/root.ld");
    println!("cargo:rerun-if-changed=root.ld");
}
