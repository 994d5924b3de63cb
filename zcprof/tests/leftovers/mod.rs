//! Whatever is killed, and when: nothing of it stays.

mod scene;

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::faults::Running;
use super::{code, text, workers, zcprof};
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
    fs::create_dir_all("/var/tmp").expect("a folder");
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
        let mut running = Running::begin("killed-worker", &["--transfer", "mmap_write,sendfile"]);
        running.wait_for_pass("mmap_write");
        let is_it = |pid: &String| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.split(|byte| *byte == 0).nth(1) == Some(name.as_bytes())
        };
        let pid = workers().into_iter().find(is_it).expect("it runs");
        kill(Pid::from_raw(pid.parse().expect("a number")), Signal::SIGKILL).expect("root may");
        let ended = running.end();
        assert_eq!(ended.code, 2, "{}", ended.said);
        let error = format!("mmap_write, warm: the {name} ended before its work was done");
        assert!(ended.said.contains(&error), "{}", ended.said);
        assert!(ended.run.is_none(), "a report was written");
    }
}
