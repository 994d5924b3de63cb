//! Who is watched: by name, by file, by control group; and what is said of those who are not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use zcprof_judge::watch::record::{Charged, ClaimResult, Of};

use super::super::{code, folder, loaded_programs, text, wait_until, zcprof};
use super::{control_group, recorded, timed, unmissed, watch};

/// More than the 15 bytes that the kernel keeps.
const NAME: &str = "a-server-with-a-long-name";

/// A copy of zcprof that is called so.
fn named(name: &str) -> PathBuf {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let copy = folder(name).join(name);
    fs::copy(program, &copy).expect("copied");
    copy
}

/// Something that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it ran");
    }
}

/// The same server until the test ends, from when it listens.
fn serving(program: &Path, port: u16, begun_by: &[&str]) -> Serving {
    let serving = Serving(super::serving(program, port, begun_by));
    let listens = |port: u16| {
        let tables = fs::read_to_string("/proc/net/tcp").expect("a table");
        tables.lines().any(|line| line.contains(&format!(":{port:04X} 00000000:0000 0A")))
    };
    wait_until("both ports are listened at", || listens(port) && listens(port + 1));
    serving
}

/// What is sent all the while is in flight at both ends of a short window, which may be too much for a
/// verdict; but no byte of it was copied.
fn is_handed_over(result: &ClaimResult, output: &Output) {
    let said = text(output);
    assert!(result.sent > 0 && result.copies.most < 0.01, "{result:?}: {said}");
    assert_ne!(result.verdict, "refuted", "{said}");
}

/// Watches for three seconds what copies and what hands over, each by its port.
fn tells_both_apart(port: u16, by: &[&str], out: &str) {
    let out = folder(out);
    let folder = out.display().to_string();
    let [of_copies, of_moves] = [port, port + 1].map(|port| format!("port:{port}=zero-copy"));
    let words = ["--for", "3s", "--out", &folder, "--claim", &of_copies, "--claim", &of_moves];
    let output = watch(&[&words[..], by].concat());
    let record = recorded(&out, &output);
    let [copied, handed_over] = &record.results[..] else { panic!("{:?}", record.results) };
    assert!(copied.sent > 0 && copied.copies.least > 0.9, "{copied:?}: {}", text(&output));
    assert_ne!(copied.verdict, "holds", "{}", text(&output));
    is_handed_over(handed_over, &output);
    assert!(record.seconds >= 3.0, "{}", record.seconds);
}

#[test]
fn a_program_is_found_by_its_name_and_by_its_file() {
    let program = named(NAME);
    let _serving = serving(&program, 4100, &[]);
    tells_both_apart(4100, &["--comm", NAME], "by-name");
    tells_both_apart(4100, &["--exe", &program.display().to_string()], "by-file");
    // The same processes are everything here, and are left out by the same name.
    let output =
        watch(&["--comm", NAME, "--exclude-comm", NAME, "--for", "2s", "--claim", "copied>=0"]);
    assert_eq!(code(&output), 3, "{}", text(&output));
}

#[test]
fn a_claim_about_a_program_with_a_long_name_finds_it() {
    let program = named(NAME);
    let mut command = timed("sendfile");
    command[0] = program.display().to_string();
    let claim = format!("program:{NAME}=zero-copy");
    let mut words = vec!["--out", "/data/long-name", "--claim", &claim, "--"];
    words.extend(command.iter().map(String::as_str));
    let (output, record) = unmissed(|| {
        let output = watch(&words);
        let record = recorded("/data/long-name", &output);
        (output, record)
    });
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(record.results[0].sent >= 16 << 20, "{:?}", record.results);
}

/// The kernel may hand such a port out by itself, and tells nobody that a server asked for it.
#[test]
fn a_claim_about_a_port_that_may_be_anybodys_finds_it() {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let serving = serving(Path::new(&program), 50_051, &[]);
    tells_both_apart(50_051, &["--pid", &serving.0.id().to_string()], "ephemeral");
}

