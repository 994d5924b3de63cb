//! Wrong input: one message, exit code 2, what would have been right, and nothing changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{refused, text, zcprof};

/// What is typed, and words of the answer.
type WrongInput = (&'static [&'static str], &'static [&'static str]);

/// Wrong wherever it is typed.
const CASES: &[WrongInput] = &[
    (&["frobnicate"], &["frobnicate"]),
    (&["mesure"], &["measure", "similar"]),
    (&["--frobnicate"], &["--frobnicate"]),
    (&["measure", "--transfer", "teleport"], &["teleport", "sendfile", "splice"]),
    (&["measure", "--transfer", "sendfil"], &["similar", "sendfile"]),
    (&["measure", "--transfer", "sendfile,"], &["--transfer"]),
    (&["measure", "--transfer", "sendfile,sendfile"], &["sendfile twice"]),
    (&["time", "--transfer", "tls,tls"], &["tls twice"]),
    (&["measure", "--transfr", "sendfile"], &["--transfer"]),
    (&["measure", "--network", "veth-nosg"], &["similar", "veth-no-sg"]),
    (&["measure", "--network", "avian"], &["loopback", "wireguard"]),
    (&["measure", "--socket", "sctp"], &["tcp", "mptcp", "unix"]),
    (&["measure", "--socket", "unix", "--network", "veth"], &["stays on one host"]),
    (&["measure", "--consumer", "discard"], &["copy", "slow"]),
    (&["measure", "--cache", "lukewarm"], &["warm", "cold", "both"]),
    (&["measure", "--claim", "sendfile=fast"], &["fast", "zero-copy"]),
    (&["measure", "--claim", "sendfile=zerocopy"], &["did you mean zero-copy?"]),
    (&["measure", "--claim", "sendfile"], &["TRANSFER=CLAIM"]),
    (&["measure", "--transfer", "splice", "--claim", "sendfile=zero-copy"], &["--transfer"]),
    (&["measure", "--without", "luck"], &["luck", "audit"]),
    (&["measure", "--without", "syscalls"], &["audit", "callers"]),
    (&["measure", "--bytes", "many"], &["many", "64MiB"]),
    (&["measure", "--bytes", "0"], &["above zero"]),
    (&["measure", "--bytes=-1"], &["64MiB"]),
    (&["measure", "--bytes", "1"], &["one batch", "16384"]),
    (&["measure", "--bytes", "1PiB"], &["MiB left", "--log-dir"]),
    (&["time", "--bytes", "1PiB"], &["MiB left", "--log-dir"]),
    (&["bench", "fetch", "--bytes", "1PiB"], &["MiB left", "--log-dir"]),
    (&["measure", "--connections", "0"], &["--connections"]),
    (&["measure", "--connections", "4000000000"], &["open files", "ulimit"]),
    (&["measure", "--connections", "5000", "--bytes", "1MiB"], &["--connections"]),
    (&["measure", "--log-dir", "/nonexistent/deep/dir"], &["there is no folder /nonexistent/deep"]),
    (&["bench", "fetch", "--log-dir", "/nonexistent/deep/dir"], &["there is no folder"]),
    (&["bench", "fetch", "--nope"], &["--nope"]),
    (&["measure", "--wide", "--full"], &["--wide", "--full"]),
    (&["explain", "ZC999"], &["ZC999", "zcprof explain"]),
    (&["make-log", "/nonexistent/log", "--records", "1"], &["--topic"]),
    (&["make-log", "/nonexistent/x", "--topic", "a/b", "--records", "1"], &["letters"]),
    (
        &["make-log", "/nonexistent/x", "--topic", "a", "--records", "1", "--codec", "zst"],
        &["zstd"],
    ),
    (&["serve", "--log-dir", "/nonexistent/deep/dir"], &["/nonexistent/deep/dir"]),
    (&["serve", "--log-dir", "/tmp", "--listen", "nowhere"], &["HOST:PORT"]),
    (&["report", "/nonexistent/run.json"], &["/nonexistent/run.json", "cannot read"]),
    (&["judge", "/nonexistent"], &["/nonexistent", "cannot read"]),
];

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    for (typed, words) in CASES {
        refused(&mut zcprof(typed), words);
    }
    assert!(!Path::new("/nonexistent").exists(), "a folder was made");
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zcprof-judge/tests/golden");
    folder.join(name)
}

