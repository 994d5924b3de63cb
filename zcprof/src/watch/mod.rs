//! Watches programs that are not zcprof's: finds them, follows them for a window, and makes what the
//! probes counted meanwhile one [`Watch`]. Judging and rendering are `zcprof-judge`'s.

mod caller;
mod command;
mod ends;
mod family;
mod filters;
mod held;
mod listeners;
mod live;
mod objects;
mod processes;
mod queues;
mod record;
mod series;
mod shared;
mod shown;
mod targets;
mod window;

use anyhow::Result;
use zcprof_common::layout::StackKey;
use zcprof_common::vocabulary::{Instrument, Need};
use zcprof_judge::watch::direction::permits;
use zcprof_judge::watch::record::{Direction, Kind, SCHEMA, WatchedCount};
use zcprof_judge::watch::{Promise, Watch, judge};

use crate::cli;
use crate::measure::{Clock, Controls, is_any_dax};
use crate::network::all_without_nocache;
use crate::probe::{Follow, KeptStacks, Options, Probes, kernel};
use crate::run::Coverage;
use crate::stacks::{self, LiveStacks, Samples};
use crate::terminal;
pub(crate) use command::with_signals;

use command::Started;
use shared::Shared;
use targets::Targets;
use window::Window;

/// Watches for a window.
///
/// # Errors
/// Nobody to watch, a command that cannot be started, or whatever keeps the probes from being loaded.
pub fn watch(options: &cli::WatchArgs, verbose: bool) -> Result<Watch> {
    for asked in &options.claims {
        let promise = Promise::parse(&asked.claim).map_err(anyhow::Error::msg)?;
        permits(options.direction, &promise).map_err(anyhow::Error::msg)?;
    }
    let mut clock = Clock::start();
    let targets = Targets::find(options)?;
    let shared = Shared::settle(options)?;
    let user = options.user.as_deref();
    let mut command = Started::prepare(&options.command, user, shared.file())?;
    if shared.live {
        terminal::step("attaching the probes");
    }
    let mut controls = Controls::set_up()?;
    clock.lap("preparation");
    let mut probes = Probes::attach(&Options {
        targets: controls.processes(),
        follow: Follow {
            adopt: targets.adopt.clone(),
            programs: targets.programs.clone(),
            by_program: true,
            ports: Some(targets.told_apart.clone()),
            small: u32::try_from(options.framing.size).unwrap_or(u32::MAX),
        },
        withheld: withheld(options),
        stacks: KeptStacks { callers: options.keeps_stacks(), leaves: options.keeps_stacks() },
        lacking: options.lacking.clone(),
        explain: verbose,
        unneeded: unneeded()?,
        capacities: options.capacities.clone(),
        ..Options::default()
    })?;
    let samples = probes.samples()?.map(Samples::take).transpose()?;
    if samples.is_none() && options.keeps_stacks() {
        log::warn!("no stacks are kept: that needs Linux 5.15");
    }
    let own = controls.processes();
    if let Some(command) = &mut command {
        command.except(own.iter().copied());
    }
    targets.seed(&mut probes, &own)?;
    clock.lap("attach");
    let mut watch = begun(options, &targets)?;
    watch.controls = controls.run(&mut probes, "")?;
    clock.lap("control");
    stacks::rest();
    (watch.coverage, watch.leaves) = (probes.coverage(), probes.leaves());
    watch.maps = Some(crate::probe::of_maps()?);
    if let Some(command) = &mut command {
        probes.watch(command.pid(), command.pid())?;
    }
    probes.snapshot()?;
    let mut window = Window::open(options, &targets, own.clone(), watch.clone());
    if let Some(command) = &mut command {
        command.release()?;
    }
    window.skip(&mut probes)?;
    if shared.live {
        window.show(samples.as_ref().map(LiveStacks::of));
    }
    let waited = window.wait(&mut probes, command.as_mut(), shared.file());
    waited.inspect_err(|_| end_anyway(command.as_mut(), &mut probes, &own))?;
    let snapshot = probes.snapshot()?;
    watch.seconds = window.seconds();
    let names = probes.programs()?;
    let chosen = targets.chosen(options, &own);
    watch.queued = queues::wait(&mut probes, options.direction, &names, chosen)?;
    record::fill(&mut watch, &snapshot, &probes.paths()?, &names, chosen);
    let by_stack = |(key, value): (&StackKey, &_)| {
        (*key, record::counted_by_stack(key, value, &names, chosen))
    };
    let counted: Vec<_> = snapshot.stacks.iter().map(by_stack).collect();
    watch.stacks = samples
        .map(|samples| stacks::record(&probes, samples, &counted, &watch.counts))
        .transpose()?;
    let ways = stacks::leaf_ways(&probes, &snapshot.stacks)?;
    watch.leaf_stacks = record::by_leaf(&ways, &names, chosen);
    if let Some((_, path)) = &shared.output {
        eprintln!("zcprof: what the command wrote is in {}", path.display());
    }
    if let Some(command) = &mut command {
        command.end(&mut probes, &own)?;
    }
    clock.lap("window");
    if shared.live {
        terminal::step("controls again");
    }
    watch.controls.extend(controls.run(&mut probes, "closing ")?);
    clock.lap("closing control");
    (watch.coverage, watch.leaves) = (probes.coverage(), probes.leaves());
    drop(probes);
    clock.lap("detach");
    watch.doubts = window.doubts(snapshot.doubts);
    watch.series = window.into_series(&watch.counts);
    watch.claims = targets::claims(options, &watch.counts);
    watch.command = command.map(Started::into_record);
    watch.phases = clock.phases;
    settle(&mut watch)?;
    terminal::clear();
    Ok(watch)
}

