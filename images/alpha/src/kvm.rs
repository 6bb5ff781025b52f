//! Whether the processor's own virtualisation can run this kernel. Not tested by this project: what its kernel needs is
//! checked here, and the rest is for whoever tries.

use crate::{Error, Result};
use std::fs::{self, OpenOptions};

/// CPU flags of /proc/cpuinfo, and what needs them.
const NEEDED: [(&str, &str); 5] = [
    ("avx", "the model's arithmetic"),
    ("avx2", "the model's arithmetic"),
    ("xsave", "keeping the vector registers of threads apart"),
    ("fsgsbase", "threads' own storage"),
    ("pdpe1gb", "the kernel's map of memory"),
];

pub fn check() -> Result<()> {
    OpenOptions::new().read(true).write(true).open("/dev/kvm").map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::Kvm("there is no /dev/kvm".into()),
        std::io::ErrorKind::PermissionDenied => {
            Error::Kvm("/dev/kvm is not open to you (on Debian: be in the group kvm)".into())
        }
        _ => Error::Kvm(format!("/dev/kvm: {e}")),
    })?;
    let info = fs::read_to_string("/proc/cpuinfo").map_err(Error::io("/proc/cpuinfo"))?;
    missing(&info)
}

fn missing(cpuinfo: &str) -> Result<()> {
    let flags: Vec<&str> = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.split(':').nth(1))
        .map(|flags| flags.split_whitespace().collect())
        .unwrap_or_default();
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|(flag, _)| !flags.contains(flag))
        .map(|(flag, what)| format!("{flag} ({what})"))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Kvm(format!("the processor as this system sees it lacks {}", missing.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert!(missing("flags\t\t: fpu avx avx2 xsave fsgsbase pdpe1gb\n").is_ok());
        let sentence = missing("flags\t\t: fpu avx avx2 xsave\n").unwrap_err().to_string();
        assert!(sentence.contains("fsgsbase") && sentence.contains("pdpe1gb") && !sentence.contains("avx2 ("), "{sentence}");
        assert!(missing("").is_err());
    }
}
