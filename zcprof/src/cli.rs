//! What was typed. No behaviour.

mod watch;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use zcprof_common::vocabulary::Instrument;

use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::log::Codec;
use crate::fetch::socket::{Address, SocketKind};
use crate::network::NetworkSpec;
use crate::patience::Patience;
use crate::placement::Wish;
use crate::run::ClaimOverride;
use crate::server::Advertised;
use crate::transfer::TransferSpec;
use crate::verdict::explain::Code;

pub use watch::{TopArgs, WatchArgs};

/// Does this data path really move bytes without copying them? zcprof measures the copies per
/// payload byte, on the running kernel.
///
/// Exit codes: 0 every claim holds; 1 a claim is refuted; 2 wrong usage or a run-time error;
/// 3 inconclusive: a copy could have gone unseen; 4 zcprof can measure nothing here; 130, 143 and
/// 129 a signal ended zcprof (SIGINT, SIGTERM, SIGHUP).
#[derive(Debug, Parser)]
#[command(name = "zcprof")]
pub struct Cli {
    /// Say more: every number and its evidence, how each probe attached, and what the eBPF programs
    /// see first; twice for still more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a log by each transfer, count the copies, judge the claims, write the reports.
    Measure(MeasureArgs),
    /// Time each transfer with no probe attached.
    Time(TimeArgs),
    /// Time the transfers, and nginx, against each other with no probe attached.
    #[command(subcommand)]
    Bench(Bench),
    /// Serve topics to any Kafka client, by one transfer, until interrupted. zcprof counts nothing,
    /// and clients can write nothing.
    Serve(ServeArgs),
    /// Say what zcprof can see of the running kernel: which instrument sees what at each hop, what
    /// became of each site, and the remedy for each hole. Exit 0 if zcprof sees everything, else 4.
    ///
    /// Without privileges `doctor` says what can be known, and what root would add. With -v it
    /// lists every hop, hole, site, setting and capability.
    Doctor {
        /// Print the record as JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Make a topic's log, byte for byte as Kafka writes it, and print the digest that a consumer
    /// must compute.
    ///
    /// A key is `k` and the record's offset, a value is text, and each record is a millisecond
    /// later than the record before.
    ///
    /// A partition's digest is SHA-256 over its records by rising offset. For each record: the
    /// key's length in bytes (i32, big-endian), the key, the value's length (i32, big-endian),
    /// the value. The total is SHA-256 over the partitions' digests (32 bytes each) by rising
    /// number of the partition.
    MakeLog(MakeLogArgs),
    /// Watch a program that is not zcprof's: count how often the kernel copies each byte that the
    /// program sends.
    ///
    /// zcprof starts a command after -- when the probes are armed, as the user who called sudo; the
    /// window ends with the command's last descendant. With --claim the exit code is the verdict's,
    /// without it the command's own. The first Ctrl-C ends the window, and zcprof still judges it.
    Watch(WatchArgs),
    /// Show who on this machine copies how much: a table that renews itself, of every program that
    /// sends, by hop. q ends the table and reports.
    ///
    /// The same as watch --all without an end. Without a terminal, zcprof prints every ten seconds
    /// what was sent; Ctrl-C or SIGTERM ends the window.
    Top(TopArgs),
    /// Render the reports of a run or a watched window again, and exit with its verdict. Needs no
    /// privileges.
    Report(ReportArgs),
    /// Judge a run, a watched window or a matrix again, and exit with the verdict. Needs no
    /// privileges.
    Judge {
        /// The record, a folder that holds it, or - for standard input.
        record: PathBuf,
    },
    /// Compare runs by kernel, file system, CPUs and network, and compare each number with what is
    /// known beforehand. Needs no privileges.
    Matrix(MatrixArgs),
    /// Compare two watched windows or two runs, the older first: print what grew and what
    /// disappeared, per sent byte, and draw a differential flame graph (with --out). Needs no
    /// privileges.
    Diff(DiffArgs),
    /// Say what a code means: what happened, why the kernel does it, how to confirm it and what to
    /// change. Without a code, list all codes.
    Explain {
        /// The code that stands beside a finding, such as ZC104 or 104.
        #[arg(value_parser = words::code)]
        code: Option<&'static Code>,
    },
    /// List transfers, saboteurs, networks, consumer modes, claims and report formats.
    List,
    /// The workload's server (started by `measure` and `time`).
    #[command(hide = true)]
    Server(ServerArgs),
    /// The workload's consumer (started by `measure` and `time`).
    #[command(hide = true)]
    Consumer,
}

/// What is served to whom.
#[derive(Clone, Debug, Args)]
pub struct WorkloadArgs {
    /// Folder of the log's segments, on the file system to be measured. zcprof fills a new or empty
    /// folder; it verifies and uses a folder that holds segments. It serves a file as it is, as if
    /// the file were a segment. Without this option zcprof makes a log in /var/tmp and removes it
    /// again.
    #[arg(long, value_name = "PATH")]
    pub log_dir: Option<PathBuf>,
    /// Payload of each pass; at most the size of the file, if --log-dir names one.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = words::size)]
    pub bytes: u64,
    /// Most record bytes in one fetch.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = words::size)]
    pub fetch_size: u64,
    /// Size at which a segment of a new log is full.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = words::size)]
    pub segment_bytes: u64,
    /// Connections fetching at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Address of the first transfer's listener; the next listeners get the next ports. Port 0
    /// lets the kernel choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The network between server and consumer: loopback, or veth (a pair between two network
    /// namespaces, made for the run); veth-no-tso, veth-no-checksum, veth-no-sg or veth-neither,
    /// whose device lacks TCP segmentation, checksums, scatter-gather or the last two;
    /// veth-nocache, whose device asks for copies past the CPU's cache; wireguard, vxlan and
    /// macsec, tunnels over veth; veth-loss, which loses packets; veth-tap, on which a packet socket
    /// listens; veth-ring, the same with a ring; veth-xdp, with an XDP program on the receiver's
    /// device; virtio and virtio-tap, two otherwise unused virtio-net devices that are connected
    /// outside this machine.
    #[arg(long, value_name = "NAME", default_value = "loopback", value_parser = words::network())]
    pub network: &'static NetworkSpec,
    /// The sockets between server and consumer: tcp, mptcp or unix. The transfers keep their
    /// claims, which are made for TCP. zcprof skips a transfer that such a socket refuses, and says
    /// why (msg_zerocopy and uring_send_zc).
    #[arg(long, value_name = "KIND", default_value = "tcp", value_parser = words::socket())]
    pub socket: &'static SocketKind,
    /// Transfers, comma-separated (default: all).
    #[arg(long = "transfer", value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer())]
    pub transfers: Vec<&'static TransferSpec>,
    /// How the built-in consumer receives: copy, or slow, which copies in small pieces with pauses
    /// between them.
    #[arg(long, value_name = "MODE", default_value = "copy", value_parser = words::verifying())]
    pub consumer: &'static ModeSpec,
    /// A kcat that consumes the whole log instead of the built-in consumer, over one connection.
    /// zcprof then watches only the server. `time` does not support kcat.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["connections", "consumer"])]
    pub kcat: Option<PathBuf>,
    /// Give up, with an error, when the server, the consumer or kcat does nothing for this many
    /// seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::SECONDS)]
    pub patience: u64,
}

impl WorkloadArgs {
    /// How long who takes part may do nothing.
    pub(crate) fn patience(&self) -> Patience {
        Patience(std::time::Duration::from_secs(self.patience))
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// Sockets that cannot cross the network, or that the client cannot use.
    pub fn check(&self) -> Result<()> {
        let (socket, network) = (self.socket, self.network);
        ensure!(
            socket.crosses_networks || network.is_loopback(),
            "--socket {} stays on one host; leave --network {} out",
            socket.name,
            network.name
        );
        ensure!(
            self.kcat.is_none() || socket.name == SocketKind::TCP.name,
            "kcat speaks TCP; leave --socket {} out",
            socket.name
        );
        Ok(())
    }
}

/// Options of `measure`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct MeasureArgs {
    /// What is served to whom.
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// State of the page cache when a pass begins.
    #[arg(long, value_enum, default_value_t = CacheChoice::Both)]
    pub cache: CacheChoice,
    /// Judge a transfer by a claim other than its own, as TRANSFER=CLAIM.
    #[arg(long = "claim", value_name = "T=C", value_parser = words::claim)]
    pub claims: Vec<ClaimOverride>,
    /// Ways to receive whose promises are judged too, comma-separated: copy, discard, splice,
    /// receive_zerocopy or slow. For each, zcprof serves the log once more by each plain transfer,
    /// with the page cache warm, and judges only what became of the bytes that arrived.
    #[arg(long, value_name = "MODES", value_delimiter = ',', value_parser = words::judged_mode())]
    pub receive: Vec<&'static ModeSpec>,
    /// Withhold instruments, comma-separated. A verdict that needs them becomes inconclusive.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::instrument())]
    pub without: Vec<Instrument>,
    /// Attach the callers by kprobe and kretprobe even where fexit would do.
    #[arg(long)]
    pub avoid_fexit: bool,
    /// Keep the stacks of copies: who copied, in the program and in the kernel. Stacks make probes run
    /// longer, and a probe that misses a run has its pass made again.
    #[arg(long)]
    pub stacks: bool,
    /// Take no times: the reports then lack what the probes cost, and nothing else.
    #[arg(long)]
    pub untimed: bool,
    /// Rounds with probes, and as many without; they alternate, and measure what the probes cost.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Folder for run.json and the pictures.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How much to print.
    #[command(flatten)]
    pub shown: Shown,
    /// Print no table and no verdict; the exit code is the verdict.
    #[arg(short, long, conflicts_with_all = ["wide", "full"])]
    pub quiet: bool,
    /// Give a map of the programs another capacity, to see what happens when it is full.
    #[arg(long = "map-capacity", value_name = "MAP=N", value_parser = words::capacity, hide = true)]
    pub capacities: Vec<(String, u32)>,
    /// Take the table for one that lacks a row of the callers, to see what is said then.
    #[arg(long = "lacking", value_name = "SITE", value_parser = words::lacking, hide = true)]
    pub lacking: Vec<String>,
    /// Say whether the options make sense, and measure nothing.
    #[arg(long, hide = true)]
    pub check_only: bool,
    /// File of timings to add to the run, as `zcprof time --out` wrote it.
    #[arg(long, value_name = "FILE")]
    pub timings: Option<PathBuf>,
}

impl MeasureArgs {
    /// Whether the options go together.
    ///
    /// # Errors
    /// A claim about a transfer that is not measured would be held by nobody.
    pub fn check(&self) -> Result<()> {
        let measured = &self.workload.transfers;
        for claim in &self.claims {
            let of_it = |row: &&TransferSpec| row.name == claim.transfer;
            let name = &claim.transfer;
            ensure!(
                measured.is_empty() || measured.iter().any(of_it),
                "--claim names {name}, which is not measured; add it to --transfer"
            );
        }
        self.workload.check()
    }
}

/// Options of `time`.
#[derive(Clone, Debug, Args)]
pub struct TimeArgs {
    /// What is served to whom.
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// Rounds of every transfer; the transfers alternate.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// File for the timings (JSON).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `make-log`.
#[derive(Clone, Debug, Args)]
pub struct MakeLogArgs {
    /// Folder for the topic's partitions (DIR/TOPIC-0 and so on); it must be empty or new.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the topic.
    #[arg(long, value_name = "NAME", value_parser = words::topic)]
    pub topic: String,
    /// Partitions.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// Records of all partitions together, distributed as evenly as possible.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: u64,
    /// Size of one record's value.
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = words::size)]
    pub record_bytes: u64,
    /// Size of one batch's values, before compression.
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = words::size)]
    pub batch_bytes: u64,
    /// Size that no segment exceeds.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = words::size)]
    pub segment_bytes: u64,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = words::codec())]
    pub codec: Codec,
    /// Seed of the values: the same seed and options make the same log.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to time.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Fetch a log by each transfer and from nginx, over a grid of fetch sizes and connections.
    Fetch(BenchFetchArgs),
    /// Time what watching costs: the same transfers with nobody watching, with zcprof watching, and
    /// beside bpftrace, perf and strace; of the server that is watched and of one beside it.
    ///
    /// The servers send each payload over loopback to one consumer. Each watcher has a turn in each
    /// round; a turn counts only if the watcher shows that it has seen what was sent.
    Watch(BenchWatchArgs),
    /// Render the reports of a benchmark again.
    Report(ReportArgs),
}

