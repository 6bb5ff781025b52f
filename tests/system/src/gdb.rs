//! The part of the gdb remote protocol that killing a protection domain takes. QEMU stops the machine while a client
//! is connected and has not told it to go on.

use crate::{Failure, Result};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// Bytes of memory in one packet; QEMU takes a little more.
const CHUNK: usize = 1024;

pub struct Gdb {
    stream: UnixStream,
}

/// Numbers that QEMU gives the registers of an x86_64 processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    Rdi = 5,
    Rip = 16,
    Flags = 17,
    Cs = 18,
    Cr3 = 29,
    Cr4 = 30,
}

/// The first of the eight x87 registers and of the sixteen vector registers.
pub const ST0: u32 = 33;
pub const XMM0: u32 = 49;

impl Gdb {
    /// Connects, which stops the machine.
    pub fn attach(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut gdb = Gdb { stream };
        gdb.expect("?", |answer| answer.starts_with(['S', 'T']))?;
        Ok(gdb)
    }

    /// Lets the machine run and leaves.
    pub fn detach(mut self) -> Result<()> {
        self.expect("D", |answer| answer == "OK")?;
        Ok(())
    }

    /// Lets the machine run until it stops by itself (a breakpoint).
    pub fn run_to_stop(&mut self) -> Result<String> {
        self.call("c")
    }

    /// One instruction on the core that stopped.
    pub fn step(&mut self) -> Result<()> {
        self.call("s").map(drop)
    }

    pub fn set_breakpoint(&mut self, address: u64) -> Result<()> {
        self.expect(&format!("Z1,{address:x},1"), |answer| answer == "OK").map(drop)
    }

    pub fn remove_breakpoint(&mut self, address: u64) -> Result<()> {
        self.expect(&format!("z1,{address:x},1"), |answer| answer == "OK").map(drop)
    }

    /// The cores, as the protocol names them.
    pub fn cores(&mut self) -> Result<Vec<String>> {
        let mut cores = Vec::new();
        let mut answer = self.call("qfThreadInfo")?;
        while let Some(list) = answer.strip_prefix('m') {
            cores.extend(list.split(',').map(str::to_string));
            answer = self.call("qsThreadInfo")?;
        }
        Ok(cores)
    }

    pub fn select_core(&mut self, core: &str) -> Result<()> {
        self.expect(&format!("Hg{core}"), |answer| answer == "OK").map(drop)
    }

