//! A virtio network card over PCI, as a device for smoltcp.
//!
//! Over `virtio-drivers`' queues, with a transport and a driver of our own: that crate's finds the card's registers in
//! PCI configuration space, which only root may touch, and its network driver negotiates neither ACCESS_PLATFORM,
//! without which a card behind an IOMMU does not start, nor does it tell of the link.
//!
//! The card is trusted no further than the IOMMU lets it reach. Every number that it writes is checked against what it
//! was given; one that does not fit breaks the device for good ([`Nic::broken`]), and nothing else. Frames are read
//! where the card has put them: one that goes on writing into a buffer that it has given back changes what is read, and
//! a network that sends such frames could as well.
//!
//! No copy is made here: frames are made and read in memory that the card sees.
#![cfg_attr(not(test), no_std)]

mod dma;
mod nic;
mod transport;

pub use dma::Dma;
pub use nic::{Broken, Nic, DMA_BYTES};
pub use transport::{Mmio, Places, Registers, QEMU};
