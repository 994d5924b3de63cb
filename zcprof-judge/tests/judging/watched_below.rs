//! What happens below the sockets of watched programs, where nothing names a port.

use zcprof_common::sites::BOUNCE_BUFFERS;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Iter};
use zcprof_judge::report::watch::{render_all, table};
use zcprof_judge::run::ProbeState;
use zcprof_judge::syscall::InSyscall;
use zcprof_judge::verdict::{Reason, Verdict};
use zcprof_judge::watch::judge;
use zcprof_judge::watch::record::{Charged, Of, Watch, WatchedCount, WatchedExit};

use super::pipes::filled;
use super::watched::{BODY, count, handed_over, verdict, window, written};

/// Has what a window's program sent encrypted.
type Encrypts = fn(&mut Watch);

fn program(name: &str) -> Charged {
    Charged::Program(name.to_owned())
}

/// What a device got of the program's packets.
fn exit(name: &str, kind: &str, bytes: u64) -> WatchedExit {
    WatchedExit { charged: program("nginx"), name: name.to_owned(), kind: kind.to_owned(), bytes }
}

fn at(port: Option<u16>, mut counts: Vec<WatchedCount>) -> Vec<WatchedCount> {
    for count in counts.iter_mut().filter(|count| count.port.is_some()) {
        count.port = port;
    }
    counts
}

/// What IPsec encrypted, within the system call that sent it or later.
fn by_policy(file: File) -> WatchedCount {
    let count = count("xfrm_output", Syscall::Sendto, file, Iter::None, BODY);
    WatchedCount { port: None, ..count }
}

fn says(watch: &Watch, of: Of, claim: &str) -> Verdict {
    let mut watch = watch.clone();
    watch.claims[0].of = of;
    claim.clone_into(&mut watch.claims[0].claim);
    verdict(&watch)
}

fn reasons(verdict: Verdict) -> Vec<Reason> {
    let Verdict::Inconclusive(reasons) = verdict else { panic!("{verdict:?}") };
    reasons
}

/// A program that sends from several ports may have been encrypted at any of them; one that sends from a
/// single port was at that.
#[test]
fn what_was_encrypted_below_may_be_of_any_port_that_the_program_sends_from() {
    let nginx = || Of::Program("nginx".to_owned());
    let (one, two) = ([handed_over(BODY)], [handed_over(BODY), at(Some(443), handed_over(BODY))]);
    let as_client = [handed_over(BODY), at(None, handed_over(BODY))];
    let encrypt: [(&str, Encrypts); 3] = [
        ("wg0 (wireguard)", |w| w.exits.push(exit("wg0", "wireguard", BODY))),
        ("xfrm_output", |w| w.counts.push(by_policy(File::None))),
        ("xfrm_output", |w| w.counts.push(by_policy(File::Socket))),
    ];
    for (by, encrypt) in encrypt {
        let with = |parts: &[Vec<WatchedCount>]| {
            let mut watch = window("zero-copy", parts);
            watch.exits.push(exit("lo", "", 2 * BODY));
            encrypt(&mut watch);
            watch
        };
        assert_eq!(says(&with(&one), Of::Port(80), "zero-copy").name(), "refuted", "{by}");
        for parts in [&two, &as_client] {
            let watch = with(parts);
            let said = reasons(says(&watch, Of::Port(80), "zero-copy"));
            assert_eq!(said, [Reason::EncryptedForAny(BODY, by.to_owned())]);
            assert_eq!(says(&watch, Of::All, "zero-copy").name(), "refuted", "{by}");
            assert_eq!(says(&watch, nginx(), "zero-copy").name(), "refuted", "{by}");
            let said = reasons(says(&watch, Of::Port(80), "transformed<=0.5"));
            assert_eq!(said, [Reason::EncryptedForAny(BODY, by.to_owned())]);
        }
        // What is received is acknowledged, by the device that it comes from.
        let mut downloads = with(&one);
        let received =
            count("skb_copy_datagram_iter", Syscall::Read, File::Socket, Iter::User, BODY);
        downloads.counts.push(WatchedCount { port: Some(443), ..received });
        assert_eq!(says(&downloads, Of::Port(80), "zero-copy").name(), "inconclusive", "{by}");
        // Neither what other programs send nor what leaves by no device makes it another port's.
        let mut others = with(&one);
        let by_curl = at(Some(443), handed_over(BODY)).into_iter();
        others
            .counts
            .extend(by_curl.map(|count| WatchedCount { charged: program("curl"), ..count }));
        assert_eq!(says(&others, Of::Port(80), "zero-copy").name(), "refuted", "{by}");
        let local = ["filemap_splice_read", "unix_stream_sendmsg"];
        let mut local = with(&[
            handed_over(BODY),
            local
                .map(|site| count(site, Syscall::Sendfile, File::Regular, Iter::None, BODY))
                .to_vec(),
        ]);
        assert_eq!(says(&local, Of::Port(80), "zero-copy").name(), "refuted", "{by}");
        local.counts.extend(at(Some(443), handed_over(0)));
        assert_eq!(says(&local, Of::Port(80), "zero-copy").name(), "refuted", "{by}: nothing sent");
    }
    let mut plain = window("zero-copy", &two);
    plain.exits.push(exit("lo", "", 2 * BODY));
    for port in [80, 443] {
        assert_eq!(says(&plain, Of::Port(port), "zero-copy"), Verdict::Holds);
        assert_eq!(says(&plain, Of::Port(port), "transformed<=0"), Verdict::Holds);
    }
    plain.exits.push(exit("weird0", "quantum", BODY));
    for claim in ["zero-copy", "copied<=0.5"] {
        let said = reasons(says(&plain, Of::Port(80), claim));
        assert_eq!(said, [Reason::UnknownDevice("weird0 (quantum)".to_owned())], "{claim}");
    }
    assert_eq!(says(&plain, Of::Port(80), "moved>=1"), Verdict::Holds);
}

