//! Bytes that are no payload, and that the workload can name.

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, Hop, Process};

use crate::fetch::consumer::Outcome;
use crate::run::{Count, Named, Pass, SyscallCount};
use crate::server::Account;
use crate::syscall::NamedSyscalls;
use crate::transfer::{Argument, ArgumentSize, Layer, TransferSpec};

/// What a TLS 1.3 record adds in bytes: header 5, content type 1, tag 16 (RFC 8446, 5.2). The
/// content type is encrypted with the plaintext.
const TLS_RECORD: u64 = 5 + 1 + 16;

/// Size of a `struct iovec` in bytes.
const IOVEC: u64 = size_of::<nix::libc::iovec>() as u64;

/// Bytes that the workload knows to be no payload: framing, by its own account, and arguments
/// that system calls copy by pointer, by the number of calls or of `iovecs`.
pub(super) fn named(row: &TransferSpec, outcome: &Outcome, iovecs: u64, pass: &Pass) -> Vec<Named> {
    use Disposition::{Copied, Moved, Transformed};
    use Hop::{PageCacheToSocket, SocketToUser, UserToSocket};
    use Process::{Consumer, Server};
    use Syscall::{Recvfrom, Sendfile, Sendto, Write};
    let (requests, headers, tls) = (outcome.request_bytes, outcome.header_bytes, outcome.tls);
    let mut list = Vec::new();
    let mut name = |process, hop, disposition, syscalls: &[Syscall], bytes, what: &str| {
        if bytes > 0 {
            let syscall = NamedSyscalls::These(syscalls.to_vec());
            let what = what.to_owned();
            list.push(Named { process, hop, disposition, syscall, bytes, what });
        }
    };
    // The kernel hands over what it has encrypted, headers too.
    let (hop, disposition, framing) = match row.layer {
        Layer::Plain | Layer::Tls => (UserToSocket, Copied, [Sendto, Write]),
        Layer::KernelTls => (PageCacheToSocket, Moved, [Sendto, Sendfile]),
    };
    name(Server, hop, disposition, &[Sendto], headers, "response headers");
    name(Server, hop, disposition, &framing, tls.received, "TLS record headers and tags");
    name(Server, SocketToUser, Copied, &[Recvfrom], requests, "requests");
    let shaken = "TLS handshakes";
    name(Server, UserToSocket, Copied, &[Sendto], tls.handshake_received, shaken);
    name(Server, SocketToUser, Copied, &[Recvfrom], tls.handshake_sent, shaken);
    if row.layer == Layer::KernelTls {
        let records = tls.received / TLS_RECORD;
        name(Server, hop, Transformed, &[Sendto], headers, "response headers");
        name(Server, hop, Transformed, &framing, records, "TLS content types");
    } else {
        name(Server, SocketToUser, Copied, &[Recvfrom], tls.sent, "TLS record headers and tags");
    }
    name(Consumer, UserToSocket, Copied, &[Sendto], requests, "requests");
    name(Consumer, SocketToUser, Copied, &[Recvfrom], headers, "response headers");
    name(Consumer, UserToSocket, Copied, &[Sendto], tls.handshake_sent, shaken);
    name(Consumer, SocketToUser, Copied, &[Recvfrom], tls.handshake_received, shaken);
    name(Consumer, UserToSocket, Copied, &[Sendto], tls.sent, "TLS record headers and tags");
    name(Consumer, SocketToUser, Copied, &[Recvfrom], tls.received, "TLS record headers and tags");
    for argument in row.arguments {
        let bytes = match argument.size {
            ArgumentSize::PerCall(bytes) => calls(argument, &pass.syscalls) * bytes,
            // Where they are copied inline, no site sees them, and there is nothing to name.
            ArgumentSize::Iovecs => (iovecs * IOVEC).min(seen(argument, &pass.counts)),
        };
        name(Server, Hop::Arguments, Copied, &[argument.syscall], bytes, argument.what);
    }
    list
}

/// The same where a foreign client consumes. Its requests end where it likes, so that a response
/// may end in a cut batch, which it fetches again: more records are sent than it counts then.
pub(super) fn named_of_foreign(
    row: &TransferSpec,
    outcome: &Outcome,
    account: &Account,
    pass: &Pass,
) -> Vec<Named> {
    let mut list = named(row, outcome, account.iovecs, pass);
    list.retain(|named| named.process == Process::Server);
    let again = account.records.saturating_sub(outcome.payload_bytes);
    let handed_over = row.claim.moved.map(|hop| match hop {
        Hop::UserToSocket => (hop, Disposition::Pinned),
        _ => (hop, Disposition::Moved),
    });
    let copies = row.claim.copied.iter().map(|(hop, _)| (*hop, Disposition::Copied));
    let late = row.claim.deferred.map(|hop| (hop, Disposition::Deferred));
    if again > 0 {
        list.extend(copies.chain(handed_over).chain(late).map(|(hop, disposition)| Named {
            process: Process::Server,
            hop,
            disposition,
            syscall: NamedSyscalls::Any,
            bytes: again,
            what: "records of cut batches, which were fetched again".to_owned(),
        }));
    }
    list
}

/// What the consumer was told by a pipe, and what it answered.
pub(super) fn said((told, answered): (u64, u64)) -> [Named; 2] {
    let named = |hop, syscall, bytes, what: &str| Named {
        process: Process::Consumer,
        hop,
        disposition: Disposition::Copied,
        syscall: NamedSyscalls::These(vec![syscall]),
        bytes,
        what: what.to_owned(),
    };
    [
        named(Hop::PipeToUser, Syscall::Read, told, "the command"),
        named(Hop::UserToPipe, Syscall::Write, answered, "the answer to the command"),
    ]
}

/// How often the server made the system call on such a file.
fn calls(argument: &Argument, syscalls: &[SyscallCount]) -> u64 {
    let is_it = |s: &&SyscallCount| {
        (s.process, s.file) == (Process::Server, argument.file) && s.syscall == argument.syscall
    };
    syscalls.iter().filter(is_it).map(|s| s.calls).sum()
}

/// Bytes that sites of arguments saw in the system call, in the server.
fn seen(argument: &Argument, counts: &[Count]) -> u64 {
    let of_arguments = |c: &Count| {
        let terms = Site::find(&c.site).and_then(|(_, site)| site.terms(c.iter, c.file));
        terms.is_some_and(|terms| terms.iter().any(|term| term.hop == Hop::Arguments))
    };
    let is_it = |c: &&Count| {
        c.process == Process::Server && c.syscall == argument.syscall && of_arguments(c)
    };
    counts.iter().filter(is_it).map(|c| c.bytes).sum()
}
