//! The `syscalls` instrument: raw tracepoints. It also tells the other two which system call a
//! copy belongs to, so it is attached even when it is not asked for.

use anyhow::Result;
use aya::Ebpf;
use aya::programs::RawTracePoint;
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::Instrument;

use super::plan::{Plan, Planned};
use crate::run::ProbeState;

/// Attaches to every tracepoint of the table.
pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut Plan) {
    for Planned { site, symbol, .. } in plan.of(Instrument::Syscalls) {
        let row = &SITES[site];
        let attached = if row.name == "sys_exit" {
            // Entry first: a return without its entry is not counted.
            tracepoint(ebpf, "sys_enter", "sys_enter")
                .and_then(|()| tracepoint(ebpf, row.name, &symbol))
        } else {
            tracepoint(ebpf, row.name, &symbol)
        };
        match attached {
            Ok(()) => plan.attached(site, &symbol, "tracepoint"),
            Err(error) => plan.set(site, ProbeState::Refused { reason: format!("{error:#}") }),
        }
    }
}

fn tracepoint(ebpf: &mut Ebpf, name: &str, symbol: &str) -> Result<()> {
    let program: &mut RawTracePoint =
        super::program_called(ebpf, &format!("{name}_tracepoint"))?.try_into()?;
    program.load()?;
    program.attach(symbol)?;
    Ok(())
}
