//! The command line: one match from what was typed to what is done, and one place that decides
//! how the process ends.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use zcprof::cli::{self, Cli, Command};
use zcprof::fetch::log::{MakeLog, make_topic};
use zcprof::verdict::explain::{CODES, Code};
use zcprof::verdict::{self, Exit};
use zcprof::{bench, claim, doctor, fetch, measure, output, probe, report, run, transfer};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = if cli.verbose { log::LevelFilter::Debug } else { log::LevelFilter::Warn };
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("zcprof", level)
        .format_timestamp(None)
        .init();
    run(&cli)
        .unwrap_or_else(|error| {
            eprintln!("zcprof: {error:#}");
            Exit::Error
        })
        .into()
}

fn run(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        Command::Measure(options) => measure(options, cli.verbose),
        Command::Time(options) => time(options),
        Command::Bench(cli::Bench::Fetch(options)) => bench_fetch(options),
        Command::Bench(cli::Bench::Report(options)) => bench_report(options),
        Command::Doctor { json } => doctor(*json),
        Command::MakeLog(options) => make_log(options),
        Command::Report(options) => report(options),
        Command::Matrix(options) => matrix(options),
        Command::Explain { code } => explain(*code),
        Command::List => list(),
        Command::Serve(options) => {
            fetch::server::run_broker(&fetch::server::BrokerOptions {
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
            fetch::server::run_server(&fetch::server::ServerOptions {
                log_dir: options.log_dir.clone(),
                listeners: options.listeners.clone(),
            })?;
            Ok(Exit::Holds)
        }
        Command::Consumer => {
            fetch::consumer::run_consumer()?;
            Ok(Exit::Holds)
        }
    }
}

fn measure(options: &cli::Measure, verbose: bool) -> Result<Exit> {
    options.check()?;
    if options.check_only {
        return Ok(Exit::Holds);
    }
    if let Some((reason, remedy)) = probe::kernel::barred() {
        eprintln!("zcprof: nothing can be measured here: {reason}; {remedy}");
        return Ok(Exit::CannotMeasure);
    }
    measure::interrupt::take_over()?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
    }
    let timings = match &options.timings {
        Some(path) => output::read_timings(path)?,
        None => Vec::new(),
    };
    let run = measure::measure(options, verbose, timings)?;
    if let Some(folder) = &options.out {
        output::write_reports(&run, folder)?;
    }
    print_table(&run)?;
    let judgements = verdict::judge(&run)?;
    Ok(verdict::exit(&judgements))
}

fn time(options: &cli::Time) -> Result<Exit> {
    options.workload.check()?;
    measure::interrupt::take_over()?;
    let timings = measure::time(options)?;
    let json = serde_json::to_vec_pretty(&timings)?;
    match &options.out {
        Some(path) => {
            std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
        }
        None => output::print(&json)?,
    }
    Ok(Exit::Holds)
}

fn bench_fetch(options: &cli::BenchFetch) -> Result<Exit> {
    measure::interrupt::take_over()?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
    }
    let run = bench::fetch(options)?;
    if let Some(folder) = &options.out {
        output::write_bench(&run, folder)?;
    }
    print_bench(&run)
}

fn bench_report(options: &cli::Report) -> Result<Exit> {
    let run: bench::record::BenchRun = output::read(&options.run)?;
    if !options.print {
        let folder = options.folder();
        output::check_writable(folder)?;
        output::write_bench(&run, folder)?;
    }
    print_bench(&run)
}

fn print_bench(run: &bench::record::BenchRun) -> Result<Exit> {
    let table = report::bench::table(run);
    output::print(table.as_bytes())?;
    Ok(Exit::Holds)
}

fn doctor(json: bool) -> Result<Exit> {
    let diagnosis = doctor::diagnose()?;
    let text = if json {
        report::doctor::json(&diagnosis)?
    } else {
        report::doctor::table(&diagnosis).into_bytes()
    };
    output::print(&text)?;
    Ok(if diagnosis.complete { Exit::Holds } else { Exit::CannotMeasure })
}

fn make_log(options: &cli::MakeLog) -> Result<Exit> {
    measure::interrupt::take_over()?;
    let bytes = |size: u64| usize::try_from(size).context("a size that no memory has");
    let wanted = MakeLog {
        records: Some(options.records),
        segment_bytes: options.segment_bytes,
        batch_bytes: bytes(options.batch_bytes)?,
        record_bytes: bytes(options.record_bytes)?,
        codec: options.codec,
        seed: options.seed,
        ..MakeLog::DEFAULT
    };
    let (directory, topic) = (&options.directory, &options.topic);
    let interrupted = &measure::interrupt::interrupted;
    let made = make_topic(directory, topic, options.partitions, &wanted, interrupted)?;
    let mut out = Vec::new();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &made)?;
        writeln!(out)?;
    } else {
        write!(out, "{made}")?;
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}

fn report(options: &cli::Report) -> Result<Exit> {
    let run: run::Run = output::read(&options.run)?;
    if !options.print {
        let folder = options.folder();
        output::check_writable(folder)?;
        output::write_reports(&run, folder)?;
    }
    print_table(&run)?;
    Ok(Exit::Holds)
}

fn matrix(options: &cli::Matrix) -> Result<Exit> {
    let matrix = output::read_matrix(&options.files)?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
        output::write_matrix(&matrix, folder)?;
    }
    let table = report::matrix::table(&matrix);
    output::print(table.as_bytes())?;
    Ok(if options.render { Exit::Holds } else { matrix.exit() })
}

fn print_table(run: &zcprof::run::Run) -> Result<()> {
    let format = report::Format::find("table").context("there is no report called table")?;
    output::print(&(format.render)(run)?)
}

fn explain(code: Option<&Code>) -> Result<Exit> {
    let mut out = Vec::new();
    match code {
        Some(code) => write!(out, "{code}")?,
        None => {
            for code in CODES {
                writeln!(out, "{} {}", code.name, code.title)?;
            }
        }
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}

fn list() -> Result<Exit> {
    let mut out = Vec::new();
    writeln!(out, "transfers")?;
    for row in transfer::TRANSFERS {
        writeln!(out, "  {:<14} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "saboteurs, to try zcprof with (measured only if they are named)")?;
    for row in transfer::SABOTEURS {
        writeln!(out, "  {:<16} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "networks")?;
    for row in measure::network::NETWORKS {
        writeln!(out, "  {:<16} {}", row.name, row.summary)?;
    }
    writeln!(out, "consumer modes")?;
    for mode in fetch::consumer::mode::MODES {
        writeln!(out, "  {:<16} {} ({})", mode.name, mode.summary, mode.promise)?;
    }
    writeln!(out, "claims")?;
    for claim in claim::CLAIMS {
        writeln!(out, "  {:<22} {} copies per payload byte", claim.name, claim.copies())?;
    }
    writeln!(out, "reports")?;
    for format in report::FORMATS {
        writeln!(out, "  {:<14} {}", format.name, format.summary)?;
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}
