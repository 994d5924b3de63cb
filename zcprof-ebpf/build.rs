//! Stamps the programs from the table: for each site, one line that instantiates a macro of
//! `src/main.rs`. Program names are the site's name, an underscore and the mechanism.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

use zcprof_common::sites::{Bytes, SITES};
use zcprof_common::vocabulary::Instrument;

fn main() -> io::Result<()> {
    let mut stamped = String::new();
    for (index, site) in SITES.iter().enumerate() {
        let name = site.name;
        let line = match site.instrument {
            Instrument::Audit => format!("audit!({index}, {name}_break, {name}_kprobe);"),
            Instrument::Callers => {
                let entry = format!("before!({index}, {name}_fentry);");
                let entry = if site.has_entry() { entry.as_str() } else { "" };
                format!("caller!({index}, {name}_fexit, {name}_entry, {name}_return); {entry}")
            }
            // System calls are followed by hand-written programs: two tracepoints, one state.
            Instrument::Syscalls if name == "sys_exit" => continue,
            Instrument::Syscalls if site.bytes == Bytes::Calls => {
                format!("occurs!({index}, {name}_tracepoint, {name}_raw);")
            }
            Instrument::Syscalls => format!("raw!({index}, {name}_raw);"),
        };
        writeln!(stamped, "{line}").map_err(io::Error::other)?;
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(out).join("programs.rs"), stamped)
}
