//! QEMU's machine protocol: one JSON line there, one back.

use crate::{Failure, Result};
use serde_json::{json, Value};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Qmp {
    /// `stream` is connected to QEMU, which greets first.
    pub fn new(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut qmp = Qmp { reader: BufReader::new(stream.try_clone()?), writer: stream };
        let greeting = qmp.receive()?;
        if greeting.get("QMP").is_none() {
            return Err(Failure::new(format!("no greeting from QEMU: {greeting}")));
        }
        qmp.run("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command; events that come meanwhile are dropped.
    pub fn run(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        self.writer.write_all(format!("{line}\n").as_bytes())?;
        loop {
            let mut answer = self.receive()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(Failure::new(format!("{command}: {error}")));
            }
        }
    }

    /// A command of the monitor that people use.
    pub fn monitor(&mut self, line: &str) -> Result<String> {
        let answer = self.run("human-monitor-command", json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().to_string())
    }

    /// Writes guest memory to a file on the host.
    pub fn save_memory(&mut self, address: u64, bytes: u64, file: &Path) -> Result<()> {
        self.run("pmemsave", json!({ "val": address, "size": bytes, "filename": file })).map(drop)
    }

    /// The physical address of the page table root that each core runs on.
    pub fn page_table_roots(&mut self) -> Result<Vec<u64>> {
        let text = self.monitor("info registers -a")?;
        let roots: Vec<u64> = text
            .split("CR3=")
            .skip(1)
            .filter_map(|rest| u64::from_str_radix(rest.split_whitespace().next()?, 16).ok())
            .map(|value| value & !0xfff)
            .collect();
        match roots.is_empty() {
            true => Err(Failure::new(format!("no CR3 in the registers that QEMU shows:\n{text}"))),
            false => Ok(roots),
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(Failure::new("QEMU has closed its control line"));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_pass_events_by() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let qemu = std::thread::spawn(move || {
            let mut out = theirs.try_clone().unwrap();
            let mut lines = BufReader::new(theirs).lines();
            out.write_all(b"{\"QMP\":{}}\n").unwrap();
            lines.next().unwrap().unwrap();
            out.write_all(b"{\"return\":{}}\n").unwrap();
            let command = lines.next().unwrap().unwrap();
            out.write_all(b"{\"event\":\"STOP\"}\n{\"return\":\"CPU#0\\r\\nCR3=00000000001ff000 CR4=0\"}\n").unwrap();
            command
        });
        let mut qmp = Qmp::new(ours).unwrap();
        assert_eq!(qmp.page_table_roots().unwrap(), [0x1ff000]);
        assert!(qemu.join().unwrap().contains("info registers -a"));
    }
}
