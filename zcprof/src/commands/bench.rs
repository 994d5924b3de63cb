//! `zcprof bench`.

use anyhow::Result;

use super::records::place;
use super::{begin, is_barred};
use crate::verdict::Exit;
use crate::{bench, cli, output, report};

pub(super) fn fetch(options: &cli::BenchFetchArgs) -> Result<Exit> {
    begin(options.out.as_deref())?;
    let run = bench::fetch(options)?;
    if let Some(folder) = &options.out {
        output::write_bench(&run, folder)?;
    }
    print_bench(&run)
}

pub(super) fn watch(options: &cli::BenchWatchArgs) -> Result<Exit> {
    if is_barred("watched") {
        return Ok(Exit::CannotMeasure);
    }
    begin(options.out.as_deref())?;
    let run = bench::cost::watch(options)?;
    if let Some(folder) = &options.out {
        output::write_cost(&run, folder)?;
    }
    print_cost(&run)
}

pub(super) fn report(options: &cli::ReportArgs) -> Result<Exit> {
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

fn print_bench(run: &bench::record::BenchRun) -> Result<Exit> {
    let table = report::bench::table(run);
    output::print(table.as_bytes())?;
    Ok(Exit::Holds)
}

fn print_cost(run: &bench::cost::record::CostRun) -> Result<Exit> {
    output::print(report::cost::table(run).as_bytes())?;
    Ok(Exit::Holds)
}
