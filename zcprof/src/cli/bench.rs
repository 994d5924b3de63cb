//! What was typed after `zcprof bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::report::ReportArgs;
use super::{watch, words};
use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::socket::SocketKind;
use crate::placement::Wish;
use crate::transfer::TransferSpec;

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
    /// Mode in which the consumer receives in timed rounds: copy, discard, splice or
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
