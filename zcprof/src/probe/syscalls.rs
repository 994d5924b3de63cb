//! The `syscalls` instrument: tracepoints. It also tells the other two which system call a copy
//! belongs to, so it is attached even when it is not asked for.

use anyhow::Result;
use aya::Ebpf;
use aya::programs::{RawTracePoint, TracePoint};
use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Hook, Instrument, Mechanism};

use super::plan::{AttachPlan, PlannedProbe};
use crate::run::ProbeState;

/// The tracepoint at the entry of system calls. It has no row of its own: it counts no bytes.
pub(super) const SYS_ENTER: &str = "sys_enter";

/// Attaches to every tracepoint of the table. System calls and page faults come through perf's
/// tracepoints where the kernel counts the runs that it skips there (`counted`), because those
/// programs cannot be preempted; elsewhere, and where tracefs is not mounted, through raw
/// tracepoints.
pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut AttachPlan, counted: bool) {
    for PlannedProbe { site, symbol, .. } in plan.of(Instrument::Syscalls) {
        let row = &SITES[site];
        let attached = match row.bytes {
            Bytes::SyscallResult if counted && both_by_perf(ebpf, row).is_ok() => {
                Ok(Mechanism::Tracepoint)
            }
            // Entry first: a return without its entry is not counted.
            Bytes::SyscallResult => raw(ebpf, SYS_ENTER, SYS_ENTER)
                .and_then(|()| raw(ebpf, row.name, &symbol))
                .map(|()| Mechanism::RawTracepoint),
            Bytes::Calls if counted && fault_by_perf(ebpf, &symbol).is_ok() => {
                Ok(Mechanism::Tracepoint)
            }
            _ => raw(ebpf, row.name, &symbol).map(|()| Mechanism::RawTracepoint),
        };
        match attached {
            Ok(by) => plan.attached(site, &symbol, by),
            Err(error) => plan.set(site, ProbeState::Refused { reason: format!("{error:#}") }),
        }
    }
}

/// Both or neither: one that is attached alone is detached again.
fn both_by_perf(ebpf: &mut Ebpf, exit: &Site) -> Result<()> {
    let names = [SYS_ENTER, exit.name];
    for name in names {
        perf(ebpf, name)?.load()?;
    }
    let entered = perf(ebpf, names[0])?.attach("raw_syscalls", names[0])?;
    if let Err(error) = perf(ebpf, names[1])?.attach("raw_syscalls", names[1]) {
        perf(ebpf, names[0])?.detach(entered)?;
        return Err(error.into());
    }
    Ok(())
}

fn fault_by_perf(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program = perf(ebpf, name)?;
    program.load()?;
    program.attach("exceptions", name)?;
    Ok(())
}

fn perf<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut TracePoint> {
    Ok(super::program_called(ebpf, Hook::Tracepoint.of(name))?.try_into()?)
}

fn raw(ebpf: &mut Ebpf, name: &str, symbol: &str) -> Result<()> {
    let program: &mut RawTracePoint =
        super::program_called(ebpf, Hook::Raw.of(name))?.try_into()?;
    program.load()?;
    program.attach(symbol)?;
    Ok(())
}