#[test]
fn a_folder_stands_for_the_record_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_str().expect("text");
    refused(&mut zcprof(&["report", here]), &["holds no run.json"]);
    refused(&mut zcprof(&["judge", here]), &["holds no run.json and no matrix.json"]);
    refused(&mut zcprof(&["bench", "report", here]), &["holds no bench.json"]);
    refused(&mut zcprof(&["matrix", here, here]), &["holds no run.json"]);
    fs::copy(golden("classic/run.json"), folder.path().join("run.json")).expect("copied");
    for words in [&["report", here, "--print"][..], &["judge", here], &["matrix", here]] {
        let output = zcprof(words).output().expect("zcprof starts");
        assert!(output.status.success(), "{words:?}: {}", text(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    symlink("run.json", folder.path().join("latest")).expect("a link");
    let link = folder.path().join("latest");
    let output = zcprof(&["judge", link.to_str().expect("text")]).output().expect("zcprof starts");
    assert!(output.status.success(), "{}", text(&output));
}

/// A command that is given a record of another kind says which kind, and what to type.
#[test]
fn a_record_of_another_kind_is_called_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let diagnosis = folder.path().join("doctor.json");
    fs::write(&diagnosis, r#"{"schema": 1, "capabilities": []}"#).expect("written");
    let matrix = golden("../../../reports/matrix/matrix.json");
    let [run, watch, bench] =
        ["classic/run.json", "watch/watch.json", "bench/bench.json"].map(golden);
    let wrong: [(&[&str], &PathBuf, &str, &str); 9] = [
        (&["report"], &bench, "is a benchmark", "`zcprof bench report`"),
        (&["report"], &matrix, "is a matrix", "`zcprof matrix`"),
        (&["report"], &diagnosis, "is a diagnosis", "`zcprof doctor`"),
        (&["judge"], &bench, "is a benchmark", "`zcprof bench report`"),
        (&["bench", "report"], &run, "is a run, not a benchmark", "`zcprof report`"),
        (&["bench", "report"], &watch, "is a watched window, not", "`zcprof report`"),
        (&["bench", "report"], &matrix, "is a matrix, not", "`zcprof matrix`"),
        (&["matrix"], &bench, "is a benchmark", "`zcprof bench report`"),
        (&["matrix"], &watch, "is the record of a watched window", "no cell"),
    ];
    for (words, record, kind, remedy) in wrong {
        refused(zcprof(words).arg(record), &[kind, remedy]);
    }
}

/// Who reads a record is told its verdict, in words and by the exit code.
#[test]
fn a_records_verdict_is_the_exit_code() {
    for (name, code) in [("classic", 0), ("refuted", 1), ("syscalls", 3)] {
        let run = golden(name).join("run.json");
        let run = run.to_str().expect("text");
        let ended = |words: &[&str]| {
            let output = zcprof(words).output().expect("zcprof starts");
            let text = text(&output);
            let lines: Vec<_> = text.lines().rev().take(5).collect();
            assert!(lines[2].starts_with(&format!("Exit:    {code}, ")), "{text}");
            output.status.code()
        };
        assert_eq!(ended(&["report", "--print", run]), Some(code), "{name}");
        assert_eq!(ended(&["report", "--print", "--wide", run]), Some(code), "{name}");
        assert_eq!(ended(&["-v", "report", "--print", run]), Some(code), "{name}");
        assert_eq!(ended(&["judge", run]), Some(code), "{name}");
        assert_eq!(ended(&["report", "--print", "--exit-zero", run]), Some(0), "{name}");
    }
}

#[test]
fn a_record_comes_by_standard_input_too() {
    for name in ["-", "/dev/stdin"] {
        for verb in ["report", "judge"] {
            let (reader, mut writer) = std::io::pipe().expect("a pipe");
            let run = fs::read(golden("refuted/run.json")).expect("a record");
            let write = std::thread::spawn(move || {
                std::io::Write::write_all(&mut writer, &run).expect("written");
            });
            let output = zcprof(&[verb, name]).stdin(reader).output().expect("zcprof starts");
            write.join().expect("written");
            assert_eq!(output.status.code(), Some(1), "{verb} {name}: {}", text(&output));
            assert!(text(&output).contains("refuted: read_write"), "{}", text(&output));
        }
    }
    let file = fs::File::open(golden("refuted/run.json")).expect("a record");
    let output = zcprof(&["report", "-"]).stdin(file).output().expect("zcprof starts");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    refused(zcprof(&["report", "-"]).stdin(Stdio::null()), &["not what zcprof writes"]);
}

#[test]
fn a_code_is_known_by_its_number_and_the_version_says_the_commit() {
    let printed = |words: &[&str]| text(&zcprof(words).output().expect("zcprof starts"));
    let page = printed(&["explain", "ZC106"]);
    assert!(page.starts_with("ZC106: "), "{page}");
    for name in ["106", "zc106"] {
        assert_eq!(printed(&["explain", name]), page);
    }
    let version = printed(&["--version"]);
    assert!(version.starts_with("zcprof 0.") && version.contains('('), "{version}");
    assert!(version.contains("\neBPF programs: "), "{version}");
}

/// Standard output is no terminal here: nothing is coloured, and lines are as wide as COLUMNS says.
#[test]
fn the_table_is_as_wide_as_it_is_told_and_without_colour() {
    let run = golden("transfers").join("run.json");
    let shown = |columns: &str| {
        let mut command: Command = zcprof(&["report", "--print"]);
        let output = command.arg(&run).env("COLUMNS", columns).output().expect("zcprof starts");
        text(&output)
    };
    let (narrow, wide) = (shown("80"), shown("300"));
    assert!(!narrow.contains('\x1b') && !wide.contains('\x1b'));
    let verdict = |text: &str| text.lines().find(|l| l.starts_with("Verdict")).map(str::to_owned);
    assert!(verdict(&narrow).is_some_and(|line| line.len() <= 80 && line.contains("more")));
    assert!(verdict(&wide).is_some_and(|line| line.len() > 80 && !line.contains("more")));
}
