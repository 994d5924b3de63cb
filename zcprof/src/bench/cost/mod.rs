//! What watching costs: the same loads with nobody watching, with zcprof watching, and beside other
//! tracers, in rounds in which everybody has a turn. A turn attaches a watcher to a server, times the
//! loads of that server and of another one beside it, detaches the watcher, and asks what it has seen.

mod attached;
mod watchers;
mod witness;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

pub use zcprof_judge::cost::record;

use super::contest::Contest;
use super::log::{RoundPlan, Served};
use super::order;
use crate::cli;
use crate::fetch::cache;
use crate::fetch::socket::SocketKind;
use crate::measure::{file_system, interrupt, path};
use crate::probe::kernel;
use crate::transfer::TransferSpec;
use attached::Attached;
use record::{CostConditions, CostRound, CostRun, Kind, Load, SCHEMA, Timed, Turn};
use watchers::Chosen;
use witness::Expected;
use zcprof_common::names::transfer;

/// What the server sends by.
const TRANSFERS: [&str; 2] = [transfer::SENDFILE, transfer::READ_WRITE];

/// A load as it is made: the place of its transfer among [`TRANSFERS`], and what is fetched.
struct LoadPlan {
    transfer: usize,
    fetch_size: u64,
    fetches: RoundPlan,
}

/// Both servers, the one that is watched first.
struct Pair<'a> {
    contests: [Contest<'a>; 2],
    plans: Vec<LoadPlan>,
    mode: &'a str,
}

/// Runs the benchmark; says on standard error where it is.
///
/// # Errors
/// Whatever keeps a load from being timed, or a watcher from watching in the first round.
pub fn watch(options: &cli::BenchWatchArgs) -> Result<CostRun> {
    crate::fetch::allow_all_descriptors()?;
    let chosen = Chosen::find(&options.watchers, options.through.as_deref());
    let served = Served::open(options.log_dir.as_deref(), options.bytes)?;
    cache::warm(&served.log)?;
    let rows = TRANSFERS.map(|name| TransferSpec::find(name).context("a transfer's row"));
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    let mut pair = Pair::set_up(&served, &rows, options)?;
    let placement = pair.contests[0].place(options.placement)?;
    pair.contests[1].place(options.placement)?;
    let mut run = CostRun {
        schema: SCHEMA,
        kind: Kind::Cost,
        zcprof: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: kernel::running()?,
        conditions: CostConditions {
            payload: pair.plans.first().context("no load")?.fetches.payload,
            consumer: options.consumer.name.to_owned(),
            file_system: file_system(served.log.folder())?,
            network: path(SocketKind::TCP, pair.contests[0].address()?),
            placement,
        },
        watchers: chosen.described()?,
        loads: pair.loads(),
        rounds: Vec::new(),
    };
    let begun = Instant::now();
    pair.verify()?;
    for round in 0..options.rounds {
        if options.time.is_some_and(|time| begun.elapsed() >= time) {
            eprintln!("the time is up after {round} rounds");
            break;
        }
        let round = usize::try_from(round)?;
        ensure_warm(&served)?;
        run.rounds.push(pair.round(round, &chosen)?);
    }
    Ok(run)
}

/// Fills the page cache again if something has left it.
fn ensure_warm(served: &Served) -> Result<()> {
    let (resident, pages) = cache::resident_pages(&served.log)?;
    if resident < pages {
        cache::warm(&served.log)?;
    }
    Ok(())
}

impl<'a> Pair<'a> {
    fn set_up(
        served: &'a Served,
        rows: &[&TransferSpec],
        options: &'a cli::BenchWatchArgs,
    ) -> Result<Self> {
        let mut plans = Vec::new();
        for fetch_size in &options.fetch_sizes {
            for transfer in 0..rows.len() {
                let fetches = served.plan(1, options.bytes, *fetch_size)?;
                plans.push(LoadPlan { transfer, fetch_size: *fetch_size, fetches });
            }
        }
        let [one, other] = [(); 2].map(|()| Contest::set_up(served, rows, None));
        Ok(Self { contests: [one?, other?], plans, mode: options.consumer.name })
    }

