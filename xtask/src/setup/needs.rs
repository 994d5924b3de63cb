//! The table of needs: what each is for, how it is found, how to get it.

use std::fs;
use std::path::PathBuf;

use super::found::{Found, at_least};
use super::toolchain::{self, Bpf};
use super::{Ready, Wants, clients};
use crate::cache::{CacheFolder, Cached};
use crate::kernels::{self, GuestKernel};
use crate::{process, vm};

/// Which commands need something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NeededFor {
    /// Those that build zcprof.
    Build,
    /// Those that compile the eBPF programs, too.
    Ebpf,
    /// Those that boot guests.
    Guests,
    /// Those that let foreign clients read.
    Clients,
    /// Those that give guests other file systems and networks.
    Matrix,
    /// The benchmark against nginx.
    Bench,
    /// Those that fetch kernels; a cached kernel needs none of it.
    Fetch,
}

/// A row of the table.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) needed_for: NeededFor,
    /// The version it must have, in words.
    pub(super) least: &'static str,
    /// Debian's packages.
    pub(super) packages: &'static [&'static str],
    find: fn(&World) -> Found,
}

/// Something needed.
#[derive(Clone, Copy)]
pub(super) enum Need {
    Tool(&'static Tool),
    Kernel(&'static GuestKernel),
}

/// What the finders look at.
pub(super) struct World {
    pub(super) cache: CacheFolder,
    pub(super) bpf: Option<Bpf>,
    linker: Result<(PathBuf, String), Found>,
    /// Whether all bytes of the kernels are compared, or only those that every guest needs.
    all_bytes: bool,
}

/// The table. What is found by looking comes first, what is made with it later.
pub(super) static NEEDS: &[Tool] = &[
    Tool {
        name: "C compiler, static libc",
        needed_for: NeededFor::Build,
        least: "any",
        packages: &["gcc", "libc6-dev"],
        find: |_| c_compiler(),
    },
    Tool {
        name: "Rust for BPF",
        needed_for: NeededFor::Ebpf,
        least: "1.95",
        packages: toolchain::DEBIAN_PACKAGES,
        find: |world| match &world.bpf {
            Some(bpf) => Found::Ready(bpf.to_string()),
            None => Found::Missing,
        },
    },
    Tool {
        name: "bpf-linker",
        needed_for: NeededFor::Ebpf,
        least: toolchain::LINKER_VERSION,
        packages: &[],
        find: |world| match &world.linker {
            Ok((_, version)) => Found::Ready(version.clone()),
            Err(found) => found.clone(),
        },
    },
    Tool {
        name: "qemu-system-x86_64",
        needed_for: NeededFor::Guests,
        least: "7.0",
        packages: &["qemu-system-x86"],
        find: |_| vm::qemu_version().map_or(Found::Missing, |said| at_least(&said, (7, 0))),
    },
    Tool {
        name: "busybox (static)",
        needed_for: NeededFor::Guests,
        least: "1.30",
        packages: &["busybox-static"],
        find: |_| busybox(),
    },
    Tool {
        name: "mkfs.ext4",
        needed_for: NeededFor::Guests,
        least: "1.43",
        packages: &["e2fsprogs"],
        find: |_| says("mkfs.ext4", &["-V"], (1, 43)),
    },
    Tool {
        name: "setpriv",
        needed_for: NeededFor::Guests,
        least: "2.33",
        packages: &["util-linux"],
        find: |_| says("setpriv", &["--version"], (2, 33)),
    },
    Tool {
        name: "mkfs.xfs",
        needed_for: NeededFor::Matrix,
        least: "5.0",
        packages: &["xfsprogs"],
        find: |_| says("mkfs.xfs", &["-V"], (5, 0)),
    },
    Tool {
        name: "mkfs.btrfs",
        needed_for: NeededFor::Matrix,
        least: "5.0",
        packages: &["btrfs-progs"],
        find: |_| says("mkfs.btrfs", &["-V"], (5, 0)),
    },
    Tool {
        name: "dmsetup",
        needed_for: NeededFor::Matrix,
        least: "1.02",
        packages: &["dmsetup"],
        find: |_| says("dmsetup", &["--version"], (1, 2)),
    },
    Tool {
        name: "mksquashfs",
        needed_for: NeededFor::Matrix,
        least: "4.3",
        packages: &["squashfs-tools"],
        find: |_| says("mksquashfs", &["-version"], (4, 3)),
    },
    Tool {
        name: "ip",
        needed_for: NeededFor::Matrix,
        least: "any",
        packages: &["iproute2"],
        find: |_| iproute(),
    },
    Tool {
        name: "kcat",
        needed_for: NeededFor::Clients,
        least: "any",
        packages: &["kcat"],
        find: |_| kcat(),
    },
    Tool {
        name: super::CLIENTS,
        needed_for: NeededFor::Clients,
        least: "any",
        packages: &["python3-venv"],
        find: |world| clients::find(&world.cache),
    },
    Tool {
        name: "nginx",
        needed_for: NeededFor::Bench,
        least: "1.20",
        packages: &["nginx"],
        find: |_| says("nginx", &["-v"], (1, 20)),
    },
    Tool {
        name: "depmod",
        needed_for: NeededFor::Fetch,
        least: "any",
        packages: &["kmod"],
        find: |_| says("depmod", &["--version"], (0, 0)),
    },
    Tool {
        name: "dpkg-deb",
        needed_for: NeededFor::Fetch,
        least: "1.19",
        packages: &["dpkg"],
        find: |_| says("dpkg-deb", &["--version"], (1, 19)),
    },
];

impl NeededFor {
    pub(super) fn is_wanted(self, wants: &Wants) -> bool {
        match self {
            Self::Build => wants.build,
            Self::Ebpf => wants.ebpf,
            Self::Clients => wants.clients,
            Self::Guests => wants.guests,
            Self::Matrix => wants.matrix,
            Self::Bench => wants.nginx,
            Self::Fetch => wants.guests && !wants.kernels.is_empty(),
        }
    }
}

impl World {
    pub(super) fn look(cache: &CacheFolder, all_bytes: bool) -> Self {
        let bpf = toolchain::find(cache);
        let linker = match &bpf {
            Some(bpf) => toolchain::find_linker(cache, bpf),
            None => Err(Found::Missing),
        };
        Self { cache: cache.clone(), bpf, linker, all_bytes }
    }

    pub(super) fn ready(self, compiles_ebpf: bool) -> Ready {
        Ready {
            compiles_ebpf,
            kcat: process::find("kcat"),
            python: Some(clients::python(&self.cache)).filter(|python| python.is_file()),
            compiler: self.bpf.as_ref().map(Bpf::exactly).unwrap_or_default(),
            toolchain: self.bpf.as_ref().map(|bpf| bpf.toolchain.to_owned()).unwrap_or_default(),
            rustup_home: self.bpf.and_then(|bpf| bpf.home),
            linker: self.linker.ok().map(|(folder, _)| folder),
        }
    }
}

impl Need {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tool(tool) => tool.name.to_owned(),
            Self::Kernel(kernel) => format!("kernel {}", kernel.name),
        }
    }

