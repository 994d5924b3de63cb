//! The `audit` instrument: the leaf copy functions themselves.
//!
//! lib/Makefile builds them without ftrace hooks, and `within_notrace_func()`
//! (kernel/trace/trace_kprobe.c) then refuses a kprobe unless KPROBE_EVENTS_ON_NOTRACE is set.
//! Where it does, an execution breakpoint on every CPU takes the kprobe's place.

use std::io;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::{KProbe, PerfEvent};
use perf_event::events::Breakpoint;
use perf_event::{Builder, Counter};
use std::os::fd::{AsFd as _, AsRawFd as _};
use zcprof_common::sites::{SITES, Site};
use zcprof_common::vocabulary::Instrument;

use super::plan::{Plan, Planned};
use super::{kernel, reach};
use crate::run::ProbeState;

/// Breakpoints, one per leaf and CPU.
#[derive(Default)]
pub(super) struct Audit {
    breakpoints: Vec<Watched>,
}

/// A leaf that is watched by breakpoints.
struct Watched {
    site: usize,
    address: u64,
    program: i32,
    counters: Vec<(u32, Counter)>,
    /// Hits on CPUs that are gone.
    retired: u64,
}

impl Audit {
    /// Attaches to every leaf of this kernel.
    pub(super) fn attach(ebpf: &mut Ebpf, plan: &mut Plan) -> Self {
        let mut audit = Self::default();
        let mut kprobes_refused = false;
        for Planned { site, symbol, address } in plan.of(Instrument::Audit) {
            let row = &SITES[site];
            if !kprobes_refused {
                match kprobe(ebpf, row, &symbol) {
                    Ok(()) => {
                        plan.attached(site, &symbol, "kprobe");
                        continue;
                    }
                    Err(error) => {
                        log::debug!("{symbol}: no kprobe ({error:#}); using a breakpoint");
                        kprobes_refused = true;
                    }
                }
            }
            match breakpoints(ebpf, row, address) {
                Ok((program, counters)) => {
                    let retired = 0;
                    let watched = Watched { site, address, program, counters, retired };
                    audit.breakpoints.push(watched);
                    plan.attached(site, &symbol, "execution breakpoint");
                }
                Err(error) => {
                    plan.set(site, ProbeState::Refused { reason: format!("{error:#}") });
                }
            }
        }
        audit
    }

    /// Watches CPUs that came online since, and says which. A CPU that was offline for a while is
    /// such a one too: its breakpoints went with it (`perf_event_exit_cpu()`, kernel/events/core.c).
    ///
    /// # Errors
    /// A breakpoint on such a CPU is refused.
    pub(super) fn follow_cpus(&mut self) -> Result<Vec<u32>> {
        if self.breakpoints.is_empty() {
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

    /// Sets a breakpoint on every leaf on a CPU.
    fn watch(&mut self, cpu: u32) -> Result<()> {
        for watched in &mut self.breakpoints {
            let counter = breakpoint(watched.address, watched.program, cpu)?;
            watched.counters.push((cpu, counter));
        }
        Ok(())
    }

    /// Whether every leaf is watched on a CPU: each is reached there, and must be hit.
    fn answers_on(&mut self, cpu: u32) -> Result<bool> {
        let before = self.hits_on(cpu)?;
        if before.len() < self.breakpoints.len() {
            return Ok(false);
        }
        let names: Vec<_> = self.breakpoints.iter().map(|leaf| SITES[leaf.site].name).collect();
        if !reach::leaves(cpu, &names)? {
            // This process may not run there; and what it has started may not either.
            return Ok(true);
        }
        let after = self.hits_on(cpu)?;
        // A leaf that is reached by nobody at will has its breakpoint beside the others'.
        let hit = |at: usize| after[at] > before[at] || !reach::is_reachable(names[at]);
        Ok((0..names.len()).all(hit))
    }

    /// Hits of each leaf that is watched on a CPU.
    fn hits_on(&mut self, cpu: u32) -> io::Result<Vec<u64>> {
        let counters = self.breakpoints.iter_mut().flat_map(|watched| &mut watched.counters);
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
        let sum = |watched: &mut Watched| {
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

fn kprobe(ebpf: &mut Ebpf, site: &Site, symbol: &str) -> Result<()> {
    let program: &mut KProbe = super::program(ebpf, site, "kprobe")?.try_into()?;
    program.load()?;
    program.attach(symbol, 0)?;
    Ok(())
}

type PerCpu = Vec<(u32, Counter)>;

fn breakpoints(ebpf: &mut Ebpf, site: &Site, address: u64) -> Result<(i32, PerCpu)> {
    let program: &mut PerfEvent = super::program(ebpf, site, "break")?.try_into()?;
    program.load()?;
    let program = program.fd()?.as_fd().as_raw_fd();
    let counters: Result<PerCpu> = kernel::online_cpus()?
        .into_iter()
        .map(|cpu| Ok((cpu, breakpoint(address, program, cpu)?)))
        .collect();
    Ok((program, counters?))
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