    fn loads(&self) -> Vec<Load> {
        let load = |plan: &LoadPlan| Load {
            transfer: TRANSFERS[plan.transfer].to_owned(),
            fetch_size: plan.fetch_size,
            fetches: plan.fetches.fetches,
        };
        self.plans.iter().map(load).collect()
    }

    /// Looks at every byte once, of both servers.
    fn verify(&mut self) -> Result<()> {
        for contest in &mut self.contests {
            for LoadPlan { transfer, fetches, .. } in &self.plans {
                let name = TRANSFERS[*transfer];
                ensure!(contest.verify(*transfer, fetches)?, "not every byte by {name} was right");
            }
        }
        Ok(())
    }

    /// Everybody's turn, in an order of the round's own.
    fn round(&mut self, round: usize, chosen: &Chosen) -> Result<CostRound> {
        let mut turns: Vec<Option<Turn>> = vec![None; chosen.rows.len()];
        for at in order::of_round(round, chosen.rows.len()) {
            interrupt::check()?;
            let name = chosen.rows[at].name;
            let turn = match self.turn(round, chosen, at) {
                Ok(turn) => turn,
                Err(error) => {
                    interrupt::check()?;
                    // Whoever has watched once can watch; a turn that fails is void.
                    ensure!(round > 0, error.context(format!("watching by {name}")));
                    eprintln!("round {}: {name}: {error:#}", round + 1);
                    void()
                }
            };
            eprintln!("round {}: {name}: {}", round + 1, in_words(&turn));
            turns[at] = Some(turn);
        }
        Ok(CostRound { turns: turns.into_iter().flatten().collect() })
    }

    fn turn(&mut self, round: usize, chosen: &Chosen, at: usize) -> Result<Turn> {
        let server = self.contests[0].pid(0).context("there is no server")?;
        let attached = Attached::start(chosen, at, server)?;
        let attach = attached.seconds();
        let mut times = [vec![None; self.plans.len()], vec![None; self.plans.len()]];
        for load in order::of_round(round, self.plans.len()) {
            for whose in order::of_round(round, times.len()) {
                let LoadPlan { transfer, fetches, .. } = &self.plans[load];
                let done = self.contests[whose].round(*transfer, fetches, self.mode)?;
                times[whose][load] = Some(Timed {
                    seconds: done.seconds,
                    server_cpu: done.server_cpu,
                    consumer_cpu: done.consumer_cpu,
                });
            }
        }
        let seen = attached.end()?;
        let expected = Expected {
            bytes: self.plans.iter().map(|plan| plan.fetches.payload).sum(),
            fetches: self.plans.iter().map(|plan| plan.fetches.fetches).sum(),
        };
        let [watched, neighbour] = times.map(|timed| timed.into_iter().flatten().collect());
        let (least, most) = chosen.rows[at].expected(&expected);
        let (seen, missed) = (seen.amount, seen.missed);
        Ok(Turn { attach, watched, neighbour, seen, least, most, missed })
    }
}

/// A turn in which nothing was seen.
const fn void() -> Turn {
    Turn {
        attach: 0.0,
        watched: Vec::new(),
        neighbour: Vec::new(),
        seen: 0,
        least: 1,
        most: None,
        missed: 0,
    }
}

/// A turn in a line.
fn in_words(turn: &Turn) -> String {
    let list = |times: &[Timed]| {
        let times: Vec<_> = times.iter().map(|timed| format!("{:.3}", timed.seconds)).collect();
        times.join(" ")
    };
    let counts = if turn.counts() { "" } else { ", VOID" };
    format!(
        "attached in {:.1} s; {} s, beside it {} s; saw {}{counts}",
        turn.attach,
        list(&turn.watched),
        list(&turn.neighbour),
        turn.seen
    )
}
