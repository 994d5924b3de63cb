//! Whose bytes are copied below the sockets, where no system call says it: by the socket, by the
//! addresses of the packet, or by what the thread works on.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuHashMap};
use zcprof_common::layout::{DeviceKey, ELSEWHERE, Flow, Lost, NO_OWNER};
use zcprof_common::vocabulary::File;

use crate::loss::{lose, lose_or_busy};
use crate::task::thread;
use crate::{kernel, strangers, who};

/// The subject that pinned the pages of a send, by its `struct ubuf_info *`. The oldest is forgotten first.
#[map]
static OWNERS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65536, 0);

/// The subject that sends by a socket, by its `struct sock *`, until that is destroyed. The oldest is
/// forgotten first.
#[map]
static SOCKETS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65536, 0);

/// The subject that sends by a connection, for packets that have lost their socket on the way. The
/// oldest is forgotten first.
#[map]
static FLOWS: LruHashMap<Flow, u32> = LruHashMap::with_max_entries(65536, 0);

/// What a thread does below the sockets just now, and for whom.
#[map]
static LENT: HashMap<u64, Lent> = HashMap::with_max_entries(4096, 0);

/// For whom a thread sends just now, if not for its own process. What TLS in the kernel could not send
/// at once, a worker sends later (tx_work_handler(), net/tls/tls_sw.c). What a client of NFS asks its
/// server within a system call is for [`ELSEWHERE`] (xprt_transmit(), net/sunrpc/xprt.c).
#[map]
static WORKERS: HashMap<u64, u32> = HashMap::with_max_entries(4096, 0);

/// Whether [`WORKERS`] ever had an entry: mostly none, and then nobody need look there.
#[map]
static HAS_WORKERS: Array<u32> = Array::with_max_entries(1, 0);

/// Bytes that devices got of each subject's packets.
#[map]
static EXITS: PerCpuHashMap<DeviceKey, u64> = PerCpuHashMap::with_max_entries(512, 0);

/// What a thread does below the sockets.
#[repr(C)]
#[derive(Clone, Copy)]
struct Lent {
    /// Out of which `struct sk_buff *` it copies; zero if out of any.
    from: u64,
    /// For whom, or [`NO_OWNER`].
    owner: u32,
    /// The site at which its copies are counted, or [`NO_SITE`].
    site: u16,
    /// How many functions deep it is in what is watched there.
    depth: u16,
}

impl Lent {
    /// Whether what is done to a packet is what the thread works on, and not what a softirq does that
    /// interrupts it: a receiver empties its backlog with softirqs on (__release_sock(),
    /// net/core/sock.c, 5.10 to 7.3).
    #[inline(always)]
    const fn is_about(&self, skb: u64) -> bool {
        self.from == 0 || self.from == skb
    }

    /// Whether nothing would be known without it.
    #[inline(always)]
    const fn says_nothing(&self) -> bool {
        self.owner == NO_OWNER && self.site == NO_SITE
    }
}

/// Copies are counted where they are made.
const NO_SITE: u16 = u16::MAX;

/// For whom a socket sends just now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A watched process.
    Watched,
    /// Another process.
    Stranger,
    /// No process: the kernel, for itself.
    Nobody,
}

/// Remembers that the current process sends by a socket, or, if that is a watched process's and this is
/// a stranger, that it works for the watched one: a thread of the kernel's, or a process that was
/// handed the socket.
#[inline(always)]
pub(crate) fn send_by(socket: u64) -> Sender {
    let is_for_nobody = kernel::is_for_storage(socket);
    let subject = if is_for_nobody { ELSEWHERE } else { who::subject() };
    let mut known = by_itself(socket);
    let mut code = 0;
    if known == NO_OWNER && subject == ELSEWHERE && !is_for_nobody {
        known = strangers::holder(socket);
        if known != NO_OWNER {
            code = belongs_to(socket, known);
        }
    }
    let is_watched = known != NO_OWNER && known != ELSEWHERE && !is_for_nobody;
    if code == 0 {
        code = match known {
            _ if is_watched && subject == ELSEWHERE => begin_work(known),
            _ if known == subject => 0,
            _ => belongs_to(socket, subject),
        };
    }
    if is_for_nobody && code == 0 {
        code = begin_work(ELSEWHERE);
    }
    if code != 0 {
        lose_or_busy(Lost::Owner, code);
    }
    if is_for_nobody {
        Sender::Nobody
    } else if is_watched || subject != ELSEWHERE {
        Sender::Watched
    } else {
        Sender::Stranger
    }
}

