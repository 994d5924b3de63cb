//! The command line: one match from what was typed to what is done, and one place that decides
//! how the process ends.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, FromArgMatches as _};
use zcprof::cli::{self, Cli, Command};
use zcprof::fetch::log::{MakeLog, make_topic};
use zcprof::report::terminal::Detail;
use zcprof::verdict::explain::{CODES, Code};
use zcprof::verdict::{self, Exit};
use zcprof::{
    bench, claim, doctor, fetch, measure, network, output, probe, report, run, server, terminal,
    transfer,
};

/// The commit that it was built from, if the build said so.
const COMMIT: Option<&str> = option_env!("ZCPROF_COMMIT");

/// Who compiled the eBPF programs, and whether that was for this build.
const EBPF: &str = env!("ZCPROF_BPF_BUILT_BY");

fn main() -> ExitCode {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("commit unknown"));
    let version = format!("{version} ({commit})\neBPF programs: {EBPF}");
    let matches = Cli::command().version(version.leak() as &str).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let level = match cli.verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("zcprof", level)
        .format_timestamp(None)
        .target(env_logger::Target::Pipe(Box::new(terminal::Messages)))
        .init();
    let ended = run(&cli);
    terminal::clear();
    let failed = ended.as_ref().err().map(|error| eprintln!("error: {error:#}")).is_some();
    match (measure::interrupt::code().filter(|_| failed), ended) {
        (Some(code), _) => code.into(),
        (None, ended) => ended.unwrap_or_else(|_| Exit::Error.into()),
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let exit = match &cli.command {
        Command::Measure(options) => measure(options, cli.verbose > 0),
        Command::Time(options) => time(options),
        Command::Bench(cli::Bench::Fetch(options)) => bench_fetch(options),
        Command::Bench(cli::Bench::Watch(options)) => bench_watch(options),
        Command::Bench(cli::Bench::Report(options)) => bench_report(options),
        Command::Doctor { json } => doctor(*json, cli.verbose > 0),
        Command::MakeLog(options) => make_log(options),
        Command::Report(options) => report(options, cli.verbose > 0),
        Command::Judge { record } => judge(record),
        Command::Watch(options) => return watch(options, cli.verbose > 0),
        Command::Top(options) => return watch(&options.watch(), cli.verbose > 0),
        Command::Matrix(options) => matrix(options),
        Command::Diff(options) => diff(options),
        Command::Explain { code } => explain(*code),
        Command::List => list(),
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

fn measure(options: &cli::MeasureArgs, verbose: bool) -> Result<Exit> {
    options.check()?;
    measure::feasible::check(&options.workload)?;
    if options.check_only {
        return Ok(Exit::Holds);
    }
    if let Some((reason, remedy)) = probe::kernel::barred() {
        eprintln!("error: nothing can be measured here: {reason}; {remedy}");
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
    if !options.quiet {
        print_run(&run, options.shown, verbose, options.out.as_deref())?;
    }
    exit(&run)
}

/// What the run's verdicts come to.
fn exit(run: &run::Run) -> Result<Exit> {
    Ok(zcprof_judge::receive::exit_with(run, &verdict::judge(run)?)?)
}

/// Watches, and ends as the verdict says; without a claim as the command did.
fn watch(options: &cli::WatchArgs, verbose: bool) -> Result<ExitCode> {
    if let Some((reason, remedy)) = probe::kernel::barred() {
        eprintln!("error: nothing can be watched here: {reason}; {remedy}");
        return Ok(Exit::CannotMeasure.into());
    }
    measure::interrupt::take_over()?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
    }
    let watch = zcprof::watch::watch(options, verbose)?;
    if let Some(folder) = &options.out {
        output::write_watch(&watch, folder)?;
    }
    if options.json {
        output::print(&report::watch::json(&watch)?)?;
    } else {
        output::print(report::watch::table(&watch)?.as_bytes())?;
    }
    if watch.claims.is_empty() {
        let status = watch.command.and_then(|command| command.status).unwrap_or(0);
        return Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)));
    }
    Ok(watch_exit(&watch)?.into())
}

fn watch_exit(watch: &zcprof_judge::watch::Watch) -> Result<Exit> {
    let judgements = zcprof_judge::watch::judge(watch).map_err(anyhow::Error::msg)?;
    Ok(zcprof_judge::watch::exit(&judgements))
}

