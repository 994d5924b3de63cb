//! Attaches the eBPF programs to the running kernel and reads what they counted. It does not
//! know what the watched processes do.

mod audit;
mod btf;
mod callers;
mod follow;
mod functions;
mod held;
pub mod kernel;
mod kprobes;
mod maps;
mod memory;
mod modules;
mod objects;
mod plan;
mod pokes;
mod queues;
mod reach;
mod skipped;
mod stacks;
pub mod symbols;
mod syscalls;
mod totals;
mod unpreempted;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use aya::programs::Program;
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use zcprof_common::layout::{Config, MAX_MAPPED, NO_TLS};
use zcprof_common::objects::FileId;
use zcprof_common::sites::{SITES, Site, Version};
use zcprof_common::vocabulary::{Hook, Instrument, Need, ProgramName};

use crate::run::{Coverage, Doubt, Hole, ProbeState};
use audit::Audit;
use btf::Types;
pub use follow::{Adopt, CGROUPS, Follow, kept_name};
pub use functions::FunctionTable;
pub use held::Held;
pub use maps::text;
pub use memory::{give_back, of_maps};
pub use objects::Objects;
use plan::AttachPlan;
use pokes::TextPokes;
pub use queues::Queue;
pub use stacks::{KeptStacks, SampleMaps, StackCounts};
pub use totals::Snapshot;
use totals::Totals;
use unpreempted::Unpreempted;

/// What to attach.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Processes (tgid) to watch, each as a subject of its own, with all that they fork.
    pub targets: Vec<u32>,
    /// Who else is watched, and what is told apart.
    pub follow: Follow,
    /// Instruments that the user withholds.
    pub withheld: Vec<Instrument>,
    /// Rows that the table is to be taken to lack.
    pub lacking: Vec<String>,
    /// Attach the callers by kprobe and kretprobe although fexit would do.
    pub avoid_fexit: bool,
    /// Keep these stacks of what is counted, where the kernel can.
    pub stacks: KeptStacks,
    /// Let the programs explain themselves through aya-log.
    pub explain: bool,
    /// What cannot be on this way, and why: the leaves that only this reaches are not watched.
    pub unneeded: Vec<(Need, String)>,
    /// Maps that are to have another capacity than theirs, in entries, or in bytes of a ring.
    pub capacities: Vec<(String, u32)>,
}

/// Attached programs. Dropping it, or the process's end however it comes, detaches them all:
/// nothing is pinned.
pub struct Probes {
    ebpf: Ebpf,
    plan: AttachPlan,
    audit: Audit,
    /// None where the kernel does not tell.
    pokes: Option<TextPokes>,
    holes: Vec<Hole>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    counts_skipped_perf_programs: bool,
    by_program: bool,
    kept: KeptStacks,
    before: Totals,
}

/// The table against the names of the kernel's functions, without any program: what is known of
/// each row, in the table's order. Needs no privileges.
#[must_use]
pub fn survey(version: Version, functions: &BTreeMap<String, u64>) -> Vec<Surveyed> {
    AttachPlan::new(version, functions, &[], &[], modules::is_there).surveyed()
}

/// Names that the table looks for among the kernel's functions.
#[must_use]
pub fn wanted() -> Vec<&'static str> {
    AttachPlan::wanted()
}

/// Functions whose addresses are looked up: those of the table, and those by which the programs know others.
fn named() -> Vec<&'static str> {
    let mut names = AttachPlan::wanted();
    names.extend(btf::TOLD_BY);
    names
}

/// The maps and programs; nothing is attached yet.
fn load(options: &Options, config: &Config, kept: KeptStacks) -> Result<Ebpf> {
    let log_level = if options.explain { log::Level::Debug as u8 } else { 0 };
    let mut loader = EbpfLoader::new();
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus);
    stacks::size(&mut loader, kept, cpus);
    objects::size(&mut loader, config);
    for (map, capacity) in &options.capacities {
        loader.map_max_entries(map, *capacity);
    }
    loader
        .btf(None) // they have no relocations
        .override_global("CONFIG", config, true)
        .override_global("AYA_LOG_LEVEL", &log_level, false)
        .load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/zcprof")))
        .context("loading the eBPF maps and programs")
}

