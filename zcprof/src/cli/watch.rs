//! What was typed after `zcprof watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser as _};
use zcprof_common::vocabulary::Instrument;
use zcprof_judge::watch::Promise;
use zcprof_judge::watch::promise::millionths;
use zcprof_judge::watch::record::{Asked, Direction, Of, Tolerance};

use super::words::{capacity, direction, instrument, kept_name, lacking, size};

/// Options of `watch`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct WatchArgs {
    /// What to claim: zero-copy, one-copy, two-copies, deferred, transforms, or a bound such as
    /// 'copied<=0.02' (copied, moved, deferred or transformed; <= or >=). port:8080=C claims C of
    /// one port, program:nginx=C of one program.
    #[arg(long = "claim", value_name = "C", value_parser = asked)]
    pub claims: Vec<Asked>,
    /// Which bytes claims are about: bytes that the programs send (tx), receive (rx), or write into
    /// files (file). With rx and file a claim must be a bound, such as 'copied<=1'.
    #[arg(long, value_name = "D", default_value = "tx", value_parser = direction())]
    pub direction: Direction,
    /// Processes to watch, comma-separated, with all processes that they fork.
    #[arg(long = "pid", value_name = "PIDS", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// Programs to watch, by the name of their process (`/proc/PID/comm`): processes that run
    /// already, and those that start later. Of this name, as of every program's name here, the first
    /// 15 bytes count, which are all that the kernel keeps.
    #[arg(long = "comm", value_name = "NAMES", value_delimiter = ',')]
    pub programs: Vec<String>,
    /// Programs to watch, by the path of their file: only processes that run already.
    #[arg(long = "exe", value_name = "PATHS", value_delimiter = ',')]
    pub files: Vec<PathBuf>,
    /// Programs to leave out, by the name of their process, no matter which program starts them.
    #[arg(long = "exclude-comm", value_name = "NAMES", value_delimiter = ',', value_parser = kept_name())]
    pub excluded: Vec<String>,
    /// Claim of what is sent from these local ports, comma-separated; without another option that
    /// names processes, watch those that listen there (TCP), also those that begin to later.
    #[arg(long = "port", value_name = "PORTS", value_delimiter = ',')]
    pub ports: Vec<u16>,
    /// Watch the processes of a control group (version 2) and of the groups below it.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["unit", "all"])]
    pub cgroup: Option<PathBuf>,
    /// Watch the processes of a systemd unit.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub unit: Option<String>,
    /// Watch every process.
    #[arg(long)]
    pub all: bool,
    /// End the window after this time: 30s, 5m, 1h.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub time: Option<Duration>,
    /// Begin the window only after this time: zcprof does not count what a program does before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub skip: Option<Duration>,
    /// End the window when this shell command ends. The command is the load; zcprof does not watch
    /// it.
    #[arg(long = "while", value_name = "COMMAND")]
    pub load: Option<String>,
    /// Start the load when a process listens at this port; if none does after 30 s, end with an
    /// error.
    #[arg(long, value_name = "PORT", requires = "load")]
    pub ready: Option<u16>,
    /// How much framing zero-copy tolerates: the size of a small call, and a share of the sent
    /// bytes. The share decides.
    #[arg(long, value_name = "SIZE,SHARE", default_value = "4KiB,1%", value_parser = framing)]
    pub framing: Tolerance,
    /// Bytes that must have been sent for a verdict.
    #[arg(long, value_name = "SIZE", default_value = "1", value_parser = size)]
    pub min_bytes: u64,
    /// Ignore the command's exit code: a command that fails then changes no verdict.
    #[arg(long)]
    pub ignore_status: bool,
    /// Start the command as this user.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Withhold instruments, comma-separated. A verdict that needs them becomes inconclusive.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = instrument())]
    pub without: Vec<Instrument>,
    /// Withhold the audit, which costs most: no claim that nothing is copied can then hold.
    #[arg(long)]
    pub no_audit: bool,
    /// Show a table that renews itself, although a command shares the terminal; what the command
    /// writes then goes into a file (command.txt in the folder of --out). On a terminal without a
    /// command zcprof always shows the table.
    #[arg(long)]
    pub live: bool,
    /// Keep the stacks of copies also beside a claim; without a claim zcprof keeps them by default.
    /// Stacks make probes run longer, and a probe that misses a run makes a claim inconclusive.
    #[arg(long, conflicts_with = "no_stacks")]
    pub stacks: bool,
    /// Keep no stacks: zcprof counts copies, but does not show which functions copied.
    #[arg(long)]
    pub no_stacks: bool,
    /// Folder for watch.json, the table, the pictures, and the stacks in the formats of other
    /// tools.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the record (JSON) instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Give a map of the programs another capacity, to see what happens when it is full.
    #[arg(long = "map-capacity", value_name = "MAP=N", value_parser = capacity, hide = true)]
    pub capacities: Vec<(String, u32)>,
    /// Take the table for one that lacks a row of the callers, to see what is said then.
    #[arg(long = "lacking", value_name = "SITE", value_parser = lacking, hide = true)]
    pub lacking: Vec<String>,
    /// The command to start and watch.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Options of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Which bytes are the denominator: bytes that programs send (tx), receive (rx), or write into
    /// files (file).
    #[arg(long, value_name = "D", default_value = "tx", value_parser = direction())]
    pub direction: Direction,
    /// Programs to leave out, by the name of their process, no matter which program starts them.
    #[arg(long = "exclude-comm", value_name = "NAMES", value_delimiter = ',', value_parser = kept_name())]
    pub excluded: Vec<String>,
    /// Withhold the audit, which costs most: zcprof then shows the copies that the callers see.
    #[arg(long)]
    pub no_audit: bool,
    /// Keep no stacks: zcprof then shows who copied at which hop, but not by which function.
    #[arg(long)]
    pub no_stacks: bool,
    /// Folder for watch.json and the reports, which are written at the end.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the record (JSON) at the end instead of the table.
    #[arg(long)]
    pub json: bool,
}

