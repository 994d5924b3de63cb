//! The part of the tests that needs a kernel of its own.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::Result;
use zcprof_common::names::transfer;

use super::parts::{
    LEFT_OUT, Longer, PARTS, Part, Work, skipped_by_others, skipped_in_turn, turn, without_others,
};
use super::pool;
use super::stage::{Stage, Stages};
use super::tally::Tally;
use crate::cache::CacheFolder;
use crate::compile::{Optimised, Tested};
use crate::exit::Exit;
use crate::guest::{self, BASE, CHEAPER, Guest, PLANTED, Savings};
use crate::kernels::{self, GuestKernel};
use crate::libraries::with_libraries;
use crate::matrix::{self, CellRunner, Passes};
use crate::programs::{self, DiskImage};
use crate::setup::Ready;
use crate::vm::Spec;
use crate::{compile, interrupt};

/// What is to be tested in guests.
pub(super) struct Selection<'a> {
    pub(super) kernels: &'a [&'static GuestKernel],
    /// Payload of each pass of the claims.
    pub(super) bytes: &'a str,
    /// Whether everything runs that is there.
    pub(super) nightly: bool,
    /// Whether only programs of others are watched.
    pub(super) only_programs: bool,
    /// The one test that is wanted, and how long.
    pub(super) longer: Option<(&'static Longer, u32)>,
}

impl Selection<'_> {
    /// Whether what runs leaves nothing out.
    fn is_whole(&self) -> bool {
        self.nightly || self.only_programs
    }

    /// Whether this is the run of every day, which saves CPU time where it can and says so.
    fn is_daily(&self) -> bool {
        !self.is_whole() && self.longer.is_none()
    }
}

/// One guest's job.
enum Job<'a> {
    /// A part on a kernel: its name, what it brings along, what it does.
    Part {
        name: String,
        guest: &'a Guest,
        files: Vec<(PathBuf, String)>,
        words: Vec<String>,
        image: Option<PathBuf>,
        cpus: usize,
        append: &'static str,
        modules: Vec<&'static str>,
    },
    /// A cell of the matrix.
    Cell(matrix::GuestCell),
}

/// The outcome of a job.
struct Done {
    stage: Stage,
    tally: Tally,
    /// The record of a cell.
    run: Option<PathBuf>,
}

/// Guests at a time. One with several processors keeps about a CPU busy; most that a daily run has are
/// emulated by about two thirds of a CPU's work, and sleep meanwhile.
fn at_a_time(wanted: &Selection<'_>) -> usize {
    let cpus = available_parallelism().map_or(1, usize::from).min(4);
    if wanted.is_daily() { cpus + cpus / 2 } else { cpus }
}

