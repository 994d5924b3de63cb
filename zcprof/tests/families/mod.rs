//! Every way bytes leave: a known number is sent by write(2) and by sendfile(2) on each family of
//! sockets and into a pipe, by this very process, and both instruments must say what became of it.

mod tls;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use zcprof::probe::{Options, Probes, Snapshot};
use zcprof_common::sites::{SITES, Sign, Site};
use zcprof_common::vocabulary::{Disposition, Family, File as Kind, Hop, Instrument, Iter};

use super::guest_folder;

/// Bytes that are sent each time, in messages of [`MESSAGE`].
const BYTES: usize = 1 << 20;

/// Bytes of a message. sendfile(2) gives a socket at most sixteen pages at once, and a datagram of UDP has
/// fewer than 64 KiB.
const MESSAGE: usize = 32 << 10;

/// Copied by read(2) and its kind, or handed over.
type HopDisposition = (Hop, Disposition);

/// A family, and what becomes of what sendfile gives it.
struct FamilyCase {
    family: Family,
    /// What is special about it.
    note: &'static str,
    connect: fn() -> io::Result<(OwnedFd, OwnedFd)>,
    write: fn(OwnedFd),
    /// write(2) copies into it here.
    written: Hop,
    /// sendfile(2) leaves its bytes here; on kernels before 6.5, if that is something else. None: updates
    /// of such a kernel have changed it, and what a receiver reads tells it.
    sent: HopDisposition,
    sent_before_splice_pages: Option<HopDisposition>,
}

const MOVED: HopDisposition = (Hop::PageCacheToSocket, Disposition::Moved);
const COPIED: HopDisposition = (Hop::PageCacheToSocket, Disposition::Copied);

const ROWS: &[FamilyCase] = &[
    FamilyCase { family: Family::Tcp, connect: tcp, ..FamilyCase::TAKES_PAGES },
    FamilyCase { family: Family::UnixStream, connect: unix_stream, ..FamilyCase::TAKES_PAGES },
    FamilyCase { family: Family::Mptcp, connect: mptcp, ..FamilyCase::COPIES },
    FamilyCase { family: Family::UnixDatagram, connect: unix_datagram, ..FamilyCase::COPIES },
    FamilyCase { family: Family::Vsock, connect: vsock, ..FamilyCase::COPIES },
    FamilyCase::UDP,
    FamilyCase { family: Family::Udp, note: ", corked", write: write_halves, ..FamilyCase::UDP },
    FamilyCase { family: Family::Udp, note: ", IPv6", connect: udp6, ..FamilyCase::UDP6 },
    FamilyCase { family: Family::Udp, note: ", to IPv4", connect: udp6_to_4, ..FamilyCase::UDP6 },
    FamilyCase {
        family: Family::Pipe,
        note: "",
        connect: pipe,
        write,
        written: Hop::UserToPipe,
        sent: (Hop::PageCacheToPipe, Disposition::Moved),
        sent_before_splice_pages: Some((Hop::PageCacheToPipe, Disposition::Moved)),
    },
];

impl FamilyCase {
    const TAKES_PAGES: Self = Self {
        family: Family::Tcp,
        note: "",
        connect: tcp,
        write,
        written: Hop::UserToSocket,
        sent: MOVED,
        sent_before_splice_pages: Some(MOVED),
    };
    const COPIES: Self =
        Self { sent: COPIED, sent_before_splice_pages: Some(COPIED), ..Self::TAKES_PAGES };
    /// udp_sendpage() of 5.10.223 appends pages by ip_append_page(); that of 6.1.176 has udp_sendmsg() copy
    /// them, as function_graph shows.
    const UDP: Self = Self {
        family: Family::Udp,
        connect: udp,
        sent_before_splice_pages: None,
        ..Self::TAKES_PAGES
    };
    /// IPv6 had no sendpage.
    const UDP6: Self = Self { sent_before_splice_pages: Some(COPIED), ..Self::TAKES_PAGES };
}

#[test]
fn every_family_has_a_row() {
    for family in Family::ALL {
        assert!(ROWS.iter().any(|row| row.family == *family), "{}", family.name());
    }
}

