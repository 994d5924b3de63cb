//! The workload's server, for a parent that measures.

use std::fs;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Broker, serve};
use crate::fetch::log::{Log, Topics};
use crate::fetch::socket::{Address, Listener};
use crate::fetch::{allow_all_descriptors, allow_all_memory, die_with_parent, give_up_privileges};
use crate::privilege::User;
use crate::transfer::{Layer, TransferSpec};

/// What to serve to a parent, and where.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// A topic-partition folder.
    pub log_dir: PathBuf,
    /// Transfer and address of each listener.
    pub listeners: Vec<(String, Address)>,
}

/// The first line that the workload's server prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// It serves, at these addresses.
    Ready(Vec<Listening>),
    /// It cannot serve.
    Error(String),
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Which transfer answers there.
    pub transfer: String,
    /// Where.
    pub address: Address,
    /// The server's certificate (PEM), if it is encrypted.
    pub certificate: Option<String>,
}

/// Serves until standard input ends or the parent dies.
///
/// What keeps it from serving is no error here: it is in the greeting.
///
/// # Errors
/// What ended the serving.
pub fn run_server(options: &ServerOptions) -> Result<()> {
    die_with_parent()?;
    allow_all_descriptors()?;
    let keep = allow_all_memory()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (listeners, log) = match set_up(options) {
            Ok(ready) => ready,
            // The reader of the greeting tells the user, once.
            Err(error) => return greet(&Greeting::Error(format!("{error:#}"))),
        };
        let user = User::able_to(&options.log_dir, || try_to_serve(&log, &listeners));
        let broker = Arc::new(Broker::new(Topics::of(log), None));
        let at = |(row, listener): &(&TransferSpec, Listener)| {
            let transfer = row.name.to_owned();
            let encrypted = row.layer != Layer::Plain;
            let certificate = encrypted.then(|| broker.identity().map(|i| i.certificate.clone()));
            let certificate = certificate.transpose()?;
            Ok(Listening { transfer, address: listener.address.clone(), certificate })
        };
        let ready = listeners.iter().map(at).collect::<Result<_>>()?;
        give_up_privileges(user, keep)?;
        greet(&Greeting::Ready(ready))?;
        follow_stdin(Arc::clone(&broker))?;
        serve(listeners, broker).await
    });
    served.context("serving")
}

/// Does once what transfers do at any time: some open the segments again, and some write beside
/// them.
fn try_to_serve(log: &Log, listeners: &[(&TransferSpec, Listener)]) -> std::io::Result<()> {
    for segment in log.segments() {
        fs::File::open(&segment.path)?;
    }
    if listeners.iter().any(|(row, _)| row.writes_replicas()) {
        let folder = log.segments().first().and_then(|segment| segment.path.parent());
        match tempfile::tempfile_in(folder.unwrap_or(log.folder())) {
            // No user can, so that it is no reason to stay root.
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {}
            made => drop(made?),
        }
    }
    Ok(())
}

/// Inside a runtime, which the listeners belong to.
pub(super) fn set_up(
    options: &ServerOptions,
) -> Result<(Vec<(&'static TransferSpec, Listener)>, Log)> {
    let log = Log::open(&options.log_dir)?;
    let mut listeners = Vec::new();
    for (name, address) in &options.listeners {
        let row =
            TransferSpec::find(name).with_context(|| format!("no transfer is called {name}"))?;
        listeners.push((row, bind(address)?));
    }
    Ok((listeners, log))
}

pub(super) fn bind(address: &Address) -> Result<Listener> {
    address.listen().with_context(|| {
        format!("cannot listen on {address}; free the port or choose another with --listen")
    })
}

fn greet(greeting: &Greeting) -> Result<()> {
    say(&serde_json::to_string(greeting)?)
}

pub(super) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// On a thread that does nothing else: answers every line on standard input with the accounts of
/// connections that have ended, and ends the process when standard input ends.
fn follow_stdin(broker: Arc<Broker>) -> Result<()> {
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        for line in std::io::stdin().lines() {
            let told = serde_json::to_string(&broker.told()).map_err(anyhow::Error::new);
            if line.is_err() || told.and_then(|told| say(&told)).is_err() {
                break;
            }
        }
        std::process::exit(0);
    })?;
    Ok(())
}