/// Tests on each kernel, several guests at a time. A kernel that fails does not keep the next one
/// from being tested.
pub(super) fn run(
    cache: &CacheFolder,
    ready: &Ready,
    tested: &Tested,
    wanted: &Selection<'_>,
    stages: &mut Stages,
) -> Result<()> {
    let guests: Vec<Guest> =
        wanted.kernels.iter().map(|kernel| Guest::choose(cache, kernel)).collect::<Result<_>>()?;
    let mut jobs = Vec::new();
    if let Some((longer, times)) = wanted.longer {
        let variables = [(longer.variable, times.to_string())];
        let words = of_test_program(&variables, &["--nocapture", longer.test]);
        jobs.extend(guests.iter().map(|guest| {
            let name = format!("{} on {}", longer.name, guest.kernel.name);
            let files = vec![bring(&tested.guest_tests, "/bin/guest-tests")];
            let files = with(tested, files);
            let cpus = guest::cpus();
            let words = words.clone();
            let modules = [BASE, PLANTED].concat();
            Job::Part { name, guest, files, words, image: None, cpus, append: "", modules }
        }));
    } else {
        let image = if wanted.is_whole() { Some(programs::image(cache, ready)?) } else { None };
        for (name, why) in image.iter().flat_map(|image| &image.left_out) {
            stages.leave_out(format!("programs of {name}, watched: {why}"));
        }
        let is_wanted =
            |part: &&Part| !wanted.only_programs || matches!(part.work, Work::Programs(_));
        for part in PARTS.iter().filter(is_wanted) {
            for guest in &guests {
                jobs.extend(job(ready, tested, part, guest, wanted, image.as_ref())?);
            }
        }
        if !wanted.only_programs {
            jobs.extend(daily_cells(wanted.kernels)?.into_iter().map(Job::Cell));
        }
    }
    let measured = Passes {
        transfer: CELL_TRANSFERS.map(str::to_owned).to_vec(),
        bytes: CELL_BYTES.to_owned(),
        cache: "both".to_owned(),
    };
    // In all other runs kernels start as Debian has them start.
    let savings = if wanted.is_daily() { CHEAPER } else { Savings::default() };
    let (program, shelf) = (&tested.zcprof, "matrix-daily");
    let modules = BASE.to_vec();
    let runner =
        CellRunner { cache, program, passes: &measured, fresh: true, shelf, savings, modules };
    let done = pool::at_a_time(at_a_time(wanted), jobs, |job| match job {
        Job::Part { name, guest, files, words, image, cpus, append: more, modules } => {
            let mut spec = guest.spec(files, words);
            let append = format!("{} {more}", savings.append);
            (spec.wire, spec.image, spec.cpus, spec.append) = (true, image, cpus, &append);
            (spec.flags, spec.modules) = (savings.flags, modules);
            of_part(cache, name, &spec)
        }
        Job::Cell(cell) => of_cell(&runner, &cell),
    });
    interrupt::check()?;
    let mut runs = Vec::new();
    for Done { stage, tally, run } in done {
        stages.add(stage, tally);
        runs.extend(run);
    }
    if wanted.longer.is_none() && !wanted.only_programs {
        beside(cache, &tested.zcprof, &runs, stages)?;
    }
    Ok(())
}

/// A part on a kernel, if it runs there.
fn job<'a>(
    ready: &Ready,
    tested: &Tested,
    part: &Part,
    guest: &'a Guest,
    wanted: &Selection<'_>,
    programs: Option<&DiskImage>,
) -> Result<Option<Job<'a>>> {
    let name = format!("{} on {}", part.name, guest.kernel.name);
    let nightly = wanted.is_whole();
    let Some(mut variables) = part.on(guest.kernel, wanted.kernels, nightly) else {
        return Ok(None);
    };
    let cpus = part.cpus(guest.kernel, nightly);
    let image = match part.work {
        Work::Programs(_) => {
            let Some(image) = programs else { return Ok(None) };
            let left_out: Vec<&str> = image.left_out.iter().map(|(name, _)| *name).collect();
            variables.push((LEFT_OUT, left_out.join(",")));
            Some(image.path.clone())
        }
        _ => None,
    };
    let test_program = |words: &[String]| {
        let files = vec![bring(&tested.guest_tests, "/bin/guest-tests")];
        (with(tested, files), of_test_program(&variables, words))
    };
    let (files, words) = match part.work {
        Work::Tests(words) => test_program(&without_others(words)),
        Work::TestsBootedWith(_, words) | Work::Programs(words) => {
            test_program(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        }
        Work::OtherTests => {
            let turn = if nightly { None } else { turn(guest.kernel, wanted.kernels) };
            test_program(&[skipped_by_others(), skipped_in_turn(turn)].concat())
        }
        Work::Claims => {
            let built = compile::zcprof(ready, Optimised::Quickly)?;
            (vec![bring(&built, "/bin/zcprof")], of_measure(wanted.bytes, &[]))
        }
        Work::Kcat => {
            let Some(kcat) = &ready.kcat else { return Ok(None) };
            let path = kcat.display().to_string();
            let more = ["--transfer", "sendfile", "--cache", "warm", "--kcat", &path];
            (with(tested, with_libraries(kcat)?), of_measure(wanted.bytes, &more))
        }
    };
    let append = if let Work::TestsBootedWith(append, _) = part.work { append } else { "" };
    let modules = part.modules.concat();
    Ok(Some(Job::Part { name, guest, files, words, image, cpus, append, modules }))
}

fn of_test_program(variables: &[(&str, String)], words: &[impl AsRef<str>]) -> Vec<String> {
    let set = variables.iter().map(|(name, value)| format!("{name}={value}"));
    let program = ["/bin/guest-tests", "--test-threads=1"].map(str::to_owned);
    let before = ["/bin/busybox", "env"].map(str::to_owned).into_iter().chain(set);
    before.chain(program).chain(words.iter().map(|word| word.as_ref().to_owned())).collect()
}

