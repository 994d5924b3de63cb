//! The test bench: a log, a server and a consumer on it, and the passes they make together.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::interrupt::interrupted;
use super::kcat::Kcat;
use super::storage::{self, Mount};
use super::temporary::Temporary;
use super::workers::{Consumer, ENDING, PAUSE, Server};
use crate::cli;
use crate::fetch::cache;
use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::consumer::{FetchCommand, Outcome, Protocol, Share, Verified, shares};
use crate::fetch::log::{Log, MakeLog, make_unless};
use crate::fetch::socket::SocketKind;
use crate::network::{End, Network};
use crate::privilege::User;
use crate::run::{Cache, Doubt, StorageLayer, Workload};
use crate::transfer::TransferSpec;
use zcprof_judge::storage::{Fill, Filler, Storage};

/// Bytes of a control pass.
const CONTROL_BYTES: u64 = 4 << 20;

/// Times that the page cache is asked into its state before a pass is doubted.
const PREPARATIONS: u32 = 20;

/// How much a pass fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// What the user asked for.
    Full,
    /// Enough for a control.
    Control,
}

/// A log, a server and a consumer.
pub(super) struct TestBench {
    pub(super) server: Server,
    pub(super) consumer: Consumer,
    /// Another server and consumer, over plain TCP, where the measured ones are not.
    plain: Option<(Server, Consumer)>,
    log: Log,
    options: cli::WorkloadArgs,
    full: Vec<Share>,
    control: Vec<Share>,
    /// Whether the segments have a page cache, which can be filled and emptied.
    cached: bool,
    /// What stores the segments, from their file system down.
    storage: Vec<StorageLayer>,
    /// Consumes in the built-in consumer's place, controls excepted.
    kcat: Option<Kcat>,
    /// Takes the place of the mode that the options name, for a reception.
    receiving: Option<&'static ModeSpec>,
    /// What listens on the way stays there as long as this.
    pub(super) network: Network,
    /// Removes a log of our own making.
    _temporary: Option<Temporary>,
}

