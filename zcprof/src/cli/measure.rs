//! What was typed after `zcprof measure` and `zcprof time`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use zcprof_common::vocabulary::Instrument;

use super::report::Shown;
use super::words;
use super::workload::{CacheChoice, WorkloadArgs};
use crate::fetch::consumer::mode::ModeSpec;
use crate::run::ClaimOverride;
use crate::transfer::TransferSpec;

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
