//! The command line as a user meets it, on any kernel: wrong input, damaged files, and what is
//! left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zcprof::doctor::record::{Diagnosis, Expected};
use zcprof::run::ProbeState;
use zcprof::verdict::explain::{CODES, SECTIONS};
use zcprof_common::sites::SITES;
use zcprof_common::vocabulary::Hop;

#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/wrong.rs"]
mod wrong;

fn zcprof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zcprof"));
    command.args(arguments).env("RUST_BACKTRACE", "0");
    command
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Exactly one message, exit code 2, and these words in it.
fn refused(command: &mut Command, words: &[&str]) {
    let output = command.output().expect("zcprof starts");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    let begins = text.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(begins, 1, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
}

/// A watched window is rendered again as it was, and pprof's own reader finds the function that copies
/// first, where there is a Go.
#[test]
fn a_watched_window_is_rendered_again() {
    let known = concat!(env!("CARGO_MANIFEST_DIR"), "/../zcprof-judge/tests/golden/watch");
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("UTF-8");
    let output = zcprof(&["report", known, "--out", place]).output().expect("zcprof starts");
    assert_eq!(output.status.code(), Some(1), "refuted: {}", text(&output));
    for name in ["watch.json", "table.txt", "flamegraph.svg", "stacks.folded"] {
        let [old, new] = [Path::new(known), folder.path()].map(|place| fs::read(place.join(name)));
        assert!(old.expect("a golden") == new.expect("written"), "{name}");
    }
    let profile = folder.path().join("stacks.pb.gz");
    let Ok(shown) =
        Command::new("go").args(["tool", "pprof", "-top", "-cum"]).arg(&profile).output()
    else {
        eprintln!("not tried: there is no go, whose pprof would read the profile");
        return;
    };
    let text = text(&shown);
    assert!(shown.status.success(), "{text}");
    assert!(text.contains("Type: copied") && text.contains("63.16%  send_body<&str>"), "{text}");
}

/// Two records of one kind are compared; of two kinds they are not.
#[test]
fn records_of_one_kind_are_compared() {
    let golden =
        |name: &str| format!("{}/../zcprof-judge/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("UTF-8");
    let (run, other, window) = (golden("classic"), golden("refuted"), golden("watch"));
    for (before, after) in [(&run, &other), (&window, &window)] {
        let words = ["diff", before.as_str(), after.as_str(), "--out", place];
        let output = zcprof(&words).output().expect("zcprof starts");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let first = said.lines().next().expect("a line");
        assert!(first.starts_with("before: ") && first.contains(before.as_str()), "{said}");
        let table = fs::read_to_string(folder.path().join("diff.txt")).expect("written");
        assert_eq!(table, said);
        assert!(folder.path().join("diff.svg").is_file());
    }
    refused(&mut zcprof(&["diff", &run, &window]), &["is a run", "is a watched window"]);
}

fn time_on(log: &Path) -> Command {
    let mut command = zcprof(&["time", "--bytes", "1MiB", "--rounds", "1"]);
    command.arg("--log-dir").arg(log);
    command
}

#[test]
fn every_reason_is_listed_and_explained() {
    let printed = |arguments: &[&str]| {
        let output = zcprof(arguments).output().expect("zcprof starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        text(&output)
    };
    let list = printed(&["explain"]);
    assert_eq!(list.lines().count(), CODES.len());
    for code in CODES {
        assert!(list.contains(&format!("{} {}\n", code.name, code.title)), "{}", code.name);
        let page = printed(&["explain", &code.name.to_lowercase()]);
        assert!(page.starts_with(code.name) && page.contains(code.title), "{page}");
        assert!(SECTIONS.iter().all(|heading| page.contains(heading)), "{page}");
    }
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zcprof-judge/src/verdict/pages");
    assert_eq!(files_under(&pages).len(), CODES.len(), "a page that no code has");
}

/// A reader that closes the pipe has seen enough; what was found is what it was.
#[test]
fn a_closed_pipe_changes_no_exit_code() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zcprof-judge/tests/golden");
    let run = golden.join("classic/run.json");
    for arguments in
        [&["report", "--print", run.to_str().expect("text")][..], &["explain"], &["list"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = zcprof(arguments).stdout(writer).output().expect("zcprof starts");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    // A full disk is another matter.
    let full = fs::File::options().write(true).open("/dev/full").expect("a device");
    let output = zcprof(&["list"]).stdout(full).output().expect("zcprof starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_busy_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = time_on(&folder.path().join("log"));
    refused(command.args(["--listen", &address]), &[&address, "--listen", "in use"]);
}

#[test]
fn a_corrupt_segment_is_named_and_not_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let output = time_on(&log).output().expect("zcprof starts");
    assert!(output.status.success(), "{}", text(&output));
    let segment = log.join("zcprof-0/00000000000000000000.log");
    let file = fs::OpenOptions::new().write(true).open(&segment).expect("a segment");
    file.write_all_at(&[0xff; 4], 100_000).expect("written");
    refused(&mut time_on(&log), &["00000000000000000000.log", "CRC-32C", "byte"]);
}

#[test]
fn a_log_that_is_too_small_or_no_log_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "no log").expect("written");
    refused(&mut time_on(folder.path()), &["neither segments", "empty folder"]);
    let log = folder.path().join("log");
    assert!(time_on(&log).output().expect("zcprof starts").status.success());
    let mut more = zcprof(&["time", "--bytes", "1GiB", "--rounds", "1"]);
    refused(more.arg("--log-dir").arg(&log), &["--bytes", "fewer"]);
}

#[test]
fn records_that_are_none_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let report = || {
        let mut command = zcprof(&["report"]);
        command.arg(&path);
        command
    };
    refused(&mut report(), &["run.json", "cannot read"]);
    fs::write(&path, "{").expect("written");
    refused(&mut report(), &["run.json", "not what zcprof writes"]);
    fs::write(&path, r#"{"schema": 99}"#).expect("written");
    refused(&mut report(), &["schema 99"]);
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing was written");
}

#[test]
fn a_report_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../zcprof-judge/tests/golden/classic/run.json");
    let mut command = zcprof(&["report"]);
    refused(command.arg(&golden).arg("--out").arg(file.join("reports")), &["cannot write reports"]);
}

#[test]
fn a_record_renders_without_privileges() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zcprof-judge/tests/golden/classic");
    let output = zcprof(&["report"])
        .arg(golden.join("run.json"))
        .arg("--out")
        .arg(folder.path())
        .output()
        .expect("zcprof starts");
    assert!(output.status.success(), "{}", text(&output));
    for name in ["table.txt", "run.json", "copies-per-byte.svg", "path.svg", "time.svg"] {
        let (new, old) = (fs::read(folder.path().join(name)), fs::read(golden.join(name)));
        assert!(new.expect("rendered") == old.expect("golden"), "{name} differs from its golden");
    }
}

