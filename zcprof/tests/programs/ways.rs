//! Ways that a container's packets take: the same program sends the same by sendfile(2) each time, and
//! what happens to its packets on the host is the sender's.

use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::Charged;

use super::super::families::{takes_pages, udp};
use super::super::{take_record, text, zcprof};
use super::container::{PLAIN, Tunnel, Way, Wire};
use super::image::{BODY, set_up};
use super::place::{Asks, Place};
use super::running::RunningProgram;
use super::{TIMES, at};

/// A way, and what becomes of bytes that take it.
struct WayCase {
    name: &'static str,
    way: Way,
    asks: Asks,
    /// Whether a stranger sends ten times as much by the host's device meanwhile.
    stranger: bool,
    /// Whether the program sends the same outside by UDP besides.
    datagrams: bool,
    /// The outcome of the claim `zero-copy`.
    verdict: &'static str,
    /// A code that must be among its reasons.
    code: Option<&'static str>,
    /// Copied on the way, per sent byte.
    copied: ExpectedCopies,
    /// The device that encrypts.
    encrypted_by: Option<&'static str>,
    /// The device up to which the claim holds.
    up_to: Option<&'static str>,
}

/// How often each byte is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExpectedCopies {
    Never,
    /// Once, with the headers of its packet.
    Once,
}

const HOLDS: WayCase = WayCase {
    name: "",
    way: PLAIN,
    asks: Asks::Outside,
    stranger: false,
    datagrams: false,
    verdict: "holds",
    code: None,
    copied: ExpectedCopies::Never,
    encrypted_by: None,
    up_to: None,
};

const fn of(tunnel: Tunnel) -> Way {
    Way { tunnel: Some(tunnel), ..PLAIN }
}

const IN_ONE_PIECE: Way = Way { pieces: false, ..PLAIN };
const WRAPPED: Way = of(Tunnel::Vxlan);
const ENCRYPTED: Way = of(Tunnel::WireGuard);

const COPIED: WayCase =
    WayCase { way: IN_ONE_PIECE, verdict: "refuted", copied: ExpectedCopies::Once, ..HOLDS };
const WIREGUARD: WayCase = WayCase { way: ENCRYPTED, encrypted_by: Some("wireguard"), ..COPIED };

const ROWS: &[WayCase] = &[
    WayCase { name: "veth and bridge, to the host", asks: Asks::Host, ..HOLDS },
    WayCase {
        name: "veth and bridge, to the host, with GRO",
        way: Way { gro: true, ..PLAIN },
        asks: Asks::Host,
        ..HOLDS
    },
    WayCase { name: "forwarded and translated", ..HOLDS },
    WayCase {
        name: "forwarded and translated, with GRO",
        way: Way { gro: true, ..PLAIN },
        ..HOLDS
    },
    WayCase { name: "forwarded to a device that takes packets in one piece", ..COPIED },
    WayCase {
        name: "forwarded to a device that takes packets in one piece, with GRO",
        way: Way { gro: true, ..IN_ONE_PIECE },
        ..COPIED
    },
    WayCase {
        name: "forwarded into VXLAN over veth",
        way: Way { wire: Wire::Pair, ..WRAPPED },
        ..HOLDS
    },
    WayCase {
        name: "forwarded into VXLAN over veth, with GRO",
        way: Way { gro: true, wire: Wire::Pair, ..WRAPPED },
        ..HOLDS
    },
    // virtio-net adds up nothing in what is wrapped, so that the CPU does, and takes no pages for that
    // which others may write to (skb_has_shared_frag() in skb_segment(), net/core/skbuff.c, 6.12).
    WayCase { name: "forwarded into VXLAN over virtio", way: WRAPPED, ..COPIED },
    WayCase {
        name: "forwarded into VXLAN over virtio, with GRO",
        way: Way { gro: true, ..WRAPPED },
        ..COPIED
    },
    WayCase { name: "forwarded by a VLAN on virtio", way: of(Tunnel::Vlan), ..HOLDS },
    WayCase { name: "forwarded by a macvlan on virtio", way: of(Tunnel::Macvlan), ..HOLDS },
    WayCase {
        name: "forwarded by a process's tunnel (TUN)",
        way: of(Tunnel::Process),
        up_to: Some("zcprof-tunnel (tun)"),
        ..HOLDS
    },
    WayCase { name: "forwarded into WireGuard", ..WIREGUARD },
    WayCase {
        name: "forwarded into WireGuard, with GRO",
        way: Way { gro: true, ..ENCRYPTED },
        ..WIREGUARD
    },
    WayCase {
        name: "to the host, while a stranger's are forwarded to a device that takes them in one piece",
        way: Way { gro: true, ..IN_ONE_PIECE },
        asks: Asks::Host,
        stranger: true,
        ..HOLDS
    },
    WayCase {
        name: "to the host, while a stranger's are forwarded into WireGuard",
        way: Way { gro: true, ..ENCRYPTED },
        asks: Asks::Host,
        stranger: true,
        ..HOLDS
    },
    // A datagram that has lost its socket does not tell who sent it.
    WayCase {
        name: "datagrams, forwarded and translated",
        asks: Asks::Host,
        datagrams: true,
        ..HOLDS
    },
    WayCase {
        name: "datagrams, forwarded into WireGuard",
        way: ENCRYPTED,
        asks: Asks::Host,
        datagrams: true,
        verdict: "inconclusive",
        code: Some("ZC213"),
        ..HOLDS
    },
];

const PORT: &str = "8080";
const STRANGERS_PORT: &str = "8081";

