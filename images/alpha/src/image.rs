//! From programs and a wish to a machine that can boot.

use crate::memory::{self, round_up, Arena};
use crate::tree::write_if_changed;
use crate::{Error, Programs, Result, Tree};
use layout::{append_to_root, blob, needs, resolve, Machine, ModelFile, Resolved};
use sha2::{Digest, Sha256};
use spec::{System, LARGE_PAGE};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the person asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub mode: String,
    pub cores: u8,
    pub memory: Option<u64>,
    /// `None`: the default model if it is there.
    pub model: Option<PathBuf>,
}

impl Default for Wish {
    fn default() -> Self {
        Wish { mode: "local-only".into(), cores: 2, memory: None, model: None }
    }
}

/// Everything that QEMU needs.
#[derive(Clone, Debug)]
pub struct Boot {
    pub kernel: PathBuf,
    pub image: PathBuf,
    pub model: Option<LoadedModel>,
    pub cores: u8,
    pub memory_bytes: u64,
    /// The specification that is in the image, for those who compare it with what runs.
    pub system: System,
}

/// A file that the loader puts into a reserved physical range.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    pub file: PathBuf,
    pub paddr: u64,
    pub reserved_bytes: u64,
}

pub fn make(tree: &Tree, programs: &Programs, wish: &Wish) -> Result<Boot> {
    let Programs { kernel, layout, wiring, files } = programs;
    let mode = layout.mode(&wish.mode).ok_or_else(|| Error::NoMode(wish.mode.clone()))?;
    let mut elves = BTreeMap::new();
    for (name, file) in files {
        elves.insert(name.clone(), fs::read(file).map_err(Error::io(file))?);
    }
    let root = elves.get("root-task").cloned().unwrap_or_default();

    let default = tree.default_model();
    let model = match &wish.model {
        Some(file) => Some(Model::open(file)?),
        None if default.is_file() => Some(Model::open(&default)?),
        None => None,
    };
    let model_bytes = model.as_ref().map_or(0, |m| m.bytes);
    let arena = model.as_ref().map_or(Arena { wanted: 32 << 20, least: 32 << 20 }, Model::arena);

    let machine = |memory_bytes, paddr, arena_bytes| Machine {
        name: format!("AlphaOS {}", env!("CARGO_PKG_VERSION")),
        kernel: "seL4 5.0.0".into(),
        cores: wish.cores,
        memory_bytes,
        model: model.as_ref().map(|m| ModelFile { name: m.name.clone(), bytes: m.bytes, paddr }),
        arena_bytes,
    };
    let resolve_with = |machine: &Machine| resolve(layout, wiring, mode, machine, &elves);

    // Once to see what everything but model and arena takes, once for good.
    let probe = resolve_with(&machine(1 << 30, 256 << 20, LARGE_PAGE))?;
    let others = needs(&probe.system, image_bytes(&root, &probe)).total() - LARGE_PAGE - round_up(model_bytes, LARGE_PAGE);
    let plan = memory::plan(others, model_bytes, arena, wish.memory)?;
    let resolved = resolve_with(&machine(plan.memory, plan.model_paddr, plan.arena))?;
    needs(&resolved.system, image_bytes(&root, &resolved)).fit(plan.memory)?;

    let bytes = append_to_root(&root, &blob(&resolved)?)?;
    let key = format!("{:x}", Sha256::digest(&bytes));
    let image = tree.build_dir().join("images").join(format!("alphaos-{}.elf", &key[..16]));
    if !image.is_file() {
        write_if_changed(&image, &bytes)?;
    }
    Ok(Boot {
        kernel: kernel.elf32.clone(),
        image,
        model: model.map(|m| LoadedModel {
            file: m.file,
            paddr: plan.model_paddr,
            reserved_bytes: round_up(m.bytes, LARGE_PAGE),
        }),
        cores: wish.cores,
        memory_bytes: plan.memory,
        system: resolved.system,
    })
}

fn image_bytes(root: &[u8], resolved: &Resolved) -> u64 {
    // The root file holds symbols that the image does not; this errs on the safe side.
    root.len() as u64 + resolved.payload.len() as u64 + 64 * 1024
}

struct Model {
    file: PathBuf,
    name: String,
    bytes: u64,
}

impl Model {
    /// Only what the machine's size depends on is read here; what is in the file is the inference server's affair, so
    /// that a broken file is found and named inside the box.
    fn open(path: &Path) -> Result<Model> {
        let file = path.canonicalize().map_err(Error::io(path))?;
        let meta = fs::metadata(&file).map_err(Error::io(&file))?;
        if !meta.is_file() {
            return Err(Error::Model { file, why: "is no file".into() });
        }
        // A comma would end the file name in QEMU's option.
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut head = [0; 4];
        let readable = File::open(&file).and_then(|mut f| f.read(&mut head));
        readable.map_err(Error::io(&file))?;
        Ok(Model { file, name, bytes: meta.len() })
    }

    fn arena(&self) -> Arena {
        // Repacked weights, KV cache, compute buffers.
        let least = (64 << 20) + self.bytes / 4;
        Arena { wanted: least + self.bytes, least }
    }
}

/// What the image is made of, for people.
pub fn describe(boot: &Boot) -> Result<()> {
    let bytes = fs::metadata(&boot.image).map_err(Error::io(&boot.image))?.len();
    println!("image   {}  ({})", boot.image.display(), layout::size(bytes));
    println!("kernel  {}", boot.kernel.display());
    if let Some(model) = &boot.model {
        println!("model   {}  (at {:#x})", model.file.display(), model.paddr);
    }
    println!("layout  {}  sha256 {}", boot.system.mode, boot.system.hash.iter().map(|b| format!("{b:02x}")).collect::<String>());
    println!("memory  {}, {} cores", layout::size(boot.memory_bytes), boot.cores);
    for need in needs(&boot.system, bytes).rows {
        println!("  {:>9}  {}", layout::size(need.bytes), need.what);
    }
    Ok(())
}
