//! What strikes the probes, the CPUs or the clock while a pass is under way: the verdict is the
//! right one, or there is none.

mod cpuset;
mod kprobes;
mod lacking;
mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime, clock_settime};
use zcprof::run::{Doubt, Run};
use zcprof_common::sites::BOUNCE_BUFFERS;

use super::leftovers::Scene;
use super::{breakpoints, code, folder, measure, text};
pub(super) use running::RunningMeasurement;

/// Whether CPU 1 is online.
pub(crate) const CPU: &str = "/sys/devices/system/cpu/cpu1/online";

/// Whether functions call their tracers.
const FTRACE: &str = "/proc/sys/kernel/ftrace_enabled";

pub(crate) fn write(path: &str, value: &str) {
    fs::write(path, value).unwrap_or_else(|error| panic!("{value} into {path}: {error}"));
}

/// Where zcprof looks for debugfs.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Debugfs for a test.
pub(crate) struct Debugfs {
    folder: PathBuf,
    mounted: Vec<PathBuf>,
}

impl Debugfs {
    /// Where zcprof looks for it.
    pub(crate) fn shown() -> Self {
        let mut debugfs = Self { folder: DEBUGFS.into(), mounted: Vec::new() };
        if !debugfs.folder.join("kprobes").exists() {
            debugfs.mount("debugfs", DEBUGFS.into());
        }
        debugfs
    }

    /// Elsewhere, and nothing where zcprof looks.
    fn hidden() -> Self {
        let folder = folder("debugfs");
        let mut debugfs = Self { folder: folder.clone(), mounted: Vec::new() };
        debugfs.mount("debugfs", folder);
        debugfs.mount("tmpfs", DEBUGFS.into());
        debugfs
    }

    fn mount(&mut self, kind: &str, folder: PathBuf) {
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some(kind), &folder, Some(kind), flags, None::<&str>).expect("root may");
        self.mounted.push(folder);
    }

    /// Whether any kprobe is armed.
    pub(crate) fn arm_kprobes(&self, armed: &str) {
        fs::write(self.folder.join("kprobes/enabled"), armed).expect("root may");
    }
}

impl Drop for Debugfs {
    fn drop(&mut self) {
        let armed = fs::write(self.folder.join("kprobes/enabled"), "1");
        let unmounted = self.mounted.iter().map(nix::mount::umount::<PathBuf>);
        let unmounted = unmounted.collect::<nix::Result<Vec<()>>>();
        if !std::thread::panicking() {
            armed.expect("root may");
            unmounted.expect("unmounted");
        }
    }
}

/// Tracing of functions is switched off: either the kernel refuses, because programs are attached,
/// or they are missed. Kprobes that are taken away meanwhile leave flags in the kernel's records of
/// functions, and the next that are switched off make it warn and give function tracing up
/// (ftrace_shutdown(), kernel/trace/ftrace.c, seen on 6.12). So this test has a guest of its own.
#[test]
#[ignore = "kprobes cannot be switched off after it"]
fn function_tracing_that_is_switched_off_is_missed() {
    for arguments in [&["--transfer", "sendfile"][..], &["--avoid-fexit", "--transfer", "sendfile"]]
    {
        let mut running = RunningMeasurement::begin("ftrace", arguments);
        running.wait_for_pass("sendfile");
        let refused = fs::write(FTRACE, "0").err();
        let ended = running.end();
        write(FTRACE, "1");
        println!("{arguments:?}: refused {refused:?}, exit code {}", ended.code);
        let run = ended.run.expect("a record");
        let seen = run.passes[0].counts.iter().any(|count| count.site == "filemap_splice_read");
        match refused {
            Some(_) => assert_eq!(ended.code, 0, "{}", ended.said),
            None if seen => assert!([0, 3].contains(&ended.code), "{}", ended.said),
            None => assert_eq!(ended.code, 3, "{}", ended.said),
        }
    }
}

/// A map of counts with too little room: what was not counted is said, and nothing holds.
#[test]
fn a_full_map_of_counts_is_inconclusive() {
    let more = ["--map-capacity", "COUNTS=16", "--cache", "warm", "--transfer", "sendfile"];
    let (output, run) = measure("map-full", &more);
    let said = text(&output);
    assert_eq!(code(&output), 3, "{said}");
    assert!(said.contains("the map of counts was full"), "{said}");
    let lost = |doubt: &Doubt| matches!(doubt, Doubt::Lost { .. });
    let run = run.expect("a record");
    assert!(run.controls.iter().any(|control| control.pass.doubts.iter().any(lost)));
}

