//! A program: its segments, its entry, and the proof that it stands alone.

use crate::addresses::{IMAGE, IMAGE_END};
use crate::error::{Error, Result};
use object::elf::{FileHeader64, ET_EXEC, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, SHN_UNDEF};
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use object::LittleEndian as LE;
use spec::PAGE;

type Header = FileHeader64<LE>;

/// A checked ELF file.
#[derive(Clone, Debug)]
pub struct Program {
    pub entry: u64,
    pub segments: Vec<ProgramSegment>,
}

#[derive(Clone, Debug)]
pub struct ProgramSegment {
    pub vaddr: u64,
    pub memory_bytes: u64,
    pub data: Vec<u8>,
    pub write: bool,
    pub execute: bool,
}

impl ProgramSegment {
    pub fn end(&self) -> u64 {
        self.vaddr + self.memory_bytes
    }
}

impl Program {
    /// A PD's program: static, no undefined symbol, no segment both writable and executable, each page in one segment,
    /// all of it where programs belong.
    pub fn parse(name: &str, file: &[u8]) -> Result<Program> {
        let program = Program::parse_any(name, file)?;
        for segment in &program.segments {
            if segment.vaddr < IMAGE || segment.end() > IMAGE_END {
                return Err(Error::SegmentOutside { program: name.into(), vaddr: segment.vaddr, end: segment.end() });
            }
        }
        Ok(program)
    }

    /// The same for a program that may lie anywhere: the root task.
    pub fn parse_any(name: &str, file: &[u8]) -> Result<Program> {
        let elf_error = |why: &str| Error::Elf { program: name.into(), why: why.into() };
        let header = Header::parse(file).map_err(|e| elf_error(&e.to_string()))?;
        let endian = header.endian().map_err(|e| elf_error(&e.to_string()))?;
        if header.e_type(endian) != ET_EXEC {
            return Err(elf_error("it is not linked to fixed addresses"));
        }
        let mut segments = Vec::new();
        for segment in header.program_headers(endian, file).map_err(|e| elf_error(&e.to_string()))? {
            match segment.p_type(endian) {
                PT_INTERP | PT_DYNAMIC => return Err(elf_error("it wants a dynamic linker")),
                PT_LOAD if segment.p_memsz(endian) > 0 => {}
                _ => continue,
            }
            let (vaddr, memory_bytes) = (segment.p_vaddr(endian), segment.p_memsz(endian));
            let data = segment.data(endian, file).map_err(|()| elf_error("a segment lies outside of the file"))?;
            if data.len() as u64 > memory_bytes || vaddr.checked_add(memory_bytes).is_none() {
                return Err(elf_error("a segment has more bytes than memory"));
            }
            let flags = segment.p_flags(endian);
            let (write, execute) = (flags & PF_W != 0, flags & PF_X != 0);
            if write && execute {
                return Err(Error::WriteExecute { program: name.into(), vaddr });
            }
            segments.push(ProgramSegment { vaddr, memory_bytes, data: data.to_vec(), write, execute });
        }
        if segments.is_empty() {
            return Err(elf_error("it has no segment to load"));
        }
        segments.sort_by_key(|s| s.vaddr);
        for pair in segments.windows(2) {
            if (pair[0].end() - 1) / PAGE >= pair[1].vaddr / PAGE {
                return Err(Error::SegmentsSharePage { program: name.into(), vaddr: pair[1].vaddr / PAGE * PAGE });
            }
        }
        let entry = header.e_entry(endian);
        if !segments.iter().any(|s| s.execute && (s.vaddr..s.end()).contains(&entry)) {
            return Err(elf_error("its entry lies in no executable segment"));
        }
        if let Some(symbol) = undefined(header, endian, file).map_err(|e| elf_error(&e.to_string()))? {
            return Err(Error::Undefined { program: name.into(), symbol });
        }
        Ok(Program { entry, segments })
    }
}

/// Value of a defined symbol.
pub fn symbol(name: &str, file: &[u8], wanted: &str) -> Result<Option<u64>> {
    let elf_error = |e: object::Error| Error::Elf { program: name.into(), why: e.to_string() };
    let header = Header::parse(file).map_err(elf_error)?;
    let endian = header.endian().map_err(elf_error)?;
    let sections = header.sections(endian, file).map_err(elf_error)?;
    let symbols = sections.symbols(endian, file, object::elf::SHT_SYMTAB).map_err(elf_error)?;
    let found = symbols.iter().find(|s| {
        s.st_shndx(endian) != SHN_UNDEF && symbols.symbol_name(endian, s).is_ok_and(|n| n == wanted.as_bytes())
    });
    Ok(found.map(|s| s.st_value(endian)))
}

fn undefined(header: &Header, endian: LE, file: &[u8]) -> object::Result<Option<String>> {
    let sections = header.sections(endian, file)?;
    for kind in [object::elf::SHT_SYMTAB, object::elf::SHT_DYNSYM] {
        let symbols = sections.symbols(endian, file, kind)?;
        for symbol in symbols.iter() {
            let name = symbols.symbol_name(endian, symbol)?;
            if symbol.st_shndx(endian) == SHN_UNDEF && !name.is_empty() && !symbol.is_weak() {
                return Ok(Some(String::from_utf8_lossy(name).into_owned()));
            }
        }
    }
    Ok(None)
}
