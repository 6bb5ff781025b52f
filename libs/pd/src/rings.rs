//! Ends of rings, with their doorbells.

use crate::{notify::Doorbell, PopError, PushError};
use ring::{Consumer, Producer};
use spec::handle;

/// The writing end of a ring.
pub struct RingOut {
    producer: Producer,
    doorbell: Option<Doorbell>,
    credit_bit: u64,
}

impl RingOut {
    /// Attaches to a ring of the layout. Once for each: a second writer makes a mess of the records.
    ///
    /// # Panics
    /// If the layout's numbers are no ring.
    pub fn open(handle: handle::RingOut) -> RingOut {
        let (area, capacity) = (handle.vaddr as *mut u8, handle.capacity as usize);
        // SAFETY: the layout's addresses are mapped as it says, for as long as the PD lives.
        let producer = unsafe {
            match handle.credit_vaddr {
                None => Producer::lossy(area, capacity),
                Some(page) => Producer::credit(area, capacity, page as *const u8),
            }
        };
        RingOut {
            producer: producer.expect("a ring of the layout has a valid shape"),
            doorbell: Doorbell::from_slot(handle.doorbell),
            credit_bit: handle.credit_bit,
        }
    }

    /// Writes a record, whose payload is the parts one after the other, and rings.
    #[inline]
    pub fn push(&mut self, parts: &[&[u8]]) -> Result<(), PushError> {
        self.push_silently(parts)?;
        self.ring();
        Ok(())
    }

    /// Writes a record without ringing: for several in a row, with [`RingOut::ring`] behind the last one.
    #[inline]
    pub fn push_silently(&mut self, parts: &[&[u8]]) -> Result<(), PushError> {
        self.producer.push(parts)
    }

    /// Writes a record that was encoded (`None`: it did not fit into its buffer) and rings. False if there is no room
    /// now; what will never fit is dropped with a line in the log, and that is a fault of the caller.
    pub fn offer(&mut self, record: Option<&[u8]>) -> bool {
        match record.map(|bytes| self.push(&[bytes])) {
            Some(Err(PushError::Full | PushError::BadTail)) => false,
            Some(Ok(())) => true,
            Some(Err(PushError::TooLong)) | None => {
                log::error!("a record did not fit");
                true
            }
        }
    }

    /// Rings the consumer's doorbell, if it has one.
    #[inline]
    pub fn ring(&self) {
        if let Some(doorbell) = self.doorbell {
            doorbell.ring()
        }
    }

    /// The bit that says that there is room again, after [`PushError::Full`]; 0 on a lossy ring.
    pub fn credit_bit(&self) -> u64 {
        self.credit_bit
    }

    pub fn max_payload(&self) -> usize {
        self.producer.max_payload()
    }

    /// Bytes that are free, of which a record takes 4 to 11 more than its payload.
    pub fn free(&self) -> Result<u64, PushError> {
        self.producer.free()
    }
}

/// The reading end of a ring.
pub struct RingIn {
    consumer: Consumer,
    bit: u64,
    credit_bell: Option<Doorbell>,
    capacity: u64,
    /// Bytes taken that the producer was not told of by a signal yet.
    untold: u64,
}

impl RingIn {
    /// Attaches to a ring of the layout, and goes on where the PD's former life stopped.
    ///
    /// # Panics
    /// If the layout's numbers are no ring.
    pub fn open(handle: handle::RingIn) -> RingIn {
        let (area, capacity) = (handle.vaddr as *const u8, handle.capacity as usize);
        // SAFETY: the layout's addresses are mapped as it says, for as long as the PD lives.
        let consumer = unsafe {
            match handle.page_vaddr {
                Some(page) if handle.credit => Consumer::credit(area, capacity, page as *mut u8),
                Some(page) => Consumer::lossy_kept(area, capacity, page as *mut u8),
                None => Consumer::lossy(area, capacity),
            }
        };
        RingIn {
            consumer: consumer.expect("a ring of the layout has a valid shape"),
            bit: handle.bit,
            credit_bell: Doorbell::from_slot(handle.credit_bell),
            capacity: handle.capacity,
            untold: 0,
        }
    }

    /// Takes a record; `None` if there is none. After an error the next call goes on behind it.
    ///
    /// A producer can write faster than anyone reads: take a limited number in a row, then look at the other sources.
    pub fn pop(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, PopError> {
        let result = self.consumer.pop(buffer);
        if let Some(bell) = self.credit_bell {
            // The producer may wait for room: tell it when the ring is empty or half of it was taken, not each time.
            self.untold += match result {
                Ok(None) => 0,
                Ok(Some(length)) => length as u64 + 8,
                Err(_) => 8,
            };
            if self.untold > 0 && (2 * self.untold >= self.capacity || self.consumer.is_empty()) {
                self.untold = 0;
                bell.ring();
            }
        }
        result
    }

    /// Whether the producer's doorbell is among these bits of the PD's notification.
    pub fn is_in(&self, bits: u64) -> bool {
        bits & self.bit != 0
    }

    pub fn bit(&self) -> u64 {
        self.bit
    }

    pub fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }

    /// Counts the producer's starts; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.consumer.epoch()
    }

    /// Bytes and records lost so far.
    pub fn lost(&self) -> (u64, u64) {
        self.consumer.lost()
    }
}
