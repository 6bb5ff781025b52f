//! Draws docs/wall-picture.md anew from the layout.

use layout::Layout;
use std::path::Path;
use wall::{picture, skeleton};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let layout = Layout::load(&tree.join("root-task/layout"), "x86_64")?;
    let page = picture::page(&skeleton::system(&layout)?);
    Ok(std::fs::write(tree.join("docs/wall-picture.md"), page)?)
}