impl TopArgs {
    /// The same as options of `watch`.
    #[must_use]
    pub fn watch(&self) -> WatchArgs {
        #[derive(clap::Parser)]
        struct Whole {
            #[command(flatten)]
            watch: WatchArgs,
        }
        WatchArgs {
            direction: self.direction,
            excluded: self.excluded.clone(),
            no_audit: self.no_audit,
            no_stacks: self.no_stacks,
            out: self.out.clone(),
            json: self.json,
            ..Whole::parse_from(["watch", "--all"]).watch
        }
    }
}

/// A claim, of all that is sent or of a part.
fn asked(text: &str) -> Result<Asked, String> {
    let (of, claim) = match text.split_once('=') {
        Some((part, claim)) if part.starts_with("port:") => {
            let number = part["port:".len()..].parse();
            (Of::Port(number.map_err(|error| format!("{part}: {error}"))?), claim)
        }
        Some((part, claim)) if part.starts_with("program:") => {
            (Of::Program(crate::probe::kept_name(&part["program:".len()..])), claim)
        }
        _ => (Of::All, text),
    };
    let promise = Promise::parse(claim)?;
    Ok(Asked { of, claim: promise.to_string() })
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let found = units.into_iter().find_map(|(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(factor)
    });
    let found = found.filter(|ms| *ms > 0).map(Duration::from_millis);
    found.ok_or_else(|| format!("{text:?} is no time; write 30s, 5m or 1h"))
}

fn framing(text: &str) -> Result<Tolerance, String> {
    let wrong = || format!("{text:?} is no size and share; write 4KiB,1%");
    let (calls, share) = text.split_once(',').ok_or_else(wrong)?;
    let share = share.trim().strip_suffix('%').ok_or_else(wrong)?;
    // A hundredth part of a number in millionths is what the number is in percent.
    let share = millionths(share).filter(|share| *share <= 100_000_000).ok_or_else(wrong)? / 100;
    let share = u32::try_from(share).map_err(|_| wrong())?;
    Ok(Tolerance { size: size(calls.trim())?, millionths: share })
}

impl WatchArgs {
    /// Whether stacks are kept.
    #[must_use]
    pub const fn keeps_stacks(&self) -> bool {
        self.stacks || self.claims.is_empty() && !self.no_stacks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_about_all_or_a_part() {
        let of = |text: &str| asked(text).expect(text).of;
        assert_eq!(of("zero-copy"), Of::All);
        assert_eq!(of("copied<=0.02"), Of::All);
        assert_eq!(of("port:8080=zero-copy"), Of::Port(8080));
        assert_eq!(of("program:nginx=copied>=1"), Of::Program("nginx".to_owned()));
        // The kernel keeps 15 bytes, and what is counted has such a name.
        let kept = Of::Program("nginx-cache-man".to_owned());
        assert_eq!(of("program:nginx-cache-manager=zero-copy"), kept);
        for wrong in ["port:x=zero-copy", "port:70000=zero-copy", "program:nginx=fast", "zero copy"]
        {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    fn top_of_all() -> TopArgs {
        TopArgs {
            direction: Direction::Rx,
            excluded: vec!["cp".to_owned()],
            no_audit: true,
            no_stacks: false,
            out: None,
            json: false,
        }
    }

    #[test]
    fn top_watches_everybody_and_has_no_end() {
        let top = top_of_all();
        let watch = top.watch();
        assert!(watch.keeps_stacks(), "a row's details show them");
        assert!(watch.all && watch.no_audit && watch.time.is_none() && watch.claims.is_empty());
        assert_eq!((watch.direction, watch.excluded), (Direction::Rx, top.excluded));
        assert_eq!(watch.framing, Tolerance { size: 4096, millionths: 10_000 });
        assert!(!TopArgs { no_stacks: true, ..top_of_all() }.watch().keeps_stacks());
    }

    #[test]
    fn times_and_framing_are_read_whole() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "0s", "5", "1d", "-1s", "99999999999999999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(framing("4KiB,1%"), Ok(Tolerance { size: 4096, millionths: 10_000 }));
        assert_eq!(framing("1KiB,0.05%").map(|read| read.millionths), Ok(500));
        for wrong in ["4KiB", "4KiB,1", "4KiB,101%", "0,1%", "x,1%"] {
            assert!(framing(wrong).is_err(), "{wrong}");
        }
    }
}
