//! What a program sends by UDP, in each way there is, and beside TCP: the program's copies are known
//! beforehand, and zcprof has to say the same of it.

#![expect(unsafe_code, reason = "nix has no SO_ZEROCOPY")]

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::process::Output;
use std::{env, thread};

use nix::fcntl::{SpliceFFlags, splice};
use nix::libc;
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::sockopt::{RcvBufForce, UdpGsoSegment};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg, setsockopt};
use socket2::SockRef;
use zcprof_judge::watch::Watch;

use super::super::families::{takes_pages, udp};
use super::super::share::Share;
use super::super::{code, text, zcprof};
use super::{recorded, unmissed};

/// Datagrams that are sent each time.
const DATAGRAMS: usize = 64;

/// Bytes of a datagram: fewer than a packet of the loopback device has.
const DATAGRAM: usize = 32 << 10;

const ALL: usize = DATAGRAMS * DATAGRAM;

/// Bytes of each packet that a datagram is cut into (UDP_SEGMENT).
const SEGMENT: i32 = 1400;

/// How the program is to send, and to whom.
const WAY: &str = "ZCPROF_TEST_WAY";
const PEER: &str = "ZCPROF_TEST_PEER";
const STREAM: &str = "ZCPROF_TEST_STREAM";

/// Where the program sends from.
const PAYLOAD: &str = "/data/datagrams";

type Way = (&'static str, fn(&Sender) -> io::Result<()>);

const WAYS: &[Way] = &[
    ("sendto", Sender::unconnected),
    ("corked", Sender::corked),
    ("sendmmsg", Sender::many),
    ("segments", Sender::segments),
    ("zerocopy", Sender::pinned),
    ("splice", Sender::spliced),
    ("stream and splice", |sender| Sender::stream().and_then(|()| sender.spliced())),
    ("stream and sendto", |sender| Sender::stream().and_then(|()| sender.unconnected())),
];

#[test]
#[ignore = "the program that the tests below watch"]
fn a_program_that_sends_datagrams() {
    let wanted = |name| env::var(name).expect("the test below says it");
    let (peer, way) = (wanted(PEER).parse().expect("an address"), wanted(WAY));
    let sender = Sender::to(peer).expect("a socket");
    let (_, send) = WAYS.iter().find(|(name, _)| *name == way).expect("a way");
    send(&sender).expect("sent");
}

struct Sender {
    socket: UdpSocket,
    peer: SocketAddr,
    memory: Vec<u8>,
}

impl Sender {
    fn to(peer: SocketAddr) -> io::Result<Self> {
        let own: SocketAddr = if peer.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        Ok(Self { socket: UdpSocket::bind(own)?, peer, memory: vec![7; DATAGRAM] })
    }

    fn unconnected(&self) -> io::Result<()> {
        (0..DATAGRAMS).try_for_each(|_| self.socket.send_to(&self.memory, self.peer).map(drop))
    }

    /// Two halves each, of which the first waits for the second: nobody adds up later what is corked.
    fn corked(&self) -> io::Result<()> {
        self.socket.connect(self.peer)?;
        let socket = SockRef::from(&self.socket);
        let (first, second) = self.memory.split_at(DATAGRAM / 2);
        for _ in 0..DATAGRAMS {
            socket.send_with_flags(first, libc::MSG_MORE)?;
            socket.send_with_flags(second, 0)?;
        }
        Ok(())
    }

    /// Sixteen with each sendmmsg(2).
    fn many(&self) -> io::Result<()> {
        const AT_ONCE: usize = 16;
        let slices = [[IoSlice::new(&self.memory)]; AT_ONCE];
        let peers = [Some(SockaddrStorage::from(self.peer)); AT_ONCE];
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, None);
        for _ in 0..DATAGRAMS / AT_ONCE {
            let socket = self.socket.as_raw_fd();
            let sent =
                sendmmsg(socket, &mut headers, &slices, peers, [], MsgFlags::empty())?.count();
            assert_eq!(sent, AT_ONCE);
        }
        Ok(())
    }

    /// The kernel cuts each into packets.
    fn segments(&self) -> io::Result<()> {
        setsockopt(&self.socket, UdpGsoSegment, &SEGMENT)?;
        self.unconnected()
    }

    fn pinned(&self) -> io::Result<()> {
        let on: libc::c_int = 1;
        let size = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ZEROCOPY);
        let socket = self.socket.as_raw_fd();
        // SAFETY: the value lives, and its size is right.
        let done = unsafe { libc::setsockopt(socket, level, option, (&raw const on).cast(), size) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        self.socket.connect(self.peer)?;
        for _ in 0..DATAGRAMS {
            SockRef::from(&self.socket).send_with_flags(&self.memory, libc::MSG_ZEROCOPY)?;
        }
        Ok(())
    }

    /// A file's pages, through a pipe.
    fn spliced(&self) -> io::Result<()> {
        self.socket.connect(self.peer)?;
        let (file, (output, input)) = (File::open(PAYLOAD)?, io::pipe()?);
        for at in 0..DATAGRAMS {
            let mut offset = i64::try_from(at * DATAGRAM).map_err(io::Error::other)?;
            let flags = SpliceFFlags::empty();
            let read = splice(&file, Some(&mut offset), &input, None, DATAGRAM, flags)?;
            let sent = splice(&output, None, &self.socket, None, DATAGRAM, flags)?;
            assert_eq!((read, sent), (DATAGRAM, DATAGRAM));
        }
        Ok(())
    }

    /// The same bytes by sendfile(2) over TCP.
    fn stream() -> io::Result<()> {
        let stream = TcpStream::connect(env::var(STREAM).map_err(io::Error::other)?)?;
        let file = File::open(PAYLOAD)?;
        let mut left = ALL;
        while left > 0 {
            left -= sendfile64(stream.as_fd(), &file, None, left)?;
        }
        Ok(())
    }
}