fn of_measure(bytes: &str, more: &[&str]) -> Vec<String> {
    let words = ["/bin/zcprof", "measure", "--untimed", "--log-dir", "/data/log", "--out", "/out"];
    words.iter().chain(&["--bytes", bytes]).chain(more).map(|word| (*word).to_owned()).collect()
}

fn with(tested: &Tested, mut files: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    files.push(bring(&tested.zcprof, "/bin/zcprof"));
    files
}

fn bring(here: &Path, there: &str) -> (PathBuf, String) {
    (here.to_owned(), there.to_owned())
}

/// Payload of a pass in the daily cells.
const CELL_BYTES: &str = "8MiB";

/// Transfers of the daily cells: the classics, what pins pages, and what writes files.
const CELL_TRANSFERS: [&str; 7] = [
    transfer::READ_WRITE,
    transfer::MMAP_WRITE,
    transfer::SENDFILE,
    transfer::SPLICE,
    transfer::MSG_ZEROCOPY,
    transfer::URING_SEND_ZC,
    transfer::SENDFILE_TO_FILE,
];

fn of_cell(runner: &CellRunner<'_>, cell: &matrix::GuestCell) -> Done {
    let name = format!("matrix {}", cell.name());
    println!("== {name}");
    let started = Instant::now();
    let (run, cpu, note) = match runner.measure(cell) {
        Ok(measured) => (Some(measured.record), Some(measured.cpu), String::new()),
        Err(error) => (None, None, format!("{error:#}")),
    };
    let passed = run.is_some();
    let tally = Tally::of(passed);
    Done { stage: Stage { name, passed, note, took: started.elapsed(), cpu }, tally, run }
}

/// Every number of the cells against what is known.
fn beside(cache: &CacheFolder, zcprof: &Path, runs: &[PathBuf], stages: &mut Stages) -> Result<()> {
    let started = Instant::now();
    let out = cache.work_folder("matrix")?;
    let exit = matrix::beside(zcprof, runs, out.path())?;
    let passed = exit == Exit::Holds;
    let (name, note) = ("matrix".to_owned(), exit.word().to_owned());
    let tally = Tally::of(passed);
    stages.add(Stage { name, passed, note, took: started.elapsed(), cpu: None }, tally);
    Ok(())
}

/// The daily cells that are on these kernels; with all kernels that are tested, also those on kernels
/// for which there is nothing but cells.
pub(super) fn daily_cells(kernels: &[&'static GuestKernel]) -> Result<Vec<matrix::GuestCell>> {
    let is_among = |kernel: &GuestKernel| kernels.iter().any(|known| known.name == kernel.name);
    let all = kernels::choose(&["all".to_owned()])?.into_iter().all(is_among);
    let chosen = |cell: &matrix::GuestCell| is_among(cell.kernel) || all && !cell.kernel.tested;
    Ok(matrix::daily()?.into_iter().filter(chosen).collect())
}

/// Runs one job in a guest. Its lines are told apart by its name.
fn of_part(cache: &CacheFolder, name: String, spec: &Spec<'_>) -> Done {
    let is_measurement = spec.command[0] == "/bin/zcprof";
    println!("== {name} ({})", spec.kernel.version());
    let (started, mut tally, mut cpu) = (Instant::now(), Tally::default(), None);
    let mut show = |line: &str| {
        tally.feed(line);
        println!("{name} | {line}");
    };
    let done = guest::run_one(cache, spec, false, &mut show, |report, _| {
        cpu = Some(report.cpu);
        Ok(Exit::of_code(Some(guest::code(&report.outcome)?)))
    });
    let (mut passed, mut note) = match done {
        Ok(exit) => (exit == Exit::Holds, exit.word().to_owned()),
        Err(error) => (false, format!("{error:#}")),
    };
    if is_measurement {
        // It is one test: its claims hold, or not.
        tally = Tally::of(passed);
    } else {
        // Where none ran, its name was changed, say, and nothing was tested.
        passed &= tally.passed > 0;
        note = format!("{} passed, {} failed; {note}", tally.passed, tally.failed);
    }
    Done { stage: Stage { name, passed, note, took: started.elapsed(), cpu }, tally, run: None }
}