#[test]
fn without_root_nothing_is_measured_and_the_remedy_is_said() {
    use std::os::unix::process::CommandExt as _;
    // Where the tests run unprivileged already, there is nothing to give up.
    let mut command = zcprof(&["measure"]);
    let program = tempfile::tempdir_in("/var/tmp").expect("a folder");
    if nix::unistd::Uid::effective().is_root() {
        // The build folder may be closed to others.
        let copy = program.path().join("zcprof");
        fs::copy(env!("CARGO_BIN_EXE_zcprof"), &copy).expect("copied");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(program.path(), open).expect("opened");
        command = Command::new(copy);
        command.arg("measure").uid(65534).gid(65534).current_dir("/");
    }
    let output = command.output().expect("zcprof starts");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("sudo"), "{}", text(&output));
}

#[test]
fn kill_9_leaves_no_worker_and_no_half_made_log_under_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for delay in [5, 50, 400] {
        let log = folder.path().join(format!("log-{delay}"));
        let mut child = zcprof(&["time", "--bytes", "64MiB", "--rounds", "1000"])
            .arg("--log-dir")
            .arg(&log)
            .stdout(Stdio::null())
            .spawn()
            .expect("zcprof starts");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("it runs");
        child.wait().expect("it is reaped");
        let start = Instant::now();
        while workers_of(&log) {
            assert!(start.elapsed() < Duration::from_secs(20), "a worker outlived zcprof");
            std::thread::sleep(Duration::from_millis(10));
        }
        if log.join("zcprof-0").exists() {
            let opened = zcprof::fetch::log::Log::open(&log.join("zcprof-0"));
            assert!(opened.is_ok(), "{:?}", opened.err());
        }
    }
}

/// Sockets close before their process is seen to be dead, and everybody else's errors come of it.
#[test]
fn a_killed_worker_is_named_whatever_else_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    for name in ["server", "consumer"] {
        for delay in [0, 20, 100, 300] {
            let child = zcprof(&["time", "--bytes", "64MiB", "--rounds", "100000"])
                .args(["--transfer", "read_write", "--log-dir"])
                .arg(&log)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("zcprof starts");
            let worker = wait_for_child(child.id(), name);
            // The server is ready when the consumer starts.
            wait_for_child(child.id(), "consumer");
            std::thread::sleep(Duration::from_millis(delay));
            kill(worker, Signal::SIGKILL).expect("it runs");
            let output = child.wait_with_output().expect("it ends");
            let text = text(&output);
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(&format!("the {name} ended before its work was done")), "{text}");
        }
    }
}

