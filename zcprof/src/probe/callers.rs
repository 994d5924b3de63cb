//! The `callers` instrument: traceable functions around the leaves, whose results balance to
//! bytes. By fexit where the kernel's BTF and BPF allow it, else by kprobe and kretprobe.

use anyhow::{Context as _, Result};
use aya::programs::{FEntry, FExit, KProbe};
use aya::{Btf, Ebpf};
use zcprof_common::sites::{Bytes, SITES, Site};
use zcprof_common::vocabulary::{Hook, Instrument, Mechanism};

use super::plan::{AttachPlan, PlannedProbe};
use crate::run::ProbeState;

/// Attaches to every caller of this kernel.
pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut AttachPlan, avoid_fexit: bool) {
    let btf = if avoid_fexit {
        Err(anyhow::anyhow!("fexit is withheld"))
    } else {
        Btf::from_sys_fs().context("reading the kernel's BTF")
    };
    for PlannedProbe { site, symbol, .. } in plan.of(Instrument::Callers) {
        let row = &SITES[site];
        let by_fexit = match &btf {
            Ok(btf) => fexit(ebpf, row, &symbol, btf),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        let Err(no_fexit) = by_fexit else {
            plan.attached(site, &symbol, Mechanism::Fexit);
            continue;
        };
        if row.bytes == Bytes::Accepts {
            // Each server that waits in it would keep one of the few instances of a kretprobe.
            let reason = "without fexit a connection is known from its first send on".to_owned();
            plan.set(site, ProbeState::NotNeeded { reason });
            continue;
        }
        match kretprobe(ebpf, row, &symbol) {
            Ok(()) => {
                log::debug!("{symbol}: no fexit ({no_fexit:#}); using a kretprobe");
                plan.attached(site, &symbol, Mechanism::Kretprobe);
            }
            Err(error) => {
                let reason = format!("fexit: {no_fexit:#}; kretprobe: {error:#}");
                plan.set(site, ProbeState::Refused { reason });
            }
        }
    }
}

fn fexit(ebpf: &mut Ebpf, site: &Site, symbol: &str, btf: &Btf) -> Result<()> {
    // Where the kernel lacks bpf_get_func_ret() (before 5.17) it refuses the fexit alone.
    let program: &mut FExit = super::program(ebpf, site, Hook::Fexit)?.try_into()?;
    program.load(symbol, btf)?;
    // The entry comes first: a return without its entry would count as lost.
    if site.has_entry() {
        let program: &mut FEntry = super::program(ebpf, site, Hook::Fentry)?.try_into()?;
        program.load(symbol, btf)?;
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
