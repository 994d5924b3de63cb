//! The `audit` instrument: the leaf copy functions themselves.
//!
//! lib/Makefile builds them without ftrace hooks, and `within_notrace_func()`
//! (kernel/trace/trace_kprobe.c) then refuses a kprobe unless KPROBE_EVENTS_ON_NOTRACE is set.
//! Where it does, an execution breakpoint on every CPU takes the kprobe's place.
//!
//! A leaf outside of lib/ has its hooks, and a trampoline at its entry takes no slot.
//!
//! A CPU has few slots for breakpoints, and a kernel may have more leaves. They are then watched in
//! groups, one after the other: the first has the leaves that every work can reach, the others
//! those of [`Need`]s that arise, each group with a leaf of the first that can be reached at will.

use std::collections::BTreeSet;
use std::io;

use anyhow::{Context as _, Result};
use aya::programs::{FEntry, KProbe, PerfEvent};
use aya::{Btf, Ebpf};
use perf_event::events::Breakpoint;
use perf_event::{Builder, Counter};
use std::os::fd::{AsFd as _, AsRawFd as _};
use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::{Hook, Instrument, Mechanism, Need};

use super::plan::{AttachPlan, PlannedProbe};
use super::{kernel, reach};
use crate::run::ProbeState;

/// Breakpoints, one per leaf of the current group and CPU.
#[derive(Default)]
pub(super) struct Audit {
    breakpoints: Vec<WatchedLeaf>,
    /// Indices into `breakpoints`.
    groups: Vec<Vec<usize>>,
    current: usize,
    /// Leaves that are watched all the time, without breakpoints.
    always: Vec<usize>,
    /// CPUs on which this process may not run.
    unreached: BTreeSet<u32>,
}

/// Breakpoint slots of a CPU: `HBP_NUM`, arch/x86/include/asm/hw_breakpoint.h.
const SLOTS: usize = 4;

/// A leaf that is watched by breakpoints.
struct WatchedLeaf {
    site: usize,
    address: u64,
    program: i32,
    counters: Vec<(u32, Counter)>,
    /// Hits on CPUs that are gone.
    retired: u64,
}

