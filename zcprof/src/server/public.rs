//! `zcprof serve`: verifies what lies in a folder, and serves it to every client, what is
//! verified already beside what is not.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::run::{bind, say};
use super::{Advertised, Broker, check, serve};
use crate::fetch::log::{Load, Log, LogError, Progress, Topics};
use crate::fetch::{allow_all_descriptors, allow_all_memory};
use crate::privilege::{self, User};
use crate::transfer::{Layer, TransferSpec};

/// How often it is said how much is verified.
const PROGRESS: Duration = Duration::from_secs(2);

/// What to serve to every client, and where.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// A folder of topic-partition folders, or one of these.
    pub log_dir: PathBuf,
    /// How the records leave.
    pub transfer: &'static TransferSpec,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where clients are told to connect, if not where they did.
    pub advertised: Option<Advertised>,
    /// File for the certificate of an encrypted listener.
    pub certificate: Option<PathBuf>,
    /// See [`Load`].
    pub strict: bool,
    /// See [`Load`].
    pub high_watermark: bool,
    /// Only verify, and print a table.
    pub check: bool,
}

/// Serves until SIGINT or SIGTERM comes. Prints one line when everything is verified.
///
/// # Errors
/// What kept it from serving: nothing that can be served, a busy port.
pub fn run_broker(options: &BrokerOptions) -> Result<()> {
    allow_all_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            biased;
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            ended = run(options) => ended,
        }
    })
}

async fn run(options: &BrokerOptions) -> Result<()> {
    if options.check {
        let broker = Broker::new(Topics::find(&options.log_dir)?, None);
        let broker = Arc::new(broker);
        verified(&broker, options).await?;
        return say(&check::table(&broker.topics));
    }
    // The port first: a log may take long to verify.
    let listener = bind(&options.listen.into())?;
    let address = listener.address.internet();
    let topics = Topics::find(&options.log_dir)?;
    if !address.ip().is_loopback() {
        log::warn!("everybody who can reach {address} can read every topic");
    }
    let broker = Arc::new(Broker::new(topics, options.advertised.clone()));
    if options.transfer.layer != Layer::Plain {
        write_certificate(&broker, options)?;
    }
    // From here on it parses what the network says.
    let keep = allow_all_memory()?;
    let user = User::able_to(&options.log_dir, || try_to_serve(options));
    privilege::give_up(user, keep)?;
    let serving = serve(vec![(options.transfer, listener)], Arc::clone(&broker));
    let ready = async {
        verified(&broker, options).await?;
        for said in broker.topics.said() {
            log::warn!("{said}");
        }
        if broker.topics.logs().next().is_none() {
            bail!("nothing in {} can be served", options.log_dir.display());
        }
        let summary = summary(&broker.topics);
        say(&format!("listening on {address} by {}: {summary}", options.transfer.name))?;
        std::future::pending().await
    };
    tokio::select! {
        ended = serving => ended,
        failed = ready => failed,
    }
}

/// Does once what it takes to serve: every file of the log is read, and some transfers write beside
/// them.
fn try_to_serve(options: &BrokerOptions) -> std::io::Result<()> {
    open_all(&options.log_dir, options.transfer.writes_replicas())
}

/// Opens every file in a folder, and in those in it; where it `writes`, it makes a file beside each
/// segment's.
fn open_all(folder: &Path, writes: bool) -> std::io::Result<()> {
    let mut has_segments = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            open_all(&path, writes)?;
        } else if kind.is_file() {
            fs::File::open(&path)?;
            has_segments |= path.extension().is_some_and(|ending| ending == "log");
        }
    }
    if writes && has_segments {
        tempfile::tempfile_in(folder)?;
    }
    Ok(())
}

fn write_certificate(broker: &Broker, options: &BrokerOptions) -> Result<()> {
    let file = options.certificate.as_ref().with_context(|| {
        format!(
            "{} encrypts; name a file for its certificate with --certificate, which clients need \
             (as ssl.ca.location)",
            options.transfer.name
        )
    })?;
    put(file, broker.identity()?.certificate.as_bytes())
        .with_context(|| format!("cannot write the certificate to {}", file.display()))
}

/// Puts a file into its place, whatever was there. Nothing is written through a link: others may
/// write into that folder.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".zcprof-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Verifies everything on a thread of its own, and says how far it is while that takes long. An
/// interrupt ends the process and does not wait for the thread.
async fn verified(broker: &Arc<Broker>, options: &BrokerOptions) -> Result<()> {
    let progress = Arc::new(Progress::default());
    let (done, mut verified) = oneshot::channel::<Result<(), LogError>>();
    let (verifying, seen) = (Arc::clone(broker), Arc::clone(&progress));
    let (strict, high_watermark) = (options.strict, options.high_watermark);
    std::thread::Builder::new().name("verify".to_owned()).spawn(move || {
        let load = Load { strict, high_watermark, progress: &seen };
        // Nobody waits any more if the process ends.
        let _ = done.send(verifying.topics.verify(&load));
    })?;
    let total = broker.topics.bytes_to_verify();
    loop {
        tokio::select! {
            ended = &mut verified => return Ok(ended.context("verifying ended too early")??),
            () = tokio::time::sleep(PROGRESS) => {
                let part = progress.bytes().saturating_mul(100).checked_div(total).unwrap_or(100);
                let ready = broker.topics.logs().count();
                let all = broker.topics.partitions().count();
                eprintln!(
                    "zcprof: verifying, {part} % of {total} bytes; {ready} of {all} partitions are \
                     served"
                );
            }
        }
    }
}

fn summary(topics: &Topics) -> String {
    let count =
        |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let records = topics.logs().map(|log| log.end_offset() - log.start_offset()).sum();
    [
        count(topics.iter().count() as u64, "topic"),
        count(topics.logs().count() as u64, "partition"),
        count(records, "record"),
        count(topics.logs().map(Log::bytes).sum(), "byte"),
    ]
    .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_the_place_of_a_link_and_is_not_written_through_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let [secret, link, plain] =
            ["secret", "link", "plain"].map(|name| folder.path().join(name));
        fs::write(&secret, "root's").expect("written");
        std::os::unix::fs::symlink(&secret, &link).expect("a link");
        for path in [&link, &plain, &plain] {
            put(path, b"certificate").expect("written");
            assert_eq!(fs::read(path).expect("there"), b"certificate");
            assert!(!path.is_symlink());
        }
        assert_eq!(fs::read(&secret).expect("there"), b"root's");
        let mode = fs::metadata(&plain).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "clients read it");
    }
}
