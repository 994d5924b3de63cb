//! Which counts of a window belong to a part of what was sent, and as whose they are taken there.

use std::collections::BTreeSet;
use std::fmt;

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

/// A part of what was sent, and who sent it.
pub(crate) struct Part<'a> {
    of: &'a Of,
    /// Programs that sent from the part's port; none where the part is no port's.
    senders: BTreeSet<&'a str>,
    /// Of these, the programs that sent or received at other ports too: what is known of such a program
    /// and names no port may be any of these ports', be it that it only acknowledges what it received.
    by_several: BTreeSet<&'a str>,
}

impl<'a> Part<'a> {
    /// The part of all that was counted.
    pub(crate) fn of(counts: &'a [WatchedCount], of: &'a Of) -> Self {
        let mut part = Self { of, senders: BTreeSet::new(), by_several: BTreeSet::new() };
        let Of::Port(number) = *of else { return part };
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            counts.iter().partition(|count| count.port == Some(number));
        part.senders.extend(here.into_iter().filter_map(program));
        let by_network = elsewhere.into_iter().filter(|count| is_by_network(count));
        let by_senders = by_network.filter_map(program).filter(|name| part.is_of(name));
        part.by_several = by_senders.collect();
        part
    }

    /// Whether the part is of a program's bytes.
    pub(crate) fn is_of(&self, program: &str) -> bool {
        match self.of {
            Of::All => true,
            Of::Program(wanted) => program == wanted,
            Of::Port(_) => self.senders.contains(program),
        }
    }

    /// Whether what is charged to a program, and names no port, may be of another port than the part's.
    pub(super) fn is_of_several_ports(&self, charged: &Charged) -> bool {
        matches!(charged, Charged::Program(name) if self.by_several.contains(name.as_str()))
    }

    /// Whether what names somebody and no port may be of those who send the part.
    pub(super) fn is_senders(&self, charged: &Charged) -> bool {
        match charged {
            Charged::Program(name) => self.is_of(name),
            Charged::Unknown => true,
            Charged::Elsewhere => false,
        }
    }

    /// Whether a socket may be one by which the part was sent: one whose port is not told apart may be.
    pub(super) fn is_of_socket(&self, charged: &Charged, port: Option<u16>) -> bool {
        let is_here = match *self.of {
            Of::Port(number) => port.is_none_or(|port| port == number),
            Of::All | Of::Program(_) => true,
        };
        is_here && self.is_senders(charged)
    }

    /// Whether a count belongs to the part. What a program does at no socket may be for any of its ports.
    pub(super) fn is_chosen(&self, count: &WatchedCount) -> bool {
        let is_here = match (self.of, &count.charged) {
            (Of::Port(port), Charged::Program(_)) => count.port.map_or_else(
                || is_encrypted(count) || is_encrypted_below(count) || !is_at_socket(count),
                |at| at == *port,
            ),
            _ => true,
        };
        is_here && self.is_theirs(count) && !self.is_below_any_port(count)
    }

    /// Whether a count is of bytes that were encrypted below the sockets of a program that sends from
    /// several ports: nobody knows of which.
    pub(super) fn is_below_any_port(&self, count: &WatchedCount) -> bool {
        let by_several = self.is_of_several_ports(&count.charged);
        by_several && count.port.is_none() && is_encrypted_below(count)
    }

    /// The same at whatever port: whether a count is of those who send the part, and may be on the way of
    /// what they send.
    pub(super) fn is_theirs(&self, count: &WatchedCount) -> bool {
        let is_of_them = *self.of == Of::All || self.is_senders(&count.charged);
        is_of_them && !is_read_by_exec(count)
    }

    /// As whose a count is taken where the part is judged.
    pub(super) fn process(&self, count: &WatchedCount) -> Process {
        match (&count.charged, self.of) {
            (Charged::Unknown, _) => Process::Unknown,
            (Charged::Elsewhere, _) => Process::Elsewhere,
            // A deferred copy names a program, but no port: the copy may be another port's. So may the
            // first record that a call has encrypted, before TLS sends it by the socket that has the port.
            (Charged::Program(_), Of::Port(_))
                if count.port.is_none() && (is_deferred(count) || is_encrypted(count)) =>
            {
                Process::Unknown
            }
            (Charged::Program(_), _) => Process::Server,
        }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

/// The program that a count is charged to.
fn program(count: &WatchedCount) -> Option<&str> {
    match &count.charged {
        Charged::Program(name) => Some(name),
        Charged::Unknown | Charged::Elsewhere => None,
    }
}

/// Whether bytes were sent or received by devices. Only sockets of the network have ports.
fn is_by_network(count: &WatchedCount) -> bool {
    const BY_DEVICES: [Family; 3] = [Family::Tcp, Family::Mptcp, Family::Udp];
    let sends = sent_by(count).is_some_and(|family| BY_DEVICES.contains(&family));
    let receives = || direction::is_at(&count.site, count.iter, count.file, &[Hop::SocketToUser]);
    count.bytes > 0 && (sends || count.port.is_some() && receives())
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
    has_term(count, Hop::PageCacheToSocket, Disposition::Transformed)
}

/// Whether a count is of bytes that were encrypted below the sockets.
pub(super) fn is_encrypted_below(count: &WatchedCount) -> bool {
    has_term(count, Hop::SocketToWire, Disposition::Transformed)
}

/// Whether some of a count's bytes are of a disposition at a hop.
pub(super) fn has_term(count: &WatchedCount, hop: Hop, disposition: Disposition) -> bool {
    let terms = Site::find(&count.site).and_then(|(_, site)| site.terms(count.iter, count.file));
    let mut terms = terms.unwrap_or_default().iter();
    terms.any(|term| (term.hop, term.disposition) == (hop, disposition))
}
