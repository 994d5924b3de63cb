//! How fast each transfer is, and nginx, on the running kernel with no probe attached: every
//! contestant is loaded by the same process with the same fetches of the same files, and rounds
//! alternate between them.

mod calls;
mod contest;
pub mod cost;
mod log;
pub mod nginx;
mod order;

pub use zcprof_judge::bench::record;

use anyhow::{Context as _, Result};

use crate::cli;
use crate::fetch::cache;
use crate::fetch::socket::SocketKind;
use crate::measure::{feasible, file_system, interrupt, path};
use crate::probe::kernel;
use crate::transfer::TransferSpec;
use calls::Calls;
use contest::Contest;
use log::{RoundPlan, Served};
use record::{BenchCell, BenchRun, Conditions, Round, SCHEMA, Series};

/// Runs the benchmark; says on standard error where it is.
///
/// # Errors
/// Whatever keeps a contestant from being timed.
pub fn fetch(options: &cli::BenchFetchArgs) -> Result<BenchRun> {
    crate::fetch::allow_all_descriptors()?;
    feasible::once_each(options.transfers.iter().map(|row| row.name))?;
    options.connections.iter().try_for_each(|wanted| feasible::connections(*wanted))?;
    if let Some(folder) = feasible::to_be_made(options.log_dir.as_deref())? {
        feasible::room(&folder, options.bytes)?;
    }
    let chosen = &options.transfers;
    let rows = if chosen.is_empty() { TransferSpec::possible().collect() } else { chosen.clone() };
    let served = Served::open(options.log_dir.as_deref(), options.bytes)?;
    cache::warm(&served.log)?;
    let mut contest = Contest::set_up(&served, &rows, options.nginx.as_deref())?;
    let first = contest.pid(0).context("nobody takes part")?;
    let calls_uncounted = Calls::of(first).err().map(|error| format!("{error:#}"));
    let conditions = Conditions {
        consumer: options.consumer.name.to_owned(),
        log_bytes: served.log.bytes(),
        segments: u32::try_from(served.log.segments().len())?,
        file_system: file_system(served.log.folder())?,
        network: path(SocketKind::TCP, contest.address()?),
        placement: contest.place(options.placement)?,
        rounds: options.rounds,
        calls_uncounted,
    };
    let mut cells = Vec::new();
    for connections in &options.connections {
        for fetch_size in &options.fetch_sizes {
            let plan = served.plan(*connections, options.bytes, *fetch_size)?;
            eprintln!(
                "timing {connections} connections, fetches of {fetch_size} bytes: {} rounds of \
                 {} contestants, {} MiB each",
                options.rounds + contest::PRACTICE,
                contest.contestants().len(),
                plan.payload >> 20,
            );
            let series = series(&mut contest, &plan, &conditions)?;
            let (connections, fetch_size) = (*connections, *fetch_size);
            let RoundPlan { payload, fetches, .. } = plan;
            cells.push(BenchCell { fetch_size, connections, payload, fetches, series });
        }
    }
    Ok(BenchRun {
        schema: SCHEMA,
        zcprof: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel::running()?,
        conditions,
        contestants: contest.contestants(),
        cells,
    })
}

/// First what does not count: every byte is verified, and system calls are counted, which slows
/// them down. Then the rounds, so that whatever else the machine does falls on all alike.
fn series(
    contest: &mut Contest<'_>,
    plan: &RoundPlan,
    conditions: &Conditions,
) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    let all = contest.contestants().len();
    for index in 0..all {
        let verified = contest.verify(index, plan)?;
        let calls = match conditions.calls_uncounted {
            Some(_) => None,
            None => Some(contest.count_calls(index, plan, &conditions.consumer)?),
        };
        series.push(Series { verified, calls, rounds: Vec::new() });
    }
    for round in 0..conditions.rounds {
        for index in order::of_round(usize::try_from(round)?, all) {
            interrupt::check()?;
            let round: Round = contest.round(index, plan, &conditions.consumer)?;
            series[index].rounds.push(round);
        }
    }
    Ok(series)
}