impl Audit {
    /// Attaches to every leaf of this kernel.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        plan: &mut AttachPlan,
        functions: &Btf,
        counted: bool,
    ) -> Self {
        let mut audit = Self::default();
        // A kprobe whose skipped runs nobody counts proves nothing; a breakpoint counts its hits.
        let mut kprobes_refused = !counted;
        for PlannedProbe { site, symbol, address } in plan.of(Instrument::Audit) {
            let row = &SITES[site];
            if row.has_hooks {
                match fentry(ebpf, row, &symbol, functions) {
                    Ok(()) => {
                        plan.attached(site, &symbol, Mechanism::Fentry);
                        audit.always.push(site);
                        continue;
                    }
                    Err(error) => log::debug!("{symbol}: no fentry ({error:#})"),
                }
            }
            if !kprobes_refused {
                match kprobe(ebpf, row, &symbol) {
                    Ok(()) => {
                        plan.attached(site, &symbol, Mechanism::Kprobe);
                        audit.always.push(site);
                        continue;
                    }
                    Err(error) => {
                        log::debug!("{symbol}: no kprobe ({error:#}); using a breakpoint");
                        kprobes_refused = true;
                    }
                }
            }
            match program(ebpf, row) {
                Ok(program) => {
                    let (counters, retired) = (Vec::new(), 0);
                    audit.breakpoints.push(WatchedLeaf {
                        site,
                        address,
                        program,
                        counters,
                        retired,
                    });
                    plan.attached(site, &symbol, Mechanism::ExecutionBreakpoint);
                }
                Err(error) => {
                    plan.set(site, ProbeState::Refused { reason: format!("{error:#}") });
                }
            }
        }
        let sites: Vec<_> = audit.breakpoints.iter().map(|leaf| &SITES[leaf.site]).collect();
        audit.groups = groups(&sites);
        // Each is tried; the first remains.
        for group in (0..audit.groups.len()).rev() {
            audit.current = group;
            let refused = audit.try_group();
            if group > 0 {
                // What is refused now would be refused at every turn: to watch less is no error.
                let of_it = &mut audit.groups[group];
                of_it.retain(|leaf| refused.iter().all(|(other, _)| other != leaf));
                let needed =
                    |leaf: &usize| SITES[audit.breakpoints[*leaf].site].need != Need::Always;
                if !of_it.iter().any(needed) {
                    audit.groups.remove(group);
                }
            }
            for (leaf, error) in refused {
                let site = audit.breakpoints[leaf].site;
                plan.set(site, ProbeState::Refused { reason: format!("{error:#}") });
            }
        }
        audit
    }

    /// How many groups of leaves there are.
    pub(super) fn groups(&self) -> usize {
        self.groups.len().max(1)
    }

    /// Needs of the leaves that a group has and the first has not; none of the first.
    pub(super) fn needs(&self, group: usize) -> Vec<Need> {
        if group == 0 {
            return Vec::new();
        }
        let sites = self.groups[group].iter().map(|leaf| SITES[self.breakpoints[*leaf].site].need);
        sites.filter(|need| *need != Need::Always).collect()
    }

    /// Sites that are watched now.
    pub(super) fn watched(&self) -> Vec<usize> {
        let current = self.group().into_iter().map(|leaf| self.breakpoints[leaf].site);
        self.always.iter().copied().chain(current).collect()
    }

    /// Watches another group of leaves.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn turn_to(&mut self, group: usize) -> Result<()> {
        if group == self.current || group >= self.groups.len() {
            return Ok(());
        }
        self.current = group;
        match self.try_group().into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }

    /// Indices of the leaves in the current group.
    fn group(&self) -> Vec<usize> {
        self.groups.get(self.current).cloned().unwrap_or_default()
    }

    /// Sets the breakpoints of the current group, and none of others. Those that were refused are
    /// not watched on any CPU.
    fn try_group(&mut self) -> Vec<(usize, anyhow::Error)> {
        let mut refused = Vec::new();
        let group = self.group();
        // Reading a counter copies to the user, which a leaf still watched would count.
        if let Err(error) = self.pause().and_then(|()| self.retire(|_| true)) {
            return vec![(group[0], error.into())];
        }
        for leaf in group {
            let watched = &mut self.breakpoints[leaf];
            match counters(watched.address, watched.program) {
                Ok(counters) => watched.counters = counters,
                Err(error) => refused.push((leaf, error)),
            }
        }
        refused
    }

    /// Watches CPUs that came online since, and says which. A CPU that was offline for a while is
    /// such a one too: its breakpoints went with it (`perf_event_exit_cpu()`, kernel/events/core.c).
    ///
    /// # Errors
    /// A breakpoint on such a CPU is refused.
    pub(super) fn follow_cpus(&mut self) -> Result<Vec<u32>> {
        if self.breakpoints.iter().all(|leaf| leaf.counters.is_empty()) {
            return Ok(Vec::new());
        }
        let online = kernel::online_cpus()?;
        self.retire(|cpu| !online.contains(&cpu))?;
        let mut new = Vec::new();
        for cpu in online {
            if self.answers_on(cpu)? {
                continue;
            }
            self.retire(|known| known == cpu)?;
            // It did not answer, so that something may have run there unseen.
            new.push(cpu);
            let watched = self.watch(cpu);
            // Where it went again meanwhile nothing runs, and its return will be noticed.
            if kernel::online_cpus()?.contains(&cpu) {
                watched?;
            }
        }
        Ok(new)
    }

    /// Sets a breakpoint on every leaf of the group on a CPU.
    fn watch(&mut self, cpu: u32) -> Result<()> {
        for leaf in self.group() {
            let watched = &mut self.breakpoints[leaf];
            let counter = breakpoint(watched.address, watched.program, cpu)?;
            watched.counters.push((cpu, counter));
        }
        Ok(())
    }

    /// Whether every leaf is watched on a CPU: each is reached there, and must be hit.
    fn answers_on(&mut self, cpu: u32) -> Result<bool> {
        let before = self.hits_on(cpu)?;
        let group = self.group();
        // Where the kernel refused a leaf's breakpoints there is nothing to follow.
        let attached = |leaf: &&usize| !self.breakpoints[**leaf].counters.is_empty();
        let names: Vec<_> = group
            .iter()
            .filter(attached)
            .map(|leaf| SITES[self.breakpoints[*leaf].site].name)
            .collect();
        if before.len() < names.len() {
            return Ok(false);
        }
        if !reach::leaves(cpu, &names)? {
            // This process may not run there; and what it has started may not either. Others may.
            self.unreached.insert(cpu);
            return Ok(true);
        }
        self.unreached.remove(&cpu);
        let after = self.hits_on(cpu)?;
        // A leaf that is reached by nobody at will has its breakpoint beside the others'.
        let hit = |at: usize| after[at] > before[at] || !reach::is_reachable(names[at]);
        Ok((0..names.len()).all(hit))
    }

    /// CPUs on which this process may not run, so that nothing shows whether their breakpoints answer.
    pub(super) const fn unreached(&self) -> &BTreeSet<u32> {
        &self.unreached
    }

    /// Hits of each leaf that is watched on a CPU.
    fn hits_on(&mut self, cpu: u32) -> io::Result<Vec<u64>> {
        // In the group's order.
        let order = self.group();
        let mut leaves: Vec<_> = self.breakpoints.iter_mut().enumerate().collect();
        leaves.sort_by_key(|(leaf, _)| order.iter().position(|at| at == leaf));
        let counters = leaves.into_iter().flat_map(|(_, watched)| &mut watched.counters);
        counters.filter(|(known, _)| *known == cpu).map(|(_, counter)| counter.read()).collect()
    }

    /// Takes the breakpoints off some CPUs, and keeps what they counted.
    fn retire(&mut self, gone: impl Fn(u32) -> bool) -> io::Result<()> {
        for watched in &mut self.breakpoints {
            for (_, mut counter) in watched.counters.extract_if(.., |(cpu, _)| gone(*cpu)) {
                watched.retired += counter.read()?;
            }
        }
        Ok(())
    }

    /// Stops every breakpoint, so that hits and program runs can be compared.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn pause(&mut self) -> io::Result<()> {
        self.counters().try_for_each(Counter::disable)
    }

    /// Starts every breakpoint again.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.counters().try_for_each(Counter::enable)
    }

    /// Times that each leaf's breakpoints were hit, by site. A hit whose program was skipped
    /// (`bpf_prog_active`, kernel/events/core.c `bpf_overflow_handler()`) is in this number
    /// and in no counter.
    ///
    /// # Errors
    /// The kernel's own.
    pub(super) fn hits(&mut self) -> io::Result<Vec<(usize, u64)>> {
        let sum = |watched: &mut WatchedLeaf| {
            let hits: io::Result<Vec<u64>> =
                watched.counters.iter_mut().map(|(_, counter)| counter.read()).collect();
            Ok((watched.site, watched.retired + hits?.iter().sum::<u64>()))
        };
        self.breakpoints.iter_mut().map(sum).collect()
    }

    fn counters(&mut self) -> impl Iterator<Item = &mut Counter> {
        self.breakpoints.iter_mut().flat_map(|w| w.counters.iter_mut().map(|(_, c)| c))
    }
}

