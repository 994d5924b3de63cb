//! `cargo xtask matrix`: measures in guests over kernels, file systems, CPUs and networks, and
//! lets zcprof put the runs beside each other.

mod cells;

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

pub(crate) use self::cells::{GuestCell, daily};
use crate::cache::CacheFolder;
use crate::compile::{self, Optimised};
use crate::exit::{Exit, Unmet};
use crate::guest::{self, BASE, Guest, PLANTED, Savings};
use crate::setup::{self, Wants};
use crate::vm::FileSystem;
use crate::{interrupt, process, tree, vm, words};

/// Options of `matrix`. Without any of the first four, `matrix` measures every kernel's file
/// systems, and on ext4 also other numbers of CPUs and other networks; with one, every combination
/// of the named values.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Kernels: names, or `all` for the kernels that the tests use.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::kernel())]
    kernel: Vec<String>,
    /// File systems of the segments.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = FileSystem::find)]
    file_system: Vec<&'static FileSystem>,
    /// Numbers of CPUs.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = words::cpus())]
    cpus: Vec<usize>,
    /// Networks between server and consumer.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::network())]
    network: Vec<String>,
    /// The few cells that `cargo xtask test` measures.
    #[arg(long, conflicts_with_all = ["kernel", "file_system", "cpus", "network"])]
    daily: bool,
    /// What is measured in each cell.
    #[command(flatten)]
    passes: Passes,
    /// Measure all cells anew, also the cells that an interrupted matrix has measured.
    #[arg(long)]
    fresh: bool,
    /// Folder for matrix.json, matrix.txt and matrix.svg.
    #[arg(long, value_name = "DIR", default_value = "measured/matrix")]
    out: PathBuf,
}

/// What is measured in each cell.
#[derive(Args, Clone, Debug)]
pub(crate) struct Passes {
    /// Transfers, comma-separated (default: all).
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::transfer())]
    pub(crate) transfer: Vec<String>,
    /// Payload of each pass.
    #[arg(long, value_name = "SIZE", value_parser = words::size, default_value = "64MiB")]
    pub(crate) bytes: String,
    /// State of the page cache when a pass begins; always warm for a file system without storage.
    #[arg(long, value_name = "STATE", value_parser = words::cache(), default_value = "both")]
    pub(crate) cache: String,
}

/// Measures cells of a matrix.
pub(crate) struct CellRunner<'a> {
    pub(crate) cache: &'a CacheFolder,
    pub(crate) program: &'a Path,
    pub(crate) passes: &'a Passes,
    /// Whether cells that were measured with the same program and options are measured again.
    pub(crate) fresh: bool,
    /// Folder in the cache that keeps the records.
    pub(crate) shelf: &'static str,
    /// For guests whose processor is the usual one.
    pub(crate) savings: Savings,
    /// Modules beside those of the file system.
    pub(crate) modules: Vec<&'static str>,
}

/// A cell that was measured.
pub(crate) struct Measured {
    /// Where its record is.
    pub(crate) record: PathBuf,
    /// CPU time of its guest; none for one that was measured before.
    pub(crate) cpu: Duration,
}

/// Does `cargo xtask matrix`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    words::agree(&options.passes.transfer, &[])?;
    let cache = CacheFolder::open()?;
    let Options { kernel, file_system, cpus, network, .. } = options;
    let cells =
        if options.daily { daily()? } else { cells::choose(kernel, file_system, cpus, network)? };
    let out = tree::root().join(&options.out);
    crate::run::publish::check(&out)?;
    let mut kernels: Vec<_> = cells.iter().map(|cell| cell.kernel).collect();
    kernels.dedup_by_key(|kernel| kernel.name);
    let ready = setup::ensure(
        &cache,
        &Wants { build: true, guests: true, matrix: true, kernels, ..Wants::default() },
    )?;
    let program = compile::zcprof(&ready, Optimised::Quickly)?;
    let runner = CellRunner {
        cache: &cache,
        program: &program,
        passes: &options.passes,
        fresh: options.fresh,
        shelf: "matrix",
        savings: Savings::default(),
        modules: [BASE, PLANTED].concat(),
    };
    let (mut runs, mut missing, mut worst) = (Vec::new(), Vec::new(), Exit::Holds);
    for (at, cell) in (1..).zip(&cells) {
        println!("== {at} of {}: {}", cells.len(), cell.name());
        match runner.measure(cell) {
            Ok(measured) => runs.push(measured.record),
            Err(error) => {
                interrupt::check()?;
                println!("{}: {error:#}", cell.name());
                // Where nothing can be measured, and that was said, nothing went wrong.
                let unmet = error.is::<Unmet>();
                worst = worst.max(if unmet { Exit::Inconclusive } else { Exit::Error });
                missing.push(format!("{}: {error:#}", cell.name()));
            }
        }
    }
    let exit = beside(&program, &runs, &out)?;
    println!("reports in {}", out.display());
    for cell in &missing {
        println!("NOT MEASURED: {cell}");
    }
    Ok(exit.max(worst))
}

