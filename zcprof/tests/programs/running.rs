//! Programs that run beside the window: a server that was there before, a client that receives, a
//! stranger.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a program may take to listen: a broker of Kafka in an emulated guest.
const PATIENCE: Duration = Duration::from_mins(8);

/// A process in the image and all that it started; they end with this.
pub(super) struct RunningProgram {
    /// What it was started as.
    pub(super) words: Vec<String>,
    child: Child,
}

impl RunningProgram {
    /// Starts it, by words that have it run somewhere.
    pub(super) fn start(somewhere: &[String], words: &[String]) -> Self {
        let mut command = Command::new(&somewhere[0]);
        command.args(&somewhere[1..]).args(words).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self { words: words.to_vec(), child: command.spawn().expect("it starts") }
    }

    /// Waits until it listens at a port.
    pub(super) fn listening_at(mut self, port: u16) -> Self {
        let begin = Instant::now();
        while !is_listened_at(self.child.id(), port) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{:?} has ended: {ended:?}", self.words);
            assert!(begin.elapsed() < PATIENCE, "{:?} listens at no port {port}", self.words);
            sleep(Duration::from_millis(200));
        }
        self
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// Whether somebody listens (state 0A, TCP_LISTEN) at a port where a process is: proc_net_tcp(5).
fn is_listened_at(process: u32, port: u16) -> bool {
    let end = format!(":{port:04X}");
    let table = |name| fs::read_to_string(format!("/proc/{process}/net/{name}"));
    let tables = ["tcp", "tcp6"].map(table);
    tables.iter().flatten().flat_map(|table| table.lines()).any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&end)) && words.nth(1) == Some("0A")
    })
}
