//! A long window: a server that opens and closes a connection for each of many files, some of them in
//! children, for half an hour. What is known of it: what its clients received.

#![expect(unsafe_code, reason = "a server forks")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, io, thread};

use nix::sys::sendfile::sendfile;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use socket2::{Domain, Socket, Type};
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::Watch;

use super::super::{code, folder, loaded_programs, text, zcprof};
use super::{recorded, status};

/// Files that are served in turn, and bytes of each.
const FILES: u64 = 10_000;
const FILE_BYTES: usize = 16 << 10;

/// Bytes that the server writes before each file.
const HEADER: [u8; 64] = [b'h'; 64];

/// Children that serve a connection each.
const PROCESSES: u32 = 5_000;

/// Connections that clients open in a second, if the machine is fast enough.
const RATE: u64 = 1_000;

/// Clients, each with one connection at a time.
const CLIENTS: u8 = 4;

/// Length of the window in seconds; half an hour if it is not said.
const WINDOW: &str = "ZCPROF_WINDOW";

/// Where the server listens, and where its files lie.
const PORT: &str = "ZCPROF_TEST_PORT";
const FOLDER: &str = "ZCPROF_TEST_FILES";

/// The most memory that zcprof may have in a window, the most while it attaches or makes reports, the most
/// that it may grow by in a window, and the most that its maps may have on a machine with so many CPUs.
const MOST: u64 = 64 << 20;
const MOST_FOR_A_MOMENT: u64 = 96 << 20;
const MOST_GROWTH: u64 = 8 << 20;
const MOST_OF_MAPS: u64 = 128 << 20;
const CPUS: u64 = 16;

fn window() -> Duration {
    let seconds = env::var(WINDOW).map_or(1_800, |text| text.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{}/{}", number % 100, number % FILES))
}

fn serve(mut to: TcpStream, path: &Path) {
    let from = File::open(path).expect("a file");
    to.write_all(&HEADER).expect("a client reads");
    let mut left = FILE_BYTES;
    while left > 0 {
        left -= sendfile(&to, &from, None, left).expect("a client reads");
    }
}

#[test]
#[ignore = "the server that the test below watches"]
fn a_server_of_many_files() {
    let wanted = |name| env::var(name).expect("the test below says it");
    let folder = PathBuf::from(wanted(FOLDER));
    let port = wanted(PORT).parse::<u16>().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let (start, window) = (Instant::now(), window());
    let (mut number, mut children) = (0, 0);
    while start.elapsed() < window {
        let (to, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let path = file(&folder, number);
        number += 1;
        if start.elapsed() * PROCESSES < window * children {
            serve(to, &path);
            continue;
        }
        children += 1;
        // SAFETY: one thread runs, and the child does nothing but serve and end.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                serve(to, &path);
                // SAFETY: it ends this process.
                unsafe { libc::_exit(0) };
            }
            ForkResult::Parent { .. } => {}
        }
        let any = Some(WaitPidFlag::WNOHANG);
        while let Ok(WaitStatus::Exited(..)) = waitpid(None::<Pid>, any) {}
    }
    while let Ok(WaitStatus::Exited(..)) = waitpid(None::<Pid>, None) {}
    println!("{number} connections, {children} children");
}

/// Connects from an address of the client's own, whose ports suffice: the server ends each connection
/// first, and keeps both ends' numbers for a minute (tcp(7), TIME_WAIT).
fn connect(client: u8, port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // The number is chosen by the whole connection, and not for the address alone.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::from(([127, 0, 1, client], 0)).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    Ok(socket.into())
}

/// Whether nobody listens any more.
fn is_over(client: u8, port: u16) -> bool {
    connect(client, port).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Connects again and again until nobody listens any more; returns how many whole answers came.
fn consume(client: u8, port: u16, rate: u64) -> u64 {
    let mut buffer = vec![0; FILE_BYTES];
    let (start, mut answers) = (Instant::now(), 0);
    loop {
        let due = start + Duration::from_secs(answers) / u32::try_from(rate).expect("small");
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut from = match connect(client, port) {
            Ok(from) => from,
            // A listener that is closed resets who is connected and was not accepted, which connect(2) may
            // tell as EPIPE (tcp_reset(), net/ipv4/tcp_input.c, 6.12).
            Err(_) if is_over(client, port) => return answers,
            Err(error) => panic!("{error} after {answers} answers"),
        };
        let mut bytes = 0;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes += read,
                // Nobody accepted it before the end.
                Err(_) if bytes == 0 && is_over(client, port) => return answers,
                Err(error) => panic!("{error} after {bytes} bytes and {answers} answers"),
            }
        }
        match bytes {
            0 => return answers,
            _ => assert_eq!(bytes, HEADER.len() + FILE_BYTES),
        }
        answers += 1;
    }
}

