//! `cargo xtask test`: the host's tests, then the claims on Debian kernels in guests.

mod guests;
mod parts;
mod pool;
mod stage;
mod tally;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use self::guests::Selection;
use self::parts::{Longer, PARTS, RANDOM, REPEAT};
use self::stage::{Stage, Stages};
use self::tally::Tally;
use crate::cache::CacheFolder;
use crate::compile::Tested;
use crate::exit::Exit;
use crate::kernels::GuestKernel;
use crate::setup::{self, Ready, Wants};
use crate::{compile, ebpf, fuzz, interrupt, kernels, process, words};

/// Options of `test`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    /// Host tests only: no guest is booted.
    #[arg(long, conflicts_with = "kernel")]
    quick: bool,
    /// Kernels of the guests: names, or `all`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = words::kernel(),
          default_value = words::ALL)]
    kernel: Vec<String>,
    /// Only let real Kafka clients read a million records by every transfer, kill and restart them,
    /// and let them read what a real broker wrote, which the command fetches from Maven Central
    /// (half an hour).
    #[arg(long, conflicts_with_all = ["quick", "kernel"])]
    clients: bool,
    /// Only watch other programs (nginx, Kafka, Caddy, …) on each kernel, and compare what zcprof
    /// sees with what is known beforehand. The command fetches Debian's packages or builds the
    /// programs here; it leaves out what it cannot build, and then exits with 4.
    #[arg(long, conflicts_with_all = ["quick", "clients", "random", "repeat", "nightly", "everywhere"])]
    programs: bool,
    /// Only measure at random this many times on each kernel, and check that no false claim holds
    /// and no true claim is refuted.
    #[arg(long, value_name = "PASSES", conflicts_with_all = ["quick", "clients"])]
    random: Option<u32>,
    /// Only measure the four classics this many times on each kernel, and print how far the numbers
    /// spread.
    #[arg(long, value_name = "TIMES", conflicts_with_all = ["quick", "clients", "random"])]
    repeat: Option<u32>,
    /// Test everything: the whole red team, all faults and many random measurements on every
    /// kernel, real clients, fuzzing. Takes hours; a daily run says at its end what it left out.
    #[arg(long, conflicts_with_all = ["quick", "clients", "random", "repeat"])]
    nightly: bool,
    /// Run every test of the guests in full on every kernel, without the rest of the nightly run.
    #[arg(long)]
    everywhere: bool,
    /// Payload of each pass of the claims and of kcat.
    #[arg(long, value_name = "SIZE", value_parser = words::size, default_value = "16MiB")]
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
    ("lints", true, &["clippy", "--quiet", "--all-targets", "--", "-Dwarnings"]),
    // What is named beside `--all-targets` cargo does not take.
    (
        "lints of the guests' tests",
        true,
        &["clippy", "--quiet", "--test=guest", "--", "-Dwarnings"],
    ),
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

/// What runs at night, besides the guests.
const NIGHTLY: &[(&str, bool, &[&str])] = &[(
    "interrupted at random",
    false,
    &["test", "--package=xtask", "--test=interrupted", "--", "--ignored", "--nocapture"],
)];

/// What else does, where there is a Go.
const GO: &[(&str, bool, &[&str])] =
    &[("clients for Go", true, &["test", "--test=broker", "clients_for_go", "--", "--nocapture"])];