    pub fn register(&mut self, register: Register) -> Result<u64> {
        let bytes = self.raw_register(register as u32)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | *byte as u64))
    }

    /// A register of any length.
    pub fn raw_register(&mut self, number: u32) -> Result<Vec<u8>> {
        let answer = self.call(&format!("p{number:x}"))?;
        from_hex(&answer)
    }

    pub fn set_register(&mut self, register: Register, value: u64) -> Result<()> {
        let bytes = to_hex(&value.to_le_bytes());
        self.expect(&format!("P{:x}={bytes}", register as u32), |answer| answer == "OK").map(drop)
    }

    /// Addresses of [`Gdb::read`] and [`Gdb::write`] are physical from here on (or virtual again).
    pub fn physical(&mut self, on: bool) -> Result<()> {
        self.expect(&format!("Qqemu.PhyMemMode:{}", on as u8), |answer| answer == "OK").map(drop)
    }

    pub fn read(&mut self, address: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes);
        while out.len() < bytes {
            let count = CHUNK.min(bytes - out.len());
            let answer = self.call(&format!("m{:x},{count:x}", address + out.len() as u64))?;
            let part = from_hex(&answer)?;
            if part.len() != count {
                return Err(Failure::new(format!("no memory at {:#x}: {answer}", address + out.len() as u64)));
            }
            out.extend(part);
        }
        Ok(out)
    }

    /// Writes memory; QEMU drops what it had translated of it.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        for (index, part) in bytes.chunks(CHUNK).enumerate() {
            let at = address + (index * CHUNK) as u64;
            self.expect(&format!("M{at:x},{:x}:{}", part.len(), to_hex(part)), |answer| answer == "OK")?;
        }
        Ok(())
    }

    fn expect(&mut self, command: &str, good: impl Fn(&str) -> bool) -> Result<String> {
        let answer = self.call(command)?;
        match good(&answer) {
            true => Ok(answer),
            false => {
                let shown: String = command.chars().take(40).collect();
                Err(Failure::new(format!("QEMU's debugger port answers {answer:?} to {shown:?}")))
            }
        }
    }

    fn call(&mut self, command: &str) -> Result<String> {
        let mut packet = vec![b'$'];
        packet.extend_from_slice(command.as_bytes());
        packet.extend_from_slice(format!("#{:02x}", checksum(command.as_bytes())).as_bytes());
        self.stream.write_all(&packet)?;
        if self.byte()? != b'+' {
            return Err(Failure::new("QEMU's debugger port did not take a packet"));
        }
        let answer = loop {
            // Nothing but a packet may come now; a stray acknowledgement is harmless.
            if self.byte()? == b'$' {
                break self.until_hash()?;
            }
        };
        let sum = [self.byte()?, self.byte()?];
        if from_hex(&String::from_utf8_lossy(&sum))? != [checksum(&answer)] {
            return Err(Failure::new("a packet of QEMU's debugger port is damaged"));
        }
        // After the last packet nobody may be there to hear it.
        let _ = self.stream.write_all(b"+");
        Ok(String::from_utf8_lossy(&expand(&answer)).into_owned())
    }

    fn until_hash(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'#' => return Ok(bytes),
                byte => bytes.push(byte),
            }
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Undoes the protocol's run lengths: `0*"` is five zeros.
fn expand(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match (byte, out.last().copied()) {
            (b'*', Some(last)) => {
                let count = rest.next().map_or(0, |count| count.saturating_sub(29));
                out.extend(std::iter::repeat_n(last, count as usize));
            }
            _ => out.push(*byte),
        }
    }
    out
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|d| (d[0] << 4 | d[1]) as u8).collect()),
        _ => Err(Failure::new(format!("not hexadecimal: {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each packet with the next of `answers`; gives back what it was asked.
    fn stub(answers: &'static [&'static str]) -> (UnixStream, std::thread::JoinHandle<Vec<String>>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let mut byte = [0];
                let mut packet = Vec::new();
                while byte[0] != b'#' {
                    theirs.read_exact(&mut byte).unwrap();
                    packet.push(byte[0]);
                }
                theirs.read_exact(&mut [0; 2]).unwrap();
                let text = String::from_utf8(packet).unwrap();
                asked.push(text.trim_matches(['+', '$', '#']).to_string());
                let sum = checksum(answer.as_bytes());
                theirs.write_all(format!("+${answer}#{sum:02x}").as_bytes()).unwrap();
            }
            asked
        });
        (ours, thread)
    }

    #[test]
    fn reads_registers_and_memory_and_kills() {
        let (stream, thread) = stub(&["T05thread:01;", "OK", "0010f01f000*\"", "OK", "0f0b", "OK", "OK"]);
        let mut gdb = Gdb::attach(stream).unwrap();
        gdb.select_core("p01.01").unwrap();
        assert_eq!(gdb.register(Register::Cr3).unwrap(), 0x1ff01000);
        gdb.physical(true).unwrap();
        assert_eq!(gdb.read(0x1000, 2).unwrap(), [0x0f, 0x0b]);
        gdb.write(0x1000, &[6, 6]).unwrap();
        gdb.detach().unwrap();
        let asked = thread.join().unwrap();
        assert_eq!(asked, ["?", "Hgp01.01", "p1d", "Qqemu.PhyMemMode:1", "m1000,2", "M1000,2:0606", "D"]);
    }

    #[test]
    fn run_lengths_are_undone() {
        assert_eq!(expand(b"0*\"1"), b"0000001");
    }

    #[test]
    fn a_refusal_is_a_failure() {
        let (stream, thread) = stub(&["T05thread:01;", "E22"]);
        let mut gdb = Gdb::attach(stream).unwrap();
        assert!(gdb.set_register(Register::Rip, 1).is_err());
        thread.join().unwrap();
    }
}