/// A row of the table before anything is attached.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The name under which the kernel lists it; none for tracepoints, which are no functions.
    pub symbol: Option<String>,
    /// What became of it, if that is known already.
    pub state: Option<ProbeState>,
}

impl Probes {
    /// Loads and attaches whatever this kernel allows. That something is refused is no error:
    /// it is in the coverage.
    ///
    /// # Errors
    /// The programs cannot be loaded at all.
    pub fn attach(options: &Options) -> Result<Self> {
        let version = kernel::version()?;
        let mut holes = Vec::new();
        if let Some((reason, remedy)) = kernel::too_old(version) {
            holes.extend(both(&reason, &remedy));
        }
        let symbols = symbols::addresses(&named()).unwrap_or_else(|error| {
            holes.extend(both(&format!("{error:#}"), "as root: sysctl kernel.kptr_restrict=1"));
            BTreeMap::new()
        });
        let types = Types::of_running_kernel()?;
        let mut config = btf::configure(&types, version, &symbols)?;
        let numbers = types.numbers_of(&AttachPlan::wanted());
        drop(types);
        memory::give_back();
        options.follow.configure(&mut config)?;
        let kept = options.stacks.on(version);
        config.stacks = kept.bits();
        let mut ebpf = load(options, &config, kept)?;
        memory::give_back();
        let logger = options.explain.then(|| EbpfLogger::init(&mut ebpf)).transpose()?;
        options.follow.name(&mut ebpf)?;
        for target in &options.targets {
            follow::watch(&mut ebpf, *target, *target)?;
        }
        // A process that is watched from here on is followed from here on.
        if let Err(error) = follow::attach(&mut ebpf) {
            let remedy = "a kernel that allows raw tracepoints";
            holes.extend(both(&format!("processes cannot be followed: {error:#}"), remedy));
        }
        if options.follow.ports.is_some()
            && let Err(error) = queues::load(&mut ebpf)
        {
            let remedy = "a kernel from 5.10 on that runs raw tracepoints for who asks";
            let reason = format!("nobody knows what waits in sockets: {error:#}");
            holes.extend(both(&reason, remedy));
        }
        let (withheld, unneeded) = (&options.withheld, &options.unneeded);
        let mut plan = AttachPlan::new(version, &symbols, withheld, unneeded, modules::is_there);
        plan.lack(&options.lacking);
        if config.tls_done == NO_TLS {
            plan.wait_for(btf::TLS);
        }
        // Before the first of them is switched on.
        let pokes = match TextPokes::follow() {
            Ok(pokes) => Some(pokes),
            Err(error) => {
                holes.push(Hole {
                    instrument: Instrument::Callers,
                    reason: format!("probes might be switched off unseen: {error:#}"),
                    remedy: "a kernel from 5.9 on that allows perf_event_open(2)".to_owned(),
                });
                None
            }
        };
        // System calls first: the other two attribute their counts to them.
        syscalls::attach(&mut ebpf, &mut plan, kernel::counts_skipped_perf_programs(version));
        let functions = btf::types_of_functions(&numbers);
        callers::attach(&mut ebpf, &mut plan, (!options.avoid_fexit).then_some(&functions));
        let counted = kernel::counts_skipped_perf_programs(version);
        let audit = Audit::attach(&mut ebpf, &mut plan, &functions, counted);
        drop(functions);
        memory::give_back();
        let mut probes = Self {
            ebpf,
            plan,
            audit,
            pokes,
            holes,
            logger,
            counts_skipped_perf_programs: counted,
            by_program: options.follow.by_program,
            kept,
            before: Totals::default(),
        };
        probes.snapshot()?;
        Ok(probes)
    }

