//! Attach, control, fetch, read the counters, and make it one [`Run`]. The only module that
//! knows both the probes and the workload.

mod bench;
mod bench_log;
mod by_stack;
mod cache_state;
mod control_passes;
mod controls;
mod cost;
mod counted;
pub mod feasible;
mod fetching;
pub mod interrupt;
mod kcat;
mod naming;
mod no_payload;
mod passes;
mod reachable;
mod receptions;
mod repetition;
mod stir;
mod storage;
mod temporary;
pub(crate) mod workers;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::cli;
use crate::probe::{Follow, KeptStacks, Options, Probes, kernel};
use crate::run::{Kernel, Phase, Run, SCHEMA, Skipped, TimedRound, Timing};
use crate::stacks::Samples;
use crate::terminal;
use crate::transfer::{Layer, TRANSFERS, TransferSpec};
use bench::TestBench;
pub(crate) use bench::{file_system, path};
use by_stack::ByStack;
pub(crate) use controls::Controls;
use fetching::{Amount, Cpu};
pub(crate) use storage::mounts::is_any_dax;
pub(crate) use temporary::Temporary;

/// Transfers that the controls need, whatever is measured.
const CONTROLS: [&str; 2] = ["read_write", "sendfile"];

/// Serves a log by each transfer with the probes attached.
///
/// # Errors
/// Whatever keeps the measurement from being made; that a probe is refused does not.
pub fn measure(options: &cli::MeasureArgs, verbose: bool, timings: Vec<Timing>) -> Result<Run> {
    let mut clock = Clock::start();
    let (mut rows, mut skipped) = possible(&chosen(&options.workload.transfers));
    if options.workload.kcat.is_some() {
        rows.retain(|row| {
            row.layer == Layer::Plain || {
                let reason = "kcat is not told how to decrypt it".to_owned();
                skipped.push(Skipped { transfer: row.name.to_owned(), reason });
                false
            }
        });
    }
    let [served, controls] = served(&rows)?;
    terminal::step("making or opening the log");
    let mut bench = TestBench::set_up(&options.workload, &served, &controls)?;
    let (caches, lacking) = bench.caches(options.cache)?;
    if let Some(reason) = lacking {
        log::warn!("not measured {reason}");
        let not =
            |row: &&TransferSpec| Skipped { transfer: row.name.to_owned(), reason: reason.clone() };
        skipped.extend(rows.iter().map(not));
    }
    clock.lap("log");
    terminal::step("attaching the probes");
    let wanted = wanted(options, &bench, &rows, verbose)?;
    let mut probes = Probes::attach(&wanted)?;
    let samples = probes.samples()?.map(Samples::take).transpose()?;
    if samples.is_none() && options.stacks {
        log::warn!("only the kernel's stacks of leaves are kept: the others need Linux 5.15");
    }
    let mut by_stack = ByStack::default();
    clock.lap("attach");
    terminal::step("controls: what is known must be seen");
    let controls = control_passes::controls(&mut bench, &mut probes, "")?;
    clock.lap("control");
    let kernel = kernel::running()?;
    let mut run = Run {
        schema: SCHEMA,
        zcprof: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel.clone(),
        workload: bench.workload()?,
        coverage: probes.coverage(),
        controls,
        passes: Vec::new(),
        receptions: Vec::new(),
        skipped,
        timings,
        claims: options.claims.clone(),
        stacks: None,
        results: Vec::new(),
        verdict: None,
        phases: Vec::new(),
    };
    let (mut at, all) = (0, caches.len() * rows.len());
    for cache in caches {
        for row in rows.clone() {
            at += 1;
            terminal::step(&format!("measuring {at} of {all}: {}, {}", row.name, cache.name()));
            let done = passes::pass(&mut bench, &mut probes, row, cache, Amount::Full);
            let (pass, stacks) = match done {
                Ok(made) => made,
                Err(error) => {
                    run.skipped.push(refused(&mut bench, row, error)?);
                    rows.retain(|other| other.name != row.name);
                    continue;
                }
            };
            run.passes.push(pass);
            by_stack.add(stacks);
        }
        clock.lap(cache.name());
    }
    run.stacks = samples.map(|samples| by_stack.record(&probes, samples)).transpose()?;
    receptions::measure(&mut bench, &mut probes, &rows, &options.receive, &mut run)?;
    if !options.receive.is_empty() {
        clock.lap("receptions");
    }
    terminal::step("controls again");
    run.controls.extend(control_passes::controls(&mut bench, &mut probes, "closing ")?);
    clock.lap("closing control");
    // Read again: what the probes missed over the whole run is known only now.
    run.coverage = probes.coverage();
    // A kcat's CPU time is not known.
    if !run.passes.is_empty() && !options.untimed && options.workload.kcat.is_none() {
        run.timings.extend(cost::time(&mut bench, &rows, (probes, &wanted), options.rounds)?);
        clock.lap("cost");
    } else {
        terminal::step("detaching the probes");
        drop(probes);
        clock.lap("detach");
    }
    if naming::name(&mut bench, &mut run, &wanted)? {
        clock.lap("naming");
    }
    interrupt::check()?;
    terminal::clear();
    run.phases = clock.phases;
    zcprof_judge::results::note(&mut run)?;
    Ok(run)
}

