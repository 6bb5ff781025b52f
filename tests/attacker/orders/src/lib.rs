//! What the attacker knows of the part in whose place it runs. Whoever attacks has the source, so it is told everything
//! that the layout says of its capabilities and mappings; that gives it no more than root does.
//!
//! The orders lie in the program's own file, behind a mark, and are written there before the image is made: one
//! program serves for all parts, and nothing is compiled again.
#![no_std]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What stands before the orders in the program's file, once.
pub const MARK: [u8; 24] = *b"AlphaOS attacker: orders";
/// Room for the mark, the length (32 bits) and the orders.
pub const ROOM: usize = 8192;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    pub maps: Vec<Map>,
    pub caps: Vec<Cap>,
    /// Slots of the CSpace: 2^bits.
    pub cnode_bits: u8,
    /// Where this part waits for what comes.
    pub receive: u64,
    pub display: Option<Ring>,
    /// How its lives end, one after the other; the life behind the last one goes on.
    pub ends: Vec<End>,
    /// The first life takes all the time it gets for so long.
    pub spin_ms: u64,
    /// Not to be seen on the wire. Empty for parts that are not to know it.
    pub canary: String,
    /// Where a prompt would be taken, so that the model says the canary: router's endpoint, or the ring to assistant.
    pub router: Option<u64>,
    pub prompts: Option<Ring>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    pub vaddr: u64,
    pub bytes: u64,
    pub write: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Endpoint,
    Notification,
    Irq,
    Ports,
    /// Faults and panics; a message there ends the part.
    Fault,
    /// Requests to root.
    Supervisor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    pub slot: u64,
    pub kind: Kind,
    pub read: bool,
    pub write: bool,
    /// A call is answered.
    pub call: bool,
}

/// A ring to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    pub vaddr: u64,
    pub capacity: u64,
    /// The consumer's page, where the consumer gives credit.
    pub credit: Option<u64>,
}

/// Ways in which a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// A message to root that says the kernel found a fault.
    FalseFault,
    /// A panic whose text forges root's marker and commands the terminal.
    FalsePanic,
    /// Waits on what it may only send to.
    WrongReceive,
    /// A system call that does not exist.
    UnknownCall,
    WriteReadOnly,
    ReadKernel,
    ReadUnmapped,
    RunData,
    /// An instruction of the kernel's alone.
    Privileged,
    /// I/O without a capability.
    PortOut,
    /// Past the end of the stack.
    Overflow,
}

impl Orders {
    /// Writes the orders into a program's file.
    pub fn write(&self, program: &mut [u8]) -> Result<(), &'static str> {
        let mut found = (0..program.len().saturating_sub(ROOM)).filter(|&i| program[i..].starts_with(&MARK));
        let (Some(at), None) = (found.next(), found.next()) else { return Err("not one mark in the program") };
        let bytes = postcard::to_allocvec(self).map_err(|_| "the orders cannot be written")?;
        let place = &mut program[at + MARK.len()..at + ROOM];
        let text = place.get_mut(4..4 + bytes.len()).ok_or("the orders are too long")?;
        text.copy_from_slice(&bytes);
        place[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        Ok(())
    }

    /// Reads them back.
    pub fn read(room: &[u8; ROOM]) -> Option<Orders> {
        let (length, text) = room[MARK.len()..].split_first_chunk::<4>()?;
        postcard::from_bytes(text.get(..u32::from_le_bytes(*length) as usize)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_were_written() {
        let orders = Orders {
            maps: alloc::vec![Map { vaddr: 0x2800_1000, bytes: 4096, write: true }],
            caps: alloc::vec![Cap { slot: 3, kind: Kind::Endpoint, read: true, write: false, call: false }],
            cnode_bits: 4,
            receive: 3,
            display: Some(Ring { vaddr: 0x2800_3000, capacity: 4096, credit: None }),
            ends: alloc::vec![End::FalseFault, End::Overflow],
            spin_ms: 10,
            canary: "word".into(),
            router: Some(4),
            prompts: None,
        };
        let mut program = alloc::vec![7; 3 * ROOM];
        assert!(orders.write(&mut program).is_err(), "no mark");
        program[100..100 + MARK.len()].copy_from_slice(&MARK);
        orders.write(&mut program).unwrap();
        let room = program[100..100 + ROOM].try_into().unwrap();
        assert_eq!(Orders::read(room).unwrap(), orders);
        program[2 * ROOM - 9..][..MARK.len()].copy_from_slice(&MARK);
        assert!(orders.write(&mut program).is_err(), "two marks");
    }
}