/// The error's number, or zero. A `Result` without an error leaves undefined what would be the number; the
/// compiler may leave a pointer there, and the verifier of Linux 6.1 refuses a program that might calculate
/// with that ("pointer arithmetic with <<= operator prohibited").
#[inline(always)]
fn code_of(done: Result<(), i32>) -> i32 {
    match done {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// From here on a socket and its connection are a subject's. Returns the error's number, or zero.
#[inline(always)]
fn belongs_to(socket: u64, subject: u32) -> i32 {
    let code = match kernel::flow_of_socket(socket) {
        Some(flow) => code_of(FLOWS.insert(&flow, &subject, 0)),
        None => 0,
    };
    if code != 0 {
        return code;
    }
    code_of(SOCKETS.insert(&socket, &subject, 0))
}

/// The current process has accepted a connection, or has failed to.
#[inline(always)]
pub(crate) fn accepted(socket: u64) {
    let subject = who::subject();
    if socket == 0 || subject == ELSEWHERE {
        return;
    }
    let code = belongs_to(socket, subject);
    if code != 0 {
        lose_or_busy(Lost::Owner, code);
    }
}

/// From here on the current thread sends for somebody. Returns the error's number, or zero.
#[inline(always)]
fn begin_work(owner: u32) -> i32 {
    if let Some(has_workers) = HAS_WORKERS.get_ptr_mut(0) {
        // SAFETY: it is one word, and nobody writes anything else.
        unsafe { *has_workers = 1 };
    }
    code_of(WORKERS.insert(&thread(), &owner, 0))
}

/// It has sent.
#[inline(always)]
pub(crate) fn has_sent() {
    let _ = WORKERS.remove(&thread());
}

/// For whom the current thread sends, if not for its own process; else [`NO_OWNER`].
#[inline(always)]
pub(crate) fn works_for() -> u32 {
    // What this thread has begun it sees itself.
    if HAS_WORKERS.get(0).is_none_or(|has_workers| *has_workers == 0) {
        return NO_OWNER;
    }
    // SAFETY: the value is read at once, and is one word.
    unsafe { WORKERS.get(&thread()) }.copied().unwrap_or(NO_OWNER)
}

/// Whom the current thread works for: its own process, unless it sends for another just now.
#[inline(always)]
pub(crate) fn subject() -> u32 {
    match works_for() {
        NO_OWNER => who::subject(),
        other => other,
    }
}

/// Whether somebody sends by a socket, which has not been destroyed since.
#[inline(always)]
pub(crate) fn is_known(socket: u64) -> bool {
    by_itself(socket) != NO_OWNER
}

/// A socket is destroyed: another may get its memory.
#[inline(always)]
pub(crate) fn forget(socket: u64) {
    let _ = SOCKETS.remove(&socket);
}

/// What the current thread does below the sockets.
#[inline(always)]
fn lent() -> Option<Lent> {
    // SAFETY: the entry is this thread's own, and nobody else writes it.
    unsafe { LENT.get(&thread()) }.copied()
}

/// The same, as far as it is about a packet.
#[inline(always)]
fn lent_for(skb: u64) -> Option<Lent> {
    lent().filter(|lent| lent.is_about(skb))
}

/// Who sends by a socket, which may be none, or [`NO_OWNER`]. No `Option`: that would leave undefined what is
/// not there, and the verifier refuses a program that passes that on.
#[inline(always)]
fn by_itself(socket: u64) -> u32 {
    if socket == 0 {
        return NO_OWNER;
    }
    // SAFETY: the value is read at once, and is one word.
    unsafe { SOCKETS.get(&socket) }.copied().unwrap_or(NO_OWNER)
}

/// The same, else for whom the current thread works on a packet.
#[inline(always)]
fn sender(socket: u64, skb: u64) -> u32 {
    match by_itself(socket) {
        NO_OWNER => lent_for(skb).map_or(NO_OWNER, |lent| lent.owner),
        known => known,
    }
}

/// From here on the current thread works for the sender of a packet, whatever it copies.
#[inline(always)]
pub(crate) fn lend(skb: u64) {
    let owner = sender(kernel::socket(skb), skb);
    enter(skb, Lent { from: 0, owner, site: NO_SITE, depth: 0 });
}

/// From here on the current thread puts a packet into the receive queue of a socket, and what it copies
/// out of that packet is counted at that site. A socket that nobody watched sends by is a stranger's.
#[inline(always)]
pub(crate) fn begin_queue(socket: u64, from: u64, site: u16) {
    let owner = match sender(socket, from) {
        NO_OWNER => ELSEWHERE,
        owner => owner,
    };
    enter(from, Lent { from, owner, site, depth: 0 });
}

/// From here on what the current thread copies is counted at that site.
#[inline(always)]
pub(crate) fn begin_cause(site: u16) {
    enter(0, Lent { from: 0, owner: NO_OWNER, site, depth: 0 });
}

/// Functions may be within each other: the innermost that knows for whom it works says that, the
/// outermost what it is done for. What works on another packet than that which is put into a queue
/// interrupts that, and is done for itself.
#[inline(always)]
fn enter(skb: u64, inner: Lent) {
    let lent = match lent() {
        Some(outer) if outer.is_about(skb) => Lent {
            from: inner.from,
            owner: if inner.owner == NO_OWNER { outer.owner } else { inner.owner },
            site: if outer.site == NO_SITE { inner.site } else { outer.site },
            depth: outer.depth + 1,
        },
        Some(outer) => Lent { depth: outer.depth + 1, ..inner },
        // Nor is there anything to take back then.
        None if inner.says_nothing() => return,
        None => inner,
    };
    if let Err(error) = LENT.insert(&thread(), &lent, 0) {
        lose_or_busy(Lost::Owner, error);
    }
}

/// And from here on no longer.
#[inline(always)]
pub(crate) fn take_back() {
    let Some(lent) = lent() else { return };
    if lent.depth == 0 {
        let _ = LENT.remove(&thread());
    } else {
        let _ = LENT.insert(&thread(), &Lent { depth: lent.depth - 1, ..lent }, 0);
    }
}

/// At which site a copy out of a packet is counted, `here` if nothing around it says so, for whom it is
/// made, and whether it is made in the receive queue of its socket.
#[inline(always)]
pub(crate) fn copied_from(skb: u64, here: u16) -> (u16, u32, File) {
    // TLS puts packets of the queue on a list of its own, whose head names no socket
    // (tls_strp_load_anchor_with_queue(), net/tls/tls_strp.c, 6.0 to 7.3).
    let first = kernel::first_fragment(skb);
    let queued = if first == 0 { skb } else { first };
    if kernel::is_queued(queued) {
        let owner = by_itself(kernel::socket(queued));
        return (here, if owner == NO_OWNER { ELSEWHERE } else { owner }, File::Socket);
    }
    let (site, owner) = on_its_way(skb, here);
    (site, owner, File::None)
}

/// The site and the owner of a copy out of a packet that is in no receive queue.
#[inline(always)]
fn on_its_way(skb: u64, here: u16) -> (u16, u32) {
    let site = lent_for(skb).map_or(NO_SITE, |lent| lent.site);
    let site = if site == NO_SITE { here } else { site };
    let owner = sender(kernel::socket(skb), skb);
    if owner != NO_OWNER {
        return (site, owner);
    }
    // Headers that are pulled together before anybody knows for whom they are.
    if site == here && kernel::is_received(skb) {
        return (site, ELSEWHERE);
    }
    let unowned = if kernel::is_received(skb) { ELSEWHERE } else { NO_OWNER };
    (site, by_connection(skb).unwrap_or(unowned))
}

/// Who sends by the connection of a packet.
#[inline(always)]
fn by_connection(skb: u64) -> Option<u32> {
    // What the kernel tracks is surer than what stands in the packet, which others may have had before.
    if let Some(owner) = kernel::flow_before_translation(skb).and_then(by_flow) {
        return Some(owner);
    }
    kernel::flow_of_packet(skb).and_then(by_flow)
}

#[inline(always)]
fn by_flow(flow: Flow) -> Option<u32> {
    // SAFETY: the value is read at once, and is one word.
    unsafe { FLOWS.get(&flow) }.copied()
}

/// Remembers under which addresses a packet goes on that this host has translated: what tracks it leaves it
/// when it enters a tunnel or another namespace (nf_reset_ct(), skb_scrub_packet(), net/core/skbuff.c),
/// and what is in it stays.
#[inline(always)]
pub(crate) fn note_translation(skb: u64) {
    let Some(before) = kernel::flow_before_translation(skb) else { return };
    let Some(now) = kernel::flow_of_packet(skb) else { return };
    let [owner, known] = [before, now].map(|flow| by_flow(flow).unwrap_or(NO_OWNER));
    if owner == known {
        return;
    }
    // Where nobody is known to own it, those addresses had been another connection's.
    let is_known = owner != NO_OWNER;
    let done = if is_known { FLOWS.insert(&now, &owner, 0) } else { FLOWS.remove(&now) };
    if let Err(error) = done {
        lose_or_busy(Lost::Owner, error);
    }
}

/// The subject that sent a packet, if it is a watched one. Of a datagram of UDP that has lost its socket
/// nothing tells who sent it: [`NO_OWNER`].
#[inline(always)]
pub(crate) fn sent(skb: u64) -> Option<u32> {
    let socket = kernel::socket(skb);
    // SAFETY: the value is read at once, and is one word.
    let by_socket = unsafe { SOCKETS.get(&socket) }.copied();
    match by_socket.or_else(|| by_connection(skb)) {
        None | Some(NO_OWNER) => (socket == 0 && kernel::is_datagram(skb)).then_some(NO_OWNER),
        Some(ELSEWHERE) => None,
        owner => owner,
    }
}

/// A device gets a packet of a subject's.
#[inline(always)]
pub(crate) fn exits(subject: u32, skb: u64, bytes: u64) {
    let (name, kind) = kernel::device(skb);
    let exit = DeviceKey { subject, name, kind };
    if let Some(sum) = EXITS.get_ptr_mut(&exit) {
        // SAFETY: the kernel gave this CPU's own value; nothing else on this CPU writes it
        // while this program runs.
        unsafe { *sum += bytes };
    } else if let Err(error) = EXITS.insert(&exit, &bytes, 0) {
        lose_or_busy(Lost::Counts, error);
    }
}

/// Remembers that the current process pinned the pages of a send.
#[inline(always)]
pub(crate) fn own(ubuf: u64) {
    if OWNERS.insert(&ubuf, &who::subject(), 0).is_err() {
        lose(Lost::Owner);
    }
}

/// Who pinned the pages of a send, or [`NO_OWNER`].
#[inline(always)]
pub(crate) fn owner(ubuf: u64) -> u32 {
    // SAFETY: the value is read at once, and is one word.
    unsafe { OWNERS.get(&ubuf) }.copied().unwrap_or(NO_OWNER)
}
