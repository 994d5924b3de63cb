//! What can be known to fail before anything is made, written or attached.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use super::temporary;
use crate::cli::WorkloadArgs;
use crate::fetch::log::MakeLog;
use crate::transfer::{TRANSFERS, TransferSpec};

/// Descriptors of a server or a consumer besides one for each connection.
const OTHER_DESCRIPTORS: u64 = 64;

/// Whether the workload can be: names, sizes, folders and connections.
///
/// # Errors
/// Names the option that is wrong, and what would do.
pub fn check(workload: &WorkloadArgs) -> Result<()> {
    once_each(workload.transfers.iter().map(|row| row.name))?;
    connections(workload.connections)?;
    let Some(folder) = to_be_made(workload.log_dir.as_deref())? else { return Ok(()) };
    let (bytes, batch) = (workload.bytes, MakeLog::DEFAULT.batch_bytes as u64);
    ensure!(bytes >= batch, "--bytes {bytes} is less than one batch of records, {batch} bytes");
    let batches = bytes.div_ceil(batch);
    let connections = workload.connections;
    ensure!(
        u64::from(connections) <= batches,
        "--connections {connections} is more than --bytes {bytes} has batches of records \
         ({batches}), and each connection fetches one at least"
    );
    let chosen = &workload.transfers;
    let chosen = if chosen.is_empty() { TRANSFERS.iter().collect() } else { chosen.clone() };
    let replica = if chosen.into_iter().any(TransferSpec::writes_replicas) { bytes } else { 0 };
    room(&folder, bytes.saturating_add(replica))
}

/// Whether no name stands twice.
///
/// # Errors
/// The one that does.
pub fn once_each(names: impl Iterator<Item = &'static str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        ensure!(seen.insert(name), "--transfer names {name} twice");
    }
    Ok(())
}

/// Whether a process may have so many connections.
///
/// # Errors
/// The limit.
pub fn connections(wanted: u32) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("reading a limit")?;
    let most = most.saturating_sub(OTHER_DESCRIPTORS);
    ensure!(
        u64::from(wanted) <= most,
        "--connections {wanted} is more than the limit on open files allows ({most}); see ulimit -n"
    );
    Ok(())
}

/// The folder in which a log will be made, if one will; its parent is there.
///
/// # Errors
/// It is not.
pub fn to_be_made(log_dir: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(folder) = log_dir else { return Ok(Some(temporary::PARENT.into())) };
    if folder.exists() {
        let is_empty =
            folder.is_dir() && fs::read_dir(folder).is_ok_and(|mut it| it.next().is_none());
        return Ok(is_empty.then(|| folder.to_owned()));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    ensure!(
        parent.is_dir(),
        "--log-dir {}: there is no folder {} to make it in",
        folder.display(),
        parent.display()
    );
    Ok(Some(parent.to_owned()))
}

/// Whether so many bytes fit where a folder is.
///
/// # Errors
/// They do not.
pub fn room(folder: &Path, bytes: u64) -> Result<()> {
    let room = statvfs(folder).with_context(|| format!("looking at {}", folder.display()))?;
    let free = room.blocks_available().saturating_mul(room.fragment_size());
    ensure!(
        bytes <= free,
        "--bytes asks for {} MiB of log in {}, which has {} MiB left; ask for fewer, or name \
         another place by --log-dir",
        bytes >> 20,
        folder.display(),
        free >> 20
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_made_only_where_there_is_a_folder_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = |path: &Path| to_be_made(Some(path));
        assert_eq!(made(folder.path()).expect("empty"), Some(folder.path().to_owned()));
        let new = folder.path().join("log");
        assert_eq!(made(&new).expect("new"), Some(folder.path().to_owned()));
        let deep = made(&new.join("deep")).unwrap_err().to_string();
        assert!(deep.contains("there is no folder"), "{deep}");
        assert!(!new.exists(), "something was made");
        fs::write(&new, "").expect("written");
        assert_eq!(made(&new).expect("a file"), None);
        assert_eq!(made(folder.path()).expect("not empty"), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        room(Path::new("/"), 0).expect("nothing fits");
        let error = room(Path::new("/"), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("MiB left") && error.contains("--log-dir"), "{error}");
        connections(1).expect("one can be made");
        connections(u32::MAX).unwrap_err();
        once_each(["a", "b"].into_iter()).expect("once each");
        once_each(["a", "a"].into_iter()).unwrap_err();
    }
}
