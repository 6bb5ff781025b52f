//! Memory as it comes from the boot.

use crate::machine::{rights::*, *};
use crate::Outcome;

pub fn clear_at_retype() -> Outcome {
    // The first object of an untyped of 64 MiB must not cost its whole size, some 200 ms. There are several, and the
    // best counts: for the others the host may have been busy.
    let mut best = u64::MAX;
    for (untyped, _) in untypeds().filter(|(_, d)| d.is_device == 0 && d.size_bits == 26) {
        let begin = cycles();
        let child = make_from(untyped, object::UNTYPED, 14);
        make_from(child, object::ENDPOINT, 0);
        best = best.min((cycles() - begin) / cycles_per_ms());
    }
    if best > 60 {
        return Err(("the first objects of a large untyped took milliseconds", best));
    }

    // What is made again of memory that was written is clear: frames, and the objects whose content the kernel trusts.
    let again = make(object::UNTYPED, 13);
    let at = new_page_address();
    for kind in [object::FRAME_4K, object::PAGE_TABLE, object::CNODE, object::TCB] {
        let frame = make_from(again, object::FRAME_4K, 0);
        map(frame, ROOT_VSPACE, at, READ | WRITE);
        for offset in (0..4096).step_by(8) {
            write(at + offset, !0);
        }
        revoke(again);
        let object = make_from(again, kind, if kind == object::CNODE { 7 } else { 0 });
        match kind {
            object::FRAME_4K => {
                map(object, ROOT_VSPACE, at, READ);
                for offset in (0..4096).step_by(8) {
                    if read(at + offset) != 0 {
                        return Err(("a new frame holds what the one before it held", offset));
                    }
                }
            }
            object::PAGE_TABLE => {
                // 512 entries of ones would all be present.
                let space = new_space();
                must(object, label::X86PageTableMap, &[space.vspace], &[0x2000_0000, 0]);
                let page = make(object::FRAME_4K, 0);
                if try_map(page, space.vspace, 0x2000_3000, READ) != 0 {
                    return Err(("a new page table is not empty", 0));
                }
            }
            _ => {}
        }
        revoke(again);
    }

    // Several objects by one call, the last too.
    let slots = new_slot();
    new_slot();
    if try_retype(again, object::FRAME_4K, 0, slots, 2) != 0 {
        return Err(("two frames by one call", 0));
    }
    map(slots + 1, ROOT_VSPACE, at, READ | WRITE);
    write(at, !0);
    revoke(again);
    if try_retype(again, object::FRAME_4K, 0, slots, 2) != 0 {
        return Err(("two frames by one call, again", 0));
    }
    map(slots + 1, ROOT_VSPACE, at, READ);
    match read(at) {
        0 => Ok(()),
        left => Err(("the second of two frames is not clear", left)),
    }
}

/// What the driver had QEMU load; see `driver/src/main.rs`. The range is found by its first word.
const PATTERN: u64 = 0x9e37_79b9_7f4a_7c15;

pub fn reserve() -> Outcome {
    let [start, size] = crate::reserved_range();
    let end = start + size;
    for (_, d) in untypeds().filter(|(_, d)| d.is_device == 0) {
        if d.paddr < end && start < d.paddr + (1 << d.size_bits) {
            return Err(("the range was handed out as ordinary memory", { d.paddr }));
        }
    }
    let inside = |d: &UntypedDesc| d.is_device == 1 && start <= d.paddr && d.paddr + (1 << d.size_bits) <= end;
    let covered: u64 = untypeds().filter(|(_, d)| inside(d)).map(|(_, d)| 1 << d.size_bits).sum();
    if covered != size {
        return Err(("the range is not covered by device untypeds, bytes", covered));
    }

    // Every word, in pages and in large pages, before and after a revoke.
    let at = new_page_address();
    const LARGE_AT: u64 = 0x3000_0000;
    for round in 0..2 {
        for (slot, d) in untypeds().filter(|(_, d)| inside(d)) {
            let frames = if d.size_bits >= 21 { 1 << (d.size_bits - 21) } else { 1 << (d.size_bits - 12) };
            for i in 0..frames {
                let (kind, bytes, to) = match d.size_bits {
                    21.. => (object::FRAME_2M, 1 << 21, LARGE_AT),
                    _ => (object::FRAME_4K, 4096, at),
                };
                let frame = make_from(slot, kind, 0);
                map(frame, ROOT_VSPACE, to, READ);
                // In large frames a look at every page is enough.
                let step = if kind == object::FRAME_2M { 4096 } else { 8 };
                for offset in (0..bytes).step_by(step) {
                    let index = (d.paddr + i * bytes + offset as u64 - start) / 8;
                    if read(to + offset as u64) != index.wrapping_mul(PATTERN) {
                        return Err(("the content was not kept, round and word", round << 56 | index));
                    }
                }
                must(frame, label::X86PageUnmap, &[], &[]);
            }
            revoke(slot);
        }
    }
    Ok(())
}
