//! A program that ends while bytes wait in its sockets, because a receiver does not read.

use std::io::{self, ErrorKind, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use std::{env, fs, thread};

use nix::errno::Errno;
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{setsockopt, sockopt};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::Queued;

use super::super::{code, folder, text, wait_until, zcprof};
use super::{recorded, unmissed};

/// Bytes for the receiver that reads.
const BYTES: usize = 8 << 20;

/// Room in the sockets between the program and the receiver that does not, as far as the kernel gives it.
const SENDS: usize = 1 << 20;
const TAKES: usize = 4 << 10;

/// The folder with the file, and the ports of the two receivers.
const HERE: &str = "ZCPROF_TEST_HERE";
const PORTS: &str = "ZCPROF_TEST_PORTS";

/// When the receiver reads that might not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// From the beginning.
    AtOnce,
    /// When the program has ended.
    Later,
    /// When zcprof has.
    Never,
}

#[test]
#[ignore = "the program that the test below watches"]
fn a_program_that_leaves_bytes_in_a_socket() {
    let here = env::var(HERE).expect("the test below says it");
    let ports = env::var(PORTS).expect("the test below says it");
    let file = fs::File::open(Path::new(&here).join("file")).expect("a file");
    let sockets = ports.split(',').map(|port| {
        let port = port.parse::<u16>().expect("a port");
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens")
    });
    let sockets: Vec<_> = sockets.collect();
    let mut offset = 0;
    while usize::try_from(offset).expect("not below zero") < BYTES {
        sendfile(&sockets[0], &file, Some(&mut offset), BYTES).expect("sent");
    }
    setsockopt(&sockets[1], sockopt::SndBuf, &SENDS).expect("room");
    sockets[1].set_nonblocking(true).expect("a socket");
    let mut offset = 0;
    loop {
        match sendfile(&sockets[1], &file, Some(&mut offset), BYTES) {
            Ok(sent) if sent > 0 && usize::try_from(offset).is_ok_and(|all| all < SENDS) => {}
            Ok(_) | Err(Errno::EAGAIN) => break,
            Err(error) => panic!("{error}"),
        }
    }
    fs::write(Path::new(&here).join("sent"), "").expect("written");
}

fn window(name: &str, reads: Reads) -> (Output, Watch) {
    let here = folder(name);
    fs::write(here.join("file"), vec![7; BYTES]).expect("written");
    let listeners = [0, 1].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    setsockopt(&listeners[1], sockopt::RcvBuf, &TAKES).expect("little room");
    let ports = listeners.each_ref().map(|one| one.local_addr().expect("it has one").port());
    let [sent, over] = ["sent", "over"].map(|name| here.join(name));
    let [reading, other] = listeners;
    let first = thread::spawn(move || {
        let mut from = reading.accept().expect("accepted").0;
        io::copy(&mut from, &mut io::sink()).expect("read")
    });
    let ended = (sent, over.clone());
    let second = thread::spawn(move || {
        let mut from = other.accept().expect("accepted").0;
        match reads {
            Reads::AtOnce => {}
            Reads::Later => {
                wait_until("the program has sent", || ended.0.exists());
                thread::sleep(Duration::from_secs(1));
            }
            Reads::Never => wait_until("the window is over", || ended.1.exists()),
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let out = here.join("out");
    let program = env::current_exe().expect("this program");
    let output = zcprof(&["watch", "--claim", "zero-copy", "--out"])
        .arg(&out)
        .arg("--")
        .arg(program)
        .args(["--exact", "watching::queued::a_program_that_leaves_bytes_in_a_socket"])
        .args(["--ignored", "--test-threads=1"])
        .env(HERE, &here)
        .env(PORTS, ports.map(|port| port.to_string()).join(","))
        .output()
        .expect("zcprof runs");
    fs::write(over, "").expect("written");
    assert_eq!(first.join().expect("joined"), BYTES as u64);
    second.join().expect("joined");
    let record = recorded(&out, &output);
    (output, record)
}

#[test]
fn what_waits_in_a_socket_at_the_windows_end_may_be_copied_later() {
    let seen = |name, reads| unmissed(|| window(name, reads));
    let (output, record) = seen("queue-read", Reads::AtOnce);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(record.results[0].sent > (BYTES + SENDS / 8) as u64, "{}", text(&output));
    for (name, reads) in [("queue-later", Reads::Later), ("queue-never", Reads::Never)] {
        let (output, record) = seen(name, reads);
        let queued = record.queued.as_ref().map_or((0, 0), Queued::bytes);
        println!("{name}: {queued:?} waited, and to the end");
        let codes = &record.results[0].codes;
        if reads == Reads::Later {
            assert_eq!((code(&output), queued.1), (0, 0), "{}", text(&output));
        } else {
            assert_eq!(
                (code(&output), &codes[..]),
                (3, &["ZC229".to_owned()][..]),
                "{}",
                text(&output)
            );
            assert!(queued.1 > BYTES as u64 / 500, "{queued:?}");
            assert!(record.results[0].copies.least < 0.001, "{:?}", record.results[0].copies);
        }
    }
}