/// Its listener copies what it sends from another port.
#[test]
fn a_window_about_a_port_judges_what_is_sent_from_there() {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let serving = serving(Path::new(&program), 4400, &[]);
    let out = folder("by-port");
    let folder = out.display().to_string();
    let words = ["--port", "4401", "--for", "3s", "--claim", "zero-copy", "--out", &folder];
    let output = watch(&words);
    let record = recorded(&out, &output);
    let judged: Vec<_> = record.results.iter().map(|one| one.of.clone()).collect();
    assert_eq!(judged, [Of::Port(4401)], "{}", text(&output));
    is_handed_over(&record.results[0], &output);

    // Different options narrow: what is left is nobody's traffic, or nobody at all.
    let pid = serving.0.id().to_string();
    let output = watch(&["--pid", &pid, "--comm", "nginx", "--for", "2s", "--claim", "copied>=0"]);
    assert_eq!(code(&output), 3, "{}", text(&output));
    let output = watch(&["--pid", &pid, "--exe", "/proc/1/exe", "--for", "2s"]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("no process that is all of this"), "{}", text(&output));
}

#[test]
fn who_begins_to_listen_at_a_port_is_watched_from_then_on() {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let out = folder("later");
    let before = loaded_programs();
    let mut watching = zcprof(&["watch", "--port", "4501", "--for", "20s", "--claim", "zero-copy"]);
    let watching = watching.arg("--out").arg(&out).stdout(Stdio::piped()).stderr(Stdio::piped());
    let watching = watching.spawn().expect("zcprof starts");
    // By then it has looked who listens.
    let new = || loaded_programs().iter().any(|program| !before.contains(program));
    wait_until("programs are loaded", new);
    let _serving = serving(Path::new(&program), 4500, &[]);
    let output = watching.wait_with_output().expect("waited for");
    let said = text(&output);
    assert!(said.contains("nobody listens at port 4501 yet"), "{said}");
    assert!(said.contains("is watched from here on"), "{said}");
    let record = recorded(&out, &output);
    let result = &record.results[0];
    assert!(result.of == Of::Port(4501) && result.sent > 0, "{result:?}: {said}");
    // What it sent before is in no account.
    assert_eq!(result.verdict, "inconclusive", "{said}");
    assert!(result.codes.contains(&"ZC216".to_owned()), "{result:?}");
}

#[test]
fn a_control_group_is_watched_and_who_is_outside_is_not() {
    control_group("zcprof-tests");
    let enter = "echo $$ > /sys/fs/cgroup/zcprof-tests/cgroup.procs; exec \"$@\"";
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    let inside = serving(Path::new(&program), 4200, &["sh", "-c", enter, "sh"]);
    let outside = serving(Path::new(&program), 4300, &[]);
    tells_both_apart(4200, &["--cgroup", "zcprof-tests"], "by-group");
    let words = ["--cgroup", "/zcprof-tests", "--for", "2s", "--claim", "port:4301=copied>=0"];
    let output = watch(&words);
    assert_eq!(code(&output), 3, "{}", text(&output));
    drop((inside, outside));

    // A load would be watched with the group that zcprof is in.
    let from_inside = |words: &[&str]| {
        let mut own = Command::new("sh");
        own.args(["-c", enter, "sh", &program, "watch", "--cgroup", "zcprof-tests"]).args(words);
        own.output().expect("sh runs")
    };
    let output = from_inside(&["--while", "true"]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("start zcprof outside of it"), "{}", text(&output));
    let out = folder("own-group");
    let output = from_inside(&["--for", "1s", "--out", &out.display().to_string()]);
    let record = recorded(&out, &output);
    let of_programs =
        record.counts.iter().filter(|count| matches!(count.charged, Charged::Program(_)));
    assert_eq!(of_programs.count(), 0, "zcprof watched itself: {:?}", record.programs);
}

#[test]
fn a_load_that_fails_is_an_error_and_ends_the_command() {
    let said = folder("failing-load");
    let script = "trap 'echo 1 > $0/ended; exit' TERM; echo 1 > $0/runs; while :; do sleep 1; done";
    let (folder, out) = (said.display().to_string(), said.join("out").display().to_string());
    let load = format!("while ! test -s {folder}/runs; do sleep 1; done; exit 3");
    let output = watch(&["--out", &out, "--while", &load, "--", "sh", "-c", script, &folder]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("the load failed (exit status: 3)"), "{}", text(&output));
    assert!(said.join("ended").exists(), "the command was not asked to end");
    assert!(!said.join("out/watch.json").exists());
}