    /// Everything counted since the last snapshot. The watched processes should be quiet.
    ///
    /// # Errors
    /// A map or event cannot be read.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let new_cpus = self.audit.follow_cpus()?;
        self.audit.pause().context("pausing the breakpoints")?;
        // Before the counts, which then have at least what the stacks have.
        let stacks = self.stacks()?;
        let mut now = Totals { stacks, ..Totals::read(&self.ebpf, &mut self.audit)? };
        self.audit.resume().context("resuming the breakpoints")?;
        // After the counts, which have no more than these, and while nothing is paused: they may be many.
        now.objects = Objects::read(&self.ebpf)?;
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        let before = std::mem::replace(&mut self.before, now);
        let mut snapshot = self.before.since(&before, self.by_program);
        let new = new_cpus.iter().map(|cpu| Doubt::UnwatchedCpu { cpu: *cpu });
        snapshot.doubts.extend(new);
        if !self.audit.unreached().is_empty() {
            let group = kernel::control_group()?;
            let unreached = maps::used(&self.ebpf, self.audit.unreached())?.into_iter();
            let doubt = |cpu| Doubt::UnreachedCpu { cpu, group: group.clone() };
            snapshot.doubts.extend(unreached.map(doubt));
        }
        let gone: BTreeSet<String> = self.plan.gone().collect();
        let off = self.switched_off(&new_cpus)?.into_iter();
        snapshot.doubts.extend(
            off.filter(|doubt| !matches!(doubt, Doubt::ProbeOff { site } if gone.contains(site))),
        );
        snapshot.doubts.extend(gone.into_iter().map(|site| Doubt::ProbeGone { site }));
        let loaded = self.plan.loaded_since(modules::is_loaded).into_iter();
        snapshot.doubts.extend(loaded.map(|name| Doubt::ModuleLoaded { module: name.to_owned() }));
        Ok(snapshot)
    }

    /// What says that probes did not look all the time.
    fn switched_off(&mut self, new_cpus: &[u32]) -> Result<Vec<Doubt>> {
        let Some(pokes) = &mut self.pokes else { return Ok(Vec::new()) };
        let entries = self.plan.entries();
        let (were_off, unknown) = pokes
            .switched_off(&entries.keys().copied().collect(), new_cpus)
            .context("following changes of the kernel's text")?;
        let sites = were_off.iter().filter_map(|address| entries.get(address));
        let mut doubts: Vec<_> =
            sites.map(|site| Doubt::ProbeOff { site: (*site).to_owned() }).collect();
        if unknown > 0 {
            let what = "a change of the kernel's text was not recorded".to_owned();
            doubts.push(Doubt::Lost { what, times: unknown });
        }
        Ok(doubts)
    }

    fn stacks(&self) -> Result<StackCounts> {
        let _unpreempted = Unpreempted::begin();
        if self.kept.any() { stacks::counts(&self.ebpf) } else { Ok(StackCounts::new()) }
    }

    /// The ring by which samples of user stacks come; none if no stacks are kept. It is given once.
    ///
    /// # Errors
    /// The ring cannot be mapped.
    pub fn samples(&mut self) -> Result<Option<SampleMaps>> {
        self.kept.callers.then(|| stacks::samples(&mut self.ebpf)).transpose()
    }

    /// The kernel's halves of stacks, by number: addresses, the innermost first. One that is missing is
    /// lost.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn kernel_halves(&self, numbers: &BTreeSet<i32>) -> Result<BTreeMap<i32, Vec<u64>>> {
        stacks::kernel_halves(&self.ebpf, numbers)
    }

    /// The end of each file's path of which system calls moved bytes, as far as it was read.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn paths(&self) -> Result<BTreeMap<FileId, String>> {
        objects::paths(&self.ebpf)
    }

    /// Watches a process that there is, under a subject.
    ///
    /// # Errors
    /// Too many processes are watched.
    pub fn watch(&mut self, process: u32, subject: u32) -> Result<()> {
        follow::watch(&mut self.ebpf, process, subject)
    }

    /// Tells the programs what a subject had before it was watched. More mapped files than they can remember
    /// are a hole in what is seen.
    ///
    /// # Errors
    /// It has too many sockets.
    pub fn tell(&mut self, held: &Held, subject: u32) -> Result<()> {
        if !held::tell(&mut self.ebpf, held, subject)? {
            let reason =
                format!("more than {MAX_MAPPED} files are mapped so that they can be written into");
            let remedy = "watch fewer processes at once";
            let holes = both(&reason, remedy).into_iter();
            let new: Vec<_> = holes.filter(|hole| !self.holes.contains(hole)).collect();
            self.holes.extend(new);
        }
        Ok(())
    }

    /// What waits in the sockets by which watched processes send.
    ///
    /// # Errors
    /// A map cannot be read, or the kernel does not run the program that looks.
    pub fn queues(&mut self) -> Result<Vec<Queue>> {
        queues::all(&mut self.ebpf)
    }

    /// How many of these bytes still wait.
    ///
    /// # Errors
    /// The kernel does not run the program that looks.
    pub fn left(&mut self, queue: &Queue) -> Result<u32> {
        queues::left(&mut self.ebpf, queue)
    }

    /// Has the programs look again whose the sockets are by which strangers send.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn forget_strangers(&mut self) -> Result<()> {
        let _unpreempted = Unpreempted::begin();
        held::forget_strangers(&mut self.ebpf)
    }

    /// Makes a program's subject known, before a process of it is watched.
    ///
    /// # Errors
    /// Too many programs are watched.
    pub fn know(&mut self, program: &str, subject: u32) -> Result<()> {
        follow::know(&mut self.ebpf, program, subject)
    }

    /// Watched processes that live, each with its subject.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn watched(&mut self) -> Result<Vec<(u32, u32)>> {
        let _unpreempted = Unpreempted::begin();
        follow::watched(&mut self.ebpf)
    }

    /// Programs that watched processes have run, by subject.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn programs(&mut self) -> Result<Vec<(u32, String)>> {
        let _unpreempted = Unpreempted::begin();
        follow::programs(&mut self.ebpf)
    }

    /// What was counted since the last snapshot, which stays the last. The breakpoints go on, so that
    /// the numbers of different sites are of slightly different moments.
    ///
    /// # Errors
    /// A map or event cannot be read.
    pub fn peek(&mut self) -> Result<Snapshot> {
        // Their rings have room for some minutes of others' work.
        self.pokes.iter_mut().for_each(TextPokes::note);
        Ok(Totals::read(&self.ebpf, &mut self.audit)?.since(&self.before, self.by_program))
    }

    /// The same by stack, as far as stacks are kept.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn peek_stacks(&self) -> Result<StackCounts> {
        Ok(maps::differences(&self.stacks()?, &self.before.stacks))
    }

    /// The groups of leaves that some work has to be repeated for, by what it needs: the first
    /// always, and each with a leaf that only this work reaches.
    #[must_use]
    pub fn groups(&self, arises: impl Fn(Need) -> bool) -> Vec<usize> {
        let wanted =
            |group: &usize| *group == 0 || self.audit.needs(*group).into_iter().any(&arises);
        (0..self.audit.groups()).filter(wanted).collect()
    }

    /// Watches another group of leaves from now on.
    ///
    /// # Errors
    /// The kernel's own.
    pub fn turn_to(&mut self, group: usize) -> Result<()> {
        self.audit.turn_to(group).context("watching other leaves")
    }

    /// Names of the leaves that are watched now.
    #[must_use]
    pub fn leaves(&self) -> Vec<String> {
        self.audit.watched().into_iter().map(|site| SITES[site].name.to_owned()).collect()
    }

    /// Which sites are probed, absent or refused, and which probes missed runs.
    #[must_use]
    pub fn coverage(&mut self) -> Coverage {
        for site in 0..SITES.len() {
            let by = self.plan.mechanism(site);
            let counted = by.is_some_and(|by| !by.is_kprobe() || self.counts_skipped_perf_programs);
            let missed = counted.then(|| self.before.missed[site]);
            self.plan.missed(site, missed);
        }
        Coverage { probes: self.plan.probes(), holes: self.holes.clone() }
    }
}

/// A hole in both instruments that look into the kernel.
fn both(reason: &str, remedy: &str) -> [Hole; 2] {
    [Instrument::Audit, Instrument::Callers].map(|instrument| Hole {
        instrument,
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    })
}

/// The program of a site at one hook.
fn program<'a>(ebpf: &'a mut Ebpf, site: &Site, hook: Hook) -> Result<&'a mut Program> {
    program_called(ebpf, hook.of(site.name))
}

fn program_called<'a>(ebpf: &'a mut Ebpf, name: ProgramName<'_>) -> Result<&'a mut Program> {
    ebpf.program_mut(&name.to_string())
        .with_context(|| format!("the eBPF object has no program {name}"))
}
