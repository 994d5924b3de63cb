//! A table that lacks a row: what the leaves saw and no caller explains is named by the function that the
//! row would be of, and where the row is there nothing is.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Output;
use std::thread;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use zcprof_judge::watch::Watch;

use super::super::{code, folder, measure, take_record, text, wait_until, zcprof};

/// Bytes that are sent by TCP, and as many in another way.
const BYTES: usize = 4 << 20;

/// Bytes of a message: less than the loopback device's packets have.
const MESSAGE: usize = 32 << 10;

/// Sends what the window counts by TCP, and as much by what is under test.
fn send(other: impl Fn(&[u8])) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut near = TcpStream::connect(listener.local_addr().expect("an address")).expect("up");
    let (mut far, _) = listener.accept().expect("accepted");
    let reader = thread::spawn(move || far.read_to_end(&mut Vec::new()).expect("read"));
    let message = vec![7; MESSAGE];
    for _ in 0..BYTES / MESSAGE {
        std::io::Write::write_all(&mut near, &message).expect("sent");
        other(&message);
    }
    drop(near);
    assert_eq!(reader.join().expect("it reads"), BYTES);
}

/// Watches this process while it sends, and claims what both ways together keep.
fn watched(name: &str, stacks: bool, other: impl Fn(&[u8])) -> (Output, Watch) {
    let out = folder(name);
    let (begin, end) = (out.join("begin"), out.join("end"));
    let load =
        format!("touch {}; while [ ! -e {} ]; do sleep 0.1; done", begin.display(), end.display());
    let own = std::process::id().to_string();
    let mut words = vec!["watch", "--pid", &own, "--claim", "copied<=8", "--while", &load];
    words.extend(stacks.then_some("--stacks"));
    let mut watching = zcprof(&words);
    watching.arg("--out").arg(&out);
    let window = thread::spawn(move || watching.output().expect("zcprof runs"));
    wait_until("the window is open", || begin.exists());
    send(other);
    fs::write(&end, []).expect("written");
    let output = window.join().expect("it ends");
    let record = take_record(&out).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    (output, record)
}

fn reasons(record: &Watch) -> String {
    record.results[0].reasons.join("\n")
}

/// No row knows raw sockets.
#[test]
fn a_watched_program_that_sends_by_a_raw_socket_has_the_function_named() {
    // Of a protocol for experiments (RFC 3692), which nobody takes.
    let protocol = Some(Protocol::from(253));
    let socket = Socket::new(Domain::IPV4, Type::RAW, protocol).expect("a socket");
    let peer = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let by_raw =
        |message: &[u8]| assert_eq!(socket.send_to(message, &peer).expect("sent"), MESSAGE);

    let (output, record) = watched("lacking-raw", true, by_raw);
    assert_eq!(code(&output), 3, "{}", text(&output));
    let said = reasons(&record);
    println!("{said}");
    let named = format!("{BYTES} bytes by ");
    // 5.10 copies them by more ways than one.
    let named = if record.kernel.release.starts_with("5.10.") { " bytes by " } else { &named };
    for wanted in [named, " called from ", "raw_sendmsg", "none of which is a row"] {
        assert!(said.contains(wanted), "{wanted} is missing: {said}");
    }
    assert!(!said.contains("tcp_sendmsg"), "{said}");

    // Without stacks the reason says how to have it named.
    let (output, record) = watched("lacking-raw-unlooked", false, by_raw);
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(record.leaf_stacks.is_empty());
    assert!(reasons(&record).contains("look again with --stacks"), "{}", reasons(&record));
}

/// The honest twin: datagrams too, by a function that has a row.
#[test]
fn a_watched_program_that_sends_by_a_function_of_the_table_has_nothing_named() {
    let (near, far) = UnixDatagram::pair().expect("a pair");
    let by_unix = |message: &[u8]| {
        assert_eq!(near.send(message).expect("sent"), MESSAGE);
        far.recv(&mut vec![0; MESSAGE]).expect("received");
    };
    let (output, record) = watched("lacking-nothing", true, by_unix);
    let said = reasons(&record);
    assert!(!said.contains("called from") && !said.contains("look again"), "{said}");
    assert!(!record.results[0].codes.contains(&"ZC212".to_owned()), "{}", text(&output));
    assert!(!record.leaf_stacks.is_empty(), "the stacks were kept");
}

/// A pass over Unix sockets, with a table that lacks their row and with the row in place.
#[test]
fn a_pass_that_the_table_does_not_explain_is_made_again_and_names_the_function() {
    let words = ["--cache", "warm", "--socket", "unix", "--transfer", "read_write"];
    let lacking = ["--lacking", "unix_stream_sendmsg"];
    let (output, run) = measure("lacking", &[&words[..], &lacking].concat());
    let said = text(&output);
    assert_eq!(code(&output), 3, "{said}");
    let run = run.expect("a run");
    let judgement = zcprof::verdict::judge(&run).expect("judged").remove(0);
    let why: Vec<_> = judgement.why().iter().map(ToString::to_string).collect();
    println!("{why:#?}");
    let it = |line: &&String| line.starts_with("ZC212 ") && line.contains("unix_stream_sendmsg");
    assert!(why.iter().any(|line| it(&line)), "{why:#?}");
    assert!(run.phases.iter().any(|phase| phase.name == "naming"), "{:?}", run.phases);

    let (output, run) = measure("lacking-no-row", &words);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let run = run.expect("a run");
    assert!(run.passes.iter().all(|pass| pass.leaf_stacks.is_empty()));
    assert!(run.phases.iter().all(|phase| phase.name != "naming"), "{:?}", run.phases);
}
