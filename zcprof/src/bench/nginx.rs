//! nginx as a contestant: one process that serves the log's folder as files.
#![expect(unsafe_code, reason = "Command::pre_exec, which has no safe form")]

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::measure::interrupt;

/// How long nginx may take until it accepts connections.
const START: Duration = Duration::from_secs(10);

/// Between two looks whether it does.
const PAUSE: Duration = Duration::from_millis(5);

/// Times that another port is tried.
const PORTS: u32 = 5;

/// An nginx that is killed when it is dropped, when a signal ends this process, and when this
/// process dies in any other way.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    address: SocketAddr,
    /// Configuration, log and whatever else nginx writes.
    _folder: TempDir,
}

impl Nginx {
    /// Serves the files of a folder on a free port of the loopback device.
    ///
    /// # Errors
    /// nginx cannot be started, or what it says when it ends at once.
    pub fn start(program: &Path, root: &Path, sendfile: bool) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("finding {}", root.display()))?;
        let mut last = None;
        for _ in 0..PORTS {
            interrupt::check()?;
            // Between this and nginx's own bind somebody else may take the port.
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
            let address = free.local_addr()?;
            drop(free);
            match Self::start_on(address, program, &root, sendfile) {
                Ok(nginx) => return Ok(nginx),
                Err(error) if error.to_string().contains("Address already in use") => {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no port is free")))
    }

    fn start_on(address: SocketAddr, program: &Path, root: &Path, sendfile: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("zcprof-nginx-").tempdir()?;
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration(folder.path(), address, root, sendfile)?)?;
        let log = folder.path().join("error.log");
        let mut command = Command::new(program);
        command.arg("-e").arg(&log).arg("-p").arg(folder.path()).arg("-c").arg(&path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.path().join("stderr"))?);
        // SAFETY: between fork and exec nothing is called but prctl(2), which is
        // async-signal-safe.
        unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        interrupt::kill_on_interrupt(&child)?;
        let mut nginx = Self { child, address, _folder: folder };
        nginx.await_ready(&log)?;
        Ok(nginx)
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process id of the one process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn await_ready(&mut self, log: &Path) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("nginx ended at once ({status}): {}", said.trim_end());
            }
            ensure!(start.elapsed() < START, "nginx did not listen within {START:?}");
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        interrupt::forget(&self.child);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What nginx says that it is, `nginx/1.22.1`.
///
/// # Errors
/// It cannot be started.
pub fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("-v").stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("starting {}", program.display()))?;
    let mut said = String::new();
    output.stderr.as_slice().read_to_string(&mut said)?;
    let version = said.rsplit(' ').next().unwrap_or_default().trim().to_owned();
    ensure!(version.starts_with("nginx/"), "{} -v says {said:?}", program.display());
    Ok(version)
}

/// How every nginx here is set up, beside `sendfile`, in one line for the report.
pub(super) const SETUP: &str = "one process, open_file_cache on, tcp_nodelay on, tcp_nopush off, \
     sendfile_max_chunk and output_buffers as nginx has them";

fn configuration(
    folder: &Path,
    address: SocketAddr,
    root: &Path,
    sendfile: bool,
) -> Result<String> {
    let quoted = |path: &Path| {
        let text = path.to_str().context("a path that is not UTF-8")?;
        ensure!(!text.contains(['"', '\\', '$', '\n']), "nginx cannot be told of {text:?}");
        Ok(format!("\"{text}\""))
    };
    let own = |name: &str| quoted(&folder.join(name));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| Ok(format!("  {kind}_temp_path {};\n", own(kind)?)));
    let temporary = temporary.collect::<Result<String>>()?;
    // What it logs and how often it looks at files must not be timed; what it sends, must.
    Ok(format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\n\
         pid {pid};\nerror_log {log} error;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n{temporary}\
         \x20 access_log off;\n  default_type application/octet-stream;\n\
         \x20 sendfile {sendfile};\n  tcp_nodelay on;\n  tcp_nopush off;\n\
         \x20 keepalive_timeout 1h;\n  keepalive_requests 1000000000;\n\
         \x20 open_file_cache max=1000 inactive=1h;\n  open_file_cache_valid 1h;\n\
         \x20 server {{ listen {address} backlog=4096; root {root}; }}\n}}\n",
        pid = own("pid")?,
        log = own("error.log")?,
        sendfile = if sendfile { "on" } else { "off" },
        root = quoted(root)?,
    ))
}