/// A bound on what is encrypted counts tunnels and policies, less what may be the packets' headers.
#[test]
fn bounds_count_what_is_encrypted_below_the_sockets() {
    let with = |change: &dyn Fn(&mut Watch)| {
        let mut watch = window("zero-copy", &[handed_over(BODY)]);
        watch.exits.push(exit("lo", "", BODY));
        change(&mut watch);
        watch
    };
    let packets = |watch: &mut Watch, calls| {
        let count = count("net_dev_queue", Syscall::Sendfile, File::None, Iter::None, BODY);
        watch.counts.push(WatchedCount { calls, port: None, ..count });
    };
    let by_device = |kind: &'static str| {
        with(&move |w| {
            w.exits.push(exit("out0", kind, BODY));
            packets(w, BODY / 65_536);
        })
    };
    let by_policy = with(&|w| w.counts.push(by_policy(File::None)));
    for watch in [by_device("wireguard"), by_device("macsec"), by_policy] {
        for (claim, expected) in [
            ("transformed<=0", "refuted"),
            ("transformed<=0.9", "refuted"),
            ("transformed<=1", "holds"),
            ("transformed>=0.9", "holds"),
            ("transformed>=1.1", "refuted"),
            ("copied<=0", "holds"),
        ] {
            assert_eq!(says(&watch, Of::All, claim).name(), expected, "{claim}");
        }
    }
    let Verdict::Refuted(found) = says(&by_device("wireguard"), Of::All, "transformed<=0") else {
        panic!("a tunnel")
    };
    let found: Vec<_> = found.iter().map(|f| (f.hop, f.disposition, f.at.as_str())).collect();
    assert_eq!(found[0], (Hop::SocketToWire, Disposition::Transformed, "out0 (wireguard)"));
    // So many packets may be nothing but headers.
    let small = with(&|w| {
        w.exits.push(exit("wg0", "wireguard", BODY));
        packets(w, BODY / 100);
    });
    assert_eq!(says(&small, Of::All, "transformed<=0.5").name(), "inconclusive");
    assert_eq!(says(&small, Of::All, "transformed>=0.5").name(), "inconclusive");
    assert_eq!(says(&by_device("vxlan"), Of::All, "transformed<=0"), Verdict::Holds);
    // A datagram that has lost its socket may be the program's, if it sends any.
    let lost = |w: &mut Watch| {
        let exit = exit("wg0", "wireguard", BODY);
        w.exits.push(WatchedExit { charged: Charged::Unknown, ..exit });
    };
    assert_eq!(says(&with(&lost), Of::All, "transformed<=0.1"), Verdict::Holds);
    let datagrams = with(&|w| {
        lost(w);
        let at = |site| count(site, Syscall::Sendto, File::Socket, Iter::User, BODY);
        w.counts.extend(["_copy_from_iter", "udp_sendmsg"].map(at));
    });
    assert_eq!(says(&datagrams, Of::All, "transformed<=0.1").name(), "inconclusive");
}

