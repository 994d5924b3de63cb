//! `cargo xtask vm`, and what the commands that use guests have in common.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::kernels::{self, GuestKernel, Installed};
use crate::programs;
use crate::setup::{self, Wants};
use crate::vm::{
    self, Accel, FILE_SYSTEMS, FileSystem, GuestOutcome, GuestPhase, GuestReport, Hang, Spec,
};
use crate::words;

/// Modules that every guest has: TLS in the kernel, AES-GCM for it, and what has functions that zcprof
/// watches. Guests have no modprobe that could find more.
pub(crate) const BASE: &[&str] = &[
    "tls",
    "ctr",
    "ghash-generic",
    "gcm",
    "aesni-intel",
    "veth",
    "sch_netem",
    "af_packet",
    "fuse",
    "vsock_loopback",
    "nfnetlink_log",
];

/// File systems, devices and networks that tests plant below a log or a socket. Loading them takes a
/// third of what a guest that is emulated needs to start.
pub(crate) const PLANTED: &[&str] = &[
    "overlay",
    "loop",
    "squashfs",
    "dm-crypt",
    "xts",
    "nfsv3",
    "nfsv4",
    "nfsd",
    "wireguard",
    "vxlan",
    "macsec",
    "xfrm_user",
    "esp4",
    "seqiv",
    "sha512_generic",
    "drbg",
];

/// What packets of a container pass on their way.
pub(crate) const WAYS: &[&str] =
    &["macvlan", "8021q", "tun", "bridge", "nft_chain_nat", "nft_nat", "nft_masq"];

/// How a guest starts otherwise than Debian's kernel on QEMU's processor would.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Savings {
    /// Words for the kernel's command line.
    pub(crate) append: &'static str,
    /// Flags of the processors, as for [`Spec::flags`].
    pub(crate) flags: &'static str,
}

/// What makes a guest cheaper to emulate, and changes nothing in what it copies: no mitigations for
/// speculation, which an emulator does not do, no memory wiped when it is allocated, no self-tests of
/// ciphers (crypto/algboss.c), and no long wait for readers of RCU
/// (Documentation/admin-guide/kernel-parameters.txt); copies by eight bytes instead of by one, as which
/// the emulator does `rep movsb` and `rep stosb`. A window on an idle guest needs a sixth less CPU time
/// with them.
pub(crate) const CHEAPER: Savings = Savings {
    append: "mitigations=off init_on_alloc=0 cryptomgr.notests rcupdate.rcu_expedited=1",
    flags: "-erms",
};

/// Options of `vm`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    /// The kernel.
    #[arg(long, value_name = "NAME", value_parser = words::kernel(), default_value = kernels::DEFAULT)]
    kernel: String,
    /// Processors of the guest (default: this machine's, at most 4).
    #[arg(long, value_name = "N", value_parser = words::cpus())]
    smp: Option<usize>,
    /// Flags of the processors to add or, with a minus, to remove, as in QEMU's -cpu: a kernel
    /// before 6.4 chooses its copy routine by `erms` and `rep_good`; `-erms` and `-erms,family=6`
    /// choose the other two routines.
    #[arg(long, value_name = "FLAGS", default_value = "", allow_hyphen_values = true)]
    cpu: String,
    /// More words for the kernel's command line.
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
    /// The guest's file system on /data: ext4, xfs, btrfs, tmpfs, overlay (on /data/merged), ext4-loop,
    /// ext4-dm-crypt, or squashfs (read-only, with the file /data/text).
    #[arg(long, value_name = "NAME", default_value = "ext4", value_parser = FileSystem::find)]
    file_system: &'static FileSystem,
    /// Give the guest two virtio-net devices that are joined by a wire (needs /dev/net/tun).
    #[arg(long)]
    wire: bool,
    /// A module to load beside the modules of the disks and ext4.
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// A file to copy into the guest, as HERE:THERE.
    #[arg(long, value_name = "HERE:THERE", value_parser = file)]
    file: Vec<(PathBuf, String)>,
    /// A disk image that the guest can read but not write, /dev/vdc.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The same with the image of the programs that the tests watch, which the command makes if
    /// needed.
    #[arg(long, conflicts_with = "image")]
    programs: bool,
    /// Size of the guest's disk, in GiB.
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..=1024),
          default_value_t = 3)]
    disk: u64,
    /// Folder that receives what the command leaves in /out.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Neither build zcprof nor copy it into the guest.
    #[arg(long)]
    bare: bool,
    /// End the guest when the command has printed nothing for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = vm::LIMITS.job.as_secs())]
    patience: u64,
    /// Keep the work folder: initramfs, disk images, logs.
    #[arg(long)]
    keep: bool,
    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// A guest ready to be described: kernel, accelerator and why it was chosen.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) kernel: &'static GuestKernel,
    pub(crate) installed: Installed,
    accel: Accel,
}

