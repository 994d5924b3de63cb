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

/// Kind and port of a `struct file *`, which may be zero.
#[inline(always)]
pub(crate) fn of(file: u64) -> (u8, u16) {
    let kind = kernel::file_kind(file);
    if kind != File::Socket as u8 || kernel::configured(&CONFIG.by_port) == 0 {
        return (kind, NO_PORT);
    }
    (kind, port(kernel::sock_of(file)))
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
    let [first, last] = [0, 1].map(|at| kernel::configured(&CONFIG.ephemeral[at]));
    let is_ephemeral = first <= u32::from(port) && u32::from(port) <= last;
    if is_ephemeral || PORTS.insert(&port, &0, u64::from(BPF_NOEXIST)).is_err() {
        NO_PORT
    } else {
        port
    }
}
