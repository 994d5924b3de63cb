//! What was typed. No behaviour.

mod bench;
mod measure;
mod report;
mod serve;
mod watch;
mod words;
mod workload;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use crate::verdict::explain::Code;

pub use self::bench::{Bench, BenchFetchArgs, BenchWatchArgs};
pub use self::measure::{MeasureArgs, TimeArgs};
pub use self::report::{DiffArgs, MatrixArgs, ReportArgs, Shown};
pub use self::serve::{MakeLogArgs, ServeArgs, ServerArgs};
pub use self::watch::{TopArgs, WatchArgs};
pub use self::workload::{CacheChoice, WorkloadArgs};

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
    /// sends, by hop and by stack. q ends the table and reports.
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
