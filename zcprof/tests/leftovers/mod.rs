//! Whatever is killed, and when: nothing of it stays.

mod scene;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::faults::RunningMeasurement;
use super::{code, folder, guest_folder, measure, text, workers, zcprof};
pub(super) use scene::Scene;

/// Times that zcprof is killed.
const KILLS: usize = 10;

/// The longest that it may live, about as long as a measurement takes under emulation.
const LIFE: Duration = Duration::from_secs(10);

/// Ways between server and consumer: with namespaces and devices of their own, and without.
const NETWORKS: [&str; 4] = ["loopback", "veth", "virtio", "veth-tap"];

/// Folders of logs that were made for one measurement.
fn temporary_logs() -> Vec<String> {
    let entries = fs::read_dir("/var/tmp").expect("the folder").map(|item| item.expect("an item"));
    let names = entries.map(|item| item.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("zcprof-log-")).collect()
}

#[test]
fn kill_9_at_random_moments_leaves_nothing_behind() {
    let seed = std::env::var("ZCPROF_SEED").ok().map(|text| text.parse().expect("a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ZCPROF_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let before = Scene::settled();
    for (network, _) in NETWORKS.iter().cycle().zip(0..KILLS) {
        let moment = LIFE.mul_f64(rng.f64());
        println!("{network}, killed after {} ms", moment.as_millis());
        let mut child = zcprof(&["measure", "--untimed", "--bytes", "8MiB", "--cache", "warm"])
            .args(["--transfer", "sendfile", "--network", network])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("zcprof starts");
        sleep(moment);
        child.kill().expect("it is a child");
        child.wait().expect("it is reaped");
        before.is_back();
    }
    // What it had on the disk is gone with the next measurement.
    let output = zcprof(&["measure", "--untimed", "--bytes", "8MiB", "--cache", "warm"])
        .args(["--transfer", "sendfile"])
        .output()
        .expect("zcprof starts");
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(temporary_logs(), [""; 0]);
    before.is_back();
}

/// Whichever worker is killed under way: a clear error, no report, and nothing left.
#[test]
fn a_killed_worker_is_an_error_that_names_it() {
    for name in ["server", "consumer"] {
        let mut running =
            RunningMeasurement::begin("killed-worker", &["--transfer", "mmap_write,sendfile"]);
        running.wait_for_pass("mmap_write");
        kill(worker(name), Signal::SIGKILL).expect("root may");
        let ended = running.end();
        assert_eq!(ended.code, 2, "{}", ended.said);
        let error = format!("mmap_write, warm: the {name} ended before its work was done");
        assert!(ended.said.contains(&error), "{}", ended.said);
        assert!(ended.run.is_none(), "a report was written");
    }
}

/// The running server, or the consumer.
fn worker(name: &str) -> Pid {
    let is_it = |pid: &String| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).nth(1) == Some(name.as_bytes())
    };
    let pid = workers().into_iter().find(is_it).expect("it runs");
    Pid::from_raw(pid.parse().expect("a number"))
}

/// How long a measurement may last after whoever it waits for hangs: what `--patience` says, and
/// under emulation a while to undo everything.
const UNDOING: Duration = super::PATIENCE;

/// A worker that hangs ends the measurement within the time that is stated; one that only rests goes
/// on.
#[test]
fn a_hung_worker_is_given_up_in_the_stated_time() {
    let patience = Duration::from_secs(8);
    let seconds = patience.as_secs().to_string();
    for (name, rest) in [("server", None), ("consumer", None), ("server", Some(patience / 4))] {
        let arguments = ["--transfer", "mmap_write,sendfile", "--patience", &seconds];
        let mut running = RunningMeasurement::begin("hung-worker", &arguments);
        running.wait_for_pass("mmap_write");
        let (pid, stopped) = (worker(name), Instant::now());
        kill(pid, Signal::SIGSTOP).expect("root may");
        if let Some(rest) = rest {
            sleep(rest);
            kill(pid, Signal::SIGCONT).expect("root may");
        }
        let ended = running.end();
        if rest.is_some() {
            assert_eq!(ended.code, 0, "{}", ended.said);
            continue;
        }
        let took = stopped.elapsed();
        println!("{name}: ended {} ms after it was stopped", took.as_millis());
        assert!(took >= patience && took < patience + UNDOING, "{took:?}: {}", ended.said);
        assert_eq!(ended.code, 2, "{}", ended.said);
        let error = format!("mmap_write, warm: the {name} was stopped by a signal");
        assert!(ended.said.contains(&error), "{}", ended.said);
        assert!(ended.run.is_none(), "a report was written");
    }
}

/// What is taken for a kcat here: it prints its version and then, like one that tries to reach a
/// server that is gone, nothing.
const SILENT: &str = "#!/bin/busybox sh\n\
    [ \"$1\" = -V ] && echo 'Version 1.7.1 (silent)' && exit\n\
    exec sleep 600\n";

/// kcat never ends by itself when its server is gone: the measurement does, at once where the server
/// is killed, and in the stated time where nobody does anything.
#[test]
fn a_kcat_that_waits_for_ever_is_given_up() {
    let kcat = folder("kcat").join("kcat");
    fs::write(&kcat, SILENT).expect("written");
    fs::set_permissions(&kcat, fs::Permissions::from_mode(0o755)).expect("root may");
    let log = guest_folder().join("log-8MiB");
    if !log.exists() {
        let (output, _) = measure("log", &["--transfer", "sendfile", "--cache", "warm"]);
        assert_eq!(code(&output), 0, "{}", text(&output));
    }
    let before = Scene::settled();
    for (patience, kills) in [("5", false), ("300", true)] {
        let child = zcprof(&["measure", "--untimed", "--bytes", "8MiB", "--cache", "warm"])
            .args(["--transfer", "sendfile", "--patience", patience, "--kcat"])
            .arg(&kcat)
            .arg("--log-dir")
            .arg(&log)
            .arg("--out")
            .arg(folder("hung-kcat"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("zcprof starts");
        super::wait_until("kcat did not start", is_asleep);
        let begun = Instant::now();
        if kills {
            kill(worker("server"), Signal::SIGKILL).expect("root may");
        }
        let output = child.wait_with_output().expect("it ends");
        let (said, took) = (text(&output), begun.elapsed());
        println!("kcat, {patience} s of patience: ended after {} ms", took.as_millis());
        assert_eq!(code(&output), 2, "{said}");
        let why = if kills { "the server ended before its work was done" } else { "it hangs" };
        assert!(said.contains(why), "{said}");
        assert!(took < Duration::from_secs(5) + UNDOING, "{took:?}: {said}");
        before.is_back();
    }
}

/// Whether the silent kcat runs.
fn is_asleep() -> bool {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|command| command.ends_with(b"sleep\x00600\0"))
}
