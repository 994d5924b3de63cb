//! Which leaves nothing in a measurement can reach, and why not.

use anyhow::Result;
use zcprof_common::vocabulary::Need;

use super::bench::TestBench;
use crate::fetch::consumer::mode::ModeSpec;
use crate::transfer::TransferSpec;

/// What cannot be, with the reason.
///
/// # Errors
/// The devices' features or the mounts cannot be read.
pub(super) fn unneeded(
    bench: &TestBench,
    rows: &[&TransferSpec],
    receive: &[&ModeSpec],
) -> Result<Vec<(Need, String)>> {
    let udp = [Need::Checksums, Need::Datagrams];
    let mut unneeded = udp.map(|need| (need, "the workload sends no UDP".to_owned())).to_vec();
    if !rows.iter().any(|row| row.writes_files()) {
        unneeded.push((Need::Writes, "no transfer that is measured writes a file".to_owned()));
    }
    if receive.is_empty() {
        unneeded.push((Need::Receives, "the consumer receives by copy alone".to_owned()));
    }
    if let Some(reason) = bench.network.without_nocache()? {
        unneeded.push((Need::NocacheDevice, reason));
    }
    if !bench.is_on_fuse() {
        unneeded.push((Need::Process, "no process serves the log's files".to_owned()));
    }
    let file_system = bench.file_system();
    if !bench.storage.is_dax {
        unneeded.push((Need::Dax, format!("the log's {file_system} is not mounted with dax")));
    }
    if !bench.storage.has("proc") {
        let reason = format!("the log is on {file_system} and not in /proc");
        unneeded.push((Need::KernelMemory, reason));
    }
    Ok(unneeded)
}
