//! Pure: many runs beside each other, by kernel, file system, CPUs and network, and how far each
//! number is from what is known before it is measured.

mod truth;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::sites::Site;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Need, Process};

pub use self::truth::{Known, known};
use crate::ledger::{Ledger, sum};
use crate::run::{Cache, Pass, Run};
use crate::storage::Storage;
use crate::verdict::{self, Exit, Judgement, Reason, Unknown, Verdict};

/// Verdicts' names in a record.
const HOLDS: &str = "holds";
const REFUTED: &str = "refuted";
const INCONCLUSIVE: &str = "inconclusive";

/// Version of this record's form. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// Every cell of a matrix. Written once, read by its reports alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("$id" = "zcprof.matrix/1"))]
pub struct Matrix {
    /// Version of this record's form, [`SCHEMA`].
    pub schema: u32,
    /// Version of zcprof that wrote it.
    pub zcprof: String,
    /// One entry per pass of each run, in the order of the runs.
    pub cells: Vec<MatrixCell>,
    /// What was not measured.
    pub skipped: Vec<NotMeasured>,
}

/// Where a cell was measured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// `uname -r`.
    pub kernel: String,
    /// File system of the segments, as /proc/self/mounts names it, and the layer below it at which the
    /// CPU writes every byte: `ext4 on dm-crypt`.
    pub file_system: String,
    /// CPUs online when the run began.
    pub cpus: u32,
    /// The network's name, as on the command line.
    pub network: String,
}

/// A transfer in a setting, with the page cache warm or cold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cell")]
pub struct MatrixCell {
    /// Where.
    pub setting: Setting,
    /// The transfer's name.
    pub transfer: String,
    /// State of the page cache when the pass began.
    pub cache: Cache,
    /// Payload bytes that the consumer received.
    pub payload: u64,
    /// What the audit saw the server copy, in bytes; `None` if it could not look.
    pub audit_copied: Option<u64>,
    /// Whether the audit watched the leaf that copies from one file's page cache into another's.
    #[serde(default)]
    pub audit_between_files: bool,
    /// What the callers saw; `None` if they could not look.
    pub callers: Option<Numbers>,
    /// What the ledger cannot explain, of the worse instrument of those that looked, in bytes;
    /// `None` if none did.
    pub residual: Option<u64>,
    /// What is known before it is measured; `None` where nobody can.
    pub known: Option<Known>,
    /// The largest difference between a number and what is known, in bytes; `None` if there is
    /// nothing to compare.
    pub off: Option<u64>,
    /// Name of the claim.
    pub claim: String,
    /// `holds`, `refuted` or `inconclusive`.
    pub verdict: String,
    /// `holds` or `refuted`: what the verdict must be by what is known beforehand; `None` where nobody
    /// can know, and in records of before.
    #[serde(default)]
    pub expected: Option<String>,
    /// What speaks against the claim, with codes; empty if it holds.
    pub why: Vec<String>,
    /// The codes alone.
    pub codes: Vec<String>,
}

/// What the callers saw happen to the server's bytes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Numbers {
    /// By the CPU, at once.
    pub copied: u64,
    /// Of these, from one file's page cache into another's.
    pub between_files: u64,
    /// Page cache to socket, by reference.
    pub moved: u64,
    /// User memory to socket, by reference.
    pub pinned: u64,
    /// Below the socket, later.
    pub deferred: u64,
    /// Encrypted into new pages.
    pub transformed: u64,
}

/// A transfer that a run did not measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotMeasured {
    /// Where.
    pub setting: Setting,
    /// The transfer's name.
    pub transfer: String,
    /// What is lacking.
    pub reason: String,
}

impl Matrix {
    /// Judges the runs.
    ///
    /// # Errors
    /// A claim that this version does not know, or a pass without one.
    pub fn of(runs: &[Run]) -> Result<Self, Unknown> {
        let (mut cells, mut skipped) = (Vec::new(), Vec::new());
        for run in runs {
            let setting = Setting::of(run);
            for (judgement, pass) in verdict::judge(run)?.iter().zip(&run.passes) {
                cells.push(MatrixCell::of(run, &setting, judgement, pass));
            }
            skipped.extend(run.skipped.iter().map(|one| NotMeasured {
                setting: setting.clone(),
                transfer: one.transfer.clone(),
                reason: one.reason.clone(),
            }));
        }
        let zcprof = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { schema: SCHEMA, zcprof, cells, skipped })
    }

    /// `Refuted` if a number is off, or a verdict is another than what is known demands;
    /// `Inconclusive` if something could not be judged, or nothing was.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.cells.iter().any(|cell| cell.is_false() || cell.is_off()) {
            Exit::Refuted
        } else if self.cells.is_empty() || self.cells.iter().any(|c| c.verdict == INCONCLUSIVE) {
            Exit::Inconclusive
        } else {
            Exit::Holds
        }
    }
}

