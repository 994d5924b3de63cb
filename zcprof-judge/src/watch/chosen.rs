//! Which counts of a window belong to a part of what was sent, and as whose they are taken there.

use zcprof_common::sites::Site;
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, Family, File, Hop, Iter, Process};

use super::direction;
use super::record::{Charged, Of, WatchedCount};
use crate::syscall::InSyscall;

/// Whether execve(2) read a program's first bytes and headers, which it does into the kernel's memory
/// (kernel_read() in fs/exec.c and fs/binfmt_elf.c, 5.10 to 7.3): what goes there else is on its way
/// into a pipe.
pub(super) fn is_read_by_exec(count: &WatchedCount) -> bool {
    const EXECS: [InSyscall; 2] =
        [InSyscall::Known(Syscall::Execve), InSyscall::Known(Syscall::Execveat)];
    EXECS.contains(&count.syscall) && count.iter == Iter::Kernel
}

pub(super) fn is_program(count: &WatchedCount) -> bool {
    matches!(count.charged, Charged::Program(_))
}

/// What the bytes leave by, if the site is a way to send.
pub(super) fn sent_by(count: &WatchedCount) -> Option<Family> {
    Site::find(&count.site).and_then(|(_, site)| site.sent)
}

/// Programs that sent from a port.
pub(super) fn senders<'a>(counts: &'a [WatchedCount], of: &Of) -> Vec<&'a str> {
    let Of::Port(port) = of else { return Vec::new() };
    let mut senders = Vec::new();
    for count in counts {
        if let (Charged::Program(name), true) = (&count.charged, count.port == Some(*port))
            && !senders.contains(&name.as_str())
        {
            senders.push(name);
        }
    }
    senders
}

/// Whether a count belongs to the part. What a program does at no socket may be for any of its ports.
pub(super) fn is_chosen(count: &WatchedCount, of: &Of, senders: &[&str]) -> bool {
    let is_here = match (of, &count.charged) {
        (Of::Port(port), Charged::Program(_)) => {
            count.port.map_or_else(|| !is_at_socket(count) || is_encrypted(count), |at| at == *port)
        }
        _ => true,
    };
    is_here && is_theirs(count, of, senders)
}

/// The same at whatever port: whether a count is of those who send the part, and may be on the way of what
/// they send.
pub(super) fn is_theirs(count: &WatchedCount, of: &Of, senders: &[&str]) -> bool {
    let is_of_them = match (of, &count.charged) {
        (Of::All, _) | (_, Charged::Unknown) => true,
        (_, Charged::Elsewhere) => false,
        (Of::Program(name), Charged::Program(of_it)) => name == of_it,
        (Of::Port(_), Charged::Program(name)) => senders.contains(&name.as_str()),
    };
    is_of_them && !is_read_by_exec(count)
}

/// Whether a count was made at a socket, be it one whose port is not told apart.
fn is_at_socket(count: &WatchedCount) -> bool {
    const AT_SOCKETS: [Hop; 3] = [Hop::UserToSocket, Hop::PageCacheToSocket, Hop::SocketToUser];
    count.file == File::Socket || direction::is_at(&count.site, count.iter, count.file, &AT_SOCKETS)
}

pub(super) fn is_deferred(count: &WatchedCount) -> bool {
    direction::is_at(&count.site, count.iter, count.file, &[Hop::SocketToSocket])
}

/// Whether a count is of bytes that were encrypted for a socket.
fn is_encrypted(count: &WatchedCount) -> bool {
    let terms = Site::find(&count.site).and_then(|(_, site)| site.terms(count.iter, count.file));
    let mut terms = terms.unwrap_or_default().iter();
    terms.any(|term| {
        (term.hop, term.disposition) == (Hop::PageCacheToSocket, Disposition::Transformed)
    })
}

/// As whose a count is taken where a part of the window is judged.
pub(super) fn process(count: &WatchedCount, of: &Of) -> Process {
    match (&count.charged, of) {
        (Charged::Unknown, _) => Process::Unknown,
        (Charged::Elsewhere, _) => Process::Elsewhere,
        // A deferred copy names a program, but no port: the copy may be another port's. So may the first
        // record that a call has encrypted, before TLS sends it by the socket that has the port.
        (Charged::Program(_), Of::Port(_))
            if count.port.is_none() && (is_deferred(count) || is_encrypted(count)) =>
        {
            Process::Unknown
        }
        (Charged::Program(_), _) => Process::Server,
    }
}
