//! A folder that a real broker of Kafka 4 writes, and what that broker gives to the same consumer.
//! It takes a minute, so it runs when it is asked for: `cargo test --test broker kafka:: --
//! --ignored`, with ZCPROF_KAFKA, the folder of the broker's archives.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cases::{CASES, data};
use crate::real::program;
use crate::topic::Broker;

const TOPICS: [&str; 3] = ["transactions", "compacted", "deleted"];

const LEVELS: [&str; 2] = ["read_committed", "read_uncommitted"];

/// How long a broker may take to start, and to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Java with the broker's and the clients' classes.
struct Java {
    class_path: String,
    _classes: TempDir,
}

impl Java {
    /// Compiles the client.
    fn new(archives: &str) -> Self {
        let classes = tempfile::tempdir().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/Kafka.java");
        let class_path = format!("{}:{archives}/*", classes.path().display());
        let compiled = Command::new("javac")
            .args(["-cp", &class_path, "-d"])
            .args([classes.path(), &source])
            .output()
            .expect("javac starts");
        assert!(compiled.status.success(), "{compiled:?}");
        Self { class_path, _classes: classes }
    }

    fn command(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.args(["-cp", &self.class_path, class]);
        java
    }

    fn run(&self, class: &str, words: &[&str]) -> String {
        let output = self.command(class).args(words).output().expect("java starts");
        let Output { status, stdout, stderr } = output;
        assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("text")
    }

    /// Every record of every topic, to who reads committed records and who reads all.
    fn read(&self, broker: SocketAddr, topics: &[&str]) -> Vec<(String, String)> {
        let each = topics.iter().flat_map(|topic| LEVELS.map(|level| (*topic, level)));
        each.map(|(topic, level)| {
            let records = self.run("Kafka", &["read", &broker.to_string(), topic, level]);
            (format!("{topic} {level}"), records)
        })
        .collect()
    }
}

/// A broker, which is also its own controller.
struct Real<'a> {
    java: &'a Java,
    folder: &'a Path,
    address: SocketAddr,
    child: Child,
}

impl<'a> Real<'a> {
    fn start(java: &'a Java, folder: &'a Path, cleans: bool) -> Self {
        let [address, controller] = [(); 2].map(|()| {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            free.local_addr().expect("bound")
        });
        let properties = folder.join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.bootstrap.servers={controller}\n\
             listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n\
             controller.listener.names=CONTROLLER\nlog.dirs={}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\nlog.cleaner.backoff.ms=500\n\
             log.cleaner.enable={cleans}\n",
            folder.join("data").display()
        );
        fs::write(&properties, text).expect("written");
        let properties = properties.to_str().expect("text");
        if !folder.join("data").exists() {
            let id = ["-t", "4L6g3nShT-eMCtK--X86sw", "-c", properties];
            java.run("kafka.tools.StorageTool", &[&["format", "--standalone"][..], &id].concat());
        }
        let child = java
            .command("kafka.Kafka")
            .arg(properties)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java starts");
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < PATIENCE, "the broker does not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        Self { java, folder, address, child }
    }

    fn client(&self, word: &str) {
        self.java.run("Kafka", &[word, &self.address.to_string()]);
    }

    /// Ends it; the folder of its logs.
    fn end(mut self, signal: Signal) -> PathBuf {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it runs");
        self.child.wait().expect("it ends");
        self.folder.join("data")
    }
}

impl Drop for Real<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn same(expected: &[(String, String)], found: &[(String, String)]) {
    for ((what, expected), (_, found)) in expected.iter().zip(found) {
        let (records, others) = (expected.lines().count(), found.lines().count());
        assert!(expected == found, "{what}: {records} lines, and {others} were to come");
        assert!(records > 50, "{what}: {records} lines");
        println!("{what}: {records} lines are the same");
    }
}

#[test]
#[ignore = "it starts a real broker"]
fn a_real_brokers_folder_gives_what_that_broker_gave() {
    let name = "a_real_brokers_folder_gives_what_that_broker_gave";
    let Some(archives) = program("ZCPROF_KAFKA", name) else { return };
    let java = Java::new(&archives);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let real = Real::start(&java, folder.path(), true);
    real.client("write");
    let expected = java.read(real.address, &TOPICS);
    let logs = real.end(Signal::SIGTERM);
    let broker = Broker::start(&logs, "sendfile");
    same(&expected, &java.read(broker.address, &TOPICS));
    drop(broker);

    // It is killed, and what it gives is compared once it was started again; its cleaner must not
    // run meanwhile.
    let real = Real::start(&java, folder.path(), false);
    real.client("more");
    let logs = real.end(Signal::SIGKILL);
    let copy = folder.path().join("copy");
    let copied = Command::new("cp").arg("-r").args([&logs, &copy]).status();
    assert!(copied.expect("cp starts").success());
    let real = Real::start(&java, folder.path(), false);
    let expected = java.read(real.address, &TOPICS);
    drop(real);
    let broker = Broker::start(&copy, "sendfile");
    same(&expected, &java.read(broker.address, &TOPICS));
}

#[test]
#[ignore = "it starts Java"]
fn the_java_client_reads_every_case() {
    let Some(archives) = program("ZCPROF_KAFKA", "the_java_client_reads_every_case") else {
        return;
    };
    let java = Java::new(&archives);
    let broker = Broker::start(&data("cases"), "sendfile");
    let offsets = |topic: &str, level: &str, broker: SocketAddr| {
        let read = java.run("Kafka", &["read", &broker.to_string(), topic, level]);
        let records = read.lines().filter(|line| !line.starts_with("bounds"));
        let mut offsets: Vec<u64> = records
            .map(|line| line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("offset"))
            .collect();
        offsets.sort_unstable();
        offsets
    };
    for (topic, committed, all) in CASES {
        assert_eq!(offsets(topic, LEVELS[0], broker.address), committed, "{topic}");
        assert_eq!(offsets(topic, LEVELS[1], broker.address), all, "{topic}");
    }
    let every: Vec<u64> = (0..30).collect();
    assert_eq!(offsets("gz2", LEVELS[0], broker.address), every);
    let broker = Broker::start(&data("log-start"), "sendfile");
    assert_eq!(offsets("t", LEVELS[1], broker.address), [2]);
}
