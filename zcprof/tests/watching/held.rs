//! Sockets that a watched program had before the window, and by which somebody else sends.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs, thread};

use nix::sys::sendfile::sendfile;
use zcprof_judge::watch::Watch;

use super::super::{code, folder, text, wait_until, zcprof};
use super::{recorded, unmissed};

/// Bytes that each of the two sends.
const BYTES: usize = 1 << 20;

/// The folder in which the two leave word for each other, and the file that is sent.
const HERE: &str = "ZCPROF_TEST_HERE";

#[test]
#[ignore = "the program that the test below watches"]
fn a_program_that_sends_by_its_standard_input() {
    let here = env::var(HERE).expect("the test below says it");
    let here = Path::new(&here);
    let file = fs::File::open(here.join("file")).expect("a file");
    wait_until("it is told to begin", || here.join("begin").exists());
    let mut offset = 0;
    while usize::try_from(offset).expect("not below zero") < BYTES {
        sendfile(io::stdin(), &file, Some(&mut offset), BYTES).expect("sent");
    }
    fs::write(here.join("sent"), "").expect("written");
    wait_until("the window is over", || here.join("over").exists());
}

/// The program, with a socket of this process's.
fn program(socket: &TcpStream, here: &Path) -> Child {
    let socket: OwnedFd = socket.try_clone().expect("a descriptor").into();
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "watching::held::a_program_that_sends_by_its_standard_input"])
        .args(["--ignored", "--test-threads=1"])
        .env(HERE, here)
        .stdin(socket)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// A window in which the program sends by `sendfile`, and, if so, this process by `write`.
fn window(name: &str, a_stranger_sends: bool) -> (std::process::Output, Watch) {
    let here = folder(name);
    fs::write(here.join("file"), vec![7; BYTES]).expect("written");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut socket =
        TcpStream::connect(listener.local_addr().expect("it has one")).expect("connected");
    let mut peer = listener.accept().expect("accepted").0;
    let received = thread::spawn(move || io::copy(&mut peer, &mut io::sink()));
    let mut program = program(&socket, &here);
    let [armed, begin, sent, done, over] =
        ["armed", "begin", "sent", "done", "over"].map(|name| here.join(name));
    let load =
        format!("touch {}; while [ ! -e {} ]; do sleep 1; done", armed.display(), done.display());
    let out = here.join("out");
    let mut watch = zcprof(&["watch", "--claim", "zero-copy", "--while", &load, "--out"])
        .arg(&out)
        .args(["--pid", &program.id().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("zcprof runs");
    let opens = || armed.exists() || watch.try_wait().expect("it runs").is_some();
    wait_until("the window is open, or never will be", opens);
    fs::write(begin, "").expect("written");
    wait_until("it has sent", || sent.exists());
    if a_stranger_sends {
        socket.write_all(&vec![7; BYTES]).expect("sent");
    }
    fs::write(done, "").expect("written");
    let output = watch.wait_with_output().expect("it ends");
    fs::write(over, "").expect("written");
    assert!(program.wait().expect("it ends").success());
    drop(socket);
    let expected = BYTES * (1 + usize::from(a_stranger_sends));
    assert_eq!(received.join().expect("joined").expect("received"), expected as u64);
    let record = recorded(&out, &output);
    (output, record)
}

#[test]
fn who_sends_by_a_socket_of_before_the_window_is_no_target_and_counts() {
    let (output, record) = unmissed(|| window("held-alone", false));
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(record.strangers.is_empty());
    let (output, record) = unmissed(|| window("held-passed", true));
    assert_eq!(code(&output), 1, "{}", text(&output));
    assert_eq!(record.results[0].sent, 2 * BYTES as u64, "{}", text(&output));
    let [stranger] = &record.strangers[..] else { panic!("{:?}", record.strangers) };
    assert_eq!((stranger.pid, stranger.bytes), (std::process::id(), BYTES as u64));
    assert!(text(&output).contains("it is no target"), "{}", text(&output));
}
