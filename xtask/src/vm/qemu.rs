//! Starts QEMU, watches it, ends it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use super::Accel;
use super::console::{Console, Limits};
use super::outcome::{GuestOutcome, HOST};
use super::wire;
use crate::{interrupt, process};

const PROGRAM: &str = "qemu-system-x86_64";
/// How often the console, the disk and the signals are looked at.
const POLL: Duration = Duration::from_millis(100);
/// With less than this the guest could not write on.
const LEAST_SPACE: u64 = 32 << 20;

/// Names of the files in a guest's work folder.
pub(crate) mod file {
    pub(crate) const INITRD: &str = "initrd";
    pub(crate) const DATA: &str = "data.img";
    pub(crate) const RESULTS: &str = "results.img";
    pub(crate) const CONSOLE: &str = "console.log";
    pub(crate) const OUTPUT: &str = "output.log";
    pub(crate) const ERRORS: &str = "qemu.log";
}

/// What QEMU is started with, beside the files in the work folder.
#[derive(Clone, Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) image: &'a Path,
    pub(crate) accel: Accel,
    pub(crate) cpus: usize,
    pub(crate) flags: &'a str,
    pub(crate) append: &'a str,
    /// Whether there are two network devices, joined by a wire.
    pub(crate) wire: bool,
    /// A disk's image to read.
    pub(crate) disk: Option<&'a Path>,
    pub(crate) limits: Limits,
}

/// How it ended, and how long the boot took.
#[derive(Debug)]
pub(crate) struct GuestRun {
    pub(crate) outcome: GuestOutcome,
    pub(crate) boot: Duration,
    /// CPU time that QEMU has used.
    pub(crate) cpu: Duration,
}

/// QEMU's version, in its own words.
pub(crate) fn version() -> Option<String> {
    let said = process::output(Command::new(process::find(PROGRAM)?).arg("--version")).ok()?;
    let words = said.lines().next()?.strip_prefix("QEMU emulator version ")?;
    Some(words.to_owned())
}