#[test]
fn half_an_hour_of_short_connections_takes_bounded_memory_and_loses_nothing() {
    let files = folder("many-files");
    for number in 0..FILES {
        let path = file(&files, number);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, vec![7; FILE_BYTES]).expect("a file");
    }
    let before: BTreeSet<_> = loaded_programs().into_iter().collect();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("it has one").port();
    drop(free);
    let program = env::current_exe().expect("this program").display().to_string();
    let name = "watching::long::a_server_of_many_files";
    let out = folder("long-window");
    let mut child = zcprof(&["watch", "--stacks", "--claim", "zero-copy", "--out"])
        .arg(&out)
        .args(["--", &program, "--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, &files)
        .env(PORT, port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("zcprof starts");
    let mut first = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(first) => break first,
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
        assert!(child.try_wait().expect("it is ours").is_none(), "zcprof has ended");
    };
    let answer = first.read_to_end(&mut Vec::new()).expect("an answer");
    assert_eq!(answer, HEADER.len() + FILE_BYTES);
    let start = Instant::now();
    let rate = RATE / u64::from(CLIENTS);
    let clients = (1..=CLIENTS).map(|client| thread::spawn(move || consume(client, port, rate)));
    let clients: Vec<_> = clients.collect();
    let (mut resident, mut peak) = (Vec::new(), 0);
    while child.try_wait().expect("it is ours").is_none() {
        resident.extend(status(child.id(), "VmRSS"));
        peak = peak.max(status(child.id(), "VmHWM").unwrap_or(0));
        thread::sleep(Duration::from_millis(500));
    }
    let output = child.wait_with_output().expect("it ended");
    let answers = clients.into_iter().map(|client| client.join().expect("a client"));
    let answers = 1 + answers.sum::<u64>();
    let record = recorded(&out, &output);
    println!("{}\n{answers} answers in {:?}", text(&output), start.elapsed());
    check_verdict(&record, answers, &output);
    check_memory(&record, &resident, peak);
    let left = loaded_programs().into_iter().filter(|program| !before.contains(program)).count();
    assert_eq!(left, 0, "programs are left in the kernel");
}

fn check_verdict(record: &Watch, answers: u64, output: &std::process::Output) {
    let said = text(output);
    assert_eq!(code(output), 0, "{said}");
    let lost = record.doubts.iter().filter(|doubt| !matches!(doubt, Doubt::Missed { .. }));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&Doubt>::new());
    assert!(answers >= FILES, "{answers} answers do not name each file");
    let each = (HEADER.len() + FILE_BYTES) as u64;
    let result = &record.results[0];
    assert_eq!((result.verdict.as_str(), result.sent), ("holds", answers * each), "{said}");
    let of_program = said.split_once(" children").and_then(|(before, _)| before.rsplit_once(' '));
    let children: u32 = of_program.and_then(|(_, n)| n.parse().ok()).expect("the server says it");
    assert!(children >= PROCESSES * 99 / 100, "{children} children");
}

fn check_memory(record: &Watch, resident: &[u64], peak: u64) {
    let maps = record.maps.expect("what the maps take");
    let more = CPUS.saturating_sub(u64::from(maps.cpus)) * maps.per_cpu;
    // After the first part, in which it settles, and before the last, in which reports are made.
    let of_window = &resident[resident.len() / 5..resident.len() * 4 / 5];
    let most = of_window.iter().max().copied().unwrap_or(0);
    let (first, second) = of_window.split_at(of_window.len() / 2);
    let [early, late] = [first, second].map(median);
    println!(
        "resident: {} KiB at most in the window, in its halves {} and {}; {} KiB for a moment before or \
         after; maps: {} KiB, {} on {CPUS} CPUs",
        most >> 10,
        early >> 10,
        late >> 10,
        peak >> 10,
        maps.bytes >> 10,
        (maps.bytes + more) >> 10
    );
    assert!(most <= MOST && peak <= MOST_FOR_A_MOMENT, "{most} and {peak} bytes are resident");
    assert!(late <= early + MOST_GROWTH, "{early} bytes became {late}");
    assert!(maps.bytes + more <= MOST_OF_MAPS, "{maps:?}");
}

fn median(resident: &[u64]) -> u64 {
    let mut sorted = resident.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