/// Options of `bench fetch`.
#[derive(Clone, Debug, Args)]
pub struct BenchFetchArgs {
    /// Folder of the log; zcprof makes a log there if the folder has none. Without this option
    /// zcprof makes a log in /var/tmp and removes it again.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
    /// Size of a new log, and payload of each round: less if that would be very many fetches, more
    /// if a connection would get less than one fetch.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = words::size)]
    pub bytes: u64,
    /// Most record bytes in one fetch, comma-separated.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = words::size,
          default_value = "4KiB,16KiB,64KiB,256KiB,1MiB")]
    pub fetch_sizes: Vec<u64>,
    /// Connections fetching at once, comma-separated.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,8,64,1000",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: Vec<u32>,
    /// Rounds that count, of every contestant; the contestants alternate.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// The sockets between server and consumer: tcp, mptcp or unix. A transfer that such a socket
    /// refuses ends the benchmark (msg_zerocopy and uring_send_zc).
    #[arg(long, value_name = "KIND", default_value = "tcp", value_parser = words::socket())]
    pub socket: &'static SocketKind,
    /// Transfers, comma-separated (default: all).
    #[arg(long = "transfer", value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer())]
    pub transfers: Vec<&'static TransferSpec>,
    /// ModeSpec in which the consumer receives in timed rounds: copy, discard, splice or
    /// receive_zerocopy. Before these rounds the consumer verifies every byte once.
    #[arg(long, value_name = "MODE", default_value = "discard", value_parser = words::mode())]
    pub consumer: &'static ModeSpec,
    /// Where the servers and the consumer run.
    #[arg(long, value_enum, default_value = "apart")]
    pub placement: Wish,
    /// An nginx to time beside the transfers, with sendfile on and off.
    #[arg(long, value_name = "PATH")]
    pub nginx: Option<PathBuf>,
    /// Folder for bench.json, the table and the pictures.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `bench watch`.