impl Setting {
    fn of(run: &Run) -> Self {
        let mut file_system = run.workload.file_system.clone();
        for (layer, ..) in Storage::of(&run.workload.storage).by_cpu {
            if layer.kind != run.workload.file_system {
                file_system = format!("{file_system} on {}", layer.kind);
            }
        }
        Self {
            kernel: run.kernel.release.clone(),
            file_system,
            cpus: run.kernel.cpus,
            network: run.workload.network_name.clone(),
        }
    }
}

impl MatrixCell {
    fn of(run: &Run, setting: &Setting, judgement: &Judgement, pass: &Pass) -> Self {
        let looked = |instrument| !is_blind(&judgement.verdict, instrument);
        let ledger = &judgement.ledger;
        let audit = ledger.account(Instrument::Audit).copied(Process::Server);
        let audit_copied = looked(Instrument::Audit).then_some(audit);
        let callers = looked(Instrument::Callers).then(|| Numbers::of(ledger));
        let file_system = &run.workload.file_system;
        let known = truth::known(&judgement.transfer, file_system, &setting.network);
        let fills = Storage::of(&run.workload.storage);
        let from_storage = judgement.claim.from_storage && judgement.cache == Cache::Cold;
        let expected = known.map(|_| truth::expected(from_storage, &fills).to_owned());
        let mut leaves = pass.leaves.iter().flatten().filter_map(|leaf| Site::find(leaf));
        let audit_between_files = leaves.any(|(_, site)| site.need == Need::Writes);
        let seen = truth::Observation { audit_copied, audit_between_files, callers };
        let off = known.and_then(|known| known.off(ledger.payload, seen));
        let both = [Instrument::Audit, Instrument::Callers].into_iter().filter(|i| looked(*i));
        Self {
            setting: setting.clone(),
            transfer: judgement.transfer.clone(),
            cache: judgement.cache,
            payload: ledger.payload,
            audit_copied,
            audit_between_files,
            callers,
            residual: both.map(|instrument| ledger.residual(instrument)).max(),
            known,
            off,
            claim: judgement.claim.name.to_owned(),
            verdict: judgement.verdict.name().to_owned(),
            expected,
            why: judgement.why().iter().map(ToString::to_string).collect(),
            codes: judgement.codes().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether a number differs from what is known by more than the tolerance.
    #[must_use]
    pub fn is_off(&self) -> bool {
        let beyond = |bytes| verdict::beyond_tolerance(bytes, self.payload);
        self.off.is_some_and(beyond)
    }

    /// Whether the verdict is another than what is known demands. Nothing is false of what could not be
    /// judged; what is refuted for another reason than it must be is.
    #[must_use]
    pub fn is_false(&self) -> bool {
        let demanded = match self.expected.as_deref() {
            Some(demanded) => demanded,
            None if self.known.is_some() => HOLDS,
            None => return false,
        };
        let by_storage = |code: &String| truth::BY_STORAGE.contains(&code.as_str());
        let elsewhere = self.verdict == REFUTED && !self.codes.iter().all(by_storage);
        self.verdict != INCONCLUSIVE && (self.verdict != demanded || elsewhere)
    }

    /// Whether it is refuted, and must be.
    #[must_use]
    pub fn is_refuted_as_known(&self) -> bool {
        self.verdict == REFUTED && self.expected.is_some() && !self.is_false()
    }

    /// Copies of payload bytes on the server, at once and later, as far as they were seen.
    #[must_use]
    pub fn copied(&self) -> Option<u64> {
        match (self.callers, self.audit_copied) {
            (Some(callers), audit) => {
                let unseen = if self.audit_between_files { 0 } else { callers.between_files };
                let audit = audit.map_or(0, |bytes| bytes.saturating_add(unseen));
                Some(callers.copied.max(audit).saturating_add(callers.deferred))
            }
            (None, audit) => audit,
        }
    }
}

impl Numbers {
    fn of(ledger: &Ledger) -> Self {
        let callers = ledger.account(Instrument::Callers);
        let all_hops = |what: Disposition| {
            sum(Hop::ALL.iter().map(|hop| callers.bytes(Process::Server, *hop, what)))
        };
        Self {
            copied: callers.copied(Process::Server),
            between_files: callers.bytes(
                Process::Server,
                Hop::PageCacheToPageCache,
                Disposition::Copied,
            ),
            moved: ledger.handed_over(Hop::PageCacheToSocket),
            pinned: ledger.handed_over(Hop::UserToSocket),
            deferred: all_hops(Disposition::Deferred),
            transformed: all_hops(Disposition::Transformed),
        }
    }
}

/// Whether an instrument's numbers mean nothing.
fn is_blind(verdict: &Verdict, instrument: Instrument) -> bool {
    let Verdict::Inconclusive(reasons) = verdict else { return false };
    reasons.iter().any(|reason| match reason {
        Reason::NotWatching(blind, _) | Reason::ControlFailed(blind, _) => *blind == instrument,
        Reason::NoPayload | Reason::PayloadUnverified | Reason::Doubt(_) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(off: Option<u64>, verdict: &str) -> MatrixCell {
        MatrixCell {
            setting: Setting {
                kernel: "6.12".to_owned(),
                file_system: "ext4".to_owned(),
                cpus: 2,
                network: "loopback".to_owned(),
            },
            transfer: "sendfile".to_owned(),
            cache: Cache::Warm,
            payload: 1_000_000,
            audit_copied: Some(0),
            audit_between_files: false,
            callers: Some(Numbers { moved: 1_000_000, ..Numbers::default() }),
            residual: Some(0),
            known: None,
            off,
            claim: "zero-copy".to_owned(),
            verdict: verdict.to_owned(),
            expected: None,
            why: Vec::new(),
            codes: Vec::new(),
        }
    }

    fn exit(cells: Vec<MatrixCell>) -> Exit {
        let (zcprof, skipped) = (String::new(), Vec::new());
        Matrix { schema: SCHEMA, zcprof, cells, skipped }.exit()
    }

    #[test]
    fn one_number_that_is_off_spoils_the_matrix() {
        assert_eq!(exit(vec![cell(Some(1_000), "holds")]), Exit::Holds);
        assert_eq!(exit(vec![cell(Some(1_001), "holds")]), Exit::Refuted);
    }

    #[test]
    fn what_was_not_judged_is_no_success() {
        assert_eq!(exit(Vec::new()), Exit::Inconclusive);
        let cells = || vec![cell(None, "holds"), cell(None, "inconclusive")];
        assert_eq!(exit(cells()), Exit::Inconclusive);
        let refuted = |known| MatrixCell { known, ..cell(None, "refuted") };
        let exit_with = |known| exit([cells(), vec![refuted(known)]].concat());
        assert_eq!(exit_with(Some(Known::default())), Exit::Refuted);
        assert_eq!(exit_with(None), Exit::Inconclusive, "nobody knows what is true there");
    }

    #[test]
    fn copies_are_those_of_the_instrument_that_saw_more_and_the_later_ones() {
        let mut cell = cell(None, "holds");
        let numbers = Numbers { copied: 5, between_files: 3, deferred: 100, ..Numbers::default() };
        (cell.audit_copied, cell.callers) = (Some(4), Some(numbers));
        assert_eq!(cell.copied(), Some(107));
        cell.audit_between_files = true;
        assert_eq!(cell.copied(), Some(105));
        cell.callers = None;
        assert_eq!(cell.copied(), Some(4));
        cell.audit_copied = None;
        assert_eq!(cell.copied(), None);
    }

    /// A cold cell whose claim begins at storage that the CPU reads.
    fn on_storage(expected: &str, verdict: &str, codes: &[&str]) -> MatrixCell {
        MatrixCell {
            known: Some(Known::default()),
            expected: Some(expected.to_owned()),
            codes: codes.iter().map(|code| (*code).to_owned()).collect(),
            ..cell(Some(0), verdict)
        }
    }

    #[test]
    fn what_storage_refutes_as_it_must_is_no_failure() {
        let as_known = on_storage("refuted", "refuted", &["ZC119"]);
        assert!(as_known.is_refuted_as_known() && !as_known.is_false());
        assert_eq!(exit(vec![as_known]), Exit::Holds);
        // It was not seen that the loop device copies: a false zero.
        let missed = on_storage("refuted", "holds", &[]);
        assert!(missed.is_false());
        assert_eq!(exit(vec![missed]), Exit::Refuted);
        // Refuted, and not by what storage does.
        let elsewhere = on_storage("refuted", "refuted", &["ZC103"]);
        assert!(elsewhere.is_false() && !elsewhere.is_refuted_as_known());
        let both = on_storage("refuted", "refuted", &["ZC119", "ZC103"]);
        assert!(both.is_false());
        // On a device nothing may refute it.
        let on_a_device = on_storage("holds", "refuted", &["ZC119"]);
        assert!(on_a_device.is_false());
        let unjudged = on_storage("refuted", "inconclusive", &["ZC203"]);
        assert!(!unjudged.is_false());
        assert_eq!(exit(vec![unjudged]), Exit::Inconclusive);
    }
}
