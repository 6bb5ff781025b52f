//! What is compiled, and how.

use crate::command::Runner;
use crate::hash::Hash;
use crate::{io_at, Error, Flavour};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Mutex};

/// This file itself is part of every key.
pub const FINGERPRINT: &str = include_str!("recipe.rs");

const TARGET: &str = "x86_64-linux-musl";
/// Everything is compiled for this level; the program checks for it before it starts (program/x86_64/cpu.c).
const MARCH: &str = "-march=x86_64_v3";
const MODELS_PER_UNIT: usize = 10;

const COMMON: &[&str] = &[MARCH, "-O3", "-DNDEBUG", "-g0", "-fno-sanitize=all", "-w"];
const GGML: &[&str] = &[
    "-D_GNU_SOURCE",
    "-D_XOPEN_SOURCE=600",
    "-DGGML_SCHED_MAX_COPIES=4",
    "-DGGML_USE_CPU",
    "-DGGML_VERSION=\"0.26.0\"",
    "-DGGML_COMMIT=\"crate\"",
];
const CPU: &[&str] = &[
    "-DGGML_USE_CPU_REPACK",
    "-DGGML_USE_LLAMAFILE",
    "-DGGML_SSE42",
    "-DGGML_AVX",
    "-DGGML_AVX2",
    "-DGGML_F16C",
    "-DGGML_FMA",
    "-DGGML_BMI2",
];

/// With the CPU alone no part of a graph is handed from one device to another; at the usual 30 inputs for each such part
/// the scheduler takes 20 MB that it never uses.
const SCHEDULER: &[&str] = &["-DGGML_SCHED_MAX_SPLIT_INPUTS=4"];

const BASE_FILES: &[&str] = &[
    "ggml.c", "ggml.cpp", "ggml-alloc.c", "ggml-backend.cpp", "ggml-backend-meta.cpp", "ggml-backend-dl.cpp",
    "ggml-backend-reg.cpp", "ggml-opt.cpp", "ggml-quants.c", "ggml-threading.cpp", "gguf.cpp",
];
const CPU_FILES: &[&str] = &[
    "ggml-cpu.c", "ggml-cpu.cpp", "repack.cpp", "hbm.cpp", "quants.c", "traits.cpp", "amx/amx.cpp", "amx/mmq.cpp",
    "tiled/tiled.cpp", "tiled/tiled-kernel.cpp", "binary-ops.cpp", "unary-ops.cpp", "vec.cpp", "ops.cpp",
    "llamafile/sgemm.cpp", "arch/x86/quants.c", "arch/x86/repack.cpp",
];
/// These take longest, so they begin first.
const SLOW: &[&str] = &["ops.cpp", "unit-", "sgemm", "llama-model.cpp", "binary-ops", "llama-vocab", "llama-quant"];

struct Unit {
    source: PathBuf,
    object: PathBuf,
    flags: Vec<String>,
}

/// Compiles all of llama.cpp, or takes what the cache has. Returns the objects.
pub fn compile_llama(runner: &Runner, llama: &Path, progress: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>, Error> {
    let mut key = Hash::new();
    key.text(crate::SOURCE_VERSION).listing(llama)?;
    for tool in crate::TOOLS {
        key.text(tool);
    }
    let folder = runner.objects.join(key.hex());
    io_at(&folder, fs::create_dir_all(&folder))?;
    let mut units = plan(llama, &folder)?;
    let objects: Vec<PathBuf> = units.iter().map(|u| u.object.clone()).collect();
    units.retain(|u| !u.object.exists());
    units.sort_by_key(|u| SLOW.iter().position(|s| u.source.to_string_lossy().contains(s)).unwrap_or(SLOW.len()));

    let (all, next) = (units.len(), AtomicUsize::new(0));
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get()).min(all);
    let failure = Mutex::new(None);
    let (say, said) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (say, units, next, failure) = (say.clone(), &units, &next, &failure);
            scope.spawn(move || loop {
                let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                match compile(runner, unit) {
                    Ok(()) => drop(say.send(())),
                    Err(e) => {
                        failure.lock().unwrap().get_or_insert(e);
                        next.store(units.len(), Ordering::Relaxed);
                    }
                }
            });
        }
        drop(say);
        for (done, ()) in said.iter().enumerate() {
            progress(&format!("llama.cpp: {} of {all} files compiled", done + 1));
        }
    });
    match failure.into_inner().unwrap() {
        Some(e) => Err(e),
        None => Ok(objects),
    }
}

