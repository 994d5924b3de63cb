//! The log that a measurement serves: opened where there is one, else made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::interrupt::interrupted;
use crate::cli;
use crate::fetch::cache;
use crate::fetch::log::{Log, MakeLog, make_unless};
use crate::privilege::User;

/// Whether a log has a page cache. What sysfs makes up, or a device that is memory itself, has
/// none, though some of it can be mapped: it was read just now, and nothing of it is resident.
pub(super) fn is_cached(log: &Log) -> Result<bool> {
    cache::warm(log)?;
    Ok(cache::resident_pages(log).is_ok_and(|(resident, _)| resident > 0))
}

/// Opens the log in a folder, or any file, or makes a log where there is none.
pub(super) fn open_or_make(directory: &Path, options: &cli::WorkloadArgs) -> Result<Log> {
    if directory.is_file() {
        return Ok(Log::open(directory)?);
    }
    let empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            let what = format!("cannot read the log folder {}", directory.display());
            return Err(anyhow::Error::new(error).context(what));
        }
    };
    let partition = if empty {
        let wanted = MakeLog {
            bytes: options.bytes,
            segment_bytes: options.segment_bytes,
            ..MakeLog::default()
        };
        let partition = directory.join("zcprof-0");
        make_for_others(&partition, &wanted)?;
        partition
    } else {
        only_partition(directory)?
    };
    Ok(Log::open(&partition)?)
}

/// Makes a log that needs no privileges to be read: as the user whose folder it is to be in, if
/// there is such a one, who then owns it; else as this process's own, and gives it away.
fn make_for_others(partition: &Path, wanted: &MakeLog) -> Result<()> {
    if let Some(owner) = User::master_of(partition) {
        let made = owner.try_as(|| make_unless(partition, wanted, &interrupted).map(drop));
        return made.map_err(|why| {
            anyhow::anyhow!("making the log in {} as {owner}: {why}", partition.display())
        });
    }
    make_unless(partition, wanted, &interrupted)?;
    if let Some(user) = User::ordinary()
        && let Err(error) = user.own_all_in(partition)
    {
        log::info!("the log remains root's: {error:#}");
    }
    Ok(())
}

/// The folder itself if it holds segments, else its one topic-partition folder.
fn only_partition(directory: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let is_segment = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    if entries.iter().any(|entry| is_segment(&entry.path())) {
        return Ok(directory.to_owned());
    }
    let folders: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|p| p.is_dir()).collect();
    // mkfs leaves a folder of its own at the top of a new ext4.
    match folders.iter().filter(|p| !p.ends_with("lost+found")).collect::<Vec<_>>()[..] {
        [folder] => Ok(folder.clone()),
        _ => bail!(
            "{} holds neither segments nor one topic-partition folder; name an empty folder, or \
             one that a log was made in",
            directory.display()
        ),
    }
}