/// The record of a window that has not yet begun.
///
/// # Errors
/// The kernel does not say what it is.
fn begun(options: &cli::WatchArgs, targets: &Targets) -> Result<Watch> {
    Ok(Watch {
        schema: SCHEMA,
        kind: Kind::Watch,
        zcprof: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel::running()?,
        coverage: Coverage { probes: Vec::new(), holes: Vec::new() },
        controls: Vec::new(),
        targets: targets.described(&options.command),
        command: None,
        seconds: 0.0,
        programs: Vec::new(),
        counts: Vec::new(),
        exits: Vec::new(),
        files: Vec::new(),
        peers: Vec::new(),
        strangers: Vec::new(),
        queued: None,
        series: Vec::new(),
        stacks: None,
        leaf_stacks: Vec::new(),
        doubts: Vec::new(),
        leaves: Vec::new(),
        maps: None,
        direction: options.direction,
        framing: options.framing,
        min_bytes: options.min_bytes,
        claims: options.claims.clone(),
        ignore_status: options.ignore_status,
        results: Vec::new(),
        verdict: None,
        phases: Vec::new(),
    })
}

/// Ends the command as any window does, after something else went wrong, which alone is said.
fn end_anyway(command: Option<&mut Started>, probes: &mut Probes, own: &[u32]) {
    if let Some(Err(error)) = command.map(|command| command.end(probes, own)) {
        log::debug!("{error:#}");
    }
}

fn withheld(options: &cli::WatchArgs) -> Vec<Instrument> {
    let audit = options.no_audit.then_some(Instrument::Audit);
    options.without.iter().copied().chain(audit).collect()
}

/// Writes into a record the outcome of its claims.
///
/// # Errors
/// A claim that this version does not know.
fn settle(watch: &mut Watch) -> Result<()> {
    let judgements = judge(watch).map_err(anyhow::Error::msg)?;
    watch.results = judgements.iter().map(zcprof_judge::watch::ClaimJudgement::outcome).collect();
    let exit = zcprof_judge::watch::exit(&judgements);
    watch.verdict = (!judgements.is_empty()).then(|| exit.verdict().to_owned());
    Ok(())
}

/// What has been sent so far, in a line.
fn so_far(counts: &[WatchedCount], direction: Direction) -> String {
    let (sent, copies) = zcprof_judge::watch::so_far(counts, direction);
    let done = direction.done();
    if sent == 0 {
        return format!("nothing {done} yet");
    }
    let number = if copies.most - copies.least < 0.0005 {
        format!("{:.3}", copies.most)
    } else {
        format!("{:.3} to {:.3}", copies.least, copies.most)
    };
    format!("{} {done}, {number} copied per {done} byte", size(sent))
}

/// A size as people read it.
#[expect(clippy::cast_precision_loss, reason = "shown, and not judged by")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{number:.1} {}", UNITS[unit]) }
}

/// What no watched program can do that matters here, with the reason.
fn unneeded() -> Result<Vec<(Need, String)>> {
    let mut unneeded = vec![
        (
            Need::Checksums,
            "what UDP sends is seen without it, and what it receives is not judged".to_owned(),
        ),
        (Need::Writes, "what is written into files the callers tell".to_owned()),
        (Need::Receives, "how a watched program receives is told by system calls".to_owned()),
        (
            Need::KernelMemory,
            "what is read of /proc/kcore leaves by copies that are seen".to_owned(),
        ),
    ];
    if let Some(reason) = all_without_nocache()? {
        unneeded.push((Need::NocacheDevice, reason));
    }
    if !is_any_dax()? {
        unneeded.push((Need::Dax, "no file system is mounted with dax".to_owned()));
    }
    Ok(unneeded)
}
