//! The `syscalls` instrument: tracepoints. It also tells the other two which system call a copy
//! belongs to, so it is attached even when it is not asked for.

use anyhow::{Result, anyhow};
use aya::Ebpf;
use aya::programs::{RawTracePoint, TracePoint};
use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Hook, Instrument, Mechanism};

use super::plan::{AttachPlan, PlannedProbe};
use crate::run::ProbeState;

/// The tracepoint at the entry of system calls. It has no row of its own: it counts no bytes.
pub(super) const SYS_ENTER: &str = "sys_enter";

/// Attaches to every tracepoint of the table. `counted` says that the kernel counts the runs that it
/// skips of programs on perf's tracepoints.
pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut AttachPlan, counted: bool) {
    for PlannedProbe { site, symbol, .. } in plan.of(Instrument::Syscalls) {
        let row = &SITES[site];
        match first(ways(row.bytes, counted), |by| attach_by(ebpf, row, &symbol, by)) {
            Ok(by) => plan.attached(site, &symbol, by),
            Err(error) => plan.set(site, ProbeState::Refused { reason: format!("{error:#}") }),
        }
    }
}

/// The ways to attach a row, in the order in which they are tried. System calls and page faults come
/// through perf's tracepoints where the kernel counts the runs that it skips there, because those
/// programs cannot be preempted; elsewhere, and where tracefs is not mounted, through raw tracepoints.
const fn ways(bytes: Bytes, counted: bool) -> &'static [Mechanism] {
    match bytes {
        Bytes::SyscallResult | Bytes::Calls if counted => {
            &[Mechanism::Tracepoint, Mechanism::RawTracepoint]
        }
        _ => &[Mechanism::RawTracepoint],
    }
}

/// The first way that the kernel allows, or why it refuses the last.
fn first(ways: &[Mechanism], mut attach: impl FnMut(Mechanism) -> Result<()>) -> Result<Mechanism> {
    let mut refused = None;
    for by in ways {
        match attach(*by) {
            Ok(()) => return Ok(*by),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| anyhow!("there is no way to attach it")))
}

fn attach_by(ebpf: &mut Ebpf, row: &Site, symbol: &str, by: Mechanism) -> Result<()> {
    match (row.bytes, by) {
        (Bytes::SyscallResult, Mechanism::Tracepoint) => both_by_perf(ebpf, row),
        (_, Mechanism::Tracepoint) => fault_by_perf(ebpf, symbol),
        // Entry first: a return without its entry is not counted.
        (Bytes::SyscallResult, _) => {
            raw(ebpf, SYS_ENTER, SYS_ENTER).and_then(|()| raw(ebpf, row.name, symbol))
        }
        _ => raw(ebpf, row.name, symbol),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracepoints_of_perf_are_for_kernels_that_count_what_they_skip() {
        use Mechanism::{RawTracepoint, Tracepoint};
        for bytes in [Bytes::SyscallResult, Bytes::Calls] {
            assert_eq!(ways(bytes, true), [Tracepoint, RawTracepoint], "{bytes:?}");
            assert_eq!(ways(bytes, false), [RawTracepoint], "{bytes:?}");
        }
        let others = SITES.iter().filter(|site| site.instrument == Instrument::Syscalls);
        for site in others.filter(|site| !matches!(site.bytes, Bytes::SyscallResult | Bytes::Calls))
        {
            assert_eq!(ways(site.bytes, true), [RawTracepoint], "{}", site.name);
        }
    }

    #[test]
    fn the_first_way_that_works_is_taken_and_the_others_are_not_tried() {
        let ways = [Mechanism::Tracepoint, Mechanism::RawTracepoint];
        let mut tried = Vec::new();
        let way = first(&ways, |by| {
            tried.push(by);
            Ok(())
        });
        assert_eq!(way.expect("attached"), Mechanism::Tracepoint);
        assert_eq!(tried, [Mechanism::Tracepoint]);
    }

    #[test]
    fn where_tracefs_is_not_mounted_a_raw_tracepoint_serves() {
        let ways = [Mechanism::Tracepoint, Mechanism::RawTracepoint];
        let no_tracefs = |by| match by {
            Mechanism::Tracepoint => Err(anyhow!("no tracefs")),
            _ => Ok(()),
        };
        assert_eq!(first(&ways, no_tracefs).expect("attached"), Mechanism::RawTracepoint);
    }

    #[test]
    fn a_row_that_no_way_serves_says_why_the_last_was_refused() {
        let ways = [Mechanism::Tracepoint, Mechanism::RawTracepoint];
        let error = first(&ways, |by| Err(anyhow!("no {}", by.name()))).expect_err("refused");
        assert_eq!(error.to_string(), format!("no {}", Mechanism::RawTracepoint.name()));
        assert!(first(&[], |_| Ok(())).is_err(), "no way is no success");
    }
}
