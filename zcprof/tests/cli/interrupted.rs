//! Signals: a message within a second, an end soon after, the signal's exit code, nothing left.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::zcprof;

/// What works for minutes: a large log, a log of a measurement, rounds, a benchmark.
const LONG: &[&[&str]] = &[
    &["make-log", "LOG", "--topic", "t", "--records", "2000000", "--partitions", "2"],
    &["time", "--log-dir", "LOG", "--bytes", "4GiB", "--rounds", "1"],
    &["time", "--log-dir", "LOG", "--bytes", "1MiB", "--rounds", "100000"],
    &["bench", "fetch", "--log-dir", "LOG", "--bytes", "16MiB", "--rounds", "100000"],
];

const SIGNALS: [(Signal, i32); 3] =
    [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)];

#[test]
fn whatever_takes_long_ends_within_a_second() {
    let mut signals = SIGNALS.iter().cycle();
    for words in LONG {
        for delay in [300, 1700] {
            let (signal, code) = signals.next().expect("a cycle");
            interrupt(words, Duration::from_millis(delay), *signal, *code);
        }
    }
}

fn interrupt(words: &[&str], delay: Duration, signal: Signal, code: i32) {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let log = folder.path().join("log");
    let words: Vec<_> = words
        .iter()
        .map(|word| if *word == "LOG" { log.to_str().expect("text") } else { word })
        .collect();
    let mut child =
        zcprof(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("zcprof starts");
    std::thread::sleep(delay);
    let errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let begun = Instant::now();
    kill(Pid::from_raw(i32::try_from(child.id()).expect("an id")), signal).expect("it runs");
    let mut told = None;
    let mut said = String::new();
    for line in errors.lines() {
        let line = line.expect("text");
        if line.contains(signal.as_str()) {
            told = Some(begun.elapsed());
        }
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().expect("it ends");
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(code), "{words:?} {signal}: {said}");
    // A busy machine may be late, and not by as much as a loop that does not listen.
    let soon = |took: Duration| took < Duration::from_secs(3);
    assert!(told.is_some_and(soon) && soon(took), "{words:?}: {told:?}, {took:?}: {said}");
    let unfinished = fs::read_dir(&log).into_iter().flatten().filter_map(Result::ok);
    let unfinished: Vec<_> = unfinished
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(".unfinished"))
        .collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
}
