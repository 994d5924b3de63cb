//! The test bench: a log, a server and a consumer on it, and the passes they make together.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use super::bench_log::{is_cached, open_or_make};
use super::kcat::Kcat;
use super::storage::{Mount, Stored};
use super::temporary::Temporary;
use super::workers::{Consumer, ENDING, PAUSE, Server};
use crate::cli;
use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::consumer::{Share, shares};
use crate::fetch::log::Log;
use crate::fetch::socket::SocketKind;
use crate::network::{End, Network};
use crate::privilege::User;
use crate::run::Workload;
use crate::transfer::TransferSpec;
use zcprof_judge::storage::Storage;

/// Bytes of a control pass.
const CONTROL_BYTES: u64 = 4 << 20;

/// A log, a server and a consumer.
pub(super) struct TestBench {
    pub(super) server: Server,
    pub(super) consumer: Consumer,
    /// Another server and consumer, over plain TCP, where the measured ones are not.
    plain: Option<(Server, Consumer)>,
    pub(super) log: Log,
    pub(super) options: cli::WorkloadArgs,
    pub(super) full: Vec<Share>,
    pub(super) control: Vec<Share>,
    /// Whether the segments have a page cache, which can be filled and emptied.
    pub(super) cached: bool,
    /// What stores the segments, all of them.
    pub(super) storage: Stored,
    /// Consumes in the built-in consumer's place, controls excepted.
    pub(super) kcat: Option<Kcat>,
    /// Takes the place of the mode that the options name, for a reception.
    pub(super) receiving: Option<&'static ModeSpec>,
    /// What listens on the way stays there as long as this.
    pub(super) network: Network,
    /// Removes a log of our own making.
    _temporary: Option<Temporary>,
}

impl TestBench {
    /// Makes or opens the log, and starts both processes; `controls` are the transfers that are
    /// served over plain TCP too.
    ///
    /// # Errors
    /// A corrupt segment, no space, a busy port.
    pub(super) fn set_up(
        options: &cli::WorkloadArgs,
        rows: &[&TransferSpec],
        controls: &[&TransferSpec],
    ) -> Result<Self> {
        let (directory, temporary) = if let Some(directory) = &options.log_dir {
            (directory.clone(), None)
        } else {
            let temporary = Temporary::new()?;
            (temporary.path().join("log"), Some(temporary))
        };
        let log = open_or_make(&directory, options)?;
        if let (Some(temporary), Some(user)) = (&temporary, User::ordinary())
            && let Err(error) = temporary.let_in(user)
        {
            log::info!("the server remains root: {error:#}");
        }
        let mut options = options.clone();
        if log.is_plain() {
            options.bytes = options.bytes.min(log.bytes());
        }
        if log.bytes() < options.bytes {
            bail!(
                "the log in {} holds {} record bytes, fewer than --bytes {}",
                directory.display(),
                log.bytes(),
                options.bytes
            );
        }
        let foreign = options.kcat.is_some();
        ensure!(!foreign || !log.is_plain(), "kcat consumes record batches, and no other file");
        ensure!(!foreign || options.network.is_loopback(), "kcat consumes over loopback only");
        let all = usize::try_from(options.connections)?;
        let full = shares(&log, options.connections, options.bytes, options.fetch_size)?;
        ensure!(
            full.len() == all,
            "--connections {all} is more than the payload has batches of records ({}), and each \
             connection fetches one at least",
            full.len()
        );
        let control = shares(&log, options.connections, CONTROL_BYTES, options.fetch_size)?;
        let network = Network::set_up(options.network)?;
        let listen = network.listen(options.listen);
        let patience = options.patience();
        let server = network.at(End::Server, || {
            Server::start(log.folder(), options.socket, listen, rows, patience)
        })?;
        let consumer = network.at(End::Consumer, || Consumer::start(patience))?;
        let is_plain = options.network.is_loopback() && options.socket.name == SocketKind::TCP.name;
        let plain = if is_plain || controls.is_empty() {
            None
        } else {
            let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let server =
                Server::start(log.folder(), SocketKind::TCP, anywhere, controls, patience)?;
            Some((server, Consumer::start(patience)?))
        };
        let kcat = options.kcat.as_deref().map(|program| Kcat::new(program, &log)).transpose()?;
        Ok(Self {
            server,
            consumer,
            plain,
            cached: is_cached(&log)?,
            storage: Stored::of(log.segments().iter().map(|segment| &*segment.path))?,
            log,
            options,
            full,
            control,
            kcat,
            receiving: None,
            network,
            _temporary: temporary,
        })
    }

