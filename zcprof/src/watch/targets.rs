//! Whom to watch: what was asked for, as processes that there are and as rules for those to come.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use zcprof_judge::watch::record::Of;

use super::processes;
use crate::cli;
use crate::probe::{Adopt, CGROUPS, Probes, kept_name};

/// Whom to watch.
pub(super) struct Targets {
    /// Processes that there are, their descendants not yet included.
    roots: Vec<u32>,
    /// Programs that are watched as soon as somebody runs them.
    pub(super) programs: Vec<String>,
    /// Processes that are watched from their next system call on.
    pub(super) adopt: Option<Adopt>,
    /// Ports whose processes are watched.
    ports: Vec<u16>,
    /// Ports that are told apart whatever they are.
    pub(super) told_apart: Vec<u16>,
    described: Vec<String>,
}

/// Times that the processes are listed again, until nothing changes.
const LISTINGS: usize = 100;

impl Targets {
    /// Finds them.
    ///
    /// # Errors
    /// There is no such process, control group or unit, or nobody is to be watched.
    pub(super) fn find(options: &cli::WatchArgs) -> Result<Self> {
        let mut found = Self {
            roots: Vec::new(),
            programs: options.programs.clone(),
            adopt: None,
            told_apart: told_apart(options),
            ports: options.ports.clone(),
            described: Vec::new(),
        };
        for pid in &options.pids {
            let Some(process) = processes::one(*pid) else {
                bail!(
                    "there is no process {pid} (in this pid namespace; of a thread give its process)"
                );
            };
            found.roots.push(*pid);
            found.described.push(format!("pid {pid} ({})", process.name));
        }
        let all = processes::all();
        for name in &options.programs {
            let kept = kept_name(name);
            let of_it = all.iter().filter(|process| process.name == kept);
            found.roots.extend(of_it.map(|process| process.pid));
            found.described.push(format!("program {name}"));
        }
        for path in &options.files {
            let holders = processes::running(path)?;
            ensure!(!holders.is_empty(), "no process runs {}", path.display());
            found.roots.extend(holders);
            found.described.push(path.display().to_string());
        }
        for port in &options.ports {
            let holders = processes::listening_at(*port);
            if holders.is_empty() {
                log::warn!("nobody listens at port {port} yet");
            }
            found.roots.extend(holders);
            found.described.push(format!("port {port}"));
        }
        found.adopt = adopted(options, &mut found.described)?;
        ensure!(
            !found.described.is_empty() || !options.command.is_empty(),
            "nobody to watch: give a command after --, or --pid, --comm, --exe, --port, --cgroup, --unit or --all"
        );
        Ok(found)
    }

    /// Has the probes watch the processes that there are, with their descendants. Forks are followed
    /// already, so that listing them until nothing new is found leaves nobody out.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn seed(&self, probes: &mut Probes, own: &[u32]) -> Result<()> {
        let mut known: Vec<(String, u32)> = Vec::new();
        for _ in 0..LISTINGS {
            let all = processes::all();
            let wanted = processes::with_descendants(&self.roots, &all);
            let watched: Vec<u32> = probes.watched()?.into_iter().map(|(pid, _)| pid).collect();
            let new: Vec<_> = all
                .iter()
                .filter(|process| wanted.contains(&process.pid))
                .filter(|process| !watched.contains(&process.pid) && !own.contains(&process.pid))
                .filter(|process| process.pid != std::process::id())
                .collect();
            if new.is_empty() {
                break;
            }
            for process in new {
                let subject = known.iter().find(|(name, _)| *name == process.name);
                let subject = if let Some((_, subject)) = subject {
                    *subject
                } else {
                    probes.know(&process.name, process.pid)?;
                    known.push((process.name.clone(), process.pid));
                    process.pid
                };
                probes.watch(process.pid, subject)?;
            }
        }
        Ok(())
    }

    /// The processes that there were, without their descendants.
    pub(super) fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// Whether the window ends with the last watched process.
    pub(super) fn is_by_process(&self) -> bool {
        self.adopt.is_none() && self.programs.is_empty() && self.ports.is_empty()
    }

    /// What was asked for, in words.
    pub(super) fn described(&self, command: &[String]) -> Vec<String> {
        let mut described = self.described.clone();
        if !command.is_empty() {
            described.push("the command".to_owned());
        }
        described
    }
}

/// Ports that are asked for, as targets or by a claim. The kernel may hand such a port out by itself, as it
/// does 50051 (gRPC's), and those are told apart only if they are named.
fn told_apart(options: &cli::WatchArgs) -> Vec<u16> {
    let claimed = options.claims.iter().filter_map(|asked| match asked.of {
        Of::Port(port) => Some(port),
        Of::All | Of::Program(_) => None,
    });
    let ports: BTreeSet<u16> = options.ports.iter().copied().chain(claimed).collect();
    ports.into_iter().collect()
}

fn adopted(options: &cli::WatchArgs, described: &mut Vec<String>) -> Result<Option<Adopt>> {
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
    Ok(Some(Adopt::Cgroup(below_cgroups(&folder))))
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
    use clap::Parser as _;

    use super::*;

    fn typed(words: &[&str]) -> cli::WatchArgs {
        let words = ["zcprof", "watch"].iter().chain(words);
        let cli::Command::Watch(options) = cli::Cli::parse_from(words).command else {
            panic!("it is another command");
        };
        options
    }

    #[test]
    fn a_port_that_is_claimed_is_told_apart_as_one_that_is_watched_is() {
        let words =
            ["--port", "9092", "--claim", "port:50051=zero-copy", "--claim", "port:9092=copied<=1"];
        assert_eq!(told_apart(&typed(&words)), [9092, 50051]);
        assert!(told_apart(&typed(&["--all", "--claim", "zero-copy"])).is_empty());
    }
}
