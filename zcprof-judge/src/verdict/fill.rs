//! Pure: what storage did to bring the bytes into the page cache, against a claim that begins at
//! storage.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Iter, Process};

use super::tolerance::beyond_tolerance;
use super::{Finding, Reason};
use crate::claim::Claim;
use crate::ledger::{Ledger, sum};
use crate::run::{Cache, Doubt, Pass, StorageLayer};
use crate::storage::Storage;
use crate::syscall::InSyscall;

/// The hop at which storage fills.
const HOP: Hop = Hop::StorageToPageCache;

/// Sites at which a loop device's worker copies from the page cache of the file below it. It runs
/// in a kernel thread, so that no system call is named (`lo_rw_aio()`, drivers/block/loop.c, 6.12).
const LOOP_READS: &[&str] = &["filemap_read", "shmem_file_read_iter"];

/// Findings and reasons, if the claim has a say in how the page cache was filled.
pub(super) fn judge(
    claim: &Claim,
    pass: &Pass,
    ledger: &Ledger,
    layers: &[StorageLayer],
) -> (Vec<Finding>, Vec<Reason>) {
    let filled = filled(pass, ledger);
    if !claim.from_storage || !beyond_tolerance(filled, ledger.payload) {
        return (Vec::new(), Vec::new());
    }
    if layers.is_empty() {
        return (Vec::new(), vec![Reason::UnknownFiller("what stores the log is not said".into())]);
    }
    let storage = Storage::of(layers);
    let finding =
        |(layer, disposition, how, source): &(&StorageLayer, Disposition, &str, &str)| Finding {
            instrument: Instrument::Callers,
            hop: HOP,
            disposition: *disposition,
            bytes: filled,
            claimed: 0,
            payload: ledger.payload,
            at: format!("{layer} {how}, {source}"),
        };
    let findings: Vec<_> = storage.by_cpu.iter().map(finding).collect();
    let read = loop_reads(pass);
    let is_loop = layers.iter().any(|layer| layer.kind.starts_with("loop"));
    let mut reasons: Vec<_> =
        storage.unknown.iter().map(|layer| Reason::UnknownFiller(layer.to_string())).collect();
    // It says that it reads past the page cache; the worker that does not may be another device's.
    if findings.is_empty() && is_loop && beyond_tolerance(read, ledger.payload) {
        reasons.push(Reason::UnknownFiller(format!(
            "the worker of a loop device, the log's or another, copied {read} bytes out of the page cache"
        )));
    }
    (findings, reasons)
}

/// What the CPU copied of what FUSE daemons answered, if the claim has a say in it. Whose mount an answer
/// is for no site tells (`fuse_dev_do_write()`, fs/fuse/dev.c, 6.12): only what pages that were moved
/// cannot have filled was certainly copied for the log.
pub(super) fn answered(
    claim: &Claim,
    pass: &Pass,
    ledger: &Ledger,
    layers: &[StorageLayer],
) -> (Option<Finding>, Option<Reason>) {
    let by_callers = |what| ledger.account(Instrument::Callers).bytes(Process::Server, HOP, what);
    let (copied, moved) = (by_callers(Disposition::Copied), by_callers(Disposition::Moved));
    if !claim.from_storage || !beyond_tolerance(copied, ledger.payload) {
        return (None, None);
    }
    let of_the_log =
        if Storage::of(layers).is_of_processes_alone() { entered(pass, ledger) } else { 0 };
    let certain = copied.min(of_the_log.saturating_sub(moved));
    if beyond_tolerance(certain, ledger.payload) {
        let place = (Instrument::Callers, HOP, Disposition::Copied);
        return (Some(Finding::of(ledger, place, certain, 0)), None);
    }
    let why = format!(
        "of what FUSE daemons answered, {copied} bytes were copied and {moved} bytes moved, and what \
         was copied may have been for another mount than the log's"
    );
    (None, Some(Reason::UnknownFiller(why)))
}

/// Bytes of the log that entered the page cache, at least.
fn entered(pass: &Pass, ledger: &Ledger) -> u64 {
    let is_doubted = pass.doubts.iter().any(|doubt| matches!(doubt, Doubt::CacheState { .. }));
    match pass.cache {
        Cache::Cold | Cache::Uncached if !is_doubted => ledger.payload,
        _ => {
            let filled = ledger.account(Instrument::Syscalls);
            filled.bytes(Process::Server, HOP, Disposition::Filled).min(ledger.payload)
        }
    }
}

/// Bytes that storage brought: all of the payload if nothing was resident, by any count.
fn filled(pass: &Pass, ledger: &Ledger) -> u64 {
    if pass.cache == Cache::Cold {
        return ledger.payload;
    }
    let seen = |instrument, what| ledger.account(instrument).bytes(Process::Server, HOP, what);
    let by_process = seen(Instrument::Callers, Disposition::Copied);
    seen(Instrument::Syscalls, Disposition::Filled).max(by_process)
}

/// Bytes that kernel threads read from the page cache into other pages of it.
fn loop_reads(pass: &Pass) -> u64 {
    let of_a_thread = pass.counts.iter().filter(|count| {
        LOOP_READS.contains(&count.site.as_str())
            && (count.process, count.iter) == (Process::Elsewhere, Iter::Kernel)
            && count.syscall == InSyscall::None
    });
    sum(of_a_thread.map(|count| count.bytes))
}
