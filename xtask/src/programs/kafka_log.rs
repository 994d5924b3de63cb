//! The folder of a broker of Kafka that has one topic to read, written by that broker itself. It is
//! made once: in a guest it would take a quarter of an hour.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cache::CacheFolder;
use crate::manifest::Manifest;
use crate::setup::kafka::VERSION;
use crate::{interrupt, process};

/// What it is called: the clients of zcprof/tests/programs/table/kafka.rs read it.
const TOPIC: &str = "body";

/// Its bytes: 512 records of 16 KiB.
const RECORDS: [&str; 4] = ["--num-records", "512", "--record-size", "16384"];

/// Where its broker listens, here and in guests: it knows itself by its address. The kernel hands out
/// no such ports by itself.
const PORTS: [u16; 2] = [19_092, 19_093];

/// How long the broker may take to start.
const PATIENCE: Duration = Duration::from_mins(2);

/// The folder, which is made if it is not there.
///
/// # Errors
/// The broker does not start, or its tools fail.
pub(super) fn folder(cache: &CacheFolder, archives: &Path) -> Result<PathBuf> {
    let name = format!("tools/kafka-{VERSION}-log");
    if !matches!(cache.look(&name, |_| true), crate::cache::Cached::Whole(_)) {
        cache.put(&name, |folder| make(cache, archives, folder))?;
    }
    Ok(cache.path(&name).join("data"))
}

fn make(cache: &CacheFolder, archives: &Path, folder: &Path) -> Result<Manifest> {
    let class_path = format!("{}/*", archives.display());
    let java = |class: &str, words: &[&str]| {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-cp", &class_path, class]).args(words);
        java
    };
    let log = |name: &str| cache.path(&format!("logs/kafka-{name}.log"));
    let [broker, controller] = PORTS.map(|port| format!("127.0.0.1:{port}"));
    let properties = folder.join("server.properties");
    let data = folder.join("data");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.bootstrap.servers={controller}\n\
         listeners=PLAINTEXT://{broker},CONTROLLER://{controller}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n",
        data.display()
    );
    fs::write(&properties, text)?;
    let properties = properties.to_string_lossy().into_owned();
    let id = ["format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", &properties];
    process::logged(&mut java("kafka.tools.StorageTool", &id), &log("format"))?;
    let mut server = java("kafka.Kafka", &[&properties]);
    let output = fs::File::create(log("server"))?;
    server.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut server = Broker(server.spawn().context("starting java")?);
    let begin = Instant::now();
    while TcpStream::connect(&broker).is_err() {
        interrupt::check()?;
        ensure!(
            begin.elapsed() < PATIENCE,
            "the broker does not start: {}",
            log("server").display()
        );
        sleep(Duration::from_millis(200));
    }
    let bootstrap = format!("bootstrap.servers={broker}");
    let words = [
        &["--topic", TOPIC, "--throughput", "-1"][..],
        &RECORDS,
        &["--producer-props", &bootstrap, "acks=all"],
    ];
    let tool = "org.apache.kafka.tools.ProducerPerformance";
    process::logged(&mut java(tool, &words.concat()), &log("producer"))?;
    server.end()?;
    fs::remove_file(&properties)?;
    Manifest::describe(folder, &[("version", VERSION)])
}

/// A broker, which ends with this.
struct Broker(Child);

impl Broker {
    /// Has it close its log, which is then whole.
    fn end(&mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGTERM)?;
        self.0.wait().context("waiting for the broker")?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