/// Does `cargo xtask test`.
pub(crate) fn command(options: &Options) -> Result<Exit> {
    let cache = CacheFolder::open()?;
    let quick = options.quick || options.clients;
    let kernels = if quick { Vec::new() } else { kernels::choose(&options.kernel)? };
    let longer = options.longer();
    let mut needed = kernels.clone();
    if longer.is_none() && !options.programs {
        needed.extend(guests::daily_cells(&kernels)?.iter().map(|cell| cell.kernel));
    }
    needed.sort_by_key(|kernel| kernel.name);
    needed.dedup_by_key(|kernel| kernel.name);
    let wants = Wants {
        build: true,
        ebpf: true,
        guests: !quick,
        clients: longer.is_none() && !options.programs,
        matrix: !quick,
        kernels: needed,
        ..Wants::default()
    };
    let started = Instant::now();
    let mut stages = Stages::default();
    let ready = setup::ensure(&cache, &wants)?;
    stages.add(Stage::done("setup", true, started), Tally::default());

    let wanted = Selection {
        kernels: &kernels,
        bytes: &options.bytes,
        nightly: options.nightly || options.everywhere,
        only_programs: options.programs,
        longer,
    };
    if !options.clients {
        // Everything that is compiled for the tests, once.
        println!("== build");
        let began = Instant::now();
        let tested = compile::tested(&ready);
        interrupt::check()?;
        stages.add(Stage::done("build", tested.is_ok(), began), Tally::default());
        match &tested {
            Err(error) => println!("{error:#}"),
            Ok(tested) => {
                stages.add_outcome(
                    "prebuilt eBPF programs",
                    ebpf::agree(&tested.ebpf, &ready.compiler),
                );
                beside_each_other(&cache, &ready, tested, &wanted, quick, &mut stages)?;
            }
        }
    }
    let mut without_go = None;
    if options.clients || options.nightly {
        let mut programs = vec![("ZCPROF_KAFKA", setup::kafka::archives(&cache)?)];
        match setup::go::consumer(&cache)? {
            Ok(program) => {
                programs.push(("ZCPROF_GO", program));
                host(&ready, GO, &programs, &mut stages)?;
            }
            Err(why) => without_go = Some(why),
        }
        host(&ready, CLIENTS, &programs, &mut stages)?;
    }
    if options.nightly {
        host(&ready, NIGHTLY, &[], &mut stages)?;
        let began = Instant::now();
        let passed = fuzz::command(&fuzz::Options::usual())? == Exit::Holds;
        stages.add(Stage::done("fuzz", passed, began), Tally::of(passed));
    }

    println!("\n{}", stages.table(started.elapsed()));
    let all = longer.is_none() && !options.nightly && !options.programs;
    if let Some(left_out) = all.then(|| left_out(options, &kernels, &ready)) {
        print!("{left_out}");
    }
    if let Some(why) = without_go {
        println!("NOT TESTED: Kafka's clients for Go: {why}");
    }
    let on_host = longer.is_none() && !options.clients && !options.programs;
    if on_host && BROWSERS.iter().all(|name| process::find(name).is_none()) {
        println!("NOT TESTED: report.html in a browser: there is no Chromium here");
    }
    for what in stages.left_out() {
        println!("NOT TESTED: {what}");
    }
    Ok(match (stages.passed(), stages.left_out().is_empty()) {
        (false, _) => Exit::Refuted,
        (true, false) => Exit::Missing,
        (true, true) => Exit::Holds,
    })
}

/// Names of Chromium, one of which zcprof/tests/browser.rs starts.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "headless_shell"];

/// What this run did not test: nobody may take it for tested.
fn left_out(options: &Options, kernels: &[&'static GuestKernel], ready: &Ready) -> String {
    let mut what = Vec::new();
    if options.quick || options.clients {
        what.push("everything that needs a guest");
    } else if !options.everywhere {
        let shorter = PARTS.iter().filter(|part| part.is_shorter(kernels));
        what.extend(shorter.map(|part| part.left_out));
        what.push("kernels that start with no options but Debian's: here they are started cheaper to emulate");
    }
    if options.clients {
        what.push("the host's tests");
    } else {
        what.push("a million records by real clients, killed consumers, a real broker's folder");
    }
    if ready.kcat.is_none() {
        what.push("kcat, which is not here");
    }
    what.push("signals at random moments (every day at a few that are known)");
    what.push("fuzzing");
    format!("NOT TESTED by this run; `cargo xtask test --nightly` does:\n  {}\n", what.join("\n  "))
}

/// The host's tests and the guests beside each other: these leave CPUs idle while they sleep.
fn beside_each_other(
    cache: &CacheFolder,
    ready: &Ready,
    tested: &Tested,
    wanted: &Selection<'_>,
    quick: bool,
    stages: &mut Stages,
) -> Result<()> {
    let here = if wanted.longer.is_some() || wanted.only_programs { &[] } else { HOST };
    let (on_host, in_guests) = thread::scope(|scope| {
        let on_host = scope.spawn(|| {
            let mut stages = Stages::default();
            host(ready, here, &[], &mut stages).map(|()| stages)
        });
        let mut stages = Stages::default();
        let done =
            if quick { Ok(()) } else { guests::run(cache, ready, tested, wanted, &mut stages) };
        (on_host.join(), done.map(|()| stages))
    });
    let on_host = on_host.map_err(|_| anyhow!("a thread panicked"))?;
    stages.append(on_host?);
    stages.append(in_guests?);
    Ok(())
}

/// Runs cargo on this host for each.
fn host(
    ready: &Ready,
    rows: &[(&str, bool, &[&str])],
    programs: &[(&str, PathBuf)],
    stages: &mut Stages,
) -> Result<()> {
    for (name, ours, words) in rows {
        interrupt::check()?;
        let mut command = if *ours {
            compile::on_our_crates(ready, words)?
        } else {
            let mut command = compile::cargo(ready)?;
            command.args(*words);
            command
        };
        command.envs(programs.iter().map(|(variable, program)| (variable, program)));
        println!("== {name}: cargo {}", words.join(" "));
        let (began, mut tally) = (Instant::now(), Tally::default());
        let passed = counted(&mut command, &mut tally)?;
        stages.add(Stage::done(name, passed, began), tally);
    }
    Ok(())
}

/// Runs cargo; its output is shown and its test results are counted.
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
