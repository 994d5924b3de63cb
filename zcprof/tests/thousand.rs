//! A thousand connections at once, between real processes: all are served, alike, in little
//! memory, and nothing is left open.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use zcprof::fetch::consumer::{FetchCommand, Outcome, Protocol, Verified, equal_shares};
use zcprof::fetch::log::{Log, MakeLog, make};
use zcprof::server::Greeting;
use zcprof::transfer::{Layer, TransferSpec};

const CONNECTIONS: u32 = 1000;

/// Each connection waits for so many answers, so that the server has to choose whom to serve.
const FETCHES: usize = 4;

const FETCH: u64 = 64 << 10;

/// Most memory of the server, in KiB: 200 MiB.
const MEMORY: u64 = 200 << 10;

/// A worker process, killed and reaped when the test ends in whatever way.
struct WorkerProcess {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl WorkerProcess {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Process::new(env!("CARGO_BIN_EXE_zcprof"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("zcprof starts");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, answers }
    }

    fn answer<T: DeserializeOwned>(&mut self) -> T {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it lives").count()
    }

    /// Watches its memory until it is told to stop, and gives the most that there was, in KiB.
    ///
    /// Pages of its own and page tables; VmHWM would count a page of the page cache once for each
    /// connection that maps it, which costs no memory.
    fn watch_memory(&self) -> impl FnOnce() -> u64 + use<> {
        let path = format!("/proc/{}/status", self.child.id());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watching = std::thread::spawn(move || {
            let mut most = 0;
            loop {
                let last = stopped.load(Ordering::SeqCst);
                let status = fs::read_to_string(&path).expect("it lives");
                most = most.max(field(&status, "RssAnon:") + field(&status, "VmPTE:"));
                if last {
                    return most;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        move || {
            stop.store(true, Ordering::SeqCst);
            watching.join().expect("no panic")
        }
    }
}

/// A field of /proc/PID/status, in KiB.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(folder: &Path) -> Log {
    let path = folder.join("orders-0");
    make(&path, &MakeLog { bytes: 64 << 20, segment_bytes: 1 << 30, ..MakeLog::default() })
        .expect("a log");
    Log::open(&path).expect("an intact log")
}

#[test]
fn a_thousand_connections_are_all_served_alike_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = log(folder.path());
    let log_dir = log.folder().to_str().expect("UTF-8");
    let shares = equal_shares(&log, CONNECTIONS, FETCHES, FETCH).expect("readable");
    let payload: u64 = shares.iter().map(|share| share.bytes).sum();
    for row in TransferSpec::possible().filter(|row| row.layer == Layer::Plain) {
        let listen = format!("{}=127.0.0.1:0", row.name);
        let mut server =
            WorkerProcess::start(&["server", "--log-dir", log_dir, "--listen", &listen]);
        let address = match server.answer() {
            Greeting::Ready(listening) => listening[0].address.clone(),
            Greeting::Error(error) => panic!("{error}"),
        };
        let before = server.descriptors();
        let memory = server.watch_memory();
        let mut consumer = WorkerProcess::start(&["consumer"]);
        let command = FetchCommand {
            certificate: None,
            address,
            protocol: Protocol::Kafka { topic: log.topic().to_owned(), partition: log.partition() },
            mode: "copy".to_owned(),
            rounds: 1,
            shares: shares.clone(),
        };
        let mut line = serde_json::to_string(&command).expect("encodes");
        line.push('\n');
        let stdin = consumer.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(line.as_bytes()).expect("it listens");
        let outcome: Outcome = consumer.answer();
        let memory = memory();

        assert_eq!((outcome.error, outcome.verified), (None, Verified::Right), "{}", row.name);
        assert_eq!(outcome.payload_bytes, payload, "{}", row.name);
        let (median, slowest) = (outcome.pace.median, outcome.pace.slowest);
        assert!(slowest <= 3.0 * median, "{}: {slowest} s against {median} s", row.name);
        assert!(0 < memory && memory < MEMORY, "{}: {memory} KiB", row.name);
        eprintln!("{}: {memory} KiB, slowest {slowest:.3} s, median {median:.3} s", row.name);
        assert_eq!(server.descriptors(), before, "{}: left open", row.name);
    }
}