/// Waits until a process has a child that does this.
fn wait_for_child(parent: u32, verb: &str) -> Pid {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let is_it = |pid: &&str| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(verb.as_bytes())
    };
    let start = Instant::now();
    loop {
        let children = fs::read_to_string(&file).expect("the parent runs");
        if let Some(pid) = children.split_whitespace().find(is_it) {
            return Pid::from_raw(pid.parse().expect("a number"));
        }
        assert!(start.elapsed() < Duration::from_mins(1), "there is no {verb}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process still has the log's path on its command line.
fn workers_of(log: &Path) -> bool {
    let wanted = log.display().to_string();
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    entries
        .map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default())
        .any(|line| String::from_utf8_lossy(&line).contains(&wanted))
}

/// Whatever this kernel allows: the exit code says whether it is everything, every hole has a
/// code and a remedy, and what is shown is the record.
fn a_diagnosis(doctor: &mut Command) -> Diagnosis {
    let output = doctor.output().expect("zcprof starts");
    let found: Diagnosis = serde_json::from_slice(&output.stdout).expect("a record");
    let ends = if found.complete { 0 } else { 4 };
    assert_eq!(output.status.code(), Some(ends), "{}", text(&output));
    assert_eq!(found.sites.len(), SITES.len());
    let blind = found.instruments.iter().filter(|watch| !watch.complete);
    for watch in blind {
        let hole = found.holes.iter().find(|hole| hole.instrument == watch.instrument);
        let hole = hole.unwrap_or_else(|| panic!("{watch:?} without a hole: {found:#?}"));
        assert_eq!(Some(&hole.code), watch.code.as_ref());
        assert!(CODES.iter().any(|code| code.name == hole.code), "{hole:?}");
        assert!(!hole.remedy.is_empty() && !hole.sites.is_empty(), "{hole:?}");
    }
    found
}

#[test]
fn doctor_says_of_each_hole_what_to_do() {
    let found = a_diagnosis(&mut zcprof(&["doctor", "--json"]));
    let shown = text(&zcprof(&["doctor", "-v"]).output().expect("zcprof starts"));
    assert!(shown.contains(&found.kernel.release), "{shown}");
    for hop in Hop::ALL {
        assert!(shown.contains(hop.name()), "{}: {shown}", hop.name());
    }
    if found.barred.is_none() {
        let expected = found.sites.iter().filter(|site| site.expected == Expected::Here);
        let untried: Vec<_> = expected.filter(|site| site.state.is_none()).collect();
        assert!(untried.is_empty(), "{untried:#?}");
    }
}

/// Nobody in particular: no program is loaded, and the rest is said all the same.
#[test]
fn doctor_says_to_anybody_what_is_lacking() {
    // The program may lie in a folder that only root may enter.
    let permissions = Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().permissions(permissions).tempdir().expect("a folder");
    let program = folder.path().join("zcprof");
    fs::copy(env!("CARGO_BIN_EXE_zcprof"), &program).expect("copied");
    let mut doctor = Command::new(&program);
    doctor.args(["doctor", "--json"]);
    if nix::unistd::Uid::effective().is_root() {
        doctor.uid(65534).gid(65534);
    }
    let found = a_diagnosis(&mut doctor);
    let barred = found.barred.as_ref().expect("loading programs takes privileges");
    assert!(!barred.remedy.is_empty());
    assert!(found.sites.iter().all(|site| {
        !matches!(site.state, Some(ProbeState::Attached { .. } | ProbeState::Refused { .. }))
    }));
    assert!(found.capabilities.iter().all(|row| !row.held && !row.adds.is_empty()), "{found:#?}");
    let paranoid = found.facts.iter().find(|fact| fact.name == "kernel.perf_event_paranoid");
    assert!(paranoid.is_some_and(|fact| fact.value.is_some()), "{:#?}", found.facts);
    // Anybody may read names.
    let listed = found.sites.iter().filter(|site| site.symbol.is_some()).count();
    assert!(listed > 0, "{:#?}", found.sites);
}

/// Rules of the architecture that a grep can see.
#[test]
fn pure_modules_stay_pure() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let forbidden = [
        "std::fs",
        "std::net",
        "std::process::Command",
        "Instant",
        "SystemTime",
        "aya",
        "nix::",
        "tokio",
    ];
    let judge = "../../zcprof-judge/src";
    for module in [judge, "doctor/matrix.rs", "doctor/gaps.rs", "doctor/remedy.rs"] {
        for file in files_under(&source.join(module)) {
            let text = fs::read_to_string(&file).expect("readable");
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in forbidden {
                    assert!(!code.contains(word), "{}:{}: {word}", file.display(), number + 1);
                }
            }
        }
    }
    for (module, stranger) in [("probe", "crate::fetch"), ("fetch", "crate::probe")] {
        for file in files_under(&source.join(module)) {
            let text = fs::read_to_string(&file).expect("readable");
            assert!(!text.contains(stranger), "{} knows {stranger}", file.display());
        }
    }
}

fn files_under(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a module").map(|e| e.expect("an entry").path());
    entries.flat_map(|path| files_under(&path)).collect()
}