/// Lets zcprof put runs beside each other; it prints its table.
pub(crate) fn beside(program: &Path, runs: &[PathBuf], out: &Path) -> Result<Exit> {
    let mut command = Command::new(program);
    let status = process::run(command.arg("matrix").args(runs).arg("--out").arg(out))?;
    Ok(Exit::of_code(status.code()))
}

impl CellRunner<'_> {
    /// Measures a cell, unless that was done before.
    pub(crate) fn measure(&self, cell: &GuestCell) -> Result<Measured> {
        let place = self.cache.path(self.shelf).join(cell.name());
        let guest = Guest::choose(self.cache, cell.kernel)?;
        let script = self.script(cell);
        let key = self.key(&guest, cell.processor.flags, &script)?;
        let (record, key_file) = (place.join("run.json"), place.join("key"));
        let known = fs::read_to_string(&key_file).is_ok_and(|known| known == key);
        if known && record.is_file() && !self.fresh {
            println!("measured before, and taken from {}", record.display());
            return Ok(Measured { record, cpu: Duration::ZERO });
        }
        let begun = Instant::now();
        let files = vec![(self.program.to_owned(), "/bin/zcprof".to_owned())];
        let words = ["/bin/busybox", "sh", "-c", &script].map(str::to_owned).to_vec();
        let mut spec = guest.spec(files, words);
        spec.cpus = cell.cpus;
        // Kernels that choose how to copy by the processor's flags are not among those that are tested.
        let is_usual = cell.processor.flags.is_empty() && cell.kernel.tested;
        spec.flags = if is_usual { self.savings.flags } else { cell.processor.flags };
        spec.append = self.savings.append;
        spec.modules.clone_from(&self.modules);
        spec.file_system = cell.file_system;
        spec.wire = cell.needs_wire();
        let fresh = self.cache.work_folder("cell")?;
        // The table of all cells comes at the end.
        let mut lines = Vec::new();
        let mut keep = |line: &str| lines.push(line.to_owned());
        let (code, cpu) = guest::run_one(self.cache, &spec, false, &mut keep, |report, work| {
            let code = guest::code(&report.outcome)?;
            vm::collect(work, fresh.path())?;
            Ok((code, report.cpu))
        })?;
        let made = fresh.path().join("run.json");
        if !made.is_file() {
            let said = process::last_lines(&lines.join("\n"), 3);
            if Exit::of_code(Some(code)) == Exit::Missing {
                return Err(Unmet(said).into());
            }
            bail!("no record (exit code {code}): {said}");
        }
        println!("{}: exit code {code}, {:.0} s", cell.name(), begun.elapsed().as_secs_f64());
        fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        fs::rename(&made, &record).context("keeping the record")?;
        fs::write(&key_file, key).context("keeping the key")?;
        Ok(Measured { record, cpu })
    }

    /// What the guest does.
    fn script(&self, cell: &GuestCell) -> String {
        let Passes { transfer, bytes, cache } = self.passes;
        let before = cell.file_system.before.unwrap_or("LOG=/data/log").replace("BYTES", bytes);
        let mut script =
            vec!["/bin/zcprof measure --untimed --quiet --log-dir $LOG --out /out".to_owned()];
        let mut add = |name: &str, value: &str| {
            script.push(format!("{name} {}", process::quote(value)));
        };
        add("--bytes", bytes);
        add("--network", &cell.network);
        add("--cache", if cell.file_system.stays_warm { "warm" } else { cache });
        let all = transfer.is_empty() || *transfer == [words::ALL];
        if !all {
            add("--transfer", &transfer.join(","));
        }
        for (claimed, claim) in cell.claims() {
            if all || transfer.iter().any(|named| named == claimed) {
                add("--claim", &format!("{claimed}={claim}"));
            }
        }
        format!("{before} && exec {}", script.join(" "))
    }

    /// What must be the same for a record to be used again.
    fn key(&self, guest: &Guest, flags: &str, script: &str) -> Result<String> {
        let program = fs::read(self.program).context("reading the program")?;
        let mut hasher = DefaultHasher::new();
        program.hash(&mut hasher);
        let version = guest.installed.version();
        Ok(format!("{version} {:016x} {flags}\n{script}\n", hasher.finish()))
    }
}
