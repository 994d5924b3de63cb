//! Who is watched: processes by number, by the program that they run, by control group, or all;
//! followed in the kernel through fork, exec and exit.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use aya::programs::RawTracePoint;
use zcprof_common::layout::{ADOPT_ALL, ADOPT_CGROUP, Config};
use zcprof_common::vocabulary::Hook;

use super::maps::text;

/// Who else is watched than the processes that are named, and what is told apart. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// Processes that nobody named.
    pub adopt: Option<Adopt>,
    /// Programs that are watched as soon as somebody runs them, by name.
    pub programs: Vec<String>,
    /// Whether a process that runs another program becomes another subject.
    pub by_program: bool,
    /// Whether files, peers and local ports are told apart, and those ports that are even if the kernel
    /// hands them out by itself.
    pub ports: Option<Vec<u16>>,
    /// Most bytes of a small call.
    pub small: u32,
}

/// Processes that are watched from their next system call on.
#[derive(Clone, Debug)]
pub enum Adopt {
    /// Every one but zcprof itself.
    All,
    /// Those of a control group (version 2) and of the groups below it, by its folder; but zcprof itself.
    Cgroup(PathBuf),
}

/// `task_struct.comm`.
type Comm = [u8; 16];

/// Where the kernel says which local ports it hands out by itself.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Where control groups of version 2 are mounted: systemd's file-hierarchy(7).
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// Tracepoints by which processes are followed.
pub(super) const PROGRAMS: [&str; 3] =
    ["sched_process_exit", "sched_process_exec", "sched_process_fork"];

impl Follow {
    /// Writes it into the programs' configuration.
    ///
    /// # Errors
    /// The control group is none, or the kernel does not say what its ports are.
    pub(super) fn configure(&self, config: &mut Config) -> Result<()> {
        config.by_program = u32::from(self.by_program);
        config.small = self.small;
        match &self.adopt {
            Some(Adopt::All) => config.adopts = ADOPT_ALL,
            Some(Adopt::Cgroup(folder)) => {
                let (number, level) = control_group(folder)?;
                config.adopts = ADOPT_CGROUP;
                config.cgroup = [(number >> 32) as u32, (number & 0xffff_ffff) as u32];
                config.cgroup_level = level;
            }
            None => {}
        }
        if self.ports.is_some() {
            config.by_port = 1;
            let text = fs::read_to_string(EPHEMERAL).with_context(|| EPHEMERAL.to_owned())?;
            config.ephemeral = range(&text).with_context(|| format!("{EPHEMERAL}: {text:?}"))?;
        }
        Ok(())
    }

    /// Names the programs and ports in the maps.
    ///
    /// # Errors
    /// A map is full.
    pub(super) fn name(&self, ebpf: &mut Ebpf) -> Result<()> {
        for name in &self.programs {
            map::<Comm, u32>(ebpf, "WANTED")?
                .insert(comm(name), 0_u32, 0)
                .context("too many programs")?;
        }
        for port in self.ports.iter().flatten() {
            map::<u16, u32>(ebpf, "PORTS")?.insert(*port, 0_u32, 0).context("too many ports")?;
        }
        Ok(())
    }
}

/// Watches a process that there is.
///
/// # Errors
/// Too many processes are watched.
pub(super) fn watch(ebpf: &mut Ebpf, process: u32, subject: u32) -> Result<()> {
    map::<u32, u32>(ebpf, "SUBJECTS")?
        .insert(process, subject, 0)
        .context("too many processes to watch")
}

/// Makes a program's subject known, before a process of it is watched.
///
/// # Errors
/// Too many programs are watched.
pub(super) fn know(ebpf: &mut Ebpf, program: &str, subject: u32) -> Result<()> {
    map::<Comm, u32>(ebpf, "PROGRAMS")?
        .insert(comm(program), subject, 0)
        .context("too many programs to watch")
}

/// Watched processes that live, each with its subject.
///
/// # Errors
/// The map cannot be read.
pub(super) fn watched(ebpf: &mut Ebpf) -> Result<Vec<(u32, u32)>> {
    let subjects: HashMap<_, u32, u32> = map(ebpf, "SUBJECTS")?;
    Ok(subjects.iter().collect::<Result<_, _>>()?)
}

/// Programs of watched processes, by subject.
///
/// # Errors
/// The map cannot be read.
pub(super) fn programs(ebpf: &mut Ebpf) -> Result<Vec<(u32, String)>> {
    let programs: HashMap<_, Comm, u32> = map(ebpf, "PROGRAMS")?;
    programs
        .iter()
        .map(|found| found.map(|(comm, id)| (id, text(&comm))).map_err(Into::into))
        .collect()
}

/// Follows processes through fork, exec and exit.
///
/// # Errors
/// The kernel's own.
pub(super) fn attach(ebpf: &mut Ebpf) -> Result<()> {
    // Exit comes first: what is followed must be forgotten.
    for name in PROGRAMS {
        let program: &mut RawTracePoint =
            super::program_called(ebpf, Hook::Raw.of(name))?.try_into()?;
        program.load()?;
        program.attach(name)?;
    }
    Ok(())
}

pub(super) fn map<'a, K: aya::Pod, V: aya::Pod>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<HashMap<&'a mut MapData, K, V>> {
    let map = ebpf.map_mut(name).with_context(|| format!("the programs have no map {name}"))?;
    Ok(HashMap::try_from(map)?)
}

/// A name as the kernel cuts it: 15 bytes and a zero (`TASK_COMM_LEN`, include/linux/sched.h).
fn comm(name: &str) -> Comm {
    let mut comm = [0; 16];
    let length = name.len().min(15);
    comm[..length].copy_from_slice(&name.as_bytes()[..length]);
    comm
}

/// What the kernel keeps of a program's name, as the programs' names are read: a longer name is the same
/// program's.
#[must_use]
pub fn kept_name(name: &str) -> String {
    text(&comm(name))
}

/// Number of a control group and how deep below the root it is. Its number is its folder's inode
/// (kernfs, include/linux/kernfs.h `kernfs_id()`).
fn control_group(folder: &Path) -> Result<(u64, u32)> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("there is no control group {}", folder.display()))?;
    let below = folder.strip_prefix(CGROUPS);
    let below = below.with_context(|| format!("{} is not below {CGROUPS}", folder.display()))?;
    ensure!(
        folder.join("cgroup.procs").exists() && folder.join("cgroup.controllers").exists(),
        "{} is no control group of version 2",
        folder.display()
    );
    Ok((folder.metadata()?.ino(), u32::try_from(below.components().count())?))
}

/// The first and last of two numbers.
fn range(text: &str) -> Option<[u32; 2]> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_as_the_kernel_cuts_it() {
        assert_eq!(&comm("nginx")[..6], b"nginx\0");
        assert_eq!(&comm("a-very-long-program-name"), b"a-very-long-pro\0");
        assert_eq!(kept_name("a-very-long-program-name"), "a-very-long-pro");
        assert_eq!(kept_name("nginx"), "nginx");
        // Bytes are cut, not letters.
        assert_eq!(
            kept_name("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"),
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{fffd}"
        );
    }

    #[test]
    fn ports_are_two_numbers() {
        assert_eq!(range("32768\t60999\n"), Some([32768, 60999]));
        assert_eq!(range("32768"), None);
        assert_eq!(range("a b"), None);
    }
}
