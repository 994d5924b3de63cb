//! Which cells a matrix has.

use anyhow::{Result, ensure};

use crate::kernels::{self, GuestKernel, KERNELS};
use crate::vm::{FILE_SYSTEMS, FileSystem};

/// A guest to measure in.
#[derive(Clone, Debug)]
pub(crate) struct GuestCell {
    pub(crate) kernel: &'static GuestKernel,
    pub(crate) file_system: &'static FileSystem,
    pub(super) cpus: usize,
    pub(super) network: String,
    pub(super) processor: &'static Processor,
}

/// What kind of processor a guest has.
#[derive(Debug)]
pub(super) struct Processor {
    name: &'static str,
    /// What is taken away of it, as for [`crate::vm::Spec::flags`].
    pub(super) flags: &'static str,
}

/// The first is the usual one. Kernels before 6.4 choose the routine that copies to and from user
/// memory by two flags; the kernel sets the second by itself for AMD's families from 15 on
/// (`init_amd_k8()`, arch/x86/kernel/cpu/amd.c).
static PROCESSORS: [Processor; 3] = [
    Processor { name: "max", flags: "" },
    Processor { name: "no-erms", flags: "-erms" },
    Processor { name: "no-rep-good", flags: "-erms,family=6" },
];

/// CPUs of a guest, unless other numbers are compared.
const CPUS: usize = 2;

/// The numbers that are compared.
const OTHER_CPUS: [usize; 2] = [1, 4];

const LOOPBACK: &str = "loopback";

/// The networks that are compared with it.
const OTHER_NETWORKS: [&str; 2] = ["veth", "virtio"];

/// What a transfer comes to over a device that really transmits: pages that are pinned are read by
/// DMA, and nobody on this host receives them.
const TRANSMITTED: &[(&str, &str)] =
    &[("msg_zerocopy", "zero-copy"), ("uring_send_zc", "zero-copy")];

/// The cells of `--daily`: each file system and each network once, over all tested kernels, most on one
/// CPU, which is emulated fastest. The oldest kernel has a cell with each processor besides.
const DAILY: &[(&str, &str, usize, &str)] = &[
    ("bookworm", "btrfs", 1, LOOPBACK),
    ("bookworm", "ext4", 2, "virtio"),
    ("trixie", "xfs", 1, LOOPBACK),
    ("trixie", "tmpfs", 1, LOOPBACK),
    ("trixie", "ext4", 1, "virtio"),
    ("trixie-backports", "overlay", 4, LOOPBACK),
    ("trixie-backports", "ext4", 2, "veth"),
    ("bookworm", "ext4-dm-crypt", 1, LOOPBACK),
    ("trixie", "squashfs", 1, LOOPBACK),
    ("trixie-backports", "ext4-loop", 2, LOOPBACK),
];

impl GuestCell {
    fn new(kernel: &'static GuestKernel, file_system: &'static FileSystem) -> Self {
        let (network, processor) = (LOOPBACK.to_owned(), &PROCESSORS[0]);
        Self { kernel, file_system, cpus: CPUS, network, processor }
    }

    /// `trixie-ext4-2-loopback`.
    pub(crate) fn name(&self) -> String {
        let (kernel, file_system) = (self.kernel.name, self.file_system.name);
        let name = format!("{kernel}-{file_system}-{}-{}", self.cpus, self.network);
        if self.processor.flags.is_empty() {
            name
        } else {
            format!("{name}-{}", self.processor.name)
        }
    }

    pub(super) fn needs_wire(&self) -> bool {
        self.network.starts_with("virtio")
    }

    /// Claims that take the place of transfers' own.
    pub(super) fn claims(&self) -> &'static [(&'static str, &'static str)] {
        if self.network == "virtio" { TRANSMITTED } else { &[] }
    }
}

/// The cells of `--daily`.
pub(crate) fn daily() -> Result<Vec<GuestCell>> {
    let cell = |(kernel, file_system, cpus, network): &(&str, &str, usize, &str)| {
        let kernels = kernels::choose(&[(*kernel).to_owned()])?;
        ensure!(kernels.len() == 1, "{kernel} is no kernel");
        let file_system = FileSystem::find(file_system).map_err(anyhow::Error::msg)?;
        let network = (*network).to_owned();
        Ok(GuestCell { network, cpus: *cpus, ..GuestCell::new(kernels[0], file_system) })
    };
    let mut cells = DAILY.iter().map(cell).collect::<Result<Vec<_>>>()?;
    cells.extend(of_each_processor());
    Ok(cells)
}

