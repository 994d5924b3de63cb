//! Passes: a known payload, and what the probes counted meanwhile.

use anyhow::{Context as _, Result};
use zcprof_common::vocabulary::Need;

use super::bench::TestBench;
use super::by_stack::ByStack;
use super::counted::{by_stack, leaf_stacks, record};
use super::fetching::Amount;
use super::no_payload::{named, named_of_foreign, said};
use super::repetition;
use crate::fetch::consumer::mode::ModeSpec;
use crate::probe::Probes;
use crate::run::{Cache, Doubt, Pass, Payload, Reception};
use crate::transfer::TransferSpec;

/// Most times that a pass is made, and the idle control. On a preemptible kernel (7.3) a tracing
/// program that is preempted keeps others of its kind from running on that CPU; the kernel counts
/// each that it skipped, and such a pass proves nothing.
const ATTEMPTS: usize = 5;

/// Measures one transfer, again if need be.
pub(super) fn pass(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
) -> Result<(Pass, ByStack)> {
    pass_until(bench, probes, row, cache, amount, |_| false)
}

/// The same, where a pass may be good enough although the probes missed runs in it.
pub(super) fn pass_until(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
    is_enough: impl Fn(&Pass) -> bool,
) -> Result<(Pass, ByStack)> {
    // Work that can reach more leaves than are watched at a time is done again for the others.
    let arises = |need| need != Need::Writes || row.writes_files();
    let mut whole: Option<(Pass, ByStack)> = None;
    for group in probes.groups(arises) {
        probes.turn_to(group)?;
        let mut by_stack = ByStack::default();
        let done = until_unmissed(&is_enough, || {
            let (pass, stacks) = attempt(bench, probes, row, cache, amount)
                .map_err(|error| bench.cause(error))
                .with_context(|| format!("{}, {}", row.name, cache.name()))?;
            by_stack = stacks;
            Ok(pass)
        })?;
        match &mut whole {
            None => whole = Some((done, by_stack)),
            // The callers are the first repetition's.
            Some((first, _)) => repetition::add(first, done),
        }
    }
    probes.turn_to(0)?;
    whole.context("there is no group of leaves")
}

/// Makes a pass until the probes missed nothing in it or it is good enough, or there were enough
/// attempts. The record keeps what was wrong with those before the last.
pub(super) fn until_unmissed(
    is_enough: impl Fn(&Pass) -> bool,
    mut attempt: impl FnMut() -> Result<Pass>,
) -> Result<Pass> {
    let is_void = |doubt: &Doubt| {
        matches!(doubt, Doubt::Missed { .. } | Doubt::UnwatchedCpu { .. } | Doubt::ProbeOff { .. })
    };
    let mut void = Vec::new();
    loop {
        let mut pass = attempt()?;
        if void.len() + 1 == ATTEMPTS || !pass.doubts.iter().any(is_void) || is_enough(&pass) {
            pass.void = void;
            return Ok(pass);
        }
        void.push(pass.doubts);
    }
}

fn attempt(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
) -> Result<(Pass, ByStack)> {
    let unprepared = bench.prepare(cache)?;
    probes.snapshot()?;
    log::info!("fetching: {}, {}", row.name, cache.name());
    let foreign = bench.is_foreign(amount);
    let mut outcome =
        if foreign { bench.fetch_by_kcat(row.name)? } else { bench.fetch(row.name, amount)?.0 };
    let snapshot = probes.snapshot()?;
    log::info!(
        "{} TCP segments were sent again so far",
        bench.server.worker.segments_sent_again()?
    );
    let mut pass = record(bench, row.name, cache, &snapshot);
    pass.leaves = vec![probes.leaves()];
    pass.leaf_stacks = leaf_stacks(bench, probes, &snapshot)?;
    let account = bench.server.account(row.name)?;
    pass.notices = account.notices;
    if foreign {
        (outcome.fetches, outcome.request_bytes) = (account.fetches, account.requests);
        outcome.header_bytes = account.encoded;
        pass.watched_consumer = false;
        pass.named = named_of_foreign(row, &outcome, &account, &pass);
    } else {
        pass.named = named(row, &outcome, account.iovecs, &pass);
    }
    if bench.is_reception() {
        pass.named.extend(said(bench.consumer.worker.said));
    }
    pass.payload = Payload {
        bytes: outcome.payload_bytes,
        fetches: outcome.fetches,
        verified: outcome.verified.is_right(),
    };
    pass.seconds = outcome.seconds;
    pass.doubts.extend(unprepared);
    Ok((pass, by_stack(bench, (row.name, cache), &snapshot)))
}

/// Measures how the consumer receives in a mode, by one transfer.
pub(super) fn reception(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    mode: &'static ModeSpec,
) -> Result<Reception> {
    let cache = bench.warmest();
    let (mut pass, _) =
        bench.receive_by(mode, |bench| pass(bench, probes, row, cache, Amount::Full))?;
    // It is no evidence of what the transfer promises.
    pass.claim = None;
    Ok(Reception {
        mode: mode.name.to_owned(),
        claim: mode.claim.name.to_owned(),
        sees: mode.sees,
        pass,
        result: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Notices;

    /// A pass by how many runs the probes missed in it.
    fn missed(runs: u64) -> Pass {
        let doubt = Doubt::Missed { site: "do_wp_page".to_owned(), runs };
        Pass {
            transfer: "idle".to_owned(),
            claim: None,
            cache: Cache::Warm,
            payload: Payload::default(),
            named: Vec::new(),
            counts: Vec::new(),
            exits: Vec::new(),
            syscalls: Vec::new(),
            notices: Notices::default(),
            doubts: if runs > 0 { vec![doubt] } else { Vec::new() },
            leaves: Vec::new(),
            leaf_stacks: Vec::new(),
            watched_consumer: true,
            seconds: 0.0,
            void: Vec::new(),
        }
    }

    #[test]
    fn a_pass_that_missed_runs_is_made_again_and_what_was_wrong_is_kept() {
        let mut missing = [4, 1, 0, 7].into_iter();
        let pass = until_unmissed(|_| false, || Ok(missed(missing.next().unwrap()))).unwrap();
        assert_eq!(pass.doubts, missed(0).doubts);
        assert_eq!(pass.void, [missed(4).doubts, missed(1).doubts]);
    }

    #[test]
    fn a_pass_that_always_misses_runs_stays_in_doubt() {
        let mut attempts = 0;
        let pass = until_unmissed(
            |_| false,
            || {
                attempts += 1;
                Ok(missed(1))
            },
        )
        .unwrap();
        assert_eq!((attempts, pass.void.len()), (ATTEMPTS, ATTEMPTS - 1));
        assert_eq!(pass.doubts, missed(1).doubts);
    }
}