/// CPU time of both processes for one pass, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    pub(super) server: f64,
    pub(super) consumer: f64,
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
            storage: storage::layers(&log.segments().first().context("an empty log")?.path)?,
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

    /// What the log's folder is mounted as.
    pub(super) fn mount(&self) -> Result<Mount> {
        Mount::of(self.log.folder())
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
            storage: self.storage.clone(),
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

    /// Whether a process serves the segments' bytes, at whatever depth: fs/fuse/inode.c names both
    /// kinds.
    pub(super) fn is_on_fuse(&self) -> bool {
        Storage::of(&self.storage).seen
    }

    /// The file system that holds the segments.
    fn file_system(&self) -> &str {
        self.storage.first().map_or("unknown", |layer| &layer.kind)
    }

    /// The states of the page cache that can be measured, of those that the user asked for, and
    /// why not the others.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn caches(&self, choice: cli::CacheChoice) -> Result<(Vec<Cache>, Option<String>)> {
        if !self.cached {
            log::warn!("the file has no page cache, so that it is neither warm nor cold");
            return Ok((vec![Cache::Uncached], None));
        }
        wanted(choice, self.file_system())
    }

    /// The state in which storage is asked for least.
    pub(super) fn warmest(&self) -> Cache {
        if self.cached { Cache::Warm } else { Cache::Uncached }
    }

    /// Brings the page cache into the state that a pass is for; a doubt if it does not obey.
    pub(super) fn prepare(&self, cache: Cache) -> Result<Option<Doubt>> {
        // A page that a socket buffer or a CPU's LRU batch still holds is not dropped at once.
        for attempt in 1.. {
            super::interrupt::check()?;
            match cache {
                Cache::Warm => cache::warm(&self.log)?,
                Cache::Cold => cache::evict(&self.log)?,
                Cache::Uncached => break,
            }
            let (resident, pages) = cache::resident_pages(&self.log)?;
            let wanted = if cache == Cache::Warm { pages } else { 0 };
            if resident == wanted {
                break;
            }
            if attempt == PREPARATIONS {
                return Ok(Some(Doubt::CacheState { resident, pages }));
            }
            super::stir::every_cpu()?;
            std::thread::sleep(PAUSE);
        }
        Ok(None)
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

    /// Whether a foreign client consumes so much.
    pub(super) fn is_foreign(&self, amount: Amount) -> bool {
        self.kcat.is_some() && amount == Amount::Full && self.receiving.is_none()
    }

    /// Has kcat consume the whole log by one transfer, and waits until the server has noticed
    /// that it is gone. The outcome's bytes are the server's own account.
    pub(super) fn fetch_by_kcat(&mut self, transfer: &str) -> Result<Outcome> {
        super::interrupt::check()?;
        let kcat = self.kcat.as_ref().context("there is no kcat")?;
        let listening = self.server.listening(transfer)?;
        ensure!(listening.certificate.is_none(), "kcat is not told how to decrypt {transfer}");
        let quiet = self.server.worker.descriptors()?;
        let address = listening.address.internet();
        let server = &mut self.server.worker;
        let (fetch_size, patience) = (self.options.fetch_size, self.options.patience());
        let fetched = kcat.fetch(address, &self.log, fetch_size, patience, server);
        super::interrupt::check()?;
        let (seconds, right) = fetched?;
        for _ in 0..PREPARATIONS {
            if self.server.worker.descriptors()? == quiet {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        let verified = if right { Verified::Right } else { Verified::Wrong };
        let payload_bytes = self.log.bytes();
        Ok(Outcome { payload_bytes, verified, seconds, ..Outcome::default() })
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

    /// Fetches by one transfer.
    pub(super) fn fetch(&mut self, transfer: &str, amount: Amount) -> Result<(Outcome, Cpu)> {
        super::interrupt::check()?;
        let listening = self.server.listening(transfer)?;
        let command = FetchCommand {
            certificate: listening.certificate.clone(),
            address: listening.address.clone(),
            protocol: Protocol::Kafka {
                topic: self.log.topic().to_owned(),
                partition: self.log.partition(),
            },
            mode: self.receiving.unwrap_or(self.options.consumer).name.to_owned(),
            rounds: 1,
            shares: self.shares(amount).to_vec(),
        };
        let before = self.cpu()?;
        let outcome = self.consumer.fetch(&command)?;
        let after = self.cpu()?;
        let cpu = Cpu {
            server: after.server - before.server,
            consumer: after.consumer - before.consumer,
        };
        Ok((outcome, cpu))
    }

    /// Record bytes that a fetch delivers: whole batches.
    pub(super) fn payload(&self, amount: Amount) -> u64 {
        self.shares(amount).iter().map(|share| share.bytes).sum()
    }

    fn shares(&self, amount: Amount) -> &[Share] {
        match amount {
            Amount::Full => &self.full,
            Amount::Control => &self.control,
        }
    }

    fn cpu(&self) -> Result<Cpu> {
        Ok(Cpu {
            server: self.server.worker.cpu_seconds()?,
            consumer: self.consumer.worker.cpu_seconds()?,
        })
    }
}

/// See [`TestBench::caches`].
fn wanted(choice: cli::CacheChoice, file_system: &str) -> Result<(Vec<Cache>, Option<String>)> {
    let why = Filler::find(file_system)
        .is_some_and(|row| row.fill == Fill::Memory)
        .then(|| format!("cold: what is on {file_system} is in the page cache and nowhere else"));
    match (choice, why) {
        (cli::CacheChoice::Warm, _) => Ok((vec![Cache::Warm], None)),
        (cli::CacheChoice::Cold, None) => Ok((vec![Cache::Cold], None)),
        (cli::CacheChoice::Both, None) => Ok((vec![Cache::Cold, Cache::Warm], None)),
        (cli::CacheChoice::Both, Some(why)) => Ok((vec![Cache::Warm], Some(why))),
        (cli::CacheChoice::Cold, Some(why)) => {
            bail!("nothing can be measured {why}; use --cache warm, or a log on a disk")
        }
    }
}

/// Whether a log has a page cache. What sysfs makes up, or a device that is memory itself, has
/// none, though some of it can be mapped: it was read just now, and nothing of it is resident.
fn is_cached(log: &Log) -> Result<bool> {
    cache::warm(log)?;
    Ok(cache::resident_pages(log).is_ok_and(|(resident, _)| resident > 0))
}

/// Opens the log in a folder, or any file, or makes a log where there is none.
fn open_or_make(directory: &Path, options: &cli::WorkloadArgs) -> Result<Log> {
    if directory.is_file() {
        return Ok(Log::open(directory)?);
    }
    let empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            let what = format!("cannot read the log folder {}", directory.display());
            return Err(anyhow::Error::new(error).context(what));
        }
    };
    let partition = if empty {
        let wanted = MakeLog {
            bytes: options.bytes,
            segment_bytes: options.segment_bytes,
            ..MakeLog::default()
        };
        let partition = directory.join("zcprof-0");
        make_for_others(&partition, &wanted)?;
        partition
    } else {
        only_partition(directory)?
    };
    Ok(Log::open(&partition)?)
}

/// Makes a log that needs no privileges to be read: as the user whose folder it is to be in, if
/// there is such a one, who then owns it; else as this process's own, and gives it away.
fn make_for_others(partition: &Path, wanted: &MakeLog) -> Result<()> {
    if let Some(owner) = User::master_of(partition) {
        let made = owner.try_as(|| make_unless(partition, wanted, &interrupted).map(drop));
        return made.map_err(|why| {
            anyhow::anyhow!("making the log in {} as {owner}: {why}", partition.display())
        });
    }
    make_unless(partition, wanted, &interrupted)?;
    if let Some(user) = User::ordinary()
        && let Err(error) = user.own_all_in(partition)
    {
        log::info!("the log remains root's: {error:#}");
    }
    Ok(())
}

/// The folder itself if it holds segments, else its one topic-partition folder.
fn only_partition(directory: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let is_segment = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    if entries.iter().any(|entry| is_segment(&entry.path())) {
        return Ok(directory.to_owned());
    }
    let folders: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|p| p.is_dir()).collect();
    // mkfs leaves a folder of its own at the top of a new ext4.
    match folders.iter().filter(|p| !p.ends_with("lost+found")).collect::<Vec<_>>()[..] {
        [folder] => Ok(folder.clone()),
        _ => bail!(
            "{} holds neither segments nor one topic-partition folder; name an empty folder, or \
             one that a log was made in",
            directory.display()
        ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CacheChoice::{Both, Cold, Warm};

    #[test]
    fn what_is_never_cold_is_measured_warm_alone_and_says_so() {
        let (caches, why) = wanted(Both, "tmpfs").expect("warm can be measured");
        assert_eq!(caches, [Cache::Warm]);
        assert!(why.is_some_and(|why| why.starts_with("cold: ") && why.contains("tmpfs")));
        let error = wanted(Cold, "tmpfs").unwrap_err().to_string();
        assert!(error.contains("cold") && error.contains("--cache warm"), "{error}");
        assert_eq!(wanted(Warm, "tmpfs").expect("can be"), (vec![Cache::Warm], None));
    }

    #[test]
    fn what_is_on_a_disk_is_measured_as_the_user_asks() {
        let caches = |choice| wanted(choice, "ext4").expect("can be");
        assert_eq!(caches(Both), (vec![Cache::Cold, Cache::Warm], None));
        assert_eq!(caches(Cold), (vec![Cache::Cold], None));
        assert_eq!(caches(Warm), (vec![Cache::Warm], None));
    }
}