    pub(super) fn least(&self) -> String {
        match self {
            Self::Tool(tool) => tool.least.to_owned(),
            Self::Kernel(kernel) => format!("{}x", kernel.version),
        }
    }

    pub(super) fn look(&self, world: &World) -> Found {
        match self {
            Self::Tool(tool) => (tool.find)(world),
            Self::Kernel(kernel) => match kernel.look(&world.cache, world.all_bytes) {
                Cached::Whole(manifest) => Found::Ready(kernels::describe(&manifest)),
                Cached::Absent => Found::Missing,
                Cached::Damaged(error) => Found::Unfit(format!("{error:#}")),
            },
        }
    }

    /// What a person can type to get it.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Tool(tool) if tool.name == "Rust for BPF" => toolchain::remedy(),
            Self::Tool(tool) if tool.name == "bpf-linker" => toolchain::linker_remedy(),
            Self::Tool(tool) => format!("sudo apt-get install -y {}", tool.packages.join(" ")),
            Self::Kernel(kernel) => {
                format!(
                    "cargo xtask setup --kernel {} (fetches with apt-get, no root)",
                    kernel.name
                )
            }
        }
    }
}

fn c_compiler() -> Found {
    let Some(cc) = process::find("cc") else { return Found::Missing };
    let says = |argument| process::output(std::process::Command::new(&cc).arg(argument));
    let archive = says("-print-file-name=libc.a").unwrap_or_default();
    // The compiler repeats the bare name of a file that it does not have.
    if !archive.starts_with('/') {
        return Found::Unfit("libc.a, the static C library, is missing".to_owned());
    }
    let version = says("--version").unwrap_or_default();
    Found::Ready(version.lines().next().unwrap_or("?").to_owned())
}

