//! A real broker of Kafka 4 and the Java client, from the folder of their archives.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) const LEVELS: [&str; 2] = ["read_committed", "read_uncommitted"];

/// How long a broker may take to start, and to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Java with the broker's and the clients' classes.
pub(crate) struct Java {
    class_path: String,
    _classes: TempDir,
}

impl Java {
    /// Compiles the client.
    pub(crate) fn new(archives: &str) -> Self {
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

    pub(crate) fn run(&self, class: &str, words: &[&str]) -> String {
        let output = self.command(class).args(words).output().expect("java starts");
        let Output { status, stdout, stderr } = output;
        assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("text")
    }

    /// The offsets of the records of a topic, to who reads by that level of isolation.
    pub(crate) fn offsets(&self, broker: &str, topic: &str, level: &str) -> Vec<u64> {
        let read = self.run("Kafka", &["read", broker, topic, level]);
        let records = read.lines().filter(|line| !line.starts_with("bounds"));
        let offset = |line: &str| line.split(' ').nth(1)?.parse().ok();
        let mut offsets: Vec<u64> = records.map(|line| offset(line).expect("offset")).collect();
        offsets.sort_unstable();
        offsets
    }

    /// Every record of every topic, to who reads committed records and who reads all.
    pub(crate) fn read(&self, broker: SocketAddr, topics: &[&str]) -> Vec<(String, String)> {
        let each = topics.iter().flat_map(|topic| LEVELS.map(|level| (*topic, level)));
        each.map(|(topic, level)| {
            let records = self.run("Kafka", &["read", &broker.to_string(), topic, level]);
            (format!("{topic} {level}"), records)
        })
        .collect()
    }
}

/// A broker, which is also its own controller.
pub(crate) struct Real<'a> {
    java: &'a Java,
    folder: &'a Path,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl<'a> Real<'a> {
    pub(crate) fn start(java: &'a Java, folder: &'a Path, cleans: bool) -> Self {
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

    pub(crate) fn client(&self, words: &[&str]) {
        let address = self.address.to_string();
        self.java.run("Kafka", &[&words[..1], &[&address], &words[1..]].concat());
    }

    /// Ends it; the folder of its logs.
    pub(crate) fn end(mut self, signal: Signal) -> PathBuf {
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
