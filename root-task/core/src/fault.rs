//! What a PD died of, in the facts that the kernel gives and in one clause for people.

use alloc::string::String;
use core::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Access to memory that is not mapped, or not so.
    Memory { address: u64, ip: u64, access: Access },
    /// The processor refused an instruction: exception number as in its manual.
    Exception { number: u64, code: u64, ip: u64 },
    /// A system call that the kernel does not have.
    UnknownSyscall { number: u64, ip: u64 },
    /// A capability that the PD does not hold.
    Capability { address: u64, ip: u64 },
    /// The program ended itself; file, line and message as it gave them.
    Panic { message: String },
    /// It kept the processor for too long.
    Spin { milliseconds: u64 },
    /// A message that no kernel and no runtime of ours sends.
    Strange { label: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Execute,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Memory { address, ip, access } => {
                let verb = match access {
                    Access::Read => "read",
                    Access::Write => "wrote to",
                    Access::Execute => "jumped to",
                };
                let null = if *address < 4096 { " (page zero)" } else { "" };
                write!(f, "it {verb} address {address:#x}{null}, which it may not, at {ip:#x}")
            }
            Fault::Exception { number, code, ip } => {
                let name = match number {
                    0 => "division by zero",
                    3 => "breakpoint",
                    6 => "invalid instruction",
                    13 => "general protection",
                    16 | 19 => "floating point",
                    17 => "alignment",
                    _ => "processor",
                };
                write!(f, "{name} exception {number} (code {code:#x}) at {ip:#x}")
            }
            Fault::UnknownSyscall { number, ip } => write!(f, "unknown system call {} at {ip:#x}", *number as i64),
            Fault::Capability { address, ip } => {
                write!(f, "it used capability {address:#x}, which it does not hold, at {ip:#x}")
            }
            Fault::Panic { message } => write!(f, "panic: {message}"),
            Fault::Spin { milliseconds } => write!(f, "it kept the processor for {milliseconds} ms"),
            Fault::Strange { label } => write!(f, "a message with the unknown label {label:#x}"),
        }
    }
}

/// Text that a PD sent, made fit to print: valid UTF-8, no control characters, bounded.
pub fn clean(bytes: &[u8], limit: usize) -> String {
    let mut text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_pointer_is_named() {
        let fault = Fault::Memory { address: 8, ip: 0x40_1000, access: Access::Read };
        assert_eq!(fault.to_string(), "it read address 0x8 (page zero), which it may not, at 0x401000");
    }

    #[test]
    fn text_of_a_pd_is_cleaned_and_cut_at_a_character() {
        assert_eq!(clean(b"a\x1b[2Jb\xff", 100), "a[2Jb\u{fffd}");
        assert_eq!(clean("ää".as_bytes(), 3), "ä…");
    }
}