/// It says its version in the last of four lines.
fn kcat() -> Found {
    let Some(path) = process::find("kcat") else { return Found::Missing };
    let said = process::output(std::process::Command::new(path).arg("-V")).unwrap_or_default();
    let version = said.lines().find(|line| line.starts_with("Version"));
    at_least(version.unwrap_or_default(), (0, 0))
}

/// It glues its version to its name.
fn iproute() -> Found {
    let Some(path) = process::find("ip") else { return Found::Missing };
    let said = process::output(std::process::Command::new(path).arg("-V")).unwrap_or_default();
    at_least(&said.replace("iproute2-", " "), (0, 0))
}

fn busybox() -> Found {
    let Some(path) = process::find("busybox") else { return Found::Missing };
    let loader = b"/ld-linux";
    let bytes = fs::read(&path).unwrap_or_default();
    if bytes.windows(loader.len()).any(|window| window == loader) {
        return Found::Unfit(format!("{} is not static", path.display()));
    }
    says("busybox", &[], (1, 30))
}

/// Finds a program and asks its version.
fn says(program: &str, arguments: &[&str], least: (u32, u32)) -> Found {
    let Some(path) = process::find(program) else { return Found::Missing };
    match std::process::Command::new(path).args(arguments).output() {
        Ok(said) => {
            let text = [said.stdout, said.stderr].concat();
            at_least(String::from_utf8_lossy(&text).lines().next().unwrap_or_default(), least)
        }
        Err(error) => Found::Unfit(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_need_has_a_name_of_its_own_and_a_remedy() {
        let names: HashSet<_> = NEEDS.iter().map(|tool| tool.name).collect();
        assert_eq!(names.len(), NEEDS.len());
        for tool in NEEDS {
            assert!(tool.name.len() <= 24 && tool.least.len() <= 16, "the list has columns");
            assert!(!Need::Tool(tool).remedy().ends_with(' '), "{} has no remedy", tool.name);
        }
    }

    #[test]
    fn versions_are_read_out_of_what_programs_say() {
        let ready = |version: &str| Found::Ready(version.to_owned());
        assert_eq!(at_least("mke2fs 1.47.0 (5-Feb-2023)", (1, 43)), ready("1.47.0"));
        assert_eq!(at_least("BusyBox v1.35.0 (Debian 1:1.35.0-4)", (1, 30)), ready("1.35.0"));
        assert_eq!(at_least("kmod version 30", (0, 0)), ready("30"));
        assert_eq!(at_least("setpriv from util-linux 2.38.1", (2, 33)), ready("2.38.1"));
        assert_eq!(at_least("nginx version: nginx/1.22.1", (1, 20)), ready("1.22.1"));
        assert_eq!(
            at_least("6.2.0 (Debian)", (7, 0)),
            Found::Unfit("6.2.0 is older than 7.0".to_owned())
        );
        assert!(matches!(at_least("no number", (0, 0)), Found::Unfit(_)));
    }

    #[test]
    fn building_alone_needs_no_guest() {
        let wants = Wants { build: true, ebpf: true, ..Wants::default() };
        let wanted = NEEDS.iter().map(|tool| tool.needed_for).filter(|need| need.is_wanted(&wants));
        let wanted: HashSet<_> = wanted.collect();
        assert_eq!(wanted, HashSet::from([NeededFor::Build, NeededFor::Ebpf]));
    }
}
