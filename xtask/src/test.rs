//! `cargo xtask test`: the host's tests, then the claims on Debian kernels in guests.

mod guests;
mod parts;
mod tally;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;

use self::guests::Wanted;
use self::parts::{Longer, RANDOM, REPEAT};
use self::tally::Tally;
use crate::cache::Cache;
use crate::exit::Exit;
use crate::setup::{self, Wants};
use crate::{compile, interrupt, kernels, process};

/// Options of `test`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Host tests only: no guest is booted.
    #[arg(long, conflicts_with = "kernel")]
    quick: bool,
    /// Kernels of the guests: names, or `all`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all")]
    kernel: Vec<String>,
    /// Only let real Kafka clients read a million records by every transfer, be killed and started
    /// again, and read what a real broker wrote, which is fetched from Maven Central (half an
    /// hour).
    #[arg(long, conflicts_with_all = ["quick", "kernel"])]
    clients: bool,
    /// Only measure at random so many times on each kernel, and check that no false claim holds and
    /// no true one is refuted.
    #[arg(long, value_name = "PASSES", conflicts_with_all = ["quick", "clients"])]
    random: Option<u32>,
    /// Only measure the four classics so many times on each kernel, and print how far the numbers
    /// spread.
    #[arg(long, value_name = "TIMES", conflicts_with_all = ["quick", "clients", "random"])]
    repeat: Option<u32>,
    /// Let faults strike on every kernel, and not only on one.
    #[arg(long)]
    everywhere: bool,
    /// Payload of each measured pass in the guests.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    bytes: String,
}

impl Options {
    /// The one test that is wanted, and how long.
    fn longer(&self) -> Option<(&'static Longer, u32)> {
        let random = self.random.map(|passes| (&RANDOM, passes));
        random.or(self.repeat.map(|times| (&REPEAT, times)))
    }
}

/// What runs on this host: name, whether on zcprof's own crates (else as it is), cargo's words.
const HOST: &[(&str, bool, &[&str])] = &[
    ("format", false, &["fmt", "--check"]),
    ("lints", true, &["clippy", "--quiet", "--all-targets", "--test=guest", "--", "-Dwarnings"]),
    (
        "lints of xtask",
        false,
        &["clippy", "--quiet", "--package=xtask", "--all-targets", "--", "-Dwarnings"],
    ),
    ("host tests", true, &["test", "--no-fail-fast"]),
    ("tests of xtask", false, &["test", "--package=xtask"]),
];

/// What runs with `--clients`.
const CLIENTS: &[(&str, bool, &[&str])] = &[
    (
        "a million records",
        true,
        &["test", "--test=broker", "million", "--", "--ignored", "--nocapture"],
    ),
    (
        "a real broker",
        true,
        &["test", "--test=broker", "kafka::", "--", "--ignored", "--nocapture"],
    ),
    (
        "killed consumers",
        true,
        &["test", "--test=broker", "restarts::", "--", "--ignored", "--nocapture"],
    ),
];

/// One step of the tests: what it is called, whether it passed, how long it took.
#[derive(Debug)]
struct Stage {
    name: String,
    passed: bool,
    note: String,
    took: Duration,
}

/// Does `cargo xtask test`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = Cache::open()?;
    let quick = options.quick || options.clients;
    let kernels = if quick { Vec::new() } else { kernels::choose(&options.kernel)? };
    let longer = options.longer();
    let mut needed = kernels.clone();
    if longer.is_none() {
        needed.extend(guests::daily_cells(&kernels)?.iter().map(|cell| cell.kernel));
    }
    needed.sort_by_key(|kernel| kernel.name);
    needed.dedup_by_key(|kernel| kernel.name);
    let wants = Wants {
        build: true,
        guests: !quick,
        clients: longer.is_none(),
        matrix: !quick,
        kernels: needed,
        ..Wants::default()
    };
    let started = Instant::now();
    let mut stages = Vec::new();
    let ready = setup::ensure(&cache, &wants)?;
    stages.push(Stage {
        name: "setup".to_owned(),
        passed: true,
        note: String::new(),
        took: started.elapsed(),
    });

    let mut total = Tally::default();
    let here = match (options.clients, &longer) {
        (true, _) => CLIENTS,
        (false, None) => HOST,
        (false, Some(_)) => &[],
    };
    let archives = options.clients.then(|| setup::kafka::archives(&cache)).transpose()?;
    for (name, ours, words) in here {
        let mut command = if *ours {
            compile::on_our_crates(&ready, words)?
        } else {
            let mut command = compile::cargo(&ready)?;
            command.args(*words);
            command
        };
        if let Some(archives) = &archives {
            command.env("ZCPROF_KAFKA", archives);
        }
        stages.push(host_stage(command, name, words, &mut total)?);
    }
    if !quick {
        let wanted = Wanted {
            kernels: &kernels,
            bytes: &options.bytes,
            everywhere: options.everywhere,
            longer,
        };
        guests::run(&cache, &ready, &wanted, &mut stages, &mut total)?;
    }

    println!();
    for stage in &stages {
        let verdict = if stage.passed { "ok" } else { "FAILED" };
        let took = stage.took.as_secs_f64();
        println!("{:<28} {verdict:<7} {took:>7.1} s  {}", stage.name, stage.note);
    }
    println!("total: {} passed, {} failed", total.passed, total.failed);
    let passed = stages.iter().all(|stage| stage.passed) && total.failed == 0;
    Ok(if passed { Exit::Holds } else { Exit::Refuted })
}

/// Runs cargo on this host; its output is shown and its test results are counted.
fn host_stage(
    mut command: Command,
    name: &str,
    words: &[&str],
    total: &mut Tally,
) -> Result<Stage> {
    interrupt::check()?;
    println!("== {name}: cargo {}", words.join(" "));
    let started = Instant::now();
    let passed = counted(&mut command, total)?;
    Ok(Stage { name: name.to_owned(), passed, note: String::new(), took: started.elapsed() })
}

fn counted(command: &mut Command, total: &mut Tally) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let reader = std::thread::spawn(move || {
        let mut tally = Tally::default();
        for line in stdout.lines().map_while(Result::ok) {
            println!("{line}");
            tally.feed(&line);
        }
        tally
    });
    let status = process::wait(child)?;
    *total += reader.join().unwrap_or_default();
    Ok(status.success())
}
