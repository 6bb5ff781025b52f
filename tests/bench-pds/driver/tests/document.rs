//! docs/writing-a-server.md shows the example's files as they are.

use rpc_bench::Result;
use std::{fs, path::Path};

/// Code blocks whose paragraph before ends with a file name: `` `path`: ``. They are the whole file, or, for a table of
/// the layout and the list of packages, a part of it.
#[test]
fn the_document_shows_the_files_as_they_are() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let document = fs::read_to_string(root.join("docs/writing-a-server.md"))?;
    let mut shown = Vec::new();
    let mut blocks = document.split("\n```");
    let mut text = blocks.next().unwrap_or_default();
    while let (Some(block), Some(after)) = (blocks.next(), blocks.next()) {
        let name = text.trim_end().lines().last().and_then(|line| line.strip_suffix("`:")?.rsplit('`').next());
        if let Some(name) = name {
            let code = block.split_once('\n').map_or("", |(_language, code)| code);
            let file = fs::read_to_string(root.join(name)).map_err(|e| format!("{name}: {e}"))?;
            let same =
                if name.ends_with(".rs") { file.trim_end() == code.trim_end() } else { file.contains(code.trim_end()) };
            assert!(same, "{name} is not what the document shows");
            shown.push(name.to_owned());
        }
        text = after;
    }
    for name in
        ["ipc/src/echo.rs", "services/echo/Cargo.toml", "services/echo/src/main.rs", "services/echo/layout/system.toml"]
    {
        assert!(shown.iter().any(|shown| shown == name), "the document does not show {name}: {shown:?}");
    }
    Ok(())
}
