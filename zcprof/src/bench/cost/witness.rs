//! Reads out of what a tracer wrote how much it has seen of the loads.

use anyhow::{Context as _, Result};
use zcprof_judge::record;
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::{Watch, so_far};

/// What there was to be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Bytes that the watched server sent.
    pub(super) bytes: u64,
    /// Fetches that it answered.
    pub(super) fetches: u64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WitnessedAmount {
    pub(super) amount: u64,
    pub(super) missed: u64,
}

/// All payload, and headers beside it: but not as much again, which the neighbour sent.
pub(super) fn bytes(loads: &Expected) -> (u64, Option<u64>) {
    (loads.bytes, Some(loads.bytes / 2 * 3))
}

/// Each fetch takes a call at least.
pub(super) fn calls(loads: &Expected) -> (u64, Option<u64>) {
    (loads.fetches, None)
}

/// The record behind the load's own line: bytes that were sent, and runs that were missed.
pub(super) fn zcprof(out: &str, _: &str) -> Result<WitnessedAmount> {
    let (_, text) = out.split_once('\n').context("no record")?;
    let watch: Watch = record::read(text.as_bytes())?;
    let missed = watch.doubts.iter().map(|doubt| match doubt {
        Doubt::Missed { runs, .. } => *runs,
        _ => 0,
    });
    Ok(WitnessedAmount { amount: so_far(&watch.counts, watch.direction).0, missed: missed.sum() })
}

/// `@[fentry:vmlinux:tcp_push]: 512`, a line for each function.
pub(super) fn bpftrace(out: &str) -> Result<WitnessedAmount> {
    let mut amount = 0;
    for line in out.lines().filter(|line| line.starts_with("@[")) {
        let (_, count) = line.rsplit_once(": ").context("a line without a count")?;
        amount += count.trim().parse::<u64>().with_context(|| line.to_owned())?;
    }
    Ok(WitnessedAmount { amount, missed: 0 })
}

/// ` server (812), 1030 events, 100.0%`, a line for each thread; every call is two events.
pub(super) fn perf(said: &str) -> Result<WitnessedAmount> {
    let mut events = 0;
    for line in said.lines() {
        let Some((before, _)) = line.split_once(" events, ") else { continue };
        let number = before.rsplit(", ").next().unwrap_or_default();
        events += number.trim().parse::<u64>().with_context(|| line.to_owned())?;
    }
    Ok(WitnessedAmount { amount: events / 2, missed: 0 })
}

/// `[pid 812] sendfile(9, 8, [0] => [1048576], 1048576) = 1048576`, a line for each call; a call that
/// another thread interrupts has a second line, `<... sendfile resumed>`.
pub(super) fn strace(err: &str) -> WitnessedAmount {
    let sends = |line: &&str| ["sendfile(", "write("].iter().any(|call| line.contains(call));
    WitnessedAmount { amount: err.lines().filter(sends).count() as u64, missed: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tracers_write_is_counted() {
        let said = "Attaching 4 probes...\n\n\n@[fentry:vmlinux:tcp_push]: 512\n\
                    @[fentry:vmlinux:rw_verify_area]: 1024\n";
        assert_eq!(bpftrace(said).expect("counts").amount, 1536);
        assert_eq!(bpftrace("Attaching 4 probes...\n").expect("none").amount, 0);
        bpftrace("@[tcp_push]: many\n").unwrap_err();

        let said = "\n Summary of events:\n\n server (812), 1030 events, 100.0%\n\n   syscall   calls\n\
                    \x20  sendfile64   512\n\n server (813), 2 events, 0.0%\n";
        assert_eq!(perf(said).expect("events").amount, 516);
        assert_eq!(perf("").expect("none").amount, 0);

        let said = "strace: Process 812 attached\n\
                    [pid   812] sendfile(9, 8, [0] => [4096], 4096) = 4096\n\
                    [pid   812] write(9, \"\\0\", 1 <unfinished ...>\n\
                    [pid   813] futex(0x7f, FUTEX_WAKE, 1) = 0\n\
                    [pid   812] <... write resumed>)      = 1\n";
        assert_eq!(strace(said).amount, 2);
    }

    #[test]
    fn what_the_neighbour_sent_is_too_much() {
        let (least, most) = bytes(&Expected { bytes: 100, fetches: 1 });
        let all = least..=most.expect("a bound");
        assert!(all.contains(&110) && !all.contains(&200));
        zcprof("armed\n{}", "").unwrap_err();
        zcprof("armed", "").unwrap_err();
    }
}