impl Guest {
    /// Takes the cached kernel and chooses the accelerator, which it says on stderr.
    pub(crate) fn choose(cache: &CacheFolder, kernel: &'static GuestKernel) -> Result<Self> {
        let installed = kernel.installed(cache)?;
        let (accel, why) = vm::choose_accel(cache, &installed)?;
        eprintln!(
            "guest: kernel {} ({}), accelerator {}: {why}",
            kernel.name,
            installed.version(),
            accel.name()
        );
        Ok(Self { kernel, installed, accel })
    }

    /// A spec with the usual values, and every module.
    pub(crate) fn spec(&self, files: Vec<(PathBuf, String)>, command: Vec<String>) -> Spec<'_> {
        Spec {
            kernel: &self.installed,
            accel: self.accel,
            cpus: cpus(),
            flags: "",
            append: "",
            modules: [BASE, PLANTED, WAYS].concat(),
            files,
            image: None,
            variables: vec![("ZCPROF", "/bin/zcprof")],
            command,
            file_system: &FILE_SYSTEMS[0],
            wire: false,
            data_size: 3 << 30,
            limits: vm::LIMITS,
        }
    }
}

/// Processors that a guest has: as many as this machine, but at most 4.
pub(crate) fn cpus() -> usize {
    available_parallelism().map_or(2, usize::from).min(4)
}

/// Runs one guest in a work folder of its own and hands its report and that folder to `then`.
pub(crate) fn run_one<T>(
    cache: &CacheFolder,
    spec: &Spec<'_>,
    keep: bool,
    show: &mut dyn FnMut(&str),
    then: impl FnOnce(&GuestReport, &Path) -> Result<T>,
) -> Result<T> {
    let mut work = cache.work_folder("vm")?;
    work.disable_cleanup(keep);
    let done = run_anew(spec, work.path(), show).and_then(|report| {
        if !matches!(report.outcome, GuestOutcome::Finished(_) | GuestOutcome::Interrupted) {
            let log = cache.path("logs/guest-console.log");
            if vm::save_console(work.path(), &log) {
                eprintln!("guest: its console's log is in {}", log.display());
            }
        }
        then(&report, work.path())
    });
    if keep {
        let kept = cache.path(&format!("work/kept-{}", std::process::id()));
        let kept = if std::fs::rename(work.path(), &kept).is_ok() { &kept } else { work.path() };
        eprintln!("guest: its files are kept in {}", kept.display());
    }
    done
}

/// Times that a guest is begun anew when the emulator failed it.
const ANEW: usize = 2;

/// Runs the guest; again, and saying so, if the emulator failed it.
fn run_anew(spec: &Spec<'_>, work: &Path, show: &mut dyn FnMut(&str)) -> Result<GuestReport> {
    for _ in 0..ANEW {
        let report = vm::run(spec, work, show)?;
        let Some(fault) = emulators_fault(&report.outcome).filter(|_| spec.accel == Accel::Tcg)
        else {
            return Ok(report);
        };
        eprintln!("guest: {}", report.outcome);
        eprintln!("guest: {fault}; it begins anew");
    }
    vm::run(spec, work, show)
}

/// Why `outcome` says nothing of what the guest was to run, if that is so.
fn emulators_fault(outcome: &GuestOutcome) -> Option<&'static str> {
    match outcome {
        GuestOutcome::TornText(_) => Some("that is the emulator's fault (see `TornText`)"),
        GuestOutcome::Hung(Hang { phase: GuestPhase::Booting, .. }) => {
            Some("nothing but its kernel and its init had run")
        }
        _ => None,
    }
}

