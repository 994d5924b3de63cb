//! `cargo xtask bench fetch`: times the transfers and nginx on this host's kernel.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::cache::Cache;
use crate::exit::Exit;
use crate::phases::Phases;
use crate::run::publish;
use crate::setup::{self, Wants};
use crate::{compile, process};

/// Name of the report folder.
const FOLDER: &str = "bench";

/// What to time.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Fetch a log by each transfer and from nginx, with no probe attached.
    ///
    /// Debian's nginx is installed if there is none; where a service manager runs, that starts
    /// its service too.
    Fetch(Options),
}

/// Options of `bench fetch`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Leave nginx out, and do not install it.
    #[arg(long)]
    without_nginx: bool,
    /// Folder of the reports; this one has the folder `bench` in it.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Options of `zcprof bench fetch`, behind those above: they go to it as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    rest: Vec<String>,
}

/// Does `cargo xtask bench`.
pub(crate) fn command(bench: &Bench) -> Result<Exit> {
    let Bench::Fetch(options) = bench;
    let cache = Cache::open()?;
    let out = compile::root().join(&options.out);
    publish::check(&out)?;
    let mut phases = Phases::start();
    let nginx = !options.without_nginx;
    let wants = Wants {
        build: true,
        guests: false,
        clients: false,
        nginx,
        matrix: false,
        kernels: Vec::new(),
    };
    let ready = phases.time("setup", || setup::ensure(&cache, &wants))?;
    let program = phases.time("build", || compile::zcprof(&ready))?;
    let mut command = Command::new(program);
    command.args(["bench", "fetch", "--out"]).arg(out.join(FOLDER));
    if nginx {
        command.arg("--nginx").arg(process::find("nginx").context("there is no nginx")?);
    }
    let status = phases.time("bench", || process::run(command.args(&options.rest)))?;
    println!("{}", phases.line());
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
        let Bench::Fetch(options) = Cli::parse_from(words).bench;
        assert!(options.without_nginx);
        assert_eq!(options.rest, ["--rounds", "3", "--bytes", "1MiB"]);
        let Bench::Fetch(options) = Cli::parse_from(["bench", "fetch"]).bench;
        assert!(!options.without_nginx && options.rest.is_empty());
    }
}