#[test]
fn what_leaves_by_every_family_is_seen_by_both_instruments() {
    let path = guest_folder().join("to-send");
    std::fs::create_dir_all(guest_folder()).expect("a folder");
    std::fs::write(&path, vec![7; BYTES]).expect("written");
    let targets = vec![std::process::id()];
    let mut probes = Probes::attach(&Options { targets, ..Options::default() }).expect("attached");
    // Reading the counters itself reaches every leaf once on each CPU, in this process.
    probes.snapshot().expect("read");
    let reading = probes.snapshot().expect("read");
    let mut wrong = Vec::new();
    for row in ROWS {
        for by_sendfile in [false, true] {
            let (near, far) = (row.connect)().unwrap_or_else(|error| {
                panic!("{}: {error}; is the module loaded?", row.family.name())
            });
            let reader = thread::spawn(move || drain(far));
            probes.snapshot().expect("read");
            if by_sendfile {
                send(&near, &File::open(&path).expect("opened"));
            } else {
                (row.write)(near.try_clone().expect("a copy"));
            }
            let mut snapshot = probes.snapshot().expect("read");
            for (key, value) in &reading.counts {
                if let Some(counted) = snapshot.counts.get_mut(key) {
                    counted.bytes = counted.bytes.saturating_sub(value.bytes);
                }
            }
            drop(near);
            assert_eq!(reader.join().expect("it reads"), BYTES, "{}", row.family.name());
            wrong.extend(row.complaints(by_sendfile, &snapshot));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl FamilyCase {
    fn complaints(&self, by_sendfile: bool, snapshot: &Snapshot) -> Vec<String> {
        let callers = seen(snapshot, Instrument::Callers);
        let audit = seen(snapshot, Instrument::Audit);
        let has_splice_pages = callers_are_new(snapshot);
        let place = match (by_sendfile, has_splice_pages) {
            (false, _) => (self.written, Disposition::Copied),
            (true, true) => self.sent,
            (true, false) => self
                .sent_before_splice_pages
                .unwrap_or_else(|| if takes_pages(self.connect) { MOVED } else { COPIED }),
        };
        let way = if by_sendfile { "sendfile" } else { "write" };
        let name = format!("{}{}", self.family.name(), self.note);
        println!("{name}, {way}: callers {callers:?}; audit {audit:?}");
        let mut wrong = Vec::new();
        let mut expect = |who: &str, seen: &BTreeMap<HopDisposition, i128>, wanted: i128| {
            let bytes = seen.get(&place).copied().unwrap_or(0);
            if bytes != wanted {
                wrong.push(format!("{name}, {way}: {who}: {place:?} {bytes}, not {wanted}"));
            }
        };
        let all = i128::try_from(BYTES).expect("small");
        expect("callers", &callers, all);
        let copied = place.1 == Disposition::Copied;
        expect("audit", &audit, if copied { all } else { 0 });
        // Nothing but pages that a pipe holds on the way may be beside it.
        let others = callers.iter().filter(|((hop, what), bytes)| {
            (*hop, *what) != place && **bytes != 0 && *hop != Hop::PageCacheToPipe
        });
        wrong.extend(others.map(|(at, bytes)| format!("{name}, {way}: {at:?} {bytes} besides")));
        let sent = snapshot
            .counts
            .iter()
            .filter(|(key, _)| SITES[usize::from(key.site)].sent == Some(self.family));
        let sent: u64 = sent.map(|(_, value)| value.bytes).sum();
        // What sendfile puts into a pipe is spliced, and no row of the pipe's own sees it.
        let spliced = by_sendfile && self.family == Family::Pipe;
        if sent != if spliced { 0 } else { BYTES as u64 } {
            wrong.push(format!("{name}, {way}: its rows sent {sent} bytes"));
        }
        wrong
    }
}

/// Whether sendfile(2) hands a file's page to such a socket: then a receiver reads what is in the file when
/// it reads, and else what was in it when it was sent. No probe is asked.
pub(super) fn takes_pages(connect: fn() -> io::Result<(OwnedFd, OwnedFd)>) -> bool {
    const PAGE: usize = 4096;
    let path = guest_folder().join("overwritten");
    std::fs::create_dir_all(guest_folder()).expect("a folder");
    std::fs::write(&path, [1; PAGE]).expect("written");
    let (near, far) = connect().expect("connected");
    let file = File::options().read(true).write(true).open(&path).expect("opened");
    assert_eq!(sendfile64(&near, &file, None, PAGE).expect("sent"), PAGE);
    file.write_all_at(&[2; PAGE], 0).expect("overwritten");
    SockRef::from(&far).set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
    let mut received = [0; PAGE];
    match File::from(far).read_exact(&mut received) {
        // A page that was added up before it was overwritten: its checksum is wrong, and the kernel drops it.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
        read => read.expect("received"),
    }
    assert!(received.iter().all(|byte| *byte == received[0]), "one page, one time");
    received[0] == 2
}

/// Whether MSG_SPLICE_PAGES is there: then this site is, and no sendpage.
fn callers_are_new(snapshot: &Snapshot) -> bool {
    let old = Site::find("generic_file_splice_read").expect("a row").0;
    !snapshot.counts.keys().any(|key| usize::from(key.site) == old)
}

/// Bytes of this process by what the table says of them; zeros left out.
fn seen(snapshot: &Snapshot, instrument: Instrument) -> BTreeMap<HopDisposition, i128> {
    let mut sums = BTreeMap::new();
    for (key, value) in &snapshot.counts {
        let site = &SITES[usize::from(key.site)];
        if site.instrument != instrument || key.subject != std::process::id() {
            continue;
        }
        let iter = Iter::ALL[usize::from(key.iter)];
        let file = Kind::ALL[usize::from(key.file)];
        for term in site.terms(iter, file).expect("a known case") {
            // The receiver is a thread of this process, and so is who reads the counters.
            let sending = matches!(
                term.hop,
                Hop::UserToSocket | Hop::PageCacheToSocket | Hop::UserToPipe | Hop::PageCacheToPipe
            );
            if sending {
                let bytes = i128::from(value.bytes);
                let bytes = if term.sign == Sign::Plus { bytes } else { -bytes };
                *sums.entry((term.hop, term.disposition)).or_default() += bytes;
            }
        }
    }
    sums.retain(|_, bytes| *bytes != 0);
    sums
}

/// write(2): what the standard library makes of it, whatever the descriptor is.
fn write(near: OwnedFd) {
    let mut near = File::from(near);
    let message = vec![7; MESSAGE];
    for _ in 0..BYTES / MESSAGE {
        near.write_all(&message).expect("written");
    }
}

/// Two halves of each message, of which the first waits for the second (MSG_MORE).
fn write_halves(near: OwnedFd) {
    let near = Socket::from(near);
    let half = vec![7; MESSAGE / 2];
    for _ in 0..BYTES / MESSAGE {
        for flags in [libc::MSG_MORE, 0] {
            assert_eq!(near.send_with_flags(&half, flags).expect("sent"), half.len());
        }
    }
}

fn send(near: &OwnedFd, file: &File) {
    let mut left = BYTES;
    while left > 0 {
        let sent = sendfile64(near, file, None, left.min(MESSAGE)).expect("sent");
        assert!(sent > 0, "the file is shorter");
        left -= sent;
    }
}

/// Reads until [`BYTES`] have come or the other end is closed.
fn drain(far: OwnedFd) -> usize {
    let (mut far, mut buffer, mut all) = (File::from(far), vec![0; MESSAGE], 0);
    while all < BYTES {
        match far.read(&mut buffer).expect("read") {
            0 => break,
            read => all += read,
        }
    }
    all
}

fn internet(protocol: Protocol) -> io::Result<(OwnedFd, OwnedFd)> {
    let new = || Socket::new(Domain::IPV4, Type::STREAM, Some(protocol));
    let (listener, near) = (new()?, new()?);
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    listener.listen(1)?;
    near.connect(&listener.local_addr()?)?;
    Ok((near.into(), listener.accept()?.0.into()))
}

fn tcp() -> io::Result<(OwnedFd, OwnedFd)> {
    internet(Protocol::TCP)
}

fn mptcp() -> io::Result<(OwnedFd, OwnedFd)> {
    internet(Protocol::MPTCP)
}

pub(super) fn udp() -> io::Result<(OwnedFd, OwnedFd)> {
    datagrams("127.0.0.1:0", "127.0.0.1:0")
}

fn udp6() -> io::Result<(OwnedFd, OwnedFd)> {
    datagrams("[::]:0", "[::1]:0")
}

/// An IPv6 socket that sends to an IPv4 address.
fn udp6_to_4() -> io::Result<(OwnedFd, OwnedFd)> {
    datagrams("[::]:0", "[::ffff:127.0.0.1]:0")
}

fn datagrams(from: &str, to: &str) -> io::Result<(OwnedFd, OwnedFd)> {
    let (near, far) = (UdpSocket::bind(from)?, UdpSocket::bind(to)?);
    // All that is sent fits, and nothing is lost.
    setsockopt(&far, RcvBufForce, &(64 << 20))?;
    near.connect(far.local_addr()?)?;
    Ok((near.into(), far.into()))
}

fn unix_stream() -> io::Result<(OwnedFd, OwnedFd)> {
    UnixStream::pair().map(|(near, far)| (near.into(), far.into()))
}

fn unix_datagram() -> io::Result<(OwnedFd, OwnedFd)> {
    UnixDatagram::pair().map(|(near, far)| (near.into(), far.into()))
}

fn vsock() -> io::Result<(OwnedFd, OwnedFd)> {
    // VMADDR_CID_LOCAL, include/uapi/linux/vm_sockets.h: the module vsock_loopback.
    const LOCAL: u32 = 1;
    const PORT: u32 = 9092;
    let new = || Socket::new(Domain::VSOCK, Type::STREAM, None);
    let (listener, near) = (new()?, new()?);
    listener.bind(&SockAddr::vsock(LOCAL, PORT))?;
    listener.listen(1)?;
    near.connect(&SockAddr::vsock(LOCAL, PORT))?;
    Ok((near.into(), listener.accept()?.0.into()))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (output, input) = io::pipe()?;
    Ok((input.into(), output.into()))
}