    /// What is served to whom.
    pub(super) fn workload(&self) -> Result<Workload> {
        Ok(Workload {
            payload: self.options.bytes,
            fetch_size: self.options.fetch_size,
            connections: self.options.connections,
            segments: u32::try_from(self.log.segments().len())?,
            log_bytes: self.log.bytes(),
            file_system: self.file_system().to_owned(),
            storage: self.storage.layers.clone(),
            network: if self.options.network.is_loopback() {
                path(self.options.socket, self.options.listen)
            } else {
                format!("{} over {}", self.options.socket.title, self.options.network.summary)
            },
            network_name: self.options.network.name.to_owned(),
            socket: self.options.socket.name.to_owned(),
            consumer: if let Some(kcat) = &self.kcat {
                kcat.version.clone()
            } else {
                let version = env!("CARGO_PKG_VERSION");
                format!("zcprof {version}, mode {}", self.options.consumer.name)
            },
        })
    }

    /// Whether a process serves some of the segments' bytes, at whatever depth: fs/fuse/inode.c names both
    /// kinds.
    pub(super) fn is_on_fuse(&self) -> bool {
        Storage::of(&self.storage.layers).seen
    }

    /// The file system that holds the first segment.
    pub(super) fn file_system(&self) -> &str {
        &self.storage.file_system
    }

    /// Whether server and consumer speak over plain TCP on the loopback device.
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_none()
    }

    /// Whether the measured sockets have sendfile's pages handed over.
    pub(super) fn takes_pages(&self) -> bool {
        self.options.socket.takes_pages
    }

    /// Has the pair that speaks over plain TCP take the measured one's place for a while.
    ///
    /// # Errors
    /// The job's own.
    pub(super) fn over_plain_tcp<T>(
        &mut self,
        job: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.exchange();
        let done = job(self);
        self.exchange();
        done
    }

    fn exchange(&mut self) {
        if let Some((server, consumer)) = &mut self.plain {
            std::mem::swap(&mut self.server, server);
            std::mem::swap(&mut self.consumer, consumer);
        }
    }

    /// Has the consumer receive in another mode for a while.
    ///
    /// # Errors
    /// The job's own.
    pub(super) fn receive_by<T>(
        &mut self,
        mode: &'static ModeSpec,
        job: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.receiving = Some(mode);
        let done = job(self);
        self.receiving = None;
        done
    }

    /// Whether the way to receive is what is judged.
    pub(super) const fn is_reception(&self) -> bool {
        self.receiving.is_some()
    }

    /// What keeps a reception from being judged, whatever the mode.
    pub(super) fn not_received(&self) -> Option<String> {
        let socket = self.options.socket;
        (socket.name != SocketKind::TCP.name)
            .then(|| format!("ways to receive are judged over TCP, and not over {}", socket.title))
    }

    /// Processes of the workload.
    pub(super) fn processes(&self) -> Vec<u32> {
        let plain = self.plain.iter().flat_map(|(s, c)| [s.worker.pid(), c.worker.pid()]);
        [self.server.worker.pid(), self.consumer.worker.pid()].into_iter().chain(plain).collect()
    }

    /// What is behind an error: a worker that is gone, if one is. What the others say is then only
    /// what follows from it. A process that is killed closes its sockets and pipes before its
    /// parent can see that it is dead (`do_exit`, kernel/exit.c, 6.12), so it is given time.
    pub(super) fn cause(&mut self, error: anyhow::Error) -> anyhow::Error {
        let end = Instant::now() + ENDING;
        loop {
            let workers = [&mut self.consumer.worker, &mut self.server.worker];
            if let Some(ended) = workers.into_iter().find_map(|worker| worker.check().err()) {
                return ended;
            }
            if Instant::now() >= end {
                return error;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Why the server cannot make a transfer at all, if that is why it failed; the error itself if it
    /// is not.
    pub(super) fn refusal(&mut self, transfer: &str, error: anyhow::Error) -> Result<String> {
        match self.server.refusal(transfer) {
            Ok(Some(reason)) => Ok(reason),
            Ok(None) | Err(_) => Err(error),
        }
    }
}

/// The type of the file system that holds a path.
pub(crate) fn file_system(path: &Path) -> Result<String> {
    Ok(Mount::of(path)?.kind)
}

/// The path between server and consumer, where both are in one namespace.
pub(crate) fn path(socket: &SocketKind, listen: SocketAddr) -> String {
    match (socket.crosses_networks, listen.ip().is_loopback()) {
        (false, _) => socket.title.to_owned(),
        (true, true) => format!("{} over loopback", socket.title),
        (true, false) => format!("{} over network", socket.title),
    }
}