/// Pages that were filled anew for a splice may have been filled by a copy that nobody saw.
#[test]
fn a_bound_on_copies_counts_fresh_pages_as_possibly_copied() {
    let left = |site| count(site, Syscall::Splice, File::Pipe, Iter::None, BODY);
    let left = || ["tcp_sendmsg_locked", "skb_splice_from_iter"].map(left).to_vec();
    let fresh = |iter: &[(&str, Iter)]| {
        let at =
            |(site, iter): &(&str, Iter)| count(site, Syscall::Splice, File::Regular, *iter, BODY);
        iter.iter().map(at).map(|count| WatchedCount { port: None, ..count }).collect::<Vec<_>>()
    };
    let unseen = window("", &[fresh(&[("copy_splice_read", Iter::None)]), left()]);
    let said = reasons(says(&unseen, Of::All, "copied<=0.5"));
    assert_eq!(said, [Reason::MayBeSent(Hop::PageCacheToPipe, BODY)]);
    assert_eq!(says(&unseen, Of::All, "copied>=0.5").name(), "inconclusive");
    assert_eq!(says(&unseen, Of::All, "copied<=1"), Verdict::Holds);
    // Where the copies that filled them were seen, they are those.
    let seen = [
        ("copy_splice_read", Iter::None),
        ("filemap_read", Iter::Kernel),
        ("_copy_to_iter", Iter::Kernel),
    ];
    let seen = window("", &[fresh(&seen), left()]);
    assert_eq!(says(&seen, Of::All, "copied<=0.5").name(), "refuted");
    assert_eq!(says(&seen, Of::All, "copied<=1"), Verdict::Holds);
    let handed = window("", &[filled(BODY), left()]);
    assert_eq!(says(&handed, Of::All, "copied<=0"), Verdict::Holds);
}

/// A window in which devices got nothing of what was sent is no zero. Bytes that wait at its end leave one.
#[test]
fn what_reached_no_device_at_all_is_no_zero() {
    let good = window("", &[handed_over(BODY)]);
    let with = |exits: &[WatchedExit]| Watch { exits: exits.to_vec(), ..good.clone() };
    let of = |charged, bytes| WatchedExit { charged, ..exit("lo", "", bytes) };
    for claim in ["zero-copy", "copied<=0.5"] {
        for (exits, reached) in [
            (vec![], 0),
            (vec![exit("lo", "", BODY / 2000)], BODY / 2000),
            (vec![of(Charged::Elsewhere, BODY)], 0),
        ] {
            let said = reasons(says(&with(&exits), Of::All, claim));
            assert_eq!(said, [Reason::ReachedNoDevice(BODY, reached)], "{claim}");
            let of_port = says(&with(&exits), Of::Port(80), claim);
            assert_eq!(of_port.name(), "inconclusive", "{claim}");
        }
        for exits in [
            vec![exit("lo", "", BODY / 2)],
            vec![of(program("a helper that was passed the socket"), BODY)],
            vec![of(Charged::Unknown, BODY)],
        ] {
            for part in [Of::All, Of::Port(80), Of::Program("nginx".to_owned())] {
                assert_eq!(says(&with(&exits), part, claim), Verdict::Holds, "{claim} {exits:?}");
            }
        }
    }
    assert_eq!(says(&with(&[]), Of::All, "moved>=1"), Verdict::Holds);
    // By a socket of this host alone, and next to nothing by the network beside.
    let at = |site| count(site, Syscall::Sendfile, File::Regular, Iter::None, BODY);
    let local = ["filemap_splice_read", "unix_stream_sendmsg", "skb_splice_from_iter"].map(at);
    let mut local = window("", &[local.to_vec(), written(BODY / 2000)]);
    local.exits.clear();
    assert_eq!(says(&local, Of::All, "zero-copy"), Verdict::Holds);
}