fn fentry(ebpf: &mut Ebpf, site: &Site, symbol: &str, functions: &Btf) -> Result<()> {
    let program: &mut FEntry = super::program(ebpf, site, Hook::Fentry)?.try_into()?;
    program.load(symbol, functions)?;
    program.attach()?;
    Ok(())
}

fn kprobe(ebpf: &mut Ebpf, site: &Site, symbol: &str) -> Result<()> {
    let program: &mut KProbe = super::program(ebpf, site, Hook::Kprobe)?.try_into()?;
    program.load()?;
    program.attach(symbol, 0)?;
    Ok(())
}

type PerCpu = Vec<(u32, Counter)>;

/// The file descriptor of a leaf's program, loaded.
fn program(ebpf: &mut Ebpf, site: &Site) -> Result<i32> {
    let program: &mut PerfEvent = super::program(ebpf, site, Hook::Break)?.try_into()?;
    program.load()?;
    Ok(program.fd()?.as_fd().as_raw_fd())
}

/// A breakpoint on every CPU.
fn counters(address: u64, program: i32) -> Result<PerCpu> {
    let on = |cpu| Ok((cpu, breakpoint(address, program, cpu)?));
    kernel::online_cpus()?.into_iter().map(on).collect()
}

/// Leaves, by their positions, in groups that fit the slots. Leaves that every work can reach come
/// first; a further group has one of these too by which it is seen to watch at all.
fn groups(sites: &[&Site]) -> Vec<Vec<usize>> {
    let all = || 0..sites.len();
    let (mut first, mut further): (Vec<_>, Vec<_>) =
        all().partition(|at| sites[*at].need == Need::Always);
    let Some(witness) = first.iter().copied().find(|at| reach::is_reachable(sites[*at].name))
    else {
        return if sites.is_empty() { Vec::new() } else { vec![all().collect()] };
    };
    let room = SLOTS.saturating_sub(first.len()).min(further.len());
    first.extend(further.drain(..room));
    let more = further.chunks(SLOTS - 1).map(|some| [&[witness], some].concat());
    [first].into_iter().chain(more.collect::<Vec<_>>()).collect()
}

