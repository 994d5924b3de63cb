//! The live view as a user has it: in a terminal, with keys, while programs are watched and killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use nix::mount::{MsFlags, mount};
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::Watch;

use super::super::pty::Pty;
use super::super::{PATIENCE, zcprof};
use super::{record, timed, unmissed};

/// zcprof in a terminal.
fn in_terminal(words: &[&str], variables: &[(&str, &str)]) -> Pty {
    if !Path::new("/dev/pts/ptmx").exists() {
        fs::create_dir_all("/dev/pts").expect("a folder for terminals");
        let kind = Some("devpts");
        mount(kind, "/dev/pts", kind, MsFlags::empty(), Some("ptmxmode=666")).expect("terminals");
    }
    let mut command = zcprof(words);
    command.envs(variables.iter().copied());
    Pty::start(command, PATIENCE)
}

/// At the ports 4000 and 4001.
fn serving() -> Child {
    let program = std::env::var("ZCPROF").expect("ZCPROF names the program under test");
    super::serving(Path::new(&program), 4000, &[])
}

/// Whether a word stands somewhere on the screen.
fn has(lines: &[String], word: &str) -> bool {
    lines.iter().any(|line| line.contains(word))
}

/// The line of a port's row.
fn row(lines: &[String], port: &str) -> Option<usize> {
    lines.iter().position(|line| line.split_whitespace().any(|word| word == port))
}

/// The column that is sorted by, as the last line says.
fn is_by(lines: &[String], column: &str) -> bool {
    lines.last().is_some_and(|line| line.contains(&format!("by {column},")))
}

#[test]
fn a_window_is_looked_at_sorted_filtered_and_ended_by_keys() {
    let (status, record) = driven_by_keys();
    assert_eq!(record.verdict.as_deref(), Some("holds"), "{:?}", record.results);
    assert_eq!(status.code(), Some(0));
    assert!(record.results[0].sent > 0, "{:?}", record.results);
    // On a kernel that preempts probes a busy server makes them miss runs, which are bounded.
    let is_missed = |doubt: &Doubt| matches!(doubt, Doubt::Missed { .. });
    assert!(record.doubts.iter().all(is_missed), "{:?}", record.doubts);
}

/// How zcprof ended, and what it recorded.
fn driven_by_keys() -> (ExitStatus, Watch) {
    let mut served = serving();
    let mut sleeper = Command::new("sleep").arg("100000").spawn().expect("sleep starts");
    let pids = format!("{},{}", served.id(), sleeper.id());
    let out = "/data/live-keys";
    let words = ["watch", "--pid", &pids, "--claim", "port:4001=zero-copy", "--out", out];
    let mut pty = in_terminal(&words, &[]);
    let both = |lines: &[String]| row(lines, "4000").is_some() && row(lines, "4001").is_some();
    let lines = pty.wait_for("a row for each port", both);
    assert!(pty.is_taken() && pty.has_colours() && lines[0].contains("pid"), "{lines:#?}");
    let has_rates = |lines: &[String]| lines[1].contains("/s, ") && lines[1].contains(" copied");
    println!("{}", pty.wait_for("rates", has_rates).join("\n"));

    while !is_by(&pty.lines(), "copies/byte") {
        let before = pty.lines().pop();
        pty.press("s");
        pty.wait_for("another column", |lines| lines.last() != before.as_ref());
    }
    let above = |upper: &'static str, lower: &'static str| {
        move |lines: &[String]| {
            let [upper, lower] = [upper, lower].map(|port| row(lines, port));
            upper.zip(lower).is_some_and(|(upper, lower)| upper < lower)
        }
    };
    pty.wait_for("who copies most comes first", above("4000", "4001"));
    pty.press("r");
    pty.wait_for("and then last", above("4001", "4000"));

    pty.press("/4001\r");
    pty.wait_for("one row", |lines| row(lines, "4001").is_some() && row(lines, "4000").is_none());
    pty.press("\r");
    let details = |lines: &[String]| {
        ["port 4001", "moved page cache->socket", "sendfile"].iter().all(|word| has(lines, word))
    };
    println!("{}", pty.wait_for("hops and calls", details).join("\n"));
    pty.press("\x1b");
    pty.wait_for("the table again", |lines| has(lines, "worst hop"));
    pty.press("\x1b");
    pty.wait_for("all rows", both);

    pty.resize(24, 40);
    let narrow = |lines: &[String]| has(lines, "copies/byte") && !has(lines, "worst");
    println!("{}", pty.wait_for("fewer columns", narrow).join("\n"));
    pty.resize(30, 100);
    pty.wait_for("more columns", |lines| has(lines, "copied/s") && lines.len() == 30);
    pty.press("?");
    pty.wait_for("keys", |lines| {
        lines.iter().any(|line| line.contains("end the window and report"))
    });
    pty.press("\x1b");

    served.kill().expect("it runs");
    let said = format!("(pid {}) was killed by SIGKILL (9)", served.id());
    pty.wait_for("its end", |lines| has(lines, &said));
    let over = |lines: &[String]| row(lines, "4001").is_some_and(|at| lines[at].contains("ended"));
    println!("{}", pty.wait_for("nobody is left", over).join("\n"));
    served.wait().expect("waited for");
    pty.press("q");
    let status = pty.wait();
    assert!(pty.is_given_back(), "{:#?}", pty.lines());
    sleeper.kill().and_then(|()| sleeper.wait()).expect("it ran");
    // What was drawn over is there again, and the end of the process is still said.
    let record = record(out);
    let lines = pty.lines();
    println!("{}", lines.join("\n"));
    assert!(lines.iter().any(|line| line.contains("was killed by SIGKILL")), "{lines:#?}");
    (status, record)
}