/// What is served for these transfers, the controls' among them, and the controls.
fn served(rows: &[&'static TransferSpec]) -> Result<[Vec<&'static TransferSpec>; 2]> {
    let mut served = rows.to_vec();
    let mut controls = Vec::new();
    for name in CONTROLS {
        let row =
            TransferSpec::find(name).with_context(|| format!("there is no transfer {name}"))?;
        if !served.iter().any(|known| known.name == name) {
            served.push(row);
        }
        controls.push(row);
    }
    Ok([served, controls])
}

/// What to attach.
fn wanted(
    options: &cli::MeasureArgs,
    bench: &TestBench,
    rows: &[&'static TransferSpec],
    verbose: bool,
) -> Result<Options> {
    Ok(Options {
        targets: bench.processes(),
        follow: Follow::default(),
        withheld: options.without.clone(),
        avoid_fexit: options.avoid_fexit,
        stacks: KeptStacks { callers: options.stacks, leaves: options.stacks },
        lacking: options.lacking.clone(),
        explain: verbose,
        unneeded: reachable::unneeded(bench, rows, &options.receive)?,
        capacities: options.capacities.clone(),
    })
}

/// Times each transfer with no probe attached.
///
/// # Errors
/// Whatever keeps the workload from running.
pub fn time(options: &cli::TimeArgs) -> Result<Vec<Timing>> {
    ensure!(options.workload.kcat.is_none(), "only `measure` lets a kcat consume");
    let (rows, _) = possible(&chosen(&options.workload.transfers));
    let mut bench = TestBench::set_up(&options.workload, &rows, &[])?;
    time_with(&mut bench, &rows, options.rounds)
}

/// Rounds alternate between the transfers, so that whatever else the machine does meanwhile
/// falls on all of them alike.
fn time_with(bench: &mut TestBench, rows: &[&TransferSpec], rounds: u32) -> Result<Vec<Timing>> {
    let mut timings = blank(bench, rows, false)?;
    bench.prepare(bench.warmest())?;
    for at in 1..=rounds {
        terminal::step(&format!("timing, round {at} of {rounds}"));
        let unmade = time_once(bench, &mut timings)?;
        timings.retain(|timing| !unmade.contains(&timing.transfer));
    }
    Ok(timings)
}

/// Timings without a round.
fn blank(bench: &TestBench, rows: &[&TransferSpec], probed: bool) -> Result<Vec<Timing>> {
    let kernel = kernel::running()?;
    let payload = bench.payload(Amount::Full);
    Ok(rows.iter().map(|row| timing(row, &kernel, probed, payload, Vec::new())).collect())
}

/// One more round of each; says which were refused.
fn time_once(bench: &mut TestBench, timings: &mut [Timing]) -> Result<Vec<String>> {
    let mut unmade = Vec::new();
    for timing in timings {
        let fetched = bench.fetch(&timing.transfer, Amount::Full);
        match fetched.map_err(|error| bench.cause(error)) {
            Ok((outcome, cpu)) => timing.rounds.push(round(outcome.seconds, cpu)),
            Err(error) => {
                let reason = bench.refusal(&timing.transfer, error)?;
                log::warn!("{} is not timed: {reason}", timing.transfer);
                unmade.push(timing.transfer.clone());
            }
        }
    }
    Ok(unmade)
}

/// What is said of a transfer that its socket or its file refuses; any other error ends the
/// measurement.
fn refused(bench: &mut TestBench, row: &TransferSpec, error: anyhow::Error) -> Result<Skipped> {
    let reason = bench.refusal(row.name, error)?;
    log::warn!("{} is skipped: {reason}", row.name);
    Ok(Skipped { transfer: row.name.to_owned(), reason })
}

fn timing(
    row: &TransferSpec,
    kernel: &Kernel,
    probed: bool,
    payload: u64,
    rounds: Vec<TimedRound>,
) -> Timing {
    Timing { transfer: row.name.to_owned(), kernel: kernel.clone(), probed, payload, rounds }
}

fn round(seconds: f64, cpu: Cpu) -> TimedRound {
    TimedRound { seconds, server_cpu: cpu.server, consumer_cpu: cpu.consumer }
}

fn chosen(transfers: &[&'static TransferSpec]) -> Vec<&'static TransferSpec> {
    if transfers.is_empty() { TRANSFERS.iter().collect() } else { transfers.to_vec() }
}

/// The transfers that this kernel can make, and why not the others.
fn possible(rows: &[&'static TransferSpec]) -> (Vec<&'static TransferSpec>, Vec<Skipped>) {
    let (mut possible, mut skipped) = (Vec::new(), Vec::new());
    for row in rows {
        match (row.needs)() {
            Ok(()) => possible.push(*row),
            Err(reason) => {
                log::info!("{} is skipped: {reason}", row.name);
                skipped.push(Skipped { transfer: row.name.to_owned(), reason });
            }
        }
    }
    (possible, skipped)
}

/// Wall-clock time of each step.
pub(crate) struct Clock {
    last: Instant,
    pub(crate) phases: Vec<Phase>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), phases: Vec::new() }
    }

    pub(crate) fn lap(&mut self, name: &str) {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.phases.push(Phase { name: name.to_owned(), seconds });
        self.last = now;
    }
}