/// Watches the program while it sends in a way, and takes what it sends.
fn watched(way: &str, to: &str, claims: &[&str]) -> (Output, Watch) {
    fs::write(PAYLOAD, vec![7; ALL]).expect("written");
    let socket = UdpSocket::bind(to).expect("a port");
    // All that is sent fits, and nothing is lost.
    setsockopt(&socket, RcvBufForce, &(64 << 20)).expect("room");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = socket.local_addr().expect("it has one").to_string();
    let stream = listener.local_addr().expect("it has one").to_string();
    if way.contains("stream") {
        thread::spawn(move || {
            let (mut from, _) = listener.accept().expect("the program connects");
            io::copy(&mut from, &mut io::sink()).expect("read");
        });
    }
    let program = env::current_exe().expect("this program").display().to_string();
    let name = "watching::datagrams::a_program_that_sends_datagrams";
    let out = PathBuf::from("/data/datagrams-watched");
    let mut command = zcprof(&["watch", "--out"]);
    command.arg(&out);
    for claim in claims {
        command.args(["--claim", claim]);
    }
    let output = command
        .args(["--", &program, "--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .envs([(WAY, way), (PEER, &peer), (STREAM, &stream)])
        .output()
        .expect("zcprof runs");
    socket.set_nonblocking(true).expect("a socket");
    let (mut received, mut buffer) = (0, vec![0; 1 << 16]);
    while let Ok(bytes) = socket.recv(&mut buffer) {
        received += bytes;
    }
    assert_eq!(received, ALL, "{way}: {}", text(&output));
    let record = recorded(out, &output);
    (output, record)
}

/// What must be said of a way: the verdicts on no copy, on one and on one that is made later, the code of
/// the first, and copies per sent byte: the least, and up to where the most may be.
struct Truth {
    verdicts: [&'static str; 3],
    code: Option<&'static str>,
    copies: [f64; 2],
}

const COPIED: Truth =
    Truth { verdicts: ["refuted", "holds", "refuted"], code: Some("ZC102"), copies: [1.0, 1.0] };
const MOVED: Truth =
    Truth { verdicts: ["holds", "refuted", "refuted"], code: None, copies: [0.0, 0.0] };
/// When this program is loaded, the kernel copies pages of its that it writes to (600 KiB of relocations);
/// what is pinned may be such a page, so that no most is known that is 1.
const PINNED: Truth = Truth {
    verdicts: ["refuted", "refuted", "inconclusive"],
    code: Some("ZC105"),
    copies: [1.0, 1.5],
};
/// The socket takes no pages.
const TAKES_NONE: Truth =
    Truth { verdicts: ["refuted", "refuted", "refuted"], code: Some("ZC114"), copies: [1.0, 1.0] };
const HALF_TAKES_NONE: Truth =
    Truth { verdicts: ["refuted", "refuted", "refuted"], code: Some("ZC114"), copies: [0.5, 0.5] };
const HALF: Truth =
    Truth { verdicts: ["refuted", "refuted", "refuted"], code: Some("ZC102"), copies: [0.5, 0.5] };

const CLAIMS: [&str; 3] = ["zero-copy", "one-copy", "deferred"];

/// Whether splice(2) into a socket is its sendpage, as before 6.5.
fn is_old(record: &Watch) -> bool {
    ["5.10.", "6.1."].iter().any(|old| record.kernel.release.starts_with(old))
}

/// A truth that is the other one where the kernel has UDP copy a file's pages.
fn unless_copied(moved: Truth, copied: Truth) -> Truth {
    if takes_pages(udp) { moved } else { copied }
}

/// Watches each way, or this guest's share of them, and says which is not judged as it is.
fn compare(to: &str, ways: &[(&str, Truth)], before_splice_pages: &[(&str, Truth)]) {
    let mut wrong = Vec::new();
    for (way, truth) in Share::own().of(ways) {
        let (output, record) = unmissed(|| watched(way, to, &CLAIMS));
        let old = before_splice_pages.iter().find(|(name, _)| is_old(&record) && name == way);
        let truth = old.map_or(truth, |(_, truth)| truth);
        let sent = if way.contains("stream") { 2 * ALL } else { ALL };
        let verdicts: Vec<_> = record.results.iter().map(|r| r.verdict.as_str()).collect();
        let first = &record.results[0];
        let copies = [first.copies.least, first.copies.most];
        println!("{way} to {to}: {verdicts:?} {:?} {copies:?} of {}", first.codes, first.sent);
        let is_right = verdicts == truth.verdicts
            && (copies[0] - truth.copies[0]).abs() < 0.001
            && (copies[0]..truth.copies[1] + 0.001).contains(&copies[1])
            && truth.code.is_none_or(|wanted| first.codes.iter().any(|code| code == wanted))
            && first.sent == sent as u64
            && code(&output) == 1;
        if !is_right {
            wrong.push(format!("{way} to {to}: {}", text(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_sent_by_udp_to_ipv4_is_judged_as_it_is() {
    let ways = [
        ("sendto", COPIED),
        ("splice", unless_copied(MOVED, TAKES_NONE)),
        ("corked", COPIED),
        ("zerocopy", PINNED),
        ("sendmmsg", COPIED),
        ("segments", COPIED),
    ];
    compare("127.0.0.1:0", &ways, &[]);
}

/// udp_sendpage() of before 6.5 was IPv4's alone.
#[test]
fn what_is_sent_by_udp_to_ipv6_is_judged_as_it_is() {
    let ways = [("sendto", COPIED), ("splice", MOVED), ("zerocopy", PINNED)];
    compare("[::1]:0", &ways, &[("splice", TAKES_NONE)]);
}

#[test]
fn what_is_sent_by_udp_beside_tcp_is_judged_as_it_is() {
    let spliced = unless_copied(MOVED, HALF_TAKES_NONE);
    let ways = [("stream and splice", spliced), ("stream and sendto", HALF)];
    compare("127.0.0.1:0", &ways, &[]);
}