/// Boots in the work folder and stays until the guest has ended, one way or another. Each line
/// that the job says goes to `show`.
pub(crate) fn run(
    machine: &Machine<'_>,
    work: &Path,
    show: &mut dyn FnMut(&str),
) -> Result<GuestRun> {
    let Some(qemu) = process::find(PROGRAM) else {
        let (boot, cpu) = (Duration::ZERO, Duration::ZERO);
        return Ok(GuestRun { outcome: GuestOutcome::QemuMissing, boot, cpu });
    };
    for name in [file::CONSOLE, file::ERRORS] {
        File::create(work.join(name)).with_context(|| format!("creating {name}"))?;
    }
    let started = Instant::now();
    let mut guest =
        QemuProcess(command(&qemu, machine, work)?.spawn().context("cannot start QEMU")?);
    let job = stream(guest.0.stdout.take().context("QEMU has no output")?);
    let mut console = Console::new(machine.limits, started);
    let mut log = File::open(work.join(file::CONSOLE)).context("opening the console's log")?;
    let mut text = Lines::new(work)?;
    let mut cpu = Duration::ZERO;

    let outcome = loop {
        let mut open = true;
        cpu = process::cpu_time(&guest.0).unwrap_or(cpu);
        match job.recv_timeout(POLL) {
            Ok(bytes) => {
                console.job_spoke(Instant::now());
                text.feed(&bytes, show)?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
        let gone = !open && guest.0.try_wait().context("waiting for QEMU")?.is_some();
        let mut fresh = Vec::new();
        log.read_to_end(&mut fresh).context("reading the console's log")?;
        console.feed(&fresh, Instant::now());
        if gone {
            let errors = fs::read_to_string(work.join(file::ERRORS)).unwrap_or_default();
            break console.ended(&errors);
        }
        if interrupt::requested() {
            break GuestOutcome::Interrupted;
        }
        if space(work)? < LEAST_SPACE {
            break GuestOutcome::OutOfSpace(HOST);
        }
        if let Some(outcome) = console.verdict(Instant::now()) {
            break outcome;
        }
    };
    drop(guest);
    text.end(show);
    Ok(GuestRun { outcome, boot: console.boot_time().unwrap_or_else(|| started.elapsed()), cpu })
}

/// QEMU's process; it ends with this.
struct QemuProcess(Child);

impl Drop for QemuProcess {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn command(qemu: &Path, machine: &Machine<'_>, work: &Path) -> Result<Command> {
    let cpu = match machine.accel {
        // With cmpxchg16b, QEMU's emulation now and then breaks the slab allocator of newer
        // kernels (seen: QEMU 7.2 with 6.12). With SSE4.2 a log's checksums are made by
        // `crc32`, which the emulator computes bit by bit (`helper_crc32()`, target/i386/int_helper.c,
        // 7.2); without it the same tests need 8 % less CPU time. With la57 page tables have a fifth
        // level, which the emulator walks at each miss of its cache of addresses.
        Accel::Tcg => "max,-cx16,-sse4.2,-la57",
        Accel::Kvm => "host",
    };
    let cpu =
        if machine.flags.is_empty() { cpu.to_owned() } else { format!("{cpu},{}", machine.flags) };
    // A kernel that went on after an oops would let the job wait for a task that is gone.
    // On a busy host the emulator's timer may be late, which the kernel would take for a broken one
    // and panic (check_timer(), arch/x86/kernel/apic/io_apic.c, 6.1 to 7.3).
    let append =
        format!("console=ttyS0 quiet oops=panic panic=-1 no_timer_check {}", machine.append);
    // setpriv lets QEMU die with this process, even with one that is killed.
    let mut command = process::command("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if machine.wire {
        command.args(wire::before(qemu, geteuid().is_root()));
    } else {
        command.arg(qemu);
    }
    command.args(["-accel", machine.accel.name(), "-cpu", &cpu, "-m", "2G"]);
    command.args(["-smp", &machine.cpus.to_string(), "-no-reboot", "-nodefaults"]);
    if machine.wire {
        command.args(wire::devices());
    } else {
        command.args(["-nic", "none"]);
    }
    command.args(["-display", "none", "-monitor", "none"]);
    // Kernel and init speak on the first port; the second has the job's output alone.
    command.args(["-serial", &format!("file:{}", file::CONSOLE), "-serial", "stdio"]);
    command.args(["-initrd", file::INITRD, "-append", append.trim_end()]);
    command.arg("-kernel").arg(machine.image);
    for disk in [file::DATA, file::RESULTS] {
        if work.join(disk).exists() {
            command.arg("-drive");
            command.arg(format!("file={disk},format=raw,if=virtio,cache=unsafe"));
        }
    }
    if let Some(disk) = machine.disk {
        let disk = disk.canonicalize().with_context(|| format!("finding {}", disk.display()))?;
        command.arg("-drive");
        command.arg(format!("file={},format=raw,if=virtio,readonly=on", disk.display()));
    }
    let errors = File::options().append(true).open(work.join(file::ERRORS))?;
    command.current_dir(work).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    command.process_group(0); // Ctrl-C is for this program, which then ends QEMU
    Ok(command)
}

/// Bytes free where the images are.
fn space(work: &Path) -> Result<u64> {
    let stat = statvfs(work).with_context(|| format!("looking at {}", work.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

/// A thread that passes on what can be read.
fn stream(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut block = [0; 4096];
        loop {
            match from.read(&mut block) {
                Ok(0) => break,
                Ok(count) if sender.send(block[..count].to_vec()).is_err() => break,
                Err(error) if error.kind() != ErrorKind::Interrupted => break,
                Ok(_) | Err(_) => {}
            }
        }
    });
    receiver
}

/// The job's output: kept in a file, shown line by line.
struct Lines {
    kept: File,
    partial: Vec<u8>,
}

impl Lines {
    fn new(work: &Path) -> Result<Self> {
        let kept = File::create(work.join(file::OUTPUT)).context("creating the output's log")?;
        Ok(Self { kept, partial: Vec::new() })
    }

    fn feed(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str)) -> Result<()> {
        self.kept.write_all(bytes).context("writing the output's log")?;
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            show(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        }
        Ok(())
    }

    fn end(self, show: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            show(&String::from_utf8_lossy(&self.partial));
        }
    }
}