fn plan(llama: &Path, folder: &Path) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    let mut add = |source: PathBuf, prefix: &str, include: &[&str], flags: &[&[&str]]| {
        let cpp = source.extension().is_some_and(|e| e == "cpp");
        let stem = format!("{prefix}-{}", source.file_name().unwrap().to_string_lossy());
        let mut all: Vec<String> = vec![if cpp { "-std=gnu++17" } else { "-std=gnu11" }.into()];
        all.extend(include.iter().map(|i| format!("-I{}", llama.join(i).display())));
        all.extend(flags.iter().copied().flatten().chain(COMMON).map(|f| f.to_string()));
        /* no path of this machine in what __FILE__ becomes */
        all.push(format!("-ffile-prefix-map={}=llama.cpp", llama.display()));
        all.push(format!("-ffile-prefix-map={}=llama.cpp/src", folder.display()));
        all.push(format!("-I{}", folder.display()));
        let mut key = Hash::new();
        for flag in &all {
            key.text(flag);
        }
        units.push(Unit { object: folder.join(format!("{stem}-{}.o", key.hex())), source, flags: all });
    };
    let ggml = llama.join("ggml/src");
    for name in BASE_FILES {
        let extra: &[&str] = if *name == "ggml-backend.cpp" { SCHEDULER } else { &[] };
        add(ggml.join(name), "base", &["ggml/src", "ggml/include"], &[GGML, extra]);
    }
    for name in CPU_FILES {
        let prefix = format!("cpu-{}", name.replace('/', "-").rsplit_once('-').map_or("", |(front, _)| front));
        add(ggml.join("ggml-cpu").join(name), &prefix, &["ggml/src", "ggml/src/ggml-cpu", "ggml/include"], &[GGML, CPU]);
    }
    let version: &[&str] = &["-DGGML_USE_CPU", "-DLLAMA_VERSION=\"0.6.0\"", "-DLLAMA_COMMIT=\"crate\""];
    let include = ["src", "include", "ggml/include"];
    for path in cpp_files(&llama.join("src"))? {
        add(path, "llama", &include, &[version]);
    }
    /* One file for each kind of model: small ones, compiled in groups. */
    let models = cpp_files(&llama.join("src/models"))?;
    for (i, group) in models.chunks(MODELS_PER_UNIT).enumerate() {
        let unit = folder.join(format!("unit-{i}.cpp"));
        let text: String =
            group.iter().map(|m| format!("#include \"models/{}\"\n", m.file_name().unwrap().to_string_lossy())).collect();
        io_at(&unit, fs::write(&unit, text))?;
        add(unit, "models", &include, &[version]);
    }
    /* Headers that CMake would write; the macros in them are given above. */
    for name in ["ggml-version.h", "llama-version.h"] {
        let path = folder.join(name);
        io_at(&path, fs::write(&path, ""))?;
    }
    Ok(units)
}

fn cpp_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in io_at(folder, fs::read_dir(folder))? {
        let path = io_at(folder, entry)?.path();
        if path.extension().is_some_and(|e| e == "cpp") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn compile(runner: &Runner, unit: &Unit) -> Result<(), Error> {
    let language = if unit.flags[0] == "-std=gnu++17" { "c++" } else { "cc" };
    let part = unit.object.with_extension("part.o");
    let (source, object) = (unit.source.to_string_lossy(), part.to_string_lossy());
    let mut arguments = vec![language, "-target", TARGET];
    arguments.extend(unit.flags.iter().map(String::as_str));
    arguments.extend(["-c", &source, "-o", &object]);
    runner.zig(&arguments, None)?;
    io_at(&unit.object, fs::rename(&part, &unit.object))
}

/// Compiles the program around llama.cpp and links all.
pub fn link(runner: &Runner, llama: &Path, program: &Path, flavour: Flavour, objects: &[PathBuf], key: &str) -> Result<PathBuf, Error> {
    let folder = runner.objects.join(format!("{}-{key}", flavour.name()));
    io_at(&folder, fs::create_dir_all(&folder))?;
    /* Runs before the C library and before the check of the CPU, so: the oldest instructions, and no helpers. */
    let bare: &[&str] = &[
        "-std=c11", "-O2", "-march=x86_64", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-sanitize=all",
        "-Wall", "-Wextra", "-Werror", "-g0",
    ];
    let includes: Vec<String> =
        ["include", "src", "ggml/include"].iter().map(|i| format!("-I{}", llama.join(i).display())).collect();
    let mut modern = vec!["-std=c++20", MARCH, "-O2", "-fno-sanitize=all", "-Wall", "-Wextra", "-Werror", "-g0"];
    modern.extend(includes.iter().map(String::as_str));

    let sources: &[&str] = match flavour {
        Flavour::Pd => &["x86_64/entry.S", "x86_64/cpu.c", "sys.c", "plat_sel4.c", "main.cpp", "engine.cpp"],
        Flavour::Host => &["x86_64/entry.S", "x86_64/host.S", "x86_64/cpu.c", "sys.c", "plat_linux.c", "main.cpp", "engine.cpp"],
        Flavour::Linux => &["main_linux.cpp", "engine.cpp"],
        Flavour::ProtoCheck => &["proto_check.cpp"],
    };
    let mut own = Vec::new();
    for source in sources {
        let path = program.join(source).to_string_lossy().into_owned();
        let object = folder.join(source.replace('/', "-") + ".o").to_string_lossy().into_owned();
        let (language, flags) = match source.rsplit_once('.') {
            Some((_, "cpp")) => ("c++", &modern[..]),
            Some((_, "c")) => ("cc", bare),
            _ => ("cc", &[][..]),
        };
        let map = format!("-ffile-prefix-map={}=llama", program.display());
        let mut arguments = vec![language, "-target", TARGET];
        arguments.extend(flags);
        arguments.extend([&map, "-c", &path, "-o", &object]);
        runner.zig(&arguments, None)?;
        own.push(object);
    }

    let result = folder.join("linked.elf").to_string_lossy().into_owned();
    let mut arguments = vec!["c++", "-target", TARGET, MARCH, "-O2", "-static", "-Wl,--gc-sections"];
    let ours = matches!(flavour, Flavour::Pd | Flavour::Host);
    match flavour {
        Flavour::Pd => arguments.push("-Wl,-e,alpha_entry"),
        Flavour::Host => arguments.push("-Wl,-e,alpha_host_entry"),
        Flavour::Linux | Flavour::ProtoCheck => {}
    }
    if ours {
        /* zig would ask for 16 MiB, and the C library would give each thread 8 of them */
        arguments.push("-Wl,-z,stack-size=262144");
    }
    let libraries: Vec<String> = objects.iter().map(|o| o.to_string_lossy().into_owned()).collect();
    arguments.extend(own.iter().chain(&libraries).map(String::as_str));
    arguments.extend(["-o", &result]);
    runner.zig(&arguments, ours.then_some(runner.overlay.as_path()))?;
    Ok(PathBuf::from(result))
}
