//! What became of the bytes that the consumer received.

use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Process};

use crate::ledger::{Ledger, sum};
use crate::run::{Pass, SyscallCount};

use Disposition::{Bounced, Copied, Moved};

/// Received bytes by what became of them, as the callers and the system calls tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Copied from the socket into user memory.
    pub copied: u64,
    /// Put into a pipe by their pages.
    pub piped: u64,
    /// Put into a pipe, and not known to have been in pages: the CPU may have copied them.
    pub in_no_page: u64,
    /// Mapped into user memory by their pages.
    pub mapped: u64,
    /// Taken by system calls that read, and not copied.
    pub dropped: u64,
}

impl Received {
    /// Of a pass in which the consumer is the process that claims are about.
    pub(super) fn of(pass: &Pass, ledger: &Ledger) -> Self {
        let callers = ledger.account(Instrument::Callers);
        let bytes = |hop, disposition| callers.bytes(Process::Server, hop, disposition);
        let copied = bytes(Hop::SocketToUser, Copied);
        Self {
            copied,
            piped: bytes(Hop::SocketToPipe, Moved),
            in_no_page: bytes(Hop::SocketToPipe, Bounced),
            mapped: bytes(Hop::SocketToUser, Moved),
            dropped: taken(pass).saturating_sub(copied),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> u64 {
        let parts = [self.copied, self.piped, self.in_no_page, self.mapped, self.dropped];
        sum(parts.into_iter())
    }
}

/// Bytes that system calls say they took out of sockets, those left out that the workload can name.
fn taken(pass: &Pass) -> u64 {
    const READS: [Syscall; 4] =
        [Syscall::Read, Syscall::Readv, Syscall::Recvfrom, Syscall::Recvmsg];
    let reads = |call: &&SyscallCount| {
        (call.process, call.file) == (Process::Server, File::Socket)
            && READS.iter().any(|read| call.syscall == *read)
    };
    let named = pass.named.iter().filter(|named| {
        (named.process, named.hop, named.disposition)
            == (Process::Server, Hop::SocketToUser, Copied)
    });
    let named = sum(named.map(|named| named.bytes));
    sum(pass.syscalls.iter().filter(reads).map(|call| call.bytes)).saturating_sub(named)
}

/// The pass as the consumer's: claims are about the process that the record calls the server, so that
/// the consumer takes its name, and the server is one of the others.
pub(super) fn of_consumer(pass: &Pass) -> Pass {
    let whose = |process| match process {
        Process::Consumer => Process::Server,
        Process::Server => Process::Elsewhere,
        other => other,
    };
    let mut pass = pass.clone();
    pass.counts.iter_mut().for_each(|count| count.process = whose(count.process));
    pass.syscalls.iter_mut().for_each(|call| call.process = whose(call.process));
    pass.exits.iter_mut().for_each(|exit| exit.process = whose(exit.process));
    pass.named.retain(|named| named.process == Process::Consumer);
    pass.named.iter_mut().for_each(|named| named.process = whose(named.process));
    pass
}