#[derive(Clone, Debug, Args)]
pub struct BenchWatchArgs {
    /// Folder of the log; zcprof makes a log there if the folder has none. Without this option
    /// zcprof makes a log in /var/tmp and removes it again.
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
    /// Size of a new log, and payload of each transfer.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = words::size)]
    pub bytes: u64,
    /// Most record bytes in one fetch, comma-separated.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = words::size,
          default_value = "1MiB")]
    pub fetch_sizes: Vec<u64>,
    /// Rounds; with fewer than 15 the table says nothing of the bounds.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Begin no round after this time: 30m, 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = watch::time)]
    pub time: Option<Duration>,
    /// Watchers to time, comma-separated (default: all): callers, callers+stacks, both, both+stacks,
    /// bpftrace, perf-trace, strace, nobody-again.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::watcher())]
    pub watchers: Vec<String>,
    /// Words before each tracer that is not zcprof, where it is in another root: 'chroot /tools'.
    #[arg(long, value_name = "WORDS")]
    pub through: Option<String>,
    /// Mode in which the consumer receives: copy, discard, splice or receive_zerocopy. Before the
    /// rounds the consumer verifies every byte once.
    #[arg(long, value_name = "MODE", default_value = "discard", value_parser = words::mode())]
    pub consumer: &'static ModeSpec,
    /// Where the servers and the consumer run.
    #[arg(long, value_enum, default_value = "apart")]
    pub placement: Wish,
    /// Folder for cost.json and the table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Folder of topic-partition folders (such as orders-0), or one such folder. zcprof serves it
    /// as the only broker of a cluster would after a start. Nobody may write to the folder
    /// meanwhile. zcprof serves verified partitions while it verifies the rest.
    #[arg(long, value_name = "DIR")]
    pub log_dir: PathBuf,
    /// How the records leave.
    #[arg(long, value_name = "NAME", default_value = "sendfile", value_parser = words::transfer())]
    pub transfer: &'static TransferSpec,
    /// Address to listen on. Everybody who can reach this address can read everything.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092", value_parser = words::resolve)]
    pub listen: SocketAddr,
    /// Address that the server tells clients to connect to (default: the address that they have
    /// connected to).
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<Advertised>,
    /// File for the certificate that an encrypted transfer generates; clients must trust it.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Serve nothing unless everything can be served as it is: a damaged or torn segment, or one in
    /// an older format, is an error, as in a measurement.
    #[arg(long)]
    pub strict: bool,
    /// Hold back records from the high watermark on, as replication-offset-checkpoint says.
    /// Without this option the high watermark is the log's end, as for a leader that is alone.
    #[arg(long)]
    pub high_watermark: bool,
    /// Only verify, and print a table of the partitions and what is wrong with them.
    #[arg(long)]
    pub check: bool,
}

