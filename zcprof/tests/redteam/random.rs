//! Random measurements: whichever transfer, size, setting, trouble and claim come together, no
//! false claim may hold, and no true claim may be refuted; and where there is no trouble, there must
//! be a verdict.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use zcprof::claim::CLAIMS;
use zcprof::transfer::TransferSpec;
use zcprof::verdict::{Judgement, Verdict};

use super::table::{Backing, Surroundings, Trial, at};
use super::{PreparedBacking, folder, measure_log, words};
use crate::faults::{self, DAY, Debugfs, jump};
use crate::tally::{Tally, Tries};

/// Passes of a test, unless `ZCPROF_RANDOM` says another number.
const PASSES: usize = 12;

/// Most transfers that are measured together.
const TOGETHER: usize = 3;

/// Payload of a pass, in bytes.
const SIZES: std::ops::Range<usize> = (64 << 10)..(8 << 20);

/// What is done to a log of record batches on ext4.
const ON_DISK: &[&str] = &[
    "read_write",
    "mmap_write",
    "sendfile",
    "splice",
    "pread_write",
    "writev",
    "vmsplice",
    "msg_zerocopy",
    "uring_send",
    "uring_send_zc",
    "uring_splice",
    "tls",
    "ktls_sendfile",
    "sendfile_to_file",
    "copy_file_range",
    "sendfile_direct",
    "write_splice",
    "vmsplice_reused",
    "vmsplice_cow",
    "vmsplice_private",
    "wrapped_sendfile",
];

/// What can be done to a file that has no pages to map and no folder to write into.
const MADE_UP: &[&str] =
    &["read_write", "pread_write", "uring_send", "tls", "sendfile", "splice", "uring_splice"];

/// What can be done to a file with a page cache.
const A_FILE: &[&str] = &[
    "read_write",
    "mmap_write",
    "sendfile",
    "splice",
    "writev",
    "vmsplice",
    "msg_zerocopy",
    "uring_send_zc",
    "uring_splice",
    "ktls_sendfile",
    "sendfile_direct",
];

/// What can be done by every kind of socket.
const BY_ANY_SOCKET: &[&str] = &["read_write", "mmap_write", "sendfile", "splice", "writev"];

/// Where the bytes may be, and what can be done to them there.
const PLACES: &[(Backing, &[&str])] = &[
    (Backing::Disk, ON_DISK),
    (Backing::Disk, ON_DISK),
    (Backing::Disk, ON_DISK),
    (Backing::Disk, ON_DISK),
    (Backing::Sysfs, MADE_UP),
    (Backing::Fuse, A_FILE),
    (Backing::Overlay { on_disk: true }, A_FILE),
    (Backing::Loop { direct: false }, A_FILE),
    (Backing::Loop { direct: true }, A_FILE),
    (Backing::Encrypted, A_FILE),
    (Backing::Compressed, A_FILE),
    (Backing::Nfs, A_FILE),
];

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    None,
    /// Somebody else reads files, and sends and receives on loopback.
    Noise,
    /// The page cache is dropped, again and again.
    Dropped,
    /// An instrument is withheld: nothing may hold.
    Withheld(&'static str),
    /// A CPU goes for a moment and comes back.
    Cpu,
    /// The clock jumps a day ahead and back.
    Clock,
    /// All kprobes are switched off for a moment, and the callers are kprobes.
    Kprobes,
    /// The map of counts has room for so few.
    Map(u32),
}

const TROUBLES: &[Disturbance] = &[
    Disturbance::None,
    Disturbance::None,
    Disturbance::Noise,
    Disturbance::Dropped,
    Disturbance::Withheld("audit"),
    Disturbance::Withheld("callers"),
    Disturbance::Cpu,
    Disturbance::Clock,
    Disturbance::Kprobes,
    Disturbance::Map(16),
    Disturbance::Map(64),
];

/// The latest moment at which something strikes once, about as long as a measurement takes under
/// emulation.
const LATEST: Duration = Duration::from_secs(8);

const NETWORKS: &[&str] = &[
    "loopback",
    "loopback",
    "veth",
    "veth-no-tso",
    "veth-no-checksum",
    "veth-no-sg",
    "veth-loss",
    "veth-tap",
    "veth-ring",
    "virtio",
    "vxlan",
    "wireguard",
    "macsec",
];

/// Kinds of sockets, and the networks that they can be on; any if there is none here.
const SOCKETS: &[(&str, &[&str])] = &[
    ("tcp", &[]),
    ("tcp", &[]),
    ("tcp", &[]),
    ("tcp", &[]),
    ("mptcp", &["loopback", "veth"]),
    ("unix", &["loopback"]),
];

