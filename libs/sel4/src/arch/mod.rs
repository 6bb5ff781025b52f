//! What differs between architectures.
//!
//! Each module gives the system calls ([`send`], [`recv`], [`send_recv`], [`null`]), the IPC buffer's words
//! ([`buffer_word`], [`set_buffer_word`]), names for the objects of its address spaces ([`VSpace`], [`Frame`],
//! [`AsidPool`], [`AsidControl`]), and the two enumerations with which root builds them: [`FrameSize`] and [`Table`].

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