/// The oldest kernel on each processor: it has a copy routine for each.
fn of_each_processor() -> impl Iterator<Item = GuestCell> {
    let oldest = GuestCell::new(&KERNELS[0], &FILE_SYSTEMS[0]);
    PROCESSORS.iter().map(move |processor| GuestCell { processor, ..oldest.clone() })
}

/// All cells, or what was named, each with each.
pub(super) fn choose(
    kernels: &[String],
    file_systems: &[&'static FileSystem],
    cpus: &[usize],
    networks: &[String],
) -> Result<Vec<GuestCell>> {
    if kernels.is_empty() && file_systems.is_empty() && cpus.is_empty() && networks.is_empty() {
        return Ok(all());
    }
    let all_tested = || kernels::choose(&["all".to_owned()]);
    let kernels = if kernels.is_empty() { all_tested()? } else { kernels::choose(kernels)? };
    let file_systems = if file_systems.is_empty() { &[&FILE_SYSTEMS[0]] } else { file_systems };
    let cpus = if cpus.is_empty() { &[CPUS] } else { cpus };
    let networks = if networks.is_empty() { &[LOOPBACK.to_owned()] } else { networks };
    let mut cells = Vec::new();
    for kernel in kernels {
        for file_system in file_systems {
            for cpus in cpus {
                cells.extend(networks.iter().map(|network| GuestCell {
                    cpus: *cpus,
                    network: network.clone(),
                    ..GuestCell::new(kernel, file_system)
                }));
            }
        }
    }
    Ok(cells)
}

/// Every tested kernel with each file system, and on the first one with other numbers of CPUs and
/// other networks; the other kernels with the first file system alone.
fn all() -> Vec<GuestCell> {
    let first = &FILE_SYSTEMS[0];
    let mut cells = Vec::new();
    for kernel in KERNELS {
        if kernel.name == KERNELS[0].name {
            cells.extend(of_each_processor());
            continue;
        }
        if !kernel.tested {
            cells.push(GuestCell::new(kernel, first));
            continue;
        }
        cells.extend(FILE_SYSTEMS.iter().map(|file_system| GuestCell::new(kernel, file_system)));
        cells.extend(OTHER_CPUS.map(|cpus| GuestCell { cpus, ..GuestCell::new(kernel, first) }));
        let with = |network: &str| GuestCell {
            network: network.to_owned(),
            ..GuestCell::new(kernel, first)
        };
        cells.extend(OTHER_NETWORKS.map(with));
    }
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(cells: &[GuestCell]) -> HashSet<String> {
        let names: HashSet<_> = cells.iter().map(GuestCell::name).collect();
        assert_eq!(names.len(), cells.len(), "each cell once");
        names
    }

    #[test]
    fn the_whole_matrix_has_every_kernel_file_system_and_network() {
        let names = names(&all());
        for kernel in KERNELS {
            assert!(names.contains(&format!("{}-ext4-2-loopback", kernel.name)));
        }
        for file_system in FILE_SYSTEMS {
            assert!(names.contains(&format!("trixie-{}-2-loopback", file_system.name)));
        }
        for other in ["trixie-ext4-4-loopback", "bookworm-ext4-2-virtio"] {
            assert!(names.contains(other), "{other}");
        }
    }

    #[test]
    fn the_daily_cells_touch_everything_once() {
        let cells = daily().expect("all names are known");
        assert_eq!(names(&cells).len(), DAILY.len() + PROCESSORS.len());
        for file_system in FILE_SYSTEMS {
            assert!(cells.iter().any(|c| c.file_system.name == file_system.name));
        }
        for network in OTHER_NETWORKS {
            assert!(cells.iter().any(|c| c.network == network));
        }
        for kernel in KERNELS.iter().filter(|kernel| kernel.tested) {
            assert!(cells.iter().any(|c| c.kernel.name == kernel.name));
        }
    }

    #[test]
    fn what_is_named_is_measured_each_with_each() {
        let kernels = ["trixie".to_owned(), "bullseye".to_owned()];
        let file_systems: Vec<_> = FILE_SYSTEMS.iter().take(2).collect();
        let cells = choose(&kernels, &file_systems, &[1], &[]).expect("known");
        let names = names(&cells);
        assert_eq!(names.len(), 4);
        assert!(names.contains("bullseye-xfs-1-loopback"));
        choose(&["windows".to_owned()], &[], &[], &[]).unwrap_err();
    }
}
