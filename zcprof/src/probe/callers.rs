//! The `callers` instrument: traceable functions around the leaves, whose results balance to
//! bytes. By fexit where the kernel's BTF and BPF allow it, else by kprobe and kretprobe.

use anyhow::{Result, anyhow};
use aya::programs::{FEntry, FExit, KProbe};
use aya::{Btf, Ebpf};
use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Hook, Instrument, Mechanism};

use super::plan::{AttachPlan, PlannedProbe};
use crate::run::ProbeState;

/// Attaches to every caller of this kernel: by fexit, unless that is withheld, where its types have the
/// function.
pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut AttachPlan, functions: Option<&Btf>) {
    for PlannedProbe { site, symbol, .. } in plan.of(Instrument::Callers) {
        let row = &SITES[site];
        let by_fexit = match functions {
            Some(functions) => fexit(ebpf, row, &symbol, functions),
            None => Err(anyhow!("fexit is withheld")),
        };
        match first(row, &symbol, by_fexit, || kretprobe(ebpf, row, &symbol)) {
            Ok(by) => plan.attached(site, &symbol, by),
            Err(state) => plan.set(site, state),
        }
    }
}

/// The first way by which a row was attached, or what became of the row that no way serves: a kretprobe
/// is tried where fexit was refused.
fn first(
    row: &Site,
    symbol: &str,
    by_fexit: Result<()>,
    kretprobe: impl FnOnce() -> Result<()>,
) -> Result<Mechanism, ProbeState> {
    let Err(no_fexit) = by_fexit else { return Ok(Mechanism::Fexit) };
    if row.bytes == Bytes::Accepts {
        // Each server that waits in it would keep one of the few instances of a kretprobe.
        let reason = "without fexit a connection is known from its first send on".to_owned();
        return Err(ProbeState::NotNeeded { reason });
    }
    match kretprobe() {
        Ok(()) => {
            log::debug!("{symbol}: no fexit ({no_fexit:#}); using a kretprobe");
            Ok(Mechanism::Kretprobe)
        }
        Err(error) => {
            let reason = format!("fexit: {no_fexit:#}; kretprobe: {error:#}");
            Err(ProbeState::Refused { reason })
        }
    }
}

fn fexit(ebpf: &mut Ebpf, site: &Site, symbol: &str, functions: &Btf) -> Result<()> {
    // Where the kernel lacks bpf_get_func_ret() (before 5.17) it refuses the fexit alone.
    let program: &mut FExit = super::program(ebpf, site, Hook::Fexit)?.try_into()?;
    program.load(symbol, functions)?;
    // The entry comes first: a return without its entry would count as lost.
    if site.has_entry() {
        let program: &mut FEntry = super::program(ebpf, site, Hook::Fentry)?.try_into()?;
        program.load(symbol, functions)?;
        program.attach()?;
    }
    let program: &mut FExit = super::program(ebpf, site, Hook::Fexit)?.try_into()?;
    program.attach()?;
    Ok(())
}

fn kretprobe(ebpf: &mut Ebpf, site: &Site, symbol: &str) -> Result<()> {
    // The entry comes last: a return without its entry would count as lost.
    for hook in [Hook::Return, Hook::Entry] {
        let program: &mut KProbe = super::program(ebpf, site, hook)?.try_into()?;
        program.load()?;
    }
    for hook in [Hook::Entry, Hook::Return] {
        let program: &mut KProbe = super::program(ebpf, site, hook)?.try_into()?;
        program.attach(symbol, 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(accepts: bool) -> &'static Site {
        let fits = |site: &&Site| {
            site.instrument == Instrument::Callers && (site.bytes == Bytes::Accepts) == accepts
        };
        SITES.iter().find(fits).expect("the table has such a row")
    }

    #[test]
    fn a_kretprobe_is_tried_only_where_fexit_is_refused() {
        let way = first(row(false), "f", Ok(()), || panic!("tried beside fexit"));
        assert_eq!(way, Ok(Mechanism::Fexit));
        let way = first(row(false), "f", Err(anyhow!("no BTF")), || Ok(()));
        assert_eq!(way, Ok(Mechanism::Kretprobe));
    }

    #[test]
    fn a_row_that_no_way_serves_is_refused_with_the_reason_of_each() {
        let way = first(row(false), "f", Err(anyhow!("no BTF")), || Err(anyhow!("no kprobes")));
        let reason = "fexit: no BTF; kretprobe: no kprobes".to_owned();
        assert_eq!(way, Err(ProbeState::Refused { reason }));
    }

    #[test]
    fn no_kretprobe_waits_in_accept() {
        let way = first(row(true), "f", Err(anyhow!("no BTF")), || panic!("instances are few"));
        assert!(matches!(way, Err(ProbeState::NotNeeded { .. })), "{way:?}");
        assert_eq!(first(row(true), "f", Ok(()), || Ok(())), Ok(Mechanism::Fexit));
    }
}
