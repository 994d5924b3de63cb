//! Pure: what storage did to bring the bytes into the page cache, against a claim that begins at
//! storage.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Iter, Process};

use super::tolerance::beyond_tolerance;
use super::{Finding, Reason};
use crate::claim::Claim;
use crate::ledger::{Ledger, sum};
use crate::run::{Cache, Pass, StorageLayer};
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
    let finding = |disposition, bytes, at| Finding {
        instrument: Instrument::Callers,
        hop: HOP,
        disposition,
        bytes,
        claimed: 0,
        payload: ledger.payload,
        at,
    };
    let mut findings: Vec<_> = storage
        .by_cpu
        .iter()
        .map(|(layer, what, how, source)| {
            finding(*what, filled, format!("{layer} {how}, {source}"))
        })
        .collect();
    let read = loop_reads(pass);
    let is_loop = layers.iter().any(|layer| layer.kind.starts_with("loop"));
    if findings.is_empty() && is_loop && beyond_tolerance(read, ledger.payload) {
        let at = "a kernel thread reads the page cache below the loop device".to_owned();
        findings.push(finding(Disposition::Copied, read, at));
    }
    let reasons = storage.unknown.iter().map(|layer| Reason::UnknownFiller(layer.to_string()));
    (findings, reasons.collect())
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
