//! kcat as the consumer: an unmodified Kafka client, whose records are compared one by one.
#![expect(unsafe_code, reason = "Command::pre_exec, which has no safe form")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::interrupt;
use super::workers::{PAUSE, Worker};
use crate::fetch::log::digest::{Digest, RecordDigest};
use crate::fetch::log::{Log, records};
use crate::patience::{Patience, Patient};
use crate::privilege;

/// What it prints of each record: lengths first, then the bytes that they count, so that it is
/// unambiguous whatever these are.
const FORMAT: &str = "%o %K %S\n%k%s\n";

/// A kcat, and what it must find in the log.
pub(super) struct Kcat {
    program: PathBuf,
    /// Its name and version.
    pub(super) version: String,
    expected: (u64, Digest),
}

impl Kcat {
    /// Asks for its version, and reads the log for what it must find.
    ///
    /// # Errors
    /// It does not start, or the log cannot be read.
    pub(super) fn new(program: &Path, log: &Log) -> Result<Self> {
        let name = program.display();
        let said = Command::new(program).arg("-V").output();
        let said = said.with_context(|| format!("cannot start {name}; is it a kcat?"))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = said.lines().find_map(|line| line.strip_prefix("Version "));
        let version = version.with_context(|| format!("{name} does not say that it is a kcat"))?;
        let number = version.split(' ').next().unwrap_or_default();
        let mut digest = RecordDigest::default();
        for batch in log.batches() {
            for record in records::decode_all(log.read(batch)?)? {
                digest.add(&record);
            }
        }
        Ok(Self {
            program: program.to_owned(),
            version: format!("kcat {number}"),
            expected: (digest.records(), digest.finish()),
        })
    }

    /// Consumes the whole partition; returns the seconds that it took and whether every record
    /// was right.
    ///
    /// # Errors
    /// It fails, in its own words.
    pub(super) fn fetch(
        &self,
        address: SocketAddr,
        log: &Log,
        fetch_size: u64,
        patience: Patience,
        server: &mut Worker,
    ) -> Result<(f64, bool)> {
        // What a thread may not do, nothing that it starts may do.
        std::thread::scope(|scope| {
            let fetched = scope.spawn(|| {
                privilege::give_up_capabilities()?;
                self.fetch_from_here(address, log, fetch_size, patience, server)
            });
            fetched.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?
        })
    }

    fn fetch_from_here(
        &self,
        address: SocketAddr,
        log: &Log,
        fetch_size: u64,
        patience: Patience,
        server: &mut Worker,
    ) -> Result<(f64, bool)> {
        let begun = Instant::now();
        let mut command = Command::new(&self.program);
        command
            .args(["-C", "-e", "-q", "-o", "beginning", "-X", "check.crcs=true"])
            .args(["-X", &format!("fetch.message.max.bytes={fetch_size}")])
            .args(["-b", &address.to_string(), "-t", log.topic()])
            .args(["-p", &log.partition().to_string(), "-f", FORMAT])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        // Without a broker it would try for ever to reach one.
        // SAFETY: prctl(2) is async-signal-safe, and nothing else is called in the child.
        unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
        let mut child =
            command.spawn().with_context(|| format!("starting {}", self.program.display()))?;
        interrupt::kill_on_interrupt(&child)?;
        let output = child.stdout.take().context("kcat has no output")?;
        // It tries again and again to reach a server that is gone, so that only what it prints shows
        // that it gets on.
        let output = Patient::new(output, patience, || server.check().map(|()| 0.0))?;
        let found = digest(BufReader::with_capacity(1 << 20, output));
        let end = Instant::now() + patience.0;
        while found.is_ok() && child.try_wait()?.is_none() && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
        // Who has ended already is not harmed.
        let _ = child.kill();
        let status = child.wait();
        interrupt::forget(&child);
        let (found, status) = (found?, status?);
        ensure!(status.success(), "kcat ended with {status}");
        Ok((begun.elapsed().as_secs_f64(), found == self.expected))
    }
}

/// Number and digest of the records that kcat prints.
fn digest(mut output: impl BufRead) -> Result<(u64, Digest)> {
    let mut digest = RecordDigest::default();
    let mut line = String::new();
    while output.read_line(&mut line).context("listening to kcat")? > 0 {
        let numbers: Vec<i64> = line.split_ascii_whitespace().flat_map(str::parse).collect();
        let [_, key, value] = numbers[..] else { bail!("kcat printed {line:?}") };
        let mut field = |length: i64| -> Result<Option<Bytes>> {
            let Ok(length) = usize::try_from(length) else { return Ok(None) };
            let mut bytes = vec![0; length];
            output.read_exact(&mut bytes).context("a record of kcat's is cut")?;
            Ok(Some(bytes.into()))
        };
        let (key, value) = (field(key)?, field(value)?);
        digest.add(&records::record(0, 0, key, value, &[]));
        let mut end = [0];
        output.read_exact(&mut end).context("a record of kcat's is cut")?;
        line.clear();
    }
    Ok((digest.records(), digest.finish()))
}
