//! A guest: a Debian kernel, busybox, and one job.

mod accel;
mod console;
mod initramfs;
mod outcome;
mod qemu;
mod storage;
mod wire;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

pub(crate) use self::accel::{Accel, choose as choose_accel};
pub(crate) use self::console::Limits;
pub(crate) use self::outcome::{GuestOutcome, GuestPhase, Hang};
pub(crate) use self::qemu::version as qemu_version;
use self::qemu::{Machine, file};
pub(crate) use self::storage::{FILE_SYSTEMS, FileSystem};
use crate::kernels::{BOOT_MODULES, Installed};
use crate::process;

/// Room for what the job leaves in /out.
const RESULTS_SIZE: u64 = 1 << 30;

/// Limits that suit an emulated guest on a busy machine.
pub(crate) const LIMITS: Limits = Limits {
    boot: Duration::from_mins(2),
    silence: Duration::from_mins(1),
    job: Duration::from_mins(10),
};

/// What to run in which guest.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) kernel: &'a Installed,
    pub(crate) accel: Accel,
    pub(crate) cpus: usize,
    /// Flags that the processors have beside the accelerator's model, or, with a minus before them,
    /// have not, comma-separated, as QEMU's `-cpu` takes them.
    pub(crate) flags: &'a str,
    /// More words for the kernel's command line.
    pub(crate) append: &'a str,
    /// More modules to load.
    pub(crate) modules: Vec<&'a str>,
    /// Files to bring along: here, there.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// A disk's image that the guest can read and not write, behind its own disks.
    pub(crate) image: Option<PathBuf>,
    /// The job's environment.
    pub(crate) variables: Vec<(&'a str, &'a str)>,
    /// The job.
    pub(crate) command: Vec<String>,
    /// What is on /data.
    pub(crate) file_system: &'static FileSystem,
    /// Whether the guest has two virtio-net devices that are joined by a wire.
    pub(crate) wire: bool,
    /// Size of the disk of /data; 0 for none, and then no results come back either.
    pub(crate) data_size: u64,
    pub(crate) limits: Limits,
}

/// The outcome.
#[derive(Debug)]
pub(crate) struct GuestReport {
    pub(crate) outcome: GuestOutcome,
    /// From the start of QEMU to the job's start.
    pub(crate) boot: Duration,
    /// From there to the end.
    pub(crate) job: Duration,
    /// CPU time that the emulator has used.
    pub(crate) cpu: Duration,
}

/// Boots the guest, runs the job, ends the guest. Its files stay in the folder `work`.
pub(crate) fn run(spec: &Spec<'_>, work: &Path, show: &mut dyn FnMut(&str)) -> Result<GuestReport> {
    let started = Instant::now();
    match prepare(spec, work) {
        Err(error) if process::is_out_of_space(&error) => {
            let outcome = GuestOutcome::OutOfSpace(outcome::HOST);
            let (job, cpu) = (Duration::ZERO, Duration::ZERO);
            return Ok(GuestReport { outcome, boot: started.elapsed(), job, cpu });
        }
        other => other?,
    }
    let image = spec.kernel.image();
    let machine = Machine {
        image: &image,
        accel: spec.accel,
        cpus: spec.cpus,
        flags: spec.flags,
        append: spec.append,
        wire: spec.wire,
        disk: spec.image.as_deref(),
        limits: spec.limits,
    };
    let ended = qemu::run(&machine, work, show)?;
    let job = started.elapsed().saturating_sub(ended.boot);
    Ok(GuestReport { outcome: ended.outcome, boot: ended.boot, job, cpu: ended.cpu })
}

/// Unpacks what the job left in /out into `folder`.
pub(crate) fn collect(work: &Path, folder: &Path) -> Result<()> {
    let path = work.join(file::RESULTS);
    let disk = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    let mut archive = tar::Archive::new(BufReader::new(disk));
    archive.set_preserve_mtime(false);
    archive.unpack(folder).context("unpacking the guest's results")
}

/// Copies the console's log out of the work folder; false if there is none.
pub(crate) fn save_console(work: &Path, to: &Path) -> bool {
    fs::copy(work.join(file::CONSOLE), to).is_ok()
}

fn prepare(spec: &Spec<'_>, work: &Path) -> Result<()> {
    let wire = if spec.wire { wire::MODULES } else { &[] };
    let more = spec.file_system.modules.iter().chain(wire);
    let names: Vec<&str> = BOOT_MODULES.iter().chain(&spec.modules).chain(more).copied().collect();
    let modules = spec.kernel.modules(&names)?;
    let mut used = modules.clone();
    used.push(spec.kernel.image());
    spec.kernel.verify(&used).context("the cached kernel is damaged; run `cargo xtask setup`")?;
    let job = initramfs::job(&spec.command, &spec.variables);
    let scripts = initramfs::Scripts { job: &job, mount: spec.file_system.mount };
    let files = [spec.files.clone(), spec.file_system.programs()?].concat();
    initramfs::pack(&work.join(file::INITRD), &modules, &files, &scripts)?;
    if spec.data_size > 0 {
        make_disk(&work.join(file::DATA), spec.data_size)?;
        make_disk(&work.join(file::RESULTS), RESULTS_SIZE)?;
        spec.file_system.make(&work.join(file::DATA)).context("making the guest's disk")?;
    }
    Ok(())
}

/// A file of zeros that takes no room until it is written.
fn make_disk(path: &Path, size: u64) -> Result<()> {
    File::create(path)
        .and_then(|file| file.set_len(size))
        .with_context(|| format!("creating {}", path.display()))
}
