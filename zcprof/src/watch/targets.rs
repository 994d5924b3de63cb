//! Whom to watch: what was asked for, as processes that there are and as rules for those to come.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use zcprof_common::layout::{ELSEWHERE, MAX_PROGRAMS, OTHER_PROGRAMS};
use zcprof_judge::watch::claims_of_ports;
use zcprof_judge::watch::record::{Asked, Of, WatchedCount};

use super::filters::{adopted, by_file, by_name, by_number};
use super::held;
use super::listeners::Listeners;
use super::processes::{self, RunningProcess};
use super::record::Chosen;
use crate::cli;
use crate::probe::{Adopt, Held, Probes, kept_name};

/// Whom to watch.
pub(super) struct Targets {
    /// Processes that there are, their descendants not yet included.
    roots: Vec<u32>,
    /// Programs that are watched as soon as somebody runs them.
    pub(super) programs: Vec<String>,
    /// Programs that alone are counted of those who are watched; all of them if none is named.
    only: Vec<String>,
    /// Processes that are watched from their next system call on.
    pub(super) adopt: Option<Adopt>,
    /// Ports whose listeners are watched.
    ports: Vec<u16>,
    /// Ports that are told apart whatever they are.
    pub(super) told_apart: Vec<u16>,
    described: Vec<String>,
}

/// Times that the processes are listed again, until nothing changes.
const LISTINGS: usize = 100;

impl Targets {
    /// Finds them. Repeated options widen, and different ones narrow: who is watched is everybody whom each
    /// of them means. A port narrows what is claimed, and names its listeners only where nobody else is
    /// named.
    ///
    /// # Errors
    /// There is no such process, control group or unit, or nobody is to be watched.
    pub(super) fn find(options: &cli::WatchArgs) -> Result<Self> {
        let mut described = Vec::new();
        let all = processes::all();
        let mut sets = Vec::new();
        sets.extend(by_number(options, &all, &mut described)?);
        let by_name = by_name(options, &all, &mut described);
        sets.extend(by_file(options, &mut described)?);
        let adopt = adopted(options, &mut described)?;
        let (mut programs, mut only, mut ports) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(by_name) = by_name {
            if sets.is_empty() && adopt.is_none() {
                programs.clone_from(&options.programs);
                sets.push(by_name);
            } else {
                // Who is there may run another program later, and others of this name may come.
                only = options.programs.iter().map(|name| kept_name(name)).collect();
            }
        }
        if let (false, Some(Adopt::Cgroup(folder))) = (sets.is_empty(), &adopt) {
            sets.push(processes::in_control_group(folder));
        }
        let adopt = adopt.filter(|_| sets.is_empty());
        described.extend(options.ports.iter().map(|port| format!("port {port}")));
        if sets.is_empty() && adopt.is_none() && options.command.is_empty() {
            ports.clone_from(&options.ports);
        }
        let is_narrowed = sets.len() > 1;
        let mut roots = sets.into_iter().reduce(|one, other| &one & &other).unwrap_or_default();
        ensure!(
            !is_narrowed || !roots.is_empty(),
            "there is no process that is all of this: {}",
            described.join(", ")
        );
        for port in &ports {
            let holders = processes::listening_at(*port);
            if holders.is_empty() {
                log::warn!("nobody listens at port {port} yet");
            }
            roots.extend(holders);
        }
        ensure!(
            !described.is_empty() || !options.command.is_empty(),
            "nobody to watch: give a command after --, or --pid, --comm, --exe, --port, --cgroup, --unit or --all"
        );
        let told_apart = told_apart(options);
        let roots = roots.into_iter().collect();
        Ok(Self { roots, programs, only, adopt, ports, told_apart, described })
    }

    /// Has the probes watch the processes that there are, with their descendants, and tells them what these
    /// have.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn seed(&self, probes: &mut Probes, own: &[u32]) -> Result<()> {
        watch_all(&self.roots, probes, own)?;
        match &self.adopt {
            // Nobody else is left who might send by a socket of theirs.
            Some(Adopt::All) => {
                for process in processes::all() {
                    let mapped = held::mapped(process.pid);
                    probes.tell(&Held { mapped, ..Held::default() }, ELSEWHERE)?;
                }
            }
            Some(Adopt::Cgroup(folder)) => {
                let mut known = probes.programs()?;
                let there = processes::in_control_group(folder);
                for process in there.into_iter().filter_map(processes::one) {
                    let held = held::of(process.pid);
                    if held != Held::default() && !is_own(process.pid, own) {
                        let subject = subject_of(&process, probes, &mut known)?;
                        probes.tell(&held, subject)?;
                    }
                }
            }
            None => {}
        }
        probes.forget_strangers()
    }

    /// Those who listen at the ports, now or later.
    pub(super) fn listeners(&self) -> Listeners {
        Listeners::at(self.ports.clone())
    }

    /// Who of the watched is counted.
    pub(super) fn chosen<'a>(&'a self, options: &'a cli::WatchArgs, own: &'a [u32]) -> Chosen<'a> {
        Chosen { own, excluded: &options.excluded, only: &self.only }
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

/// Has the probes watch one more, with its descendants; says whether they do not yet.
///
/// # Errors
/// There are too many.
pub(super) fn add(pid: u32, probes: &mut Probes, own: &[u32]) -> Result<bool> {
    let is_new = !own.contains(&pid) && probes.watched()?.iter().all(|(known, _)| *known != pid);
    watch_all(&[pid], probes, own)?;
    Ok(is_new)
}

/// Has the probes watch these processes with their descendants. Forks are followed already, so that listing
/// them until nothing new is found leaves nobody out.
fn watch_all(roots: &[u32], probes: &mut Probes, own: &[u32]) -> Result<()> {
    for _ in 0..LISTINGS {
        let all = processes::all();
        let wanted = processes::with_descendants(roots, &all);
        let watched: Vec<u32> = probes.watched()?.into_iter().map(|(pid, _)| pid).collect();
        let new: Vec<_> = all
            .iter()
            .filter(|process| wanted.contains(&process.pid))
            .filter(|process| !watched.contains(&process.pid) && !is_own(process.pid, own))
            .collect();
        if new.is_empty() {
            break;
        }
        let mut known = probes.programs()?;
        for process in new {
            let subject = subject_of(process, probes, &mut known)?;
            probes.watch(process.pid, subject)?;
            // What it gets from here on the probes see.
            probes.tell(&held::of(process.pid), subject)?;
        }
    }
    Ok(())
}

/// Whether a process is one of zcprof's.
fn is_own(pid: u32, own: &[u32]) -> bool {
    own.contains(&pid) || pid == std::process::id()
}

/// The subject of the program that a process runs, among the programs that are known. One that is new has
/// the process's number.
fn subject_of(
    process: &RunningProcess,
    probes: &mut Probes,
    known: &mut Vec<(u32, String)>,
) -> Result<u32> {
    if let Some((subject, _)) = known.iter().find(|(_, name)| *name == process.name) {
        return Ok(*subject);
    }
    if known.len() >= MAX_PROGRAMS as usize {
        return Ok(OTHER_PROGRAMS);
    }
    probes.know(&process.name, process.pid)?;
    known.push((process.pid, process.name.clone()));
    Ok(process.pid)
}

/// What is claimed by what was typed, given all that was counted.
pub(super) fn claims(options: &cli::WatchArgs, counts: &[WatchedCount]) -> Vec<Asked> {
    claims_of_ports(&options.claims, &options.ports, counts, options.direction)
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
