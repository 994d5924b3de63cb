//! What each command does, and one match from what was typed to that.

mod bench;
mod make_log;
mod measure;
mod records;
mod tell;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{self, Cli, Command};
use crate::measure::interrupt;
use crate::verdict::Exit;
use crate::{fetch, output, probe, server};

/// Does what was typed.
///
/// # Errors
/// What the command says: a report on one line.
pub fn run(cli: &Cli) -> Result<ExitCode> {
    let exit = match &cli.command {
        Command::Measure(options) => measure::measure(options, cli.verbose > 0),
        Command::Time(options) => measure::time(options),
        Command::Bench(cli::Bench::Fetch(options)) => bench::fetch(options),
        Command::Bench(cli::Bench::Watch(options)) => bench::watch(options),
        Command::Bench(cli::Bench::Report(options)) => bench::report(options),
        Command::Doctor { json } => tell::doctor(*json, cli.verbose > 0),
        Command::MakeLog(options) => make_log::make_log(options),
        Command::Report(options) => records::report(options, cli.verbose > 0),
        Command::Judge { record } => records::judge(record),
        Command::Watch(options) => return watch::watch(options, cli.verbose > 0),
        Command::Top(options) => return watch::watch(&options.watch(), cli.verbose > 0),
        Command::Matrix(options) => records::matrix(options),
        Command::Diff(options) => records::diff(options),
        Command::Explain { code } => tell::explain(*code),
        Command::List => tell::list(),
        Command::Serve(options) => {
            server::run_broker(&server::BrokerOptions {
                log_dir: options.log_dir.clone(),
                transfer: options.transfer,
                listen: options.listen,
                advertised: options.advertise.clone(),
                certificate: options.certificate.clone(),
                strict: options.strict,
                high_watermark: options.high_watermark,
                check: options.check,
            })?;
            Ok(Exit::Holds)
        }
        Command::Server(options) => {
            server::run_server(&server::ServerOptions {
                log_dir: options.log_dir.clone(),
                listeners: options.listeners.clone(),
            })?;
            Ok(Exit::Holds)
        }
        Command::Consumer => {
            fetch::consumer::run_consumer()?;
            Ok(Exit::Holds)
        }
    };
    exit.map(ExitCode::from)
}

/// Whether this kernel bars probes altogether, which is said: nothing can be measured, or watched, here.
fn is_barred(done: &str) -> bool {
    let barred = probe::kernel::barred();
    if let Some((reason, remedy)) = &barred {
        eprintln!("error: nothing can be {done} here: {reason}; {remedy}");
    }
    barred.is_some()
}

/// From here on signals are heeded, and reports can be written into that folder.
fn begin(out: Option<&Path>) -> Result<()> {
    interrupt::take_over()?;
    out.map_or(Ok(()), output::check_writable)
}
