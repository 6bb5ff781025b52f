//! What the tests of the llama program stand on: a peer that plays the inference server on Linux, and GGUF files.

pub mod gguf;
pub mod harness;