/// `ZCPROF_WAYS` has words; a row's name must have one of them.
#[test]
#[ignore = "needs the image of programs: cargo xtask test --programs"]
fn what_happens_to_a_containers_packets_on_the_host_is_the_senders() {
    set_up();
    let wanted = std::env::var("ZCPROF_WAYS").unwrap_or_default();
    let is_wanted = |row: &&WayCase| wanted.split('|').any(|word| row.name.contains(word));
    let (mut wrong, mut watched) = (Vec::new(), 0);
    for row in ROWS.iter().filter(is_wanted) {
        watched += 1;
        if row.datagrams && !takes_pages(udp) {
            println!("{}: LEFT OUT: this kernel's UDP takes no pages", row.name);
            continue;
        }
        let found = unmissed(row).map_or_else(|error| vec![error], |watch| errors(row, &watch));
        for error in found {
            println!("{}: WRONG: {error}", row.name);
            wrong.push(format!("{}: {error}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(watched > 0, "no way is called {wanted:?}");
}

fn server(mode: &str, port: &str) -> Vec<String> {
    ["/usr/bin/python3", "/srv/serve.py", mode, port].map(str::to_owned).to_vec()
}

/// The first window of three in which no run of a probe was missed, if the row holds: zcprof then says that it
/// does not know. What was copied is known in spite of a missed run.
fn unmissed(row: &WayCase) -> Result<Watch, String> {
    let mut windows = (0..3).map(|_| watch(row));
    let is_whole = |watch: &Watch| row.verdict != "holds" || missed(watch) == 0;
    let found = windows.find(|window| window.as_ref().map_or(true, is_whole));
    found.unwrap_or_else(|| Err("three windows missed runs of probes".to_owned()))
}

/// Runs of probes that were missed.
fn missed(watch: &Watch) -> u64 {
    let of = |doubt: &Doubt| if let Doubt::Missed { runs, .. } = doubt { *runs } else { 0 };
    watch.doubts.iter().map(of).sum()
}

/// The record of a way's window.
fn watch(row: &WayCase) -> Result<Watch, String> {
    let place = Place::by(row.way);
    let get = |asks, port, times| {
        let (from, at) = (place.from(asks).join(" "), place.found_at(asks));
        vec![format!("{from} curl -s -o /dev/null http://{at}:{port}/body"); times].join(" && ")
    };
    let mut load = get(row.asks, PORT, TIMES);
    let stranger = row.stranger.then(|| {
        load = format!("({}) & {load}; wait", get(Asks::Outside, STRANGERS_PORT, 10 * TIMES));
        RunningProgram::start(&place.inside(), &server("sendfile", STRANGERS_PORT))
            .listening_at(8081)
    });
    let server = if row.datagrams {
        [server("datagrams", PORT), vec![place.peer()]].concat()
    } else {
        server("sendfile", PORT)
    };
    let out = "/data/watched/way";
    let line = ["watch", "--out", out, "--claim", "zero-copy", "--while", &load, "--ready", PORT];
    let output =
        zcprof(&line).arg("--").args(place.inside()).args(server).output().expect("zcprof runs");
    drop(stranger);
    let said = text(&output);
    let watch = take_record(out).map_err(|error| format!("{error}: {said}"))?;
    if watch.results.first().is_none_or(|result| result.sent < (BODY * TIMES) as u64) {
        return Err(format!("it did not send everything: {said}"));
    }
    Ok(watch)
}

/// Headers per sent byte of a packet in the smallest segments that occur: Ethernet, IPv4, and TCP with
/// time stamps, in a packet of WireGuard's size (`WG_VIRTIO`).
const HEADERS: f64 = (14 + 20 + 32) as f64 / (1420 - 20 - 32) as f64;

/// Most bytes of a packet that TCP makes (GSO_LEGACY_MAX_SIZE, include/linux/netdevice.h, 6.12).
const PACKET: u64 = 65536;

fn errors(row: &WayCase, watch: &Watch) -> Vec<String> {
    let mut errors = Vec::new();
    let result = &watch.results[0];
    let late = at(result, Hop::SocketToSocket, Disposition::Deferred).most;
    let exits = watch.exits.iter().filter(|exit| matches!(exit.charged, Charged::Program(_)));
    let exits: Vec<_> =
        exits.map(|exit| (exit.name.as_str(), exit.kind.as_str(), exit.bytes)).collect();
    println!(
        "{}: MEASURED {} {:?}, copied on the way {late:.4}, {} runs missed, left by {exits:?}",
        row.name,
        result.verdict,
        result.codes,
        missed(watch)
    );
    if result.verdict != row.verdict {
        errors.push(format!("zero-copy is {}: {:#?}", result.verdict, result.reasons));
    }
    if !result.up_to.iter().map(String::as_str).eq(row.up_to) {
        errors.push(format!("it holds up to {:?}", result.up_to));
    }
    if let Some(code) = row.code
        && !result.codes.iter().any(|found| found == code)
    {
        errors.push(format!("{code} is missing: {:?}", result.codes));
    }
    // A run that was missed hides a packet at most.
    let hidden = ratio(missed(watch) * PACKET, result.sent);
    let is_right = match row.copied {
        ExpectedCopies::Never => late <= 0.001,
        ExpectedCopies::Once => (0.999 - hidden..=1.0 + HEADERS).contains(&late),
    };
    if !is_right {
        errors.push(format!("{late:.4} per byte were copied on the way"));
    }
    let encrypts = exits
        .iter()
        .any(|(_, kind, bytes)| Some(*kind) == row.encrypted_by && *bytes >= result.sent);
    if encrypts != row.encrypted_by.is_some() {
        errors.push(format!("encrypted by {:?}: {exits:?}", row.encrypted_by));
    }
    errors
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a window of some MiB")]
fn ratio(bytes: u64, sent: u64) -> f64 {
    bytes as f64 / sent as f64
}
