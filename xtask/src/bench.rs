//! `cargo xtask bench fetch`: times the transfers and nginx on this host's kernel; `bench watch`, in
//! guests, what watching costs.

mod watch;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::Exit;
use crate::phases::Phases;
use crate::run::{MEASURED, publish};
use crate::setup::{self, Wants};
use crate::{process, tree, words};

/// Name of the report folder.
const FOLDER: &str = "bench";

/// What to time.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Fetch a log by each transfer and from nginx, with no probe attached.
    ///
    /// The command installs Debian's nginx if there is none; where a service manager runs, this
    /// also starts nginx's service.
    Fetch(Options),
    /// Time in a guest what watching costs: transfers with nobody watching, with zcprof watching, and
    /// beside bpftrace, perf and strace of Debian.
    Watch(watch::Options),
}

/// Options of `bench fetch`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Leave nginx out, and do not install it.
    #[arg(long)]
    without_nginx: bool,
    /// Folder of the reports; the command writes into its folder `bench`.
    #[arg(long, value_name = "DIR", default_value = MEASURED)]
    out: PathBuf,
    /// What is timed; these go to `zcprof bench fetch` as they are.
    #[command(flatten)]
    timed: Timed,
}

/// Options of `zcprof bench fetch`.
#[derive(Args, Debug)]
struct Timed {
    /// Folder of the log; zcprof makes a log there if the folder has none.
    #[arg(long, value_name = "DIR")]
    log_dir: Option<String>,
    /// Size of a new log, and payload of each round.
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    bytes: Option<String>,
    /// Most record bytes in one fetch, comma-separated.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = words::size)]
    fetch_sizes: Vec<String>,
    /// Connections fetching at once, comma-separated.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    connections: Vec<u32>,
    /// Rounds that count, of every contestant.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// The sockets between server and consumer.
    #[arg(long, value_name = "KIND", value_parser = words::socket())]
    socket: Option<String>,
    /// Transfers, comma-separated (default: all).
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer())]
    transfer: Vec<String>,
    /// Mode in which the consumer receives in timed rounds.
    #[arg(long, value_name = "MODE", value_parser = words::mode())]
    consumer: Option<String>,
    /// Where the servers and the consumer run.
    #[arg(long, value_name = "WHERE", value_parser = ["apart", "free"])]
    placement: Option<String>,
}

impl Timed {
    /// Whether what was typed goes together and fits.
    fn check(&self) -> Result<()> {
        words::agree(&self.transfer, &[])?;
        self.bytes.as_deref().filter(|_| self.log_dir.is_none()).map_or(Ok(()), words::room)
    }

    /// As zcprof reads them.
    fn words(&self) -> Vec<String> {
        let Self { log_dir, bytes, fetch_sizes, connections, rounds, .. } = self;
        let list = |items: &[String]| Some(items.join(",")).filter(|list| !list.is_empty());
        let connections: Vec<_> = connections.iter().map(u32::to_string).collect();
        let transfers = if self.transfer == [words::ALL] { &[][..] } else { &self.transfer };
        let options = [
            ("--log-dir", log_dir.clone()),
            ("--bytes", bytes.clone()),
            ("--fetch-sizes", list(fetch_sizes)),
            ("--connections", list(&connections)),
            ("--rounds", rounds.map(|rounds| rounds.to_string())),
            ("--socket", self.socket.clone()),
            ("--transfer", list(transfers)),
            ("--consumer", self.consumer.clone()),
            ("--placement", self.placement.clone()),
        ];
        let typed = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        typed.flatten().collect()
    }
}

/// Does `cargo xtask bench`.
pub(crate) fn command(bench: &Bench) -> Result<Exit> {
    match bench {
        Bench::Fetch(options) => fetch(options),
        Bench::Watch(options) => watch::command(options),
    }
}

fn fetch(options: &Options) -> Result<Exit> {
    options.timed.check()?;
    let cache = CacheFolder::open()?;
    let out = tree::root().join(&options.out);
    publish::check(&out)?;
    let mut phases = Phases::start();
    let nginx = !options.without_nginx;
    let wants = Wants { build: true, nginx, ..Wants::default() };
    let ready = phases.time("setup", || setup::ensure(&cache, &wants))?;
    let program = phases.time("build", || compile::zcprof(&ready, Optimised::Fully))?;
    let mut command = Command::new(program);
    command.args(["bench", "fetch", "--out"]).arg(out.join(FOLDER));
    if nginx {
        command.arg("--nginx").arg(process::find("nginx").context("there is no nginx")?);
    }
    let status = phases.time("bench", || process::run(command.args(options.timed.words())))?;
    eprintln!("{}", phases.line());
    Ok(Exit::of_code(status.code()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        bench: Bench,
    }

    #[test]
    fn zcprofs_options_go_through() {
        let words = ["bench", "fetch", "--without-nginx", "--rounds", "3", "--bytes", "1MiB"];
        let Bench::Fetch(options) = Cli::parse_from(words).bench else { panic!("another") };
        assert!(options.without_nginx);
        assert_eq!(options.timed.words(), ["--bytes", "1MiB", "--rounds", "3"]);
        let Bench::Fetch(options) = Cli::parse_from(["bench", "fetch"]).bench else {
            panic!("another")
        };
        let wrong = ["--nope", "--rounds=0", "--consumer=all", "--transfer=sendfil", "--bytes=x"];
        for word in wrong {
            Cli::try_parse_from(["bench", "fetch", word]).err().expect(word);
        }
        assert!(!options.without_nginx && options.timed.words().is_empty());
    }
}
