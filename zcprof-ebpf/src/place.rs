//! At which port a socket's bytes are counted, where ports are told apart.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use zcprof_common::layout::{MAX_PORTS, NO_PORT};
use zcprof_common::vocabulary::File;

use crate::{CONFIG, kernel};

/// Local ports that are told apart. What is beyond their number is counted at [`NO_PORT`].
#[map]
static PORTS: HashMap<u16, u32> = HashMap::with_max_entries(MAX_PORTS, 0);

/// What a system call works on.
pub(crate) struct Place {
    /// [`File`] as `u8`.
    pub(crate) kind: u8,
    pub(crate) port: u16,
    /// The `struct file *` of a regular file, or zero.
    pub(crate) open_file: u64,
    /// The `struct sock *`, or zero.
    pub(crate) sock: u64,
}

impl Place {
    pub(crate) const NONE: Self =
        Self { kind: File::None as u8, port: NO_PORT, open_file: 0, sock: 0 };
}

/// What a `struct file *` is, which may be zero.
#[inline(always)]
pub(crate) fn of(file: u64) -> Place {
    let kind = kernel::file_kind(file);
    if kind == File::Regular as u8 {
        return Place { kind, open_file: file, ..Place::NONE };
    }
    if kind != File::Socket as u8 || kernel::configured(&CONFIG.by_port) == 0 {
        return Place { kind, ..Place::NONE };
    }
    let sock = kernel::sock_of(file);
    Place { kind, port: port(sock), sock, open_file: 0 }
}

/// The port of a `struct sock *`. Ports that the kernel hands out by itself are not told apart, unless
/// the loader named them: a client has another for each connection.
#[inline(always)]
pub(crate) fn port(sock: u64) -> u16 {
    const INET: [u16; 2] = [2, 10]; // AF_INET and AF_INET6, include/linux/socket.h
    if kernel::configured(&CONFIG.by_port) == 0 || sock == 0 {
        return NO_PORT;
    }
    let (family, port) = kernel::family_and_port(sock);
    if family != INET[0] && family != INET[1] {
        return NO_PORT;
    }
    // SAFETY: the value is not read.
    if unsafe { PORTS.get(&port) }.is_some() {
        return port;
    }
    if is_ephemeral(port) || PORTS.insert(&port, &0, u64::from(BPF_NOEXIST)).is_err() {
        NO_PORT
    } else {
        port
    }
}

#[inline(always)]
fn is_ephemeral(port: u16) -> bool {
    let [first, last] = [0, 1].map(|at| kernel::configured(&CONFIG.ephemeral[at]));
    first <= u32::from(port) && u32::from(port) <= last
}

/// A peer's port, or [`NO_PORT`] if a kernel handed it out by itself.
#[inline(always)]
pub(crate) fn told_apart(port: u16) -> u16 {
    if is_ephemeral(port) { NO_PORT } else { port }
}