fn time(options: &cli::TimeArgs) -> Result<Exit> {
    options.workload.check()?;
    measure::feasible::check(&options.workload)?;
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

fn bench_fetch(options: &cli::BenchFetchArgs) -> Result<Exit> {
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

fn bench_watch(options: &cli::BenchWatchArgs) -> Result<Exit> {
    if let Some((reason, remedy)) = probe::kernel::barred() {
        eprintln!("error: nothing can be watched here: {reason}; {remedy}");
        return Ok(Exit::CannotMeasure);
    }
    measure::interrupt::take_over()?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
    }
    let run = bench::cost::watch(options)?;
    if let Some(folder) = &options.out {
        output::write_cost(&run, folder)?;
    }
    print_cost(&run)
}

fn bench_report(options: &cli::ReportArgs) -> Result<Exit> {
    let path = output::locate(&options.run, &["bench.json", "cost.json"])?;
    let record = output::read_bench(&path)?;
    if let Some(folder) = place(options, &path) {
        output::check_writable(folder)?;
        match &record {
            output::Benchmark::Speed(run) => output::write_bench(run, folder)?,
            output::Benchmark::Cost(run) => output::write_cost(run, folder)?,
        }
    }
    match &record {
        output::Benchmark::Speed(run) => print_bench(run),
        output::Benchmark::Cost(run) => print_cost(run),
    }
}

fn print_cost(run: &bench::cost::record::CostRun) -> Result<Exit> {
    output::print(report::cost::table(run).as_bytes())?;
    Ok(Exit::Holds)
}

/// Where the reports of a record go: beside it, unless there is no such place.
fn place<'a>(options: &'a cli::ReportArgs, record: &'a Path) -> Option<&'a Path> {
    if options.print {
        return None;
    }
    let beside = || (!output::is_piped(record)).then(|| record.parent()).flatten();
    options.out.as_deref().or_else(beside)
}

fn print_bench(run: &bench::record::BenchRun) -> Result<Exit> {
    let table = report::bench::table(run);
    output::print(table.as_bytes())?;
    Ok(Exit::Holds)
}

fn doctor(json: bool, verbose: bool) -> Result<Exit> {
    let diagnosis = doctor::diagnose()?;
    let text = if json {
        report::doctor::json(&diagnosis)?
    } else if verbose {
        report::doctor::table(&diagnosis).into_bytes()
    } else {
        report::doctor::short(&diagnosis).into_bytes()
    };
    output::print(&text)?;
    Ok(if diagnosis.complete { Exit::Holds } else { Exit::CannotMeasure })
}

fn make_log(options: &cli::MakeLogArgs) -> Result<Exit> {
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

fn report(options: &cli::ReportArgs, verbose: bool) -> Result<Exit> {
    let path = output::locate(&options.run, &["run.json", "watch.json"])?;
    let run = match output::read_any(&path)? {
        output::Any::Run(run) => run,
        output::Any::Watch(watch) => return report_watch(options, &path, &watch),
        matrix @ output::Any::Matrix(_) => {
            bail!("{} is {}: {}", path.display(), matrix.kind(), matrix.kind().remedy())
        }
    };
    let written = place(options, &path);
    if let Some(folder) = written {
        output::check_writable(folder)?;
        output::write_reports(&run, folder)?;
    }
    let there = written.or_else(|| path.parent().filter(|folder| folder.join(TABLE).is_file()));
    print_run(&run, options.shown, verbose, there)?;
    if options.exit_zero { Ok(Exit::Holds) } else { exit(&run) }
}

fn report_watch(
    options: &cli::ReportArgs,
    path: &Path,
    watch: &zcprof_judge::watch::Watch,
) -> Result<Exit> {
    if let Some(folder) = place(options, path) {
        output::check_writable(folder)?;
        output::write_watch(watch, folder)?;
    }
    output::print(report::watch::table(watch)?.as_bytes())?;
    if options.exit_zero { Ok(Exit::Holds) } else { watch_exit(watch) }
}

fn judge(path: &Path) -> Result<Exit> {
    let path = output::locate(path, &["run.json", "matrix.json", "watch.json"])?;
    match output::read_any(&path)? {
        output::Any::Watch(watch) => {
            output::print(report::watch::table(&watch)?.as_bytes())?;
            watch_exit(&watch)
        }
        output::Any::Run(run) => {
            // Its reports, if they stand beside it.
            let place = path.parent().filter(|folder| folder.join("table.txt").is_file());
            let text = terminal::shown(place, |to| report::terminal::last_lines(&run, to))?;
            output::print(text.as_bytes())?;
            exit(&run)
        }
        output::Any::Matrix(matrix) => {
            output::print(report::matrix::table(&matrix).as_bytes())?;
            Ok(matrix.exit())
        }
    }
}

fn matrix(options: &cli::MatrixArgs) -> Result<Exit> {
    let matrix = output::read_matrix(&options.files)?;
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
        output::write_matrix(&matrix, folder)?;
    }
    let table = report::matrix::table(&matrix);
    output::print(table.as_bytes())?;
    Ok(if options.exit_zero { Exit::Holds } else { matrix.exit() })
}

/// Compares two records, and says nothing about claims.
fn diff(options: &cli::DiffArgs) -> Result<Exit> {
    let names = ["run.json", "watch.json"];
    let paths = [&options.before, &options.after];
    let [before, after] = paths.map(|path| output::locate(path, &names));
    let (before, after) = (before?, after?);
    let [from, to] = [&before, &after].map(|path| path.display().to_string());
    let made = match (output::read_any(&before)?, output::read_any(&after)?) {
        (output::Any::Watch(old), output::Any::Watch(new)) => report::diff::watches(
            &report::diff::Side { name: &from, record: &*old },
            &report::diff::Side { name: &to, record: &*new },
        ),
        (output::Any::Run(old), output::Any::Run(new)) => report::diff::runs(
            &report::diff::Side { name: &from, record: &*old },
            &report::diff::Side { name: &to, record: &*new },
        )?,
        (old, new) => bail!(
            "{from} is {} and {to} is {}: two watched windows or two runs can be compared",
            old.kind(),
            new.kind()
        ),
    };
    if let Some(folder) = &options.out {
        output::check_writable(folder)?;
        output::write_diff(&made, folder)?;
    }
    output::print(made.table.as_bytes())?;
    Ok(Exit::Holds)
}

/// The report that has every number.
const TABLE: &str = "table.txt";

/// What the terminal's user sees of a run.
fn print_run(
    run: &run::Run,
    wanted: cli::Shown,
    verbose: bool,
    place: Option<&Path>,
) -> Result<()> {
    let detail = match wanted {
        cli::Shown { wide: true, .. } => Detail::Wide,
        cli::Shown { full, .. } if full || verbose => Detail::Full,
        cli::Shown { .. } => Detail::Brief,
    };
    let text = terminal::shown(place, |to| report::terminal::show(run, detail, to))?;
    output::print(text.as_bytes())
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
        writeln!(out, "  {:<16} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "saboteurs, to try zcprof with (measured only if they are named)")?;
    for row in transfer::SABOTEURS {
        writeln!(out, "  {:<16} {} ({})", row.name, row.summary, row.claim.name)?;
    }
    writeln!(out, "networks")?;
    for row in network::NETWORKS {
        writeln!(out, "  {:<16} {}", row.name, row.summary)?;
    }
    writeln!(out, "consumer modes")?;
    for mode in fetch::consumer::mode::MODES {
        writeln!(out, "  {:<16} {} ({})", mode.name, mode.summary, mode.claim.name)?;
    }
    writeln!(out, "saboteurs among them (used only if they are named)")?;
    for mode in fetch::consumer::mode::SABOTEURS {
        writeln!(out, "  {:<16} {} ({})", mode.name, mode.summary, mode.claim.name)?;
    }
    writeln!(out, "claims")?;
    for claim in claim::CLAIMS {
        writeln!(out, "  {:<22} {} copies per payload byte", claim.name, claim.copies())?;
    }
    writeln!(out, "what a consumer mode may promise")?;
    for claim in zcprof_judge::receive::claim::RECEIVE_CLAIMS {
        writeln!(out, "  {:<22} {}", claim.name, claim.phrase)?;
    }
    writeln!(out, "reports")?;
    for format in report::FORMATS {
        writeln!(out, "  {:<14} {}", format.name, format.summary)?;
    }
    output::print(&out)?;
    Ok(Exit::Holds)
}
