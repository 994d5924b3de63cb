//! Stamps the programs from the table: for each site, one line that instantiates a macro of
//! `src/main.rs`. Program names are the site's name, an underscore and the hook.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

use zcprof_common::sites::{Bytes, SITES};
use zcprof_common::vocabulary::{Hook, Instrument};

fn main() -> io::Result<()> {
    let mut stamped = String::new();
    for (index, site) in SITES.iter().enumerate() {
        let name = site.name;
        let line = match site.instrument {
            Instrument::Audit => {
                let [at_break, kprobe] = [Hook::Break, Hook::Kprobe].map(|hook| hook.of(name));
                let entry = format!("hooked!({index}, {});", Hook::Fentry.of(name));
                let entry = if site.has_hooks { entry.as_str() } else { "" };
                format!("audit!({index}, {at_break}, {kprobe}); {entry}")
            }
            Instrument::Callers => {
                let entry = format!("before!({index}, {});", Hook::Fentry.of(name));
                let entry = if site.has_entry() { entry.as_str() } else { "" };
                let hooks = [Hook::Fexit, Hook::Entry, Hook::Return].map(|hook| hook.of(name));
                let [fexit, before, after] = hooks;
                format!("caller!({index}, {fexit}, {before}, {after}); {entry}")
            }
            // System calls are followed by hand-written programs: two tracepoints, one state.
            Instrument::Syscalls if site.bytes == Bytes::SyscallResult => continue,
            Instrument::Syscalls if site.bytes == Bytes::Calls => {
                let [perf, raw] = [Hook::Tracepoint, Hook::Raw].map(|hook| hook.of(name));
                format!("occurs!({index}, {perf}, {raw});")
            }
            Instrument::Syscalls => format!("raw!({index}, {});", Hook::Raw.of(name)),
        };
        writeln!(stamped, "{line}").map_err(io::Error::other)?;
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(out).join("programs.rs"), stamped)
}
