//! The machine's physical memory, read from outside, piece by piece as it is needed, and the processors' registers.

use crate::{
    formats::{OBJECTS, SYMBOLS, SYMBOLS_END},
    Error, Result,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    io,
};

/// Bytes that are fetched at once.
pub const CHUNK: u64 = 256 << 10;

/// Where memory comes from: QEMU's monitor, a file that is the guest's memory, a test's own bytes.
pub trait Source {
    /// Fills `bytes` with what lies at a physical address. All of it is RAM.
    fn read(&mut self, paddr: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Registers of a processor that decide what its page tables mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    pub cr0: u64,
    /// Where its page tables start.
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
    pub flags: u64,
}

pub struct Memory<'s> {
    /// Physical ranges of RAM, ascending; between them are holes.
    ram: Vec<(u64, u64)>,
    source: RefCell<Box<dyn Source + 's>>,
    chunks: RefCell<HashMap<u64, Box<[u8]>>>,
    /// Words that a test has planted, by address.
    planted: BTreeMap<u64, u64>,
    fetched: Cell<u64>,
    /// As they were read, and as they are seen.
    cores: (Vec<Core>, Vec<Core>),
}

impl<'s> Memory<'s> {
    pub fn new(ram: Vec<(u64, u64)>, cores: Vec<Core>, source: impl Source + 's) -> Self {
        Memory {
            ram,
            source: RefCell::new(Box::new(source)),
            chunks: RefCell::default(),
            planted: BTreeMap::new(),
            fetched: Cell::new(0),
            cores: (cores.clone(), cores),
        }
    }

    pub fn cores(&self) -> &[Core] {
        &self.cores.1
    }

    pub fn ram(&self) -> &[(u64, u64)] {
        &self.ram
    }

    /// Bytes that were read from the machine so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.get()
    }

    pub fn is_ram(&self, paddr: u64, bytes: u64) -> bool {
        paddr.checked_add(bytes).is_some_and(|end| self.ram.iter().any(|(from, to)| *from <= paddr && end <= *to))
    }

    /// Whole words from a physical address on.
    pub fn words(&self, paddr: u64, count: u64) -> Result<Vec<u64>> {
        if paddr % 8 != 0 || !self.is_ram(paddr, count * 8) {
            return Err(Error::new(format!("{count} words at physical address {paddr:#x} are not in RAM")));
        }
        let mut words = Vec::with_capacity(count as usize);
        let mut at = paddr;
        while at < paddr + count * 8 {
            let base = at / CHUNK * CHUNK;
            let end = (base + CHUNK).min(paddr + count * 8);
            self.with_chunk(base, |chunk| {
                let part = &chunk[(at - base) as usize..(end - base) as usize];
                words.extend(part.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().expect("eight bytes"))));
            })?;
            at = end;
        }
        for (at, word) in self.planted.range(paddr..paddr + count * 8) {
            words[((at - paddr) / 8) as usize] = *word;
        }
        Ok(words)
    }

    pub fn word(&self, paddr: u64) -> Result<u64> {
        Ok(self.words(paddr, 1)?[0])
    }

    /// Bytes from a physical address on.
    pub fn bytes(&self, paddr: u64, count: u64) -> Result<Vec<u8>> {
        let first = paddr / 8 * 8;
        let words = self.words(first, (paddr + count - first).div_ceil(8))?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Ok(bytes[(paddr - first) as usize..][..count as usize].to_vec())
    }

    fn with_chunk(&self, base: u64, see: impl FnOnce(&[u8])) -> Result<()> {
        let mut chunks = self.chunks.borrow_mut();
        if let Some(chunk) = chunks.get(&base) {
            see(chunk);
            return Ok(());
        }
        let mut chunk = vec![0; CHUNK as usize].into_boxed_slice();
        // A chunk may reach over the end of RAM; what is behind stays zero and is never asked for.
        for (from, to) in &self.ram {
            let (from, to) = ((*from).max(base), (*to).min(base + CHUNK));
            if from < to {
                let part = &mut chunk[(from - base) as usize..(to - base) as usize];
                let read = self.source.borrow_mut().read(from, part);
                read.map_err(|e| Error::new(format!("memory at {from:#x} cannot be read: {e}")))?;
                self.fetched.set(self.fetched.get() + (to - from));
            }
        }
        see(&chunk);
        chunks.insert(base, chunk);
        Ok(())
    }

    /// Changes one word of what is seen, not of the machine.
    pub fn plant(&mut self, paddr: u64, word: u64) {
        self.planted.insert(paddr, word);
    }

    /// Changes what is seen of a processor.
    pub fn plant_core(&mut self, index: usize, core: Core) {
        self.cores.1[index] = core;
    }

    /// Takes out all that was planted.
    pub fn weed(&mut self) {
        self.planted.clear();
        self.cores.1.clone_from(&self.cores.0);
    }
}

/// The physical address that a kernel address stands for.
pub fn physical(kernel_address: u64) -> Result<u64> {
    match kernel_address {
        SYMBOLS..SYMBOLS_END => Ok(kernel_address - SYMBOLS),
        OBJECTS..SYMBOLS => Ok(kernel_address - OBJECTS),
        _ => Err(Error::new(format!("{kernel_address:#x} is no address of the kernel's"))),
    }
}

/// The physical address in a capability to untyped memory or a frame: the kernel adds the window's start to it, also
/// for addresses of devices that lie far above all RAM, where the sum wraps.
pub fn physical_of_memory(pointer: u64) -> u64 {
    pointer.wrapping_sub(OBJECTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte is the low byte of its chunk's number.
    struct Numbers;
    impl Source for Numbers {
        fn read(&mut self, paddr: u64, bytes: &mut [u8]) -> io::Result<()> {
            for (i, byte) in bytes.iter_mut().enumerate() {
                *byte = ((paddr + i as u64) / CHUNK) as u8;
            }
            Ok(())
        }
    }

    #[test]
    fn reads_across_chunks_and_not_across_holes() {
        let memory = Memory::new(vec![(0, 3 * CHUNK - 4096), (16 * CHUNK, 17 * CHUNK)], Vec::new(), Numbers);
        assert_eq!(memory.words(CHUNK - 8, 2).unwrap(), [0, 0x0101_0101_0101_0101]);
        assert_eq!(memory.bytes(2 * CHUNK - 3, 6).unwrap(), [1, 1, 1, 2, 2, 2]);
        assert_eq!(memory.word(16 * CHUNK).unwrap(), 0x1010_1010_1010_1010);
        assert!(memory.word(3 * CHUNK - 4096).is_err());
        assert!(memory.words(17 * CHUNK - 8, 2).is_err());
        assert!(memory.word(4).is_err());
        assert_eq!(memory.fetched(), 4 * CHUNK - 4096);
    }

    #[test]
    fn what_is_planted_is_seen_until_it_is_weeded() {
        let mut memory = Memory::new(vec![(0, CHUNK)], Vec::new(), Numbers);
        memory.plant(16, 7);
        assert_eq!(memory.words(8, 3).unwrap(), [0, 7, 0]);
        memory.weed();
        assert_eq!(memory.word(16).unwrap(), 0);
    }

    #[test]
    fn the_kernel_has_two_windows() {
        assert_eq!(physical(0xffff_ff80_0010_0000).unwrap(), 0x10_0000);
        assert_eq!(physical(0xffff_ffff_8070_f000).unwrap(), 0x70_f000);
        assert!(physical(0x1000).is_err());
        assert!(physical(0xffff_ffff_c000_0000).is_err());
    }
}
