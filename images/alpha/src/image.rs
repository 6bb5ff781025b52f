//! From programs and a wish to a machine that can boot.

use crate::memory::{self, round_up, Arena};
use crate::tree::write_if_changed;
use crate::{Error, Programs, Result, Tree};
use layout::{append_to_root, blob, needs, resolve, Machine, ModelFile, Resolved};
use llama_build::ModelFacts;
use sha2::{Digest, Sha256};
use spec::{System, LARGE_PAGE};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use wall::Proof;

/// What the person asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub cores: u8,
    pub memory: Option<u64>,
    /// `None`: the default model if it is there.
    pub model: Option<PathBuf>,
}

impl Default for Wish {
    fn default() -> Self {
        // One core: with two, emulated on a computer that has no more to give, the engine's threads wait for each other
        // most of the time (docs/building.md).
        Wish { cores: 1, memory: None, model: None }
    }
}

/// Everything that QEMU needs.
#[derive(Clone, Debug)]
pub struct Boot {
    pub kernel: PathBuf,
    pub image: PathBuf,
    pub model: Option<LoadedModel>,
    /// The default model behind the person's own, for when that cannot be loaded.
    pub spare: Option<LoadedModel>,
    pub cores: u8,
    pub memory_bytes: u64,
    /// The specification that is in the image, for those who compare it with what runs.
    pub system: System,
    /// That private data stays in.
    pub proof: Proof,
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
    let spare = match &wish.model {
        Some(_) if default.is_file() => Some(Model::open(&default)?),
        _ => None,
    };
    // One range for both, the spare behind the other.
    let model_only = model.as_ref().map_or(0, |m| round_up(m.bytes, LARGE_PAGE));
    let model_bytes = model_only + spare.as_ref().map_or(0, |m| round_up(m.bytes, LARGE_PAGE));
    // Either may be the one that runs.
    let mut arena = Arena { wanted: 8 << 20, least: 8 << 20 }; // the program alone, should there be no model
    for other in model.iter().chain(&spare).map(Model::arena) {
        arena = Arena { wanted: arena.wanted.max(other.wanted), least: arena.least.max(other.least) };
    }

    let machine = |memory_bytes, paddr, arena_bytes| Machine {
        name: format!("AlphaOS {}", env!("CARGO_PKG_VERSION")),
        kernel: "seL4 5.0.0".into(),
        cores: wish.cores,
        memory_bytes,
        model: model.as_ref().map(|m| ModelFile { name: m.name.clone(), bytes: m.bytes, paddr }),
        spare: spare.as_ref().map(|m| ModelFile { name: m.name.clone(), bytes: m.bytes, paddr: paddr + model_only }),
        arena_bytes,
    };
    let resolve_with = |machine: &Machine| resolve(layout, wiring, machine, &elves);

    // Once to see what everything but model and arena takes, once for good.
    let probe = resolve_with(&machine(1 << 30, 256 << 20, LARGE_PAGE))?;
    let others = needs(&probe.system, image_bytes(&root, &probe)).total() - LARGE_PAGE - round_up(model_bytes, LARGE_PAGE);
    let plan = memory::plan(others, model_bytes, arena, wish.memory)?;
    let resolved = resolve_with(&machine(plan.memory, plan.model_paddr, plan.arena))?;
    needs(&resolved.system, image_bytes(&root, &resolved)).fit(plan.memory)?;

    // Whatever boots was proven to keep private data in: docs/wall.md.
    let proof = wall::prove(&resolved.system)?;
    wall::tests_exist(&resolved.system, &tree.root)?;

    let bytes = append_to_root(&root, &blob(&resolved)?)?;
    let key = format!("{:x}", Sha256::digest(&bytes));
    let beside = |ending: &str| tree.build_dir().join("images").join(format!("alphaos-{}{ending}", &key[..16]));
    let image = beside(".elf");
    if !image.is_file() {
        write_if_changed(&image, &bytes)?;
    }
    for mode in &proof.modes {
        write_if_changed(&beside(&format!("-{}.certificate", mode.mode)), mode.certificate.as_bytes())?;
    }
    Ok(Boot {
        kernel: kernel.elf32.clone(),
        image,
        model: model.map(|m| LoadedModel {
            file: m.file,
            paddr: plan.model_paddr,
            reserved_bytes: round_up(m.bytes, LARGE_PAGE),
        }),
        spare: spare.map(|m| LoadedModel {
            file: m.file,
            paddr: plan.model_paddr + model_only,
            reserved_bytes: round_up(m.bytes, LARGE_PAGE),
        }),
        cores: wish.cores,
        memory_bytes: plan.memory,
        system: resolved.system,
        proof,
    })
}