/// One breakpoint on one CPU, with the program on it, running.
fn breakpoint(address: u64, program: i32, cpu: u32) -> Result<Counter> {
    let mut counter = Builder::new(Breakpoint::execute(address))
        .any_pid()
        .one_cpu(usize::try_from(cpu)?)
        .include_kernel()
        .sample_period(1)
        .build()
        .map_err(|error| explain(error, cpu))?;
    counter.set_bpf(program).with_context(|| format!("attaching to CPU {cpu}"))?;
    counter.enable().with_context(|| format!("enabling on CPU {cpu}"))?;
    Ok(counter)
}

/// What the kernel means by its error numbers here.
fn explain(error: io::Error, cpu: u32) -> anyhow::Error {
    let meaning = match error.raw_os_error() {
        Some(libc::ENOSPC) => {
            "all breakpoint slots are taken: another debugger or profiler holds them"
        }
        Some(libc::EOPNOTSUPP | libc::ENOENT) => "this CPU or hypervisor has no breakpoints",
        Some(libc::EACCES | libc::EPERM) => "breakpoints in the kernel need CAP_SYS_ADMIN",
        _ => "perf_event_open failed",
    };
    anyhow::Error::new(error).context(format!("no execution breakpoint on CPU {cpu}: {meaning}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: (u16, u16)) -> Vec<&'static Site> {
        let holds = |site: &&Site| site.instrument == Instrument::Audit && site.holds_on(version);
        SITES.iter().filter(holds).collect()
    }

    #[test]
    fn every_leaf_is_in_a_group_and_every_group_fits_and_can_be_seen_to_watch() {
        for version in [(5, 10), (5, 15), (6, 1), (6, 12), (7, 3)] {
            let sites = of(version);
            let groups = groups(&sites);
            assert!(groups.len() > 1, "{version:?}");
            for group in &groups {
                assert!(group.len() <= SLOTS, "{version:?}: {group:?}");
                let seen = |at: &usize| reach::is_reachable(sites[*at].name);
                assert!(group.iter().any(seen), "{version:?}: {group:?}");
            }
            for (at, site) in sites.iter().enumerate() {
                assert!(groups.iter().flatten().any(|leaf| *leaf == at), "{}", site.name);
                let first = groups[0].contains(&at);
                assert!(first || site.need != Need::Always, "{}", site.name);
            }
        }
        assert!(groups(&[]).is_empty());
    }
}