/// Under `-v` the programs say more than a small ring holds: only words are lost.
#[test]
fn a_ring_that_overruns_loses_words_and_no_bytes() {
    let said = |ring: &[&str]| {
        let more = ["-v", "--cache", "warm", "--transfer", "read_write,sendfile"];
        let (output, _) = measure("ring", &[&more[..], ring].concat());
        assert_eq!(code(&output), 0, "{}", text(&output));
        text(&output).matches("first call at").count()
    };
    let (all, some) = (said(&[]), said(&["--map-capacity", "AYA_LOGS=4096"]));
    println!("{all} events with room for them, {some} with 4 KiB");
    assert!(some < all, "the ring did not overrun: {some} of {all} events");
}

/// While zcprof holds the breakpoint slots, nobody can take them.
#[test]
fn slots_cannot_be_stolen_under_way() {
    let mut running = RunningMeasurement::begin("stolen", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    assert!(breakpoints(0, 1).is_err(), "there was a fifth slot");
    let ended = running.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
}

/// A CPU that was offline when the breakpoints were set must be watched, and said to be new.
#[test]
fn a_cpu_that_comes_online_is_noticed() {
    write(CPU, "0");
    let mut running = RunningMeasurement::begin("online", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    write(CPU, "1");
    let ended = running.end();
    // The pass is void, and made again with the new CPU watched.
    assert!(ended.said.contains("CPU 1 came online"), "{}", ended.said);
    assert!([0, 3].contains(&ended.code), "{}", ended.said);
}

/// A CPU that is gone for a moment comes back without its breakpoints.
#[test]
fn a_cpu_that_was_offline_for_a_moment_is_noticed() {
    let mut running = RunningMeasurement::begin("offline", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    write(CPU, "0");
    sleep(Duration::from_millis(200));
    write(CPU, "1");
    let ended = running.end();
    assert!(ended.said.contains("CPU 1 came online"), "{}", ended.said);
    assert!([0, 3].contains(&ended.code), "{}", ended.said);
}

/// A CPU that goes for good takes nothing with it that was counted.
#[test]
fn a_cpu_that_goes_offline_changes_no_verdict() {
    let mut running = RunningMeasurement::begin("gone", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    write(CPU, "0");
    let ended = running.end();
    write(CPU, "1");
    assert_eq!(ended.code, 0, "{}", ended.said);
}

/// A stranger took a slot on a CPU that comes online: it cannot be watched, and that is said.
#[test]
fn a_cpu_that_comes_online_without_a_free_slot_is_an_error() {
    write(CPU, "0");
    let mut running = RunningMeasurement::begin("no-slot", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    let slots = running.while_stopped(|| {
        write(CPU, "1");
        breakpoints(1, 4).expect("free slots")
    });
    let ended = running.end();
    drop(slots);
    assert_eq!(ended.code, 2, "{}", ended.said);
    assert!(ended.said.contains("slots are taken"), "{}", ended.said);
    assert!(ended.run.is_none(), "a report was written");
}

/// Whether a command of the guest's busybox succeeded.
fn busybox(words: &[&str]) -> bool {
    let status = Command::new("/bin/busybox").args(words).status();
    status.expect("busybox starts").success()
}

/// The file of a module that this guest has loaded; none if it is built into the kernel.
fn module(name: &str) -> Option<String> {
    let order = fs::read_to_string("/modules/order").expect("the guest's list");
    let is_it = |file: &&str| file.split(".ko").next() == Some(name);
    order.lines().find(is_it).map(|file| format!("/modules/{file}"))
}

/// A module that a row of the table waits for is loaded under way: its function was not watched, and
/// nothing holds. Its twin is one that no row waits for.
#[test]
fn a_module_that_is_loaded_under_way_is_a_reason() {
    for (name, expected) in [("nfnetlink_log", 3), ("vxlan", 0)] {
        let Some(file) = module(name) else {
            println!("skipped: {name} is built into this kernel");
            continue;
        };
        assert!(busybox(&["rmmod", name]), "somebody uses {name}");
        let mut running =
            RunningMeasurement::begin("module", &["--transfer", "mmap_write,sendfile"]);
        running.wait_for_pass("mmap_write");
        assert!(busybox(&["insmod", &file]), "{file}");
        let ended = running.end();
        assert_eq!(ended.code, expected, "{name}: {}", ended.said);
        assert_eq!(ended.said.contains("ZC218"), expected == 3, "{name}: {}", ended.said);
    }
}

/// A day, in seconds.
pub(crate) const DAY: i64 = 86_400;

/// Sets the clock forwards or back.
pub(crate) fn jump(seconds: i64) {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock");
    let then = nix::sys::time::TimeSpec::new(now.tv_sec() + seconds, now.tv_nsec());
    clock_settime(ClockId::CLOCK_REALTIME, then).expect("root may");
}

/// The clock is set a day forwards and back, again and again.
#[test]
fn a_clock_that_jumps_changes_nothing() {
    let mut running = RunningMeasurement::begin("clock", &["--transfer", "mmap_write,sendfile"]);
    running.wait_for_pass("mmap_write");
    for seconds in [DAY, -DAY, -DAY, DAY] {
        jump(seconds);
        sleep(Duration::from_millis(100));
    }
    let ended = running.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    let run = ended.run.expect("a record");
    let possible = |seconds: f64| (0.0..600.0).contains(&seconds);
    assert!(times(&run).into_iter().all(possible), "{:?}", times(&run));
}

/// Every time in a record, in seconds.
fn times(run: &Run) -> Vec<f64> {
    let passes = run.passes.iter().map(|pass| pass.seconds);
    let phases = run.phases.iter().map(|phase| phase.seconds);
    let rounds = run.timings.iter().flat_map(|timing| &timing.rounds);
    let rounds = rounds.flat_map(|round| [round.seconds, round.server_cpu, round.consumer_cpu]);
    passes.chain(phases).chain(rounds).collect()
}

/// Devices that do not reach all memory get copies from the CPU, which no site at a socket sees. The kernel does
/// so for all if it is started with `swiotlb=force`, and then the disks here are the only devices that need
/// none: `cargo xtask test` starts a guest like that.
#[test]
#[ignore = "the kernel must be started with swiotlb=force"]
fn what_is_copied_for_devices_is_no_zero() {
    let cmdline = fs::read_to_string("/proc/cmdline").expect("readable");
    assert!(cmdline.contains("swiotlb=force"), "{cmdline}");
    for (network, expected, named) in [("loopback", 0, "holds"), ("virtio", 3, "ZC228")] {
        let words = ["--cache", "warm", "--transfer", "sendfile", "--network", network];
        let (output, run) = measure("bounce-buffers", &words);
        assert_eq!(code(&output), expected, "{network}: {}", text(&output));
        assert!(text(&output).contains(named), "{network}: {}", text(&output));
        let run = run.expect("a record");
        let pass = &run.passes[0];
        let at_it = pass.counts.iter().filter(|count| count.site == BOUNCE_BUFFERS);
        let copied: u64 = at_it.map(|count| count.bytes).sum();
        println!("{network}: {copied} of {} bytes", pass.payload.bytes);
        assert_eq!(copied >= pass.payload.bytes, expected == 3, "{network}: {copied}");
    }
}

/// Which lockdown the kernel may be put into; it cannot be undone, so that this runs in a guest of
/// its own: `cargo xtask test` does.
#[test]
#[ignore = "it locks the running kernel down for good"]
fn a_kernel_that_is_locked_down_says_so() {
    const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
    if !Path::new(LOCKDOWN).exists() {
        let mounted = Command::new("/bin/busybox")
            .args(["mount", "-t", "securityfs", "securityfs", "/sys/kernel/security"])
            .status();
        assert!(mounted.expect("busybox starts").success(), "no securityfs");
    }
    for (mode, expected, named) in [("integrity", 0, "holds"), ("confidentiality", 4, "lockdown")] {
        write(LOCKDOWN, mode);
        let before = Scene::settled();
        let (output, run) = measure("lockdown", &["--cache", "warm", "--transfer", "sendfile"]);
        before.is_back();
        let said = text(&output);
        println!("lockdown={mode}: exit code {}", code(&output));
        assert_eq!(code(&output), expected, "{mode}: {said}");
        assert!(said.contains(named), "{mode}: {said}");
        assert_eq!(run.is_some(), expected == 0, "{mode}: {said}");
    }
}
