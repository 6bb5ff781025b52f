//! Assistant and inference server. (Filled in with the inference server.)
