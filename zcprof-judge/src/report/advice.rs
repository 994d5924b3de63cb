//! What copied in a refuted window, in words: the pair of calls, where the bytes came from, the port, and
//! what to change.
//!
//! What a program does to bytes between reading and sending them no probe sees. What the record can tell is
//! how many it read and how many it sent: that rules some causes out, and the others are listed.

use zcprof_common::vocabulary::Hop;

use super::calls::{CopiedBy, is_at, is_of_senders};
use super::columns::wrapped;
use super::numbers::size;
use crate::verdict::Verdict;
use crate::watch::chosen::Part;
use crate::watch::judge::ClaimJudgement;
use crate::watch::record::{Direction, Watch, WatchedCount};

/// Where a program may get into its memory what it sends, and what would hand the pages over instead.
const SOURCES: [(Hop, &str, &str); 3] = [
    (Hop::PageCacheToUser, "read from files", "sendfile"),
    (Hop::SocketToUser, "received from sockets", "splice"),
    (Hop::PipeToUser, "read from pipes", "splice"),
];

/// How many bytes were sent for those that were read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ratio {
    Same,
    Fewer,
    More,
    /// What was read may have been sent by other ports.
    Unknown,
}

impl Ratio {
    /// Response headers, and what TLS adds to a record of 16 KiB, are less than a twentieth.
    const fn of(read: u64, sent: u64) -> Self {
        if sent > read.saturating_add(read / 20) {
            Self::More
        } else if sent < read - read / 20 {
            Self::Fewer
        } else {
            Self::Same
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Same => ": as many as were read",
            Self::Fewer => ": fewer than were read",
            Self::More => ": more than were read",
            Self::Unknown => "",
        }
    }
}

/// What a program may do to bytes for which it needs them in its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Nothing,
    Encrypts,
    Rewrites,
    Compresses,
    Selects,
    Keeps,
}

use Cause::{Compresses, Encrypts, Keeps, Nothing, Rewrites, Selects};

/// Ports of protocols that begin with TLS: https, smtps, nntps, ldaps, DNS, ftps, imaps, pop3s, sips and the
/// usual second https (IANA's registry of service names and port numbers). What is sent there may all the
/// same be encrypted by nobody, and what is sent elsewhere by the program.
const TLS_PORTS: [u16; 10] = [443, 465, 563, 636, 853, 990, 993, 995, 5061, 8443];

impl Cause {
    /// Those that the numbers leave, the likeliest first.
    fn of(ratio: Ratio, ports: &[u16]) -> Vec<Self> {
        let mut all = match ratio {
            Ratio::Same | Ratio::Unknown => vec![Nothing, Encrypts, Rewrites, Compresses],
            Ratio::Fewer => vec![Compresses, Rewrites, Selects, Encrypts],
            Ratio::More => vec![Keeps, Rewrites, Encrypts],
        };
        if !ports.is_empty() && ports.iter().all(|port| TLS_PORTS.contains(port)) {
            all.retain(|cause| *cause != Encrypts);
            all.insert(0, Encrypts);
        }
        all
    }

    /// What helps, where `instead` is the call that hands over what was read.
    fn remedy(self, instead: &str) -> String {
        match self {
            Nothing => format!("sends them as they are, {instead} would hand the pages over"),
            Encrypts => "encrypts them (TLS), let the kernel do so (kTLS)".to_owned(),
            Rewrites => "rewrites them (sub_filter), do without that".to_owned(),
            Compresses => {
                "compresses them (gzip), compress them beforehand (gzip_static)".to_owned()
            }
            Selects => format!("sends some of them as they are, {instead} would hand these over"),
            Keeps => format!("read them once and sends them often, {instead} would read none"),
        }
    }
}

/// Widest line.
const WIDTH: usize = 100;

/// What a refuted claim about sent bytes has to say, in lines; none where nothing was copied out of the
/// program's memory.
pub(super) fn lines(watch: &Watch, judgement: &ClaimJudgement) -> Vec<String> {
    let is_refuted = matches!(judgement.verdict, Verdict::Refuted(_));
    if !is_refuted || watch.direction != Direction::Tx {
        return Vec::new();
    }
    let of = &judgement.of;
    let sent = CopiedBy::at(watch, Hop::UserToSocket, |count| is_at(count, of));
    if sent.bytes() == 0 {
        return Vec::new();
    }
    let part = Part::of(&watch.counts, of);
    let senders = |count: &WatchedCount| is_of_senders(&part, count);
    let everywhere = CopiedBy::at(watch, Hop::UserToSocket, senders).bytes();
    let at = ports(&sent.ports());
    let beside = match judgement.traffic.ledger.handed_over_at_all() {
        0 => String::new(),
        bytes => format!(", beside {} that were handed over", size(bytes)),
    };
    let how = format!("sent by {}{at} ({}{beside})", sent.calls(), size(sent.bytes()));
    let sources =
        SOURCES.map(|(hop, from, instead)| (CopiedBy::at(watch, hop, senders), from, instead));
    let most = sources.iter().max_by_key(|(read, ..)| read.bytes());
    // A server that is asked for something reads requests.
    let source = most.filter(|(read, ..)| read.bytes() > sent.bytes() / 20);
    let Some((read, from, instead)) = source else {
        return vec![
            format!("{how} from the program's own memory, into which no call read as much"),
            "if it is a file's mapping, sendfile would hand the pages over; what the program makes can only \
             be pinned (MSG_ZEROCOPY)"
                .to_owned(),
        ];
    };
    let elsewhere = everywhere.saturating_sub(sent.bytes());
    let ratio = if elsewhere > everywhere / 100 {
        Ratio::Unknown
    } else {
        Ratio::of(read.bytes(), sent.bytes())
    };
    let pair = format!("{from} by {} ({}), {how}", read.calls(), size(read.bytes()));
    let causes = Cause::of(ratio, &sent.ports());
    let remedies: Vec<_> = causes.into_iter().map(|cause| cause.remedy(instead)).collect();
    let helps = format!("if the program {}", remedies.join("; if it "));
    vec![pair + ratio.words(), helps]
}

/// ` at port 80`, or several; nothing where none is told apart.
fn ports(ports: &[u16]) -> String {
    const NAMED: usize = 3;
    let named: Vec<_> = ports.iter().take(NAMED).map(u16::to_string).collect();
    match ports.len() {
        0 => String::new(),
        1 => format!(" at port {}", named[0]),
        many if many > NAMED => format!(" at {many} ports"),
        _ => format!(" at ports {}", named.join(", ")),
    }
}

/// The same for a terminal.
pub(super) fn text(watch: &Watch, judgement: &ClaimJudgement) -> String {
    let wrap = |line: &String| wrapped(line, WIDTH);
    let lines = lines(watch, judgement);
    lines.iter().flat_map(wrap).fold(String::new(), |text, line| text + "  " + &line + "\n")
}
