//! Where events go.

use ipc::net::{Event, Id, DATA_BYTES, HEAD_BYTES};

/// The ring to the client, or what stands for it in a test.
pub trait Out {
    /// Bytes that a record may have now.
    fn room(&self) -> usize;

    /// Writes a record: the parts one after the other. False if there is no room for it.
    fn push(&mut self, parts: &[&[u8]]) -> bool;

    fn event(&mut self, event: &Event) -> bool {
        // All events but data are short.
        let mut record = [0; 128];
        match ipc::encode(event, &mut record) {
            Some(bytes) => self.push(&[bytes]),
            None => false,
        }
    }

    /// Received bytes, straight from where they lie.
    fn data(&mut self, id: Id, bytes: &[u8]) -> bool {
        self.push(&[ipc::net::event_data_head(id, bytes.len(), &mut [0; HEAD_BYTES]), bytes])
    }

    /// Received bytes for which there is room now.
    fn data_room(&self) -> usize {
        self.room().saturating_sub(HEAD_BYTES).min(DATA_BYTES)
    }
}
