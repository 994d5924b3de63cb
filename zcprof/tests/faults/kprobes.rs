//! Kprobes that are switched off, and others' that come and go.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount, umount};

use zcprof::run::{Doubt, Pass};

use super::{Debugfs, RunningMeasurement};
use crate::folder;

/// Tracefs for a test.
struct Tracefs(PathBuf);

impl Tracefs {
    fn mounted() -> Self {
        let folder = folder("tracefs");
        mount(Some("tracefs"), &folder, Some("tracefs"), MsFlags::empty(), None::<&str>)
            .expect("root may");
        Self(folder)
    }

    /// Writes without cutting the file off, which would take everybody's probes away.
    fn write(&self, file: &str, text: &str) {
        let opened = OpenOptions::new().append(true).open(self.0.join(file));
        let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
        written.unwrap_or_else(|error| panic!("{text} into {file}: {error}"));
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        let unmounted = umount(&self.0);
        if !std::thread::panicking() {
            unmounted.expect("nobody uses it");
        }
    }
}

/// Kprobes are switched off for everybody in the middle of a pass that would show nothing anyway.
#[test]
fn kprobes_that_are_switched_off_under_way_are_missed() {
    let debugfs = Debugfs::shown();
    let mut running =
        RunningMeasurement::begin("kprobes", &["--avoid-fexit", "--transfer", "sendfile"]);
    running.wait_for_pass("sendfile");
    debugfs.arm_kprobes("0");
    let ended = running.end();
    assert_eq!(ended.code, 3, "{}", ended.said);
    assert!(ended.said.contains("ZC209") && ended.said.contains("is gone"), "{}", ended.said);
    assert!(ended.said.contains("closing sendfile"), "{}", ended.said);
}

/// The same where zcprof cannot see in debugfs that they are off: the closing controls do.
#[test]
fn closing_controls_miss_probes_that_are_gone() {
    let debugfs = Debugfs::hidden();
    let mut running =
        RunningMeasurement::begin("unseen", &["--avoid-fexit", "--transfer", "sendfile"]);
    running.wait_for_pass("sendfile");
    debugfs.arm_kprobes("0");
    let ended = running.end();
    assert_eq!(ended.code, 3, "{}", ended.said);
    assert!(ended.said.contains("ZC205"), "{}", ended.said);
}

/// Off and on again within a pass that zcprof cannot look at meanwhile. The kernel switches one after
/// another, so that what hands pages over may be seen all the time and the copy below it not at all:
/// the kernel's record of its own text says it, whether or not something is missing from the account,
/// and the pass is made again.
#[test]
fn a_pass_in_which_kprobes_were_off_for_a_moment_is_void() {
    let hidden = Debugfs::hidden();
    let mut running = RunningMeasurement::begin(
        "moment",
        &["--avoid-fexit", "--transfer", "mmap_write,sendfile"],
    );
    running.wait_for_pass("mmap_write");
    running.while_stopped(|| {
        hidden.arm_kprobes("0");
        hidden.arm_kprobes("1");
    });
    let ended = running.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    let run = ended.run.expect("a record");
    for watched in ["filemap_read", "tcp_sendmsg_locked", "skb_copy_bits"] {
        let doubt = Doubt::ProbeOff { site: watched.to_owned() };
        let [struck, later] = &run.passes[..] else { panic!("two passes") };
        let is_void = |pass: &Pass| pass.void.iter().any(|doubts| doubts.contains(&doubt));
        assert!(is_void(struck), "{watched}: {}", ended.said);
        assert!(!is_void(later) && !later.doubts.contains(&doubt), "{watched}: {}", ended.said);
    }
}

/// Others trace the same functions, and stop: the kernel changes what these call, and each probe stays.
#[test]
fn other_tracers_of_the_same_functions_are_no_reason() {
    let tracefs = Tracefs::mounted();
    for by in [&["--avoid-fexit"][..], &[]] {
        let arguments = [&["--transfer", "mmap_write,sendfile"], by].concat();
        let mut running = RunningMeasurement::begin("others", &arguments);
        running.wait_for_pass("mmap_write");
        running.while_stopped(|| {
            for function in ["tcp_sendmsg_locked", "filemap_read"] {
                tracefs.write("kprobe_events", &format!("p:other {function}"));
                for enable in ["1", "0"] {
                    tracefs.write("events/kprobes/other/enable", enable);
                }
                tracefs.write("kprobe_events", "-:other");
            }
        });
        let ended = running.end();
        assert_eq!(ended.code, 0, "{by:?}: {}", ended.said);
    }
}