/// How much to print of a run.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Shown {
    /// Print every column.
    #[arg(long)]
    pub wide: bool,
    /// Print table.txt: every number, and its evidence. -v does so too.
    #[arg(long, conflicts_with = "wide")]
    pub full: bool,
}

/// Options of `matrix`.
#[derive(Clone, Debug, Args)]
pub struct MatrixArgs {
    /// Runs (run.json), or one matrix (matrix.json) to render again; or folders that hold them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Exit with 0 whatever the matrix says, to draw only.
    #[arg(long)]
    pub exit_zero: bool,
    /// Folder for matrix.json, matrix.txt and matrix.svg; without it zcprof only prints the table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The older record, or a folder that holds it.
    pub before: PathBuf,
    /// The newer record of the same kind, or a folder that holds it.
    pub after: PathBuf,
    /// Folder for diff.svg and diff.txt; without it zcprof only prints the table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Options of `report` and `bench report`, whose records exit with 0.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The record, a folder that holds it, or - for standard input; zcprof prints a record from
    /// standard input.
    pub run: PathBuf,
    /// Folder for the reports (default: the run's own).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the table and write nothing.
    #[arg(long, conflicts_with = "out")]
    pub print: bool,
    /// How much to print.
    #[command(flatten)]
    pub shown: Shown,
    /// Exit with 0 whatever the verdict is, to draw only.
    #[arg(long)]
    pub exit_zero: bool,
}

/// Options of `server`.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The log to serve.
    #[arg(long)]
    pub log_dir: PathBuf,
    /// Transfer and address of a listener, as NAME=ADDR.
    #[arg(long = "listen", value_parser = words::listener, required = true)]
    pub listeners: Vec<(String, Address)>,
}

/// Which cache states to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheChoice {
    /// Every segment page is resident.
    Warm,
    /// No segment page is resident.
    Cold,
    /// Cold first, then warm.
    Both,
}
