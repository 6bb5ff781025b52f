//! Root's heap: a fixed part of its image.

use talc::{source::Claim, TalcLock};

/// Enough for the specification of a large system, its slots, and the log.
const BYTES: usize = 4 << 20;

static mut HEAP: [u8; BYTES] = [0; BYTES];

#[global_allocator]
// SAFETY: nothing else touches HEAP.
static ALLOCATOR: TalcLock<spinning_top::RawSpinlock, Claim> = TalcLock::new(unsafe { Claim::array(&raw mut HEAP) });