/// Who copies is said by the name of a function, while the window is open; and so it is at its end.
#[test]
fn enter_names_the_functions_of_a_row_that_copy() {
    let mut served = serving();
    let pid = served.id().to_string();
    let out = "/data/live-functions";
    for words in [&["watch", "--pid", &pid, "--out", out] as &[&str], &["top"]] {
        let mut pty = in_terminal(words, &[]);
        // Stacks stand below all hops.
        pty.resize(150, 200);
        pty.wait_for("a row", |lines| row(lines, "4000").is_some());
        pty.press("/4000\r");
        pty.wait_for("the row alone", |lines| row(lines, "4001").is_none());
        pty.press("\r");
        let names = |lines: &[String]| {
            let of_copies = lines.iter().skip_while(|line| !line.contains("Functions that copy"));
            let mut of_copies = of_copies.skip(1).take_while(|line| !line.contains("Stacks, the"));
            of_copies.any(|line| line.contains(COPIER) && line.contains("(zcprof)"))
        };
        println!("{}", pty.wait_for("the function that copies", names).join("\n"));
        let kernels = |lines: &[String]| has(lines, "tcp_sendmsg_locked < tcp_sendmsg");
        pty.wait_for("the kernel's half", kernels);
        pty.press("\x1b");
        pty.wait_for("the table again", |lines| has(lines, "worst hop"));
        pty.press("q");
        assert!(pty.wait().success(), "{:#?}", pty.lines());
    }
    served.kill().and_then(|()| served.wait()).expect("it ran");
    let stacks = record(out).stacks.expect("kept");
    let tops = zcprof_judge::stacks::top::functions(&stacks);
    assert!(tops.iter().any(|top| top.frame.name.contains(COPIER)), "{tops:#?}");
}

/// A part of the name of what the server copies by.
const COPIER: &str = "read_write";

/// Looking changes nothing: the same command is judged as in the test without a terminal, to the byte
/// that is claimed. What it writes does not reach the terminal.
#[test]
fn a_command_beside_the_table_writes_into_a_file() {
    let out = "/data/live-command";
    let ((status, pty), record) = unmissed(|| beside_the_table(out));
    let lines = pty.lines();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert!(pty.is_given_back(), "{lines:#?}");
    let sent = record.results[0].sent;
    assert!((16 << 20..17 << 20).contains(&sent), "{sent}");
    let written = fs::read_to_string(Path::new(out).join("command.txt")).expect("a file");
    assert!(written.contains("\"sendfile\""), "{written}");
    assert!(lines.iter().all(|line| !line.contains("\"sendfile\"")), "{lines:#?}");
}

/// How zcprof ended, its terminal, and what it recorded.
fn beside_the_table(out: &str) -> ((ExitStatus, Pty), Watch) {
    let mut command = timed("sendfile");
    command.retain(|word| !word.starts_with("--out"));
    let mut words = vec!["watch", "--live", "--claim", "zero-copy", "--out", out, "--"];
    words.extend(command.iter().map(String::as_str));
    let mut pty = in_terminal(&words, &[]);
    pty.wait_for("the table", |lines| lines[0].contains("the command"));
    ((pty.wait(), pty), record(out))
}

/// On a terminal that can draw nothing there are lines, and Ctrl-C is a signal.
#[test]
fn top_watches_everybody_and_a_dumb_terminal_gets_lines() {
    let mut served = serving();
    let mut pty = in_terminal(&["top"], &[("TERM", "dumb")]);
    let line = |lines: &[String]| has(lines, "copied per sent byte");
    pty.wait_for("a line", line);
    assert!(!pty.is_taken());
    pty.press("\x03");
    assert!(pty.wait().success(), "{:#?}", pty.lines());

    let mut pty = in_terminal(&["top"], &[]);
    let both = |lines: &[String]| row(lines, "4000").is_some() && row(lines, "4001").is_some();
    let lines = pty.wait_for("a row for each port", both);
    assert!(lines[0].contains("every process"), "{lines:#?}");
    println!("{}", lines.join("\n"));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(pty.child.id()).expect("a pid")),
        nix::sys::signal::Signal::SIGTERM,
    )
    .expect("it runs");
    assert!(pty.wait().success(), "{:#?}", pty.lines());
    assert!(pty.is_given_back(), "{:#?}", pty.lines());
    served.kill().and_then(|()| served.wait()).expect("it ran");
}