#[test]
fn no_false_claim_holds_and_no_true_claim_is_refuted() {
    let tries = Tries::or(PASSES);
    let mut rng = tries.rng();
    let mut done = 0;
    let mut tally = Tally::default();
    while done < tries.number {
        let (trouble, measured) = measurement(&mut rng, tries.number - done);
        for (case, judged) in &measured {
            let line = format!("{case}, {}: {}", case.claim, words(judged));
            let verdict = judged.verdict.name();
            if tally.add(is_true(case), verdict) {
                tally.blame(line.clone());
            }
            if trouble == Disturbance::None && has_verdict(case) {
                tally.require(verdict, &line);
            }
        }
        done += measured.len();
    }
    tally.check(tries.seed);
}

/// Whether an untroubled pass of this must come to a verdict: what arrives must be what was sent, and
/// copies between files are watched only where the transfer says that it makes some.
fn has_verdict(case: &Trial) -> bool {
    let writes = TransferSpec::find(case.transfer).expect("a transfer").writes_files();
    case.transfer != "vmsplice_reused" && (writes || case.claim != "replica")
}

/// One measurement of at most so many passes, and what its trouble was.
fn measurement(rng: &mut Rng, most: usize) -> (Disturbance, Vec<(Trial, Judgement)>) {
    let pick = |rng: &mut Rng, from: &[&'static str]| from[rng.usize(..from.len())];
    let (place, able) = PLACES[rng.usize(..PLACES.len())];
    let (socket, networks) = SOCKETS[rng.usize(..SOCKETS.len())];
    let network = pick(rng, if networks.is_empty() { NETWORKS } else { networks });
    let is_able = |transfer: &&str| {
        let by_socket = socket == "tcp" || BY_ANY_SOCKET.contains(transfer);
        by_socket && (*transfer != "sendfile_direct" || can_pass_the_cache(place))
    };
    let able: Vec<&str> = able.iter().copied().filter(is_able).collect();
    let consumer = pick(rng, &["copy", "copy", "copy", "slow"]);
    let cache = pick(rng, &["warm", "cold"]);
    // Sysfs has no page cache to be cold.
    let cache = if place == Backing::Sysfs { "warm" } else { cache };
    let setting = Surroundings { network, socket, consumer, cache, ..at(place) };
    let trouble = match (place, TROUBLES[rng.usize(..TROUBLES.len())]) {
        // What is dropped there is copied again: no claim is known to be true or false.
        (place, Disturbance::Dropped) if fills_by_cpu(place) => Disturbance::None,
        (_, trouble) => trouble,
    };
    let mut cases: Vec<Trial> = Vec::new();
    for _ in 0..rng.usize(1..=TOGETHER.min(most)) {
        let transfer = pick(rng, &able);
        let own = TransferSpec::find(transfer).expect("a transfer").claim.name;
        let any = CLAIMS[rng.usize(..CLAIMS.len())].name;
        let claim = if rng.bool() { own } else { any };
        if cases.iter().all(|case| case.transfer != transfer) {
            cases.push(Trial { transfer, claim, setting });
        }
    }
    // Sysfs has one size, which is less on some kernels, and so has the file in a squashfs.
    let bytes = rng.usize(SIZES);
    let bytes = if place == Backing::Sysfs { bytes.min(1 << 20) } else { bytes };
    let set = PreparedBacking::up(place, bytes);
    let log = if place == Backing::Disk { folder("random-log") } else { set.log() };
    let mut options = vec!["--bytes".to_owned(), bytes.to_string()];
    options.extend(["--fetch-size".to_owned(), rng.usize((4 << 10)..(2 << 20)).to_string()]);
    options.extend(["--connections".to_owned(), rng.usize(1..=3).to_string()]);
    match trouble {
        Disturbance::Withheld(instrument) => {
            options.extend(["--without", instrument].map(str::to_owned));
        }
        Disturbance::Map(entries) => {
            options.extend(["--map-capacity".to_owned(), format!("COUNTS={entries}")]);
        }
        Disturbance::Kprobes => options.push("--avoid-fexit".to_owned()),
        Disturbance::None
        | Disturbance::Noise
        | Disturbance::Dropped
        | Disturbance::Cpu
        | Disturbance::Clock => {}
    }
    let moment = LATEST.mul_f64(rng.f64());
    println!("{setting}; {trouble:?}, {} ms; {}", moment.as_millis(), options.join(" "));
    let (judgements, _) = during(trouble, moment, || {
        measure_log(&log, setting, &cases.iter().collect::<Vec<_>>(), &options)
    });
    for case in &cases {
        let judged = judgements.iter().find(|judged| judged.transfer == case.transfer);
        let judged = judged.expect("a pass for each");
        println!("  {}, {}: {}", case.transfer, case.claim, words(judged));
        if let Disturbance::Withheld(_) = trouble {
            assert_ne!(judged.verdict, Verdict::Holds, "an instrument did not look");
        }
    }
    let case_of = |judged: &Judgement| {
        *cases.iter().find(|case| case.transfer == judged.transfer).expect("asked for")
    };
    (trouble, judgements.into_iter().map(|judged| (case_of(&judged), judged)).collect())
}

/// The truth, by construction.
fn is_true(case: &Trial) -> bool {
    let Surroundings { place, network, socket, cache, .. } = case.setting;
    let own = TransferSpec::find(case.transfer).expect("a transfer").claim.name;
    let by_reference = ["zero-copy", "deferred", "transforms", "replica"].contains(&own);
    let handed_over = by_reference && case.transfer != "wrapped_sendfile";
    // The CPU must bring packets together: for a checksum only those that have pages which others
    // may write to, skb_checksum_help(), net/core/dev.c. That is later than the call, which only
    // the claim `deferred` allows.
    let below = network == "veth-no-sg" || handed_over && network == "veth-no-checksum";
    // They bring packets together and encrypt them, which is more than any claim allows.
    if ["wireguard", "macsec"].contains(&network) {
        return false;
    }
    // There is no page to hand over, or the socket takes none: copies that no claim knows.
    let has_no_page = handed_over && (place == Backing::Sysfs || socket == "mptcp");
    let copied_anyway = has_no_page || below && own != "deferred";
    // Pinned, sent by DMA, and received by nobody on this host.
    let transmitted = network == "virtio" && own == "deferred";
    let own = if transmitted { "zero-copy" } else { own };
    // The CPU has a hand in storage, which matters to the claim that begins there.
    let from_storage = case.claim == "zero-copy-from-storage";
    if from_storage && fills_by_cpu(place) && cache == "cold" {
        return false;
    }
    let claim = if from_storage { "zero-copy" } else { case.claim };
    match case.transfer {
        // What these say of themselves is a lie.
        "sendfile_direct" | "write_splice" | "vmsplice_reused" | "vmsplice_cow"
        | "vmsplice_private" => false,
        "wrapped_sendfile" => !copied_anyway && claim == "two-copies",
        // Handed over, and then copied once.
        _ if below && own == "zero-copy" && claim == "deferred" => !has_no_page,
        _ => !copied_anyway && claim == own,
    }
}

/// Whether the CPU copies, decrypts or decompresses what comes into the page cache there.
fn fills_by_cpu(place: Backing) -> bool {
    matches!(
        place,
        Backing::Fuse
            | Backing::Loop { direct: false }
            | Backing::Encrypted
            | Backing::Compressed
            | Backing::Nfs
    )
}

/// Whether a device can read a file there into the server's own memory.
fn can_pass_the_cache(place: Backing) -> bool {
    !matches!(place, Backing::Compressed | Backing::Nfs)
}

/// Does something while there is trouble, which comes at a moment or all the time.
fn during<T>(trouble: Disturbance, moment: Duration, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    // It stays until zcprof, which reads it, has ended: it could not be unmounted before.
    let debugfs = (trouble == Disturbance::Kprobes).then(Debugfs::shown);
    thread::scope(|scope| {
        scope.spawn(|| match trouble {
            Disturbance::Noise => until(&over, noise),
            Disturbance::Dropped => {
                until(&over, || fs::write("/proc/sys/vm/drop_caches", "3").expect("root may"));
            }
            // The only CPU stays.
            Disturbance::Cpu if !std::path::Path::new(faults::CPU).exists() => {}
            Disturbance::Cpu => {
                let online = |online| faults::write(faults::CPU, online);
                at_moment(&over, moment, || online("0"), || online("1"));
            }
            Disturbance::Clock => at_moment(&over, moment, || jump(DAY), || jump(-DAY)),
            Disturbance::Kprobes => {
                let arm = |armed| debugfs.as_ref().expect("shown").arm_kprobes(armed);
                at_moment(&over, moment, || arm("0"), || arm("1"));
            }
            Disturbance::None | Disturbance::Withheld(_) | Disturbance::Map(_) => {}
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Does it again and again.
fn until(over: &AtomicBool, again: impl Fn()) {
    while !over.load(Ordering::Relaxed) {
        again();
        thread::sleep(Duration::from_millis(50));
    }
}

/// Does something at a moment and undoes it soon, unless all is over before.
fn at_moment(over: &AtomicBool, moment: Duration, strike: impl Fn(), undo: impl Fn()) {
    let begun = Instant::now();
    while begun.elapsed() < moment {
        if over.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    strike();
    thread::sleep(Duration::from_millis(200));
    undo();
}

/// What zcprof must not count: it is not the server's.
fn noise() {
    let path = folder("noise").join("bytes");
    fs::write(&path, vec![7; 1 << 20]).expect("written");
    let bytes = fs::read(&path).expect("read");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut got = Vec::new();
            let (mut stream, _) = listener.accept().expect("accepted");
            stream.read_to_end(&mut got).expect("received");
        });
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(&bytes).expect("sent");
    });
}