fn image_bytes(root: &[u8], resolved: &Resolved) -> u64 {
    // The root file holds symbols that the image does not; this errs on the safe side.
    root.len() as u64 + resolved.payload.len() as u64 + 64 * 1024
}

/// Whether a file that somebody named can be a model at all: said before anything is built.
pub fn check_model(path: &Path) -> Result<()> {
    if Model::open(path)?.bytes == 0 {
        return Err(Error::Model { file: path.into(), why: "is empty".into() });
    }
    Ok(())
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
        let wrong = |why: &str| Error::Model { file: path.into(), why: why.into() };
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => wrong("is not there"),
            io::ErrorKind::PermissionDenied => wrong("may not be read by you"),
            _ => Error::Io(path.into(), e),
        };
        let file = path.canonicalize().map_err(failed)?;
        let meta = fs::metadata(&file).map_err(failed)?;
        if meta.is_dir() {
            return Err(wrong("is a folder, not a GGUF file"));
        }
        if !meta.is_file() {
            return Err(wrong("is no ordinary file"));
        }
        File::open(&file).map_err(failed)?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Model { file, name, bytes: meta.len() })
    }

    /// What llama.cpp needs beside the weights, with them repacked and without.
    fn arena(&self) -> Arena {
        match ModelFacts::read(&self.file) {
            Ok(facts) => {
                let (least, wanted) = llama_build::arena_bytes(&facts, 0, true);
                Arena { wanted, least }
            }
            // Enough to find out what is wrong with it.
            Err(_) => Arena { wanted: 64 << 20, least: 64 << 20 },
        }
    }
}

/// What the image is made of, for people.
pub fn describe(boot: &Boot) -> Result<()> {
    let bytes = fs::metadata(&boot.image).map_err(Error::io(&boot.image))?.len();
    println!("image   {}  ({})", boot.image.display(), layout::size(bytes));
    println!("kernel  {}", boot.kernel.display());
    for model in boot.model.iter().chain(&boot.spare) {
        println!("model   {}  (at {:#x})", model.file.display(), model.paddr);
    }
    let modes: Vec<&str> = boot.system.modes.iter().map(|mode| mode.title.as_str()).collect();
    println!("layout  {}  sha256 {}", modes.join(", "), boot.system.hash.iter().map(|b| format!("{b:02x}")).collect::<String>());
    for mode in &boot.proof.modes {
        let file = boot.image.with_extension("").display().to_string();
        let (name, private, edges) = (&mode.mode, mode.private, mode.edges);
        println!("wall    holds in {name}: private data on {private} of {edges} edges  ({file}-{name}.certificate)");
    }
    if !boot.proof.masters.is_empty() {
        let drivers = boot.proof.masters.join(", ");
        println!("wall    without an IOMMU it rests on the drivers of devices that do DMA: {drivers}");
    }
    println!("memory  {}, {} cores", layout::size(boot.memory_bytes), boot.cores);
    for need in needs(&boot.system, bytes).rows {
        println!("  {:>9}  {}", layout::size(need.bytes), need.what);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_can_be_no_model_get_a_sentence() {
        let dir = std::env::temp_dir().join(format!("alpha-model-{}", std::process::id()));
        fs::create_dir_all(dir.join("folder.gguf")).unwrap();
        fs::write(dir.join("empty.gguf"), b"").unwrap();
        for (name, sentence) in [
            ("absent.gguf", "is not there."),
            ("folder.gguf", "is a folder, not a GGUF file."),
            ("empty.gguf", "is empty."),
        ] {
            let path = dir.join(name);
            let error = check_model(&path).unwrap_err().to_string();
            assert_eq!(error, format!("--model: {} {sentence}", path.display()));
        }
        assert!(check_model(Path::new("/dev/null")).unwrap_err().to_string().ends_with("is no ordinary file."));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_small_model_fits_the_usual_machine() {
        let model = Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/alpha-small.gguf")).unwrap();
        let arena = model.arena();
        assert!(arena.least <= arena.wanted && arena.wanted < 256 << 20, "{arena:?}");
    }
}
