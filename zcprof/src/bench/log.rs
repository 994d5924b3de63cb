//! The log that every contestant serves, and what is fetched of it.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::fetch::consumer::{Share, equal_shares};
use crate::fetch::log::{Log, MakeLog, make_unless};
use crate::measure::Temporary;
use crate::measure::interrupt::interrupted;

/// Records that make a batch of a little less than 4 KiB, so that the smallest fetches are full.
const BATCH: MakeLog = MakeLog {
    bytes: 0,
    segment_bytes: 1 << 30,
    batch_bytes: 4 * 956,
    record_bytes: 956,
    seed: 1,
    ..MakeLog::DEFAULT
};

/// Most fetches of one contestant in one round, so that small ones do not take for ever.
const FETCHES: u64 = 8192;

/// A log, which is removed again if it was made here.
pub(super) struct Served {
    pub(super) log: Log,
    _temporary: Option<Temporary>,
}

/// What one round fetches.
pub(super) struct RoundPlan {
    pub(super) shares: Vec<Share>,
    pub(super) payload: u64,
    pub(super) fetches: u64,
}

impl Served {
    /// Makes a log of so many bytes, or opens the one that is in the folder.
    pub(super) fn open(folder: Option<&Path>, bytes: u64) -> Result<Self> {
        let (partition, temporary) = if let Some(folder) = folder {
            (folder.join("zcprof-0"), None)
        } else {
            let temporary = Temporary::new()?;
            (temporary.path().join("zcprof-0"), Some(temporary))
        };
        if !partition.exists() {
            make_unless(&partition, &MakeLog { bytes, ..BATCH }, &interrupted)?;
        }
        let log = Log::open(&partition)?;
        ensure!(
            log.bytes() >= bytes,
            "the log in {} holds {} record bytes, fewer than --bytes {bytes}",
            partition.display(),
            log.bytes()
        );
        Ok(Self { log, _temporary: temporary })
    }

    /// The folder of the segments.
    pub(super) fn folder(&self) -> PathBuf {
        self.log.folder().to_owned()
    }

    /// Equal shares for so many connections, of `bytes` in all: less if that were too many
    /// fetches, more if each connection had less than one.
    pub(super) fn plan(&self, connections: u32, bytes: u64, fetch_size: u64) -> Result<RoundPlan> {
        let longest = self.log.batches().iter().map(|batch| batch.length).max().unwrap_or(0);
        ensure!(
            longest <= fetch_size,
            "a batch of {longest} bytes does not fit into a fetch of {fetch_size}; choose larger \
             fetches or another log"
        );
        let all = (bytes / fetch_size).min(FETCHES);
        let each = usize::try_from(all / u64::from(connections))?.max(1);
        let shares = equal_shares(&self.log, connections, each, fetch_size)?;
        let payload = shares.iter().map(|share| share.bytes).sum();
        let fetches = shares.iter().map(|share| share.fetches.len() as u64).sum();
        Ok(RoundPlan { shares, payload, fetches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every zcprof removes logs that a killed one left; one that is being served is none of these.
    #[test]
    fn a_log_is_there_as_long_as_it_is_served() {
        let served = Served::open(None, 64 << 10).expect("a log");
        drop(Temporary::new().expect("another's"));
        let folder = served.folder();
        assert!(folder.exists(), "another zcprof has removed it");
        drop(served);
        assert!(!folder.exists(), "it is left behind");
    }
}
