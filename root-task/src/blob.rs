//! The specification and the payload, which `alpha` puts behind root's own image.

use spec::{BlobHeader, System, BLOB_MAGIC, VERSION};

extern "C" {
    /// End of root's own image (linker script); the blob starts on the next page.
    static __image_end: u8;
}

pub struct Blob {
    pub system: System,
    /// File bytes of all PD images.
    pub payload: &'static [u8],
}

/// Reads the blob. An image without one, or with one of another version, is a build error: nothing can run.
pub fn read() -> Result<Blob, &'static str> {
    // SAFETY: the linker script defines the symbol; `alpha` places the blob at the next page boundary, and the kernel
    // maps the whole image before root starts. The header's magic is checked before its lengths are used.
    unsafe {
        let end = core::ptr::addr_of!(__image_end) as u64;
        let start = (end + spec::PAGE - 1) & !(spec::PAGE - 1);
        let header = core::ptr::read(start as *const BlobHeader);
        if header.magic != BLOB_MAGIC {
            return Err("no specification behind the root image");
        }
        let text = core::slice::from_raw_parts(
            (start + core::mem::size_of::<BlobHeader>() as u64) as *const u8,
            header.spec_bytes as usize,
        );
        let payload =
            core::slice::from_raw_parts((start + header.payload_offset) as *const u8, header.payload_bytes as usize);
        let system: System = postcard::from_bytes(text).map_err(|_| "the specification does not decode")?;
        if system.version != VERSION {
            return Err("the specification is of another version");
        }
        Ok(Blob { system, payload })
    }
}