/// The exit code of a guest's job; any other end is an error that says so.
pub(crate) fn code(outcome: &GuestOutcome) -> Result<i32> {
    match outcome {
        GuestOutcome::Finished(code) => Ok(*code),
        GuestOutcome::QemuMissing => Err(crate::exit::Unmet(outcome.to_string()).into()),
        other => anyhow::bail!("{other}"),
    }
}

/// Prints a line of what is only on the way.
pub(crate) fn mention(line: &str) {
    eprintln!("{line}");
}

/// Prints a line of the guest's job.
pub(crate) fn show(line: &str) {
    println!("{line}");
}

/// Does `cargo xtask vm`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let chosen = kernels::choose(std::slice::from_ref(&options.kernel))?;
    let wants = Wants {
        build: !options.bare,
        guests: true,
        matrix: options.wire || options.file_system.name != FILE_SYSTEMS[0].name,
        kernels: chosen.clone(),
        ..Wants::default()
    };
    let ready = setup::ensure(&cache, &wants)?;
    let mut files = options.file.clone();
    if !options.bare {
        files.push((compile::zcprof(&ready, Optimised::Quickly)?, "/bin/zcprof".to_owned()));
    }
    let programs = options.programs.then(|| programs::image(&cache, &ready)).transpose()?;
    for (name, why) in programs.iter().flat_map(|image| &image.left_out) {
        mention(&format!("the image has no programs of {name}: {why}"));
    }
    let image = options.image.clone().or(programs.map(|image| image.path));
    let mut worst = Exit::Holds;
    for kernel in chosen {
        let guest = Guest::choose(&cache, kernel)?;
        let mut spec = guest.spec(files.clone(), options.command.clone());
        spec.image.clone_from(&image);
        spec.flags = &options.cpu;
        spec.append = &options.append;
        spec.modules.extend(options.module.iter().map(String::as_str));
        spec.cpus = options.smp.unwrap_or(spec.cpus);
        spec.data_size = options.disk << 30;
        (spec.file_system, spec.wire) = (options.file_system, options.wire);
        spec.limits.job = Duration::from_secs(options.patience);
        let exit = run_one(&cache, &spec, options.keep, &mut show, |report, work| {
            let code = code(&report.outcome)?;
            if let Some(out) = &options.out {
                std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
                vm::collect(work, out)?;
            }
            eprintln!(
                "guest: exit code {code}; boot {:.1} s, command {:.1} s, CPU time {:.1} s",
                report.boot.as_secs_f64(),
                report.job.as_secs_f64(),
                report.cpu.as_secs_f64()
            );
            Ok(Exit::of_code(Some(code)))
        })?;
        worst = worst.max(exit);
    }
    Ok(worst)
}

fn file(text: &str) -> Result<(PathBuf, String), String> {
    let (here, there) = text.rsplit_once(':').ok_or("write HERE:THERE")?;
    if !there.starts_with('/') || there.split('/').any(|part| part == "..") {
        return Err(format!("{there} is not an absolute path in the guest"));
    }
    Ok((here.into(), there.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{GuestOutcome, GuestPhase, Hang, emulators_fault, file};

    #[test]
    fn only_a_guest_whose_job_never_began_is_begun_anew_for_a_hang() {
        let hung = |phase| {
            GuestOutcome::Hung(Hang { phase, since: Duration::from_mins(2), lines: Vec::new() })
        };
        assert!(emulators_fault(&hung(GuestPhase::Booting)).is_some());
        assert_eq!(emulators_fault(&hung(GuestPhase::Running)), None);
        assert_eq!(emulators_fault(&hung(GuestPhase::Ending)), None);
        assert_eq!(emulators_fault(&GuestOutcome::Panicked(Vec::new())), None);
        assert_eq!(emulators_fault(&GuestOutcome::Finished(1)), None);
    }

    #[test]
    fn a_file_has_two_places() {
        assert_eq!(file("a:b:/bin/c"), Ok(("a:b".into(), "/bin/c".to_owned())));
        for wrong in ["a", "a:b", "a:/../b"] {
            file(wrong).unwrap_err();
        }
    }
}
