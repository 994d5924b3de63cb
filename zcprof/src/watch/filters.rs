//! Whom each option means that names processes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::processes::{self, RunningProcess};
use crate::cli;
use crate::probe::{Adopt, CGROUPS, kept_name};

/// The processes of `--pid`, with their descendants; none if no number was given.
pub(super) fn by_number(
    options: &cli::WatchArgs,
    all: &[RunningProcess],
    described: &mut Vec<String>,
) -> Result<Option<BTreeSet<u32>>> {
    for pid in &options.pids {
        let Some(process) = processes::one(*pid) else {
            bail!(
                "there is no process {pid} (in this pid namespace; of a thread give its process)"
            );
        };
        described.push(format!("pid {pid} ({})", process.name));
    }
    let given = (!options.pids.is_empty()).then_some(&options.pids);
    Ok(given.map(|pids| processes::with_descendants(pids, all)))
}

/// Those that `--comm` names.
pub(super) fn by_name(
    options: &cli::WatchArgs,
    all: &[RunningProcess],
    described: &mut Vec<String>,
) -> Option<BTreeSet<u32>> {
    described.extend(options.programs.iter().map(|name| format!("program {name}")));
    let kept: Vec<String> = options.programs.iter().map(|name| kept_name(name)).collect();
    let of_them = all.iter().filter(|process| kept.contains(&process.name));
    (!kept.is_empty()).then(|| of_them.map(|process| process.pid).collect())
}

/// Those that run a file of `--exe`.
pub(super) fn by_file(
    options: &cli::WatchArgs,
    described: &mut Vec<String>,
) -> Result<Option<BTreeSet<u32>>> {
    let mut found = BTreeSet::new();
    for path in &options.files {
        let holders = processes::running(path)?;
        ensure!(!holders.is_empty(), "no process runs {}", path.display());
        found.extend(holders);
        described.push(path.display().to_string());
    }
    Ok((!options.files.is_empty()).then_some(found))
}

/// Processes that nobody named, of `--all`, `--cgroup` and `--unit`.
pub(super) fn adopted(
    options: &cli::WatchArgs,
    described: &mut Vec<String>,
) -> Result<Option<Adopt>> {
    if options.all {
        described.push("every process".to_owned());
        return Ok(Some(Adopt::All));
    }
    let folder = match (&options.cgroup, &options.unit) {
        (Some(folder), _) => folder.clone(),
        (None, Some(unit)) => match processes::control_group_of(unit) {
            Ok(folder) => PathBuf::from(folder),
            Err(why) => bail!("{why}"),
        },
        (None, None) => return Ok(None),
    };
    described.push(format!("control group {}", folder.display()));
    let group = below_cgroups(&folder);
    let own = processes::own_control_group();
    if own.is_some_and(|own| is_within(&own, &group)) {
        let outside = "start zcprof outside of it (systemd-run --scope does)";
        ensure!(
            options.load.is_none(),
            "the load of --while would be in the control group {}, as zcprof is, and so be watched; \
             {outside}, or watch --all",
            folder.display()
        );
        log::warn!(
            "zcprof itself is in the control group {}, and is watched with it; {outside}",
            folder.display()
        );
    }
    Ok(Some(Adopt::Cgroup(group)))
}

/// Whether a control group is this one or below it, both by their folders.
fn is_within(own: &Path, group: &Path) -> bool {
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    real(own).starts_with(real(group))
}

/// A control group's folder, given as that or as `/proc/PID/cgroup` names it.
fn below_cgroups(folder: &Path) -> PathBuf {
    if folder.starts_with(CGROUPS) {
        return folder.to_owned();
    }
    Path::new(CGROUPS).join(folder.strip_prefix("/").unwrap_or(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_is_within_those_above_it() {
        let within = |own: &str, group: &str| is_within(Path::new(own), Path::new(group));
        assert!(within("/no/user.slice", "/no/user.slice"));
        assert!(within("/no/user.slice/user-1000.slice", "/no/user.slice"));
        assert!(!within("/no/user.slice", "/no/user.slice/user-1000.slice"));
        assert!(!within("/no/user.slice-2", "/no/user.slice"));
    }
}