/// Where a process is the device, a claim holds up to there, and what that process does is not known.
#[test]
fn a_claim_holds_up_to_a_device_behind_which_a_process_reads() {
    for kind in ["tun", "macvtap", "ipvtap"] {
        let mut watch = window("zero-copy", &[handed_over(BODY)]);
        watch.exits.push(exit("out0", kind, BODY));
        let judged = judge(&watch).expect("known").remove(0);
        let (name, record) = (format!("out0 ({kind})"), judged.outcome());
        assert_eq!((record.verdict.as_str(), &record.up_to), ("holds", &vec![name.clone()]));
        let text = table(&watch).expect("shown");
        assert!(text.contains(&format!("zero-copy of all: holds up to {name} (0.000")), "{text}");
        assert!(text.contains(&format!("behind {name} a process reads the packets")), "{text}");
        let files = render_all(&watch).expect("rendered");
        for file in ["report.html", "copies-per-byte.svg"] {
            let (_, page) = files.iter().find(|(name, _)| *name == file).expect("a file");
            let page = String::from_utf8_lossy(page);
            assert!(page.contains(&format!("up to {name}")), "{file}");
        }
        // A port from which it may be.
        watch.counts.extend(at(Some(443), handed_over(BODY)));
        watch.claims[0].of = Of::Port(80);
        let judged = judge(&watch).expect("known").remove(0);
        assert_eq!((judged.verdict, judged.up_to), (Verdict::Holds, vec![name]));
    }
    let of = |change: &dyn Fn(&mut Watch)| {
        let mut watch = window("zero-copy", &[handed_over(BODY)]);
        watch.exits.push(exit("tun0", "tun", BODY));
        change(&mut watch);
        judge(&watch).expect("known").remove(0).up_to
    };
    assert!(of(&|w| w.exits.last_mut().expect("tun0").kind = "veth".to_owned()).is_empty());
    assert!(of(&|w| w.exits.last_mut().expect("tun0").bytes = BODY / 2000).is_empty());
    assert!(of(&|w| w.exits.last_mut().expect("tun0").charged = Charged::Elsewhere).is_empty());
    assert!(of(&|w| w.counts.extend(written(BODY))).is_empty(), "it does not hold");
}

/// Where nobody knows what a device does, or which device it was, nobody knows that no more was copied.
#[test]
fn a_bound_on_copies_needs_devices_that_are_known() {
    let mut unknown = window("", &[handed_over(BODY)]);
    unknown.exits.push(exit("weird0", "quantum", BODY));
    let mut unwatched = window("", &[handed_over(BODY)]);
    let mut probes = unwatched.coverage.probes.iter_mut();
    let probe = probes.find(|probe| probe.site == "net_dev_queue").expect("a row");
    probe.state = ProbeState::Withheld;
    for claim in ["copied<=0.5", "deferred<=0", "transformed<=0"] {
        let said = reasons(says(&unknown, Of::All, claim));
        assert_eq!(said, [Reason::UnknownDevice("weird0 (quantum)".to_owned())], "{claim}");
        let said = reasons(says(&unwatched, Of::All, claim));
        assert_eq!(said, [Reason::ReachedNoDevice(BODY, 0)], "{claim}");
    }
    for claim in ["copied>=0", "moved>=1", "moved<=1"] {
        assert_eq!(says(&unknown, Of::All, claim), Verdict::Holds, "{claim}");
        assert_eq!(says(&unwatched, Of::All, claim), Verdict::Holds, "{claim}");
    }
    // Copies that were seen are too many whatever the device does.
    unknown.counts.extend(written(BODY));
    assert_eq!(says(&unknown, Of::All, "copied<=0.1").name(), "refuted");
}

/// What the CPU copies for devices is charged to whoever is interrupted, and may be what was sent.
#[test]
fn what_is_copied_for_devices_is_no_zero_of_a_window() {
    for bytes in [BODY, BODY / 2000] {
        let mut watch = window("", &[handed_over(BODY)]);
        let bounced = count(BOUNCE_BUFFERS, InSyscall::None, File::None, Iter::None, bytes);
        watch.counts.push(WatchedCount { charged: Charged::Elsewhere, ..bounced });
        for claim in ["zero-copy", "copied<=0.5"] {
            let expected = match bytes {
                BODY => Verdict::Inconclusive(vec![Reason::BounceBuffers(BODY)]),
                _ => Verdict::Holds,
            };
            assert_eq!(says(&watch, Of::All, claim), expected, "{claim}");
        }
        assert_eq!(says(&watch, Of::All, "moved>=1"), Verdict::Holds);
    }
}
