//! Records made by hand, as kernels show them.

use zcprof_common::sites::{SITES, Site};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Process};
use zcprof_judge::run::{
    Cache, Control, ControlPath, Count, Coverage, DeviceExit, Kernel, Named, Notices, Pass,
    Payload, Probe, ProbeState, Run, SCHEMA, StorageLayer, Truth, Workload,
};
use zcprof_judge::syscall::{InSyscall, NamedSyscalls};

pub(crate) const PAYLOAD: u64 = 64 << 20;
pub(crate) const HEADERS: u64 = 64 * 70;

pub(crate) fn count(
    process: Process,
    site: &str,
    call: (impl Into<InSyscall>, File),
    iter: Iter,
    bytes: u64,
) -> Count {
    let (syscall, file) = (call.0.into(), call.1);
    Count { site: site.to_owned(), process, syscall, iter, file, calls: bytes / 4096 + 1, bytes }
}

/// What the transfers here promise.
fn promise(transfer: &str) -> &'static str {
    match transfer {
        "read_write" | "uring_send" => "two-copies",
        "sendfile" => "zero-copy",
        "msg_zerocopy" => "deferred",
        other => panic!("no record is made of {other} here"),
    }
}

pub(crate) fn pass(transfer: &str, server: Vec<Count>) -> Pass {
    let received = (Syscall::Recvfrom, File::Socket);
    let mut counts = server;
    for site in ["_copy_to_iter", "skb_copy_datagram_iter"] {
        let bytes = PAYLOAD + HEADERS;
        counts.push(count(Process::Consumer, site, received, Iter::User, bytes));
    }
    let header = |process, hop| Named {
        process,
        hop,
        disposition: Disposition::Copied,
        syscall: NamedSyscalls::These(vec![Syscall::Sendto]),
        bytes: HEADERS,
        what: "response headers".to_owned(),
    };
    Pass {
        transfer: transfer.to_owned(),
        claim: Some(promise(transfer).to_owned()),
        cache: Cache::Warm,
        payload: Payload { bytes: PAYLOAD, fetches: 64, verified: true },
        named: vec![
            header(Process::Server, Hop::UserToSocket),
            header(Process::Consumer, Hop::SocketToUser),
        ],
        counts,
        exits: vec![left_by("lo", "")],
        syscalls: Vec::new(),
        notices: Notices::default(),
        doubts: Vec::new(),
        leaves: vec![every_leaf()],
        leaf_stacks: Vec::new(),
        watched_consumer: true,
        seconds: 1.0,
        void: Vec::new(),
    }
}

/// All that the server sent, by one device.
pub(crate) fn left_by(name: &str, kind: &str) -> DeviceExit {
    let (name, kind) = (name.to_owned(), kind.to_owned());
    DeviceExit { process: Process::Server, name, kind, bytes: PAYLOAD + HEADERS }
}

/// What stores a log, by the layers' kinds.
pub(crate) fn stack(kinds: &[&str]) -> Vec<StorageLayer> {
    let layer = |kind: &&str| StorageLayer { kind: (*kind).to_owned(), name: "here".to_owned() };
    kinds.iter().map(layer).collect()
}

/// The leaves, all watched at once.
pub(crate) fn every_leaf() -> Vec<String> {
    let leaves = SITES.iter().filter(|site| site.instrument == Instrument::Audit);
    leaves.map(|site| site.name.to_owned()).collect()
}

/// `read` then `write`, as kernel 6.12 shows it.
pub(crate) fn read_write() -> Pass {
    let s = Process::Server;
    let (read, write) = ((Syscall::Read, File::Regular), (Syscall::Write, File::Socket));
    let send = (Syscall::Sendto, File::Socket);
    pass(
        "read_write",
        vec![
            count(s, "_copy_to_iter", read, Iter::User, PAYLOAD),
            count(s, "filemap_read", read, Iter::User, PAYLOAD),
            count(s, "_copy_from_iter", write, Iter::User, PAYLOAD),
            count(s, "tcp_sendmsg_locked", write, Iter::None, PAYLOAD),
            count(s, "_copy_from_iter", send, Iter::User, HEADERS),
            count(s, "tcp_sendmsg_locked", send, Iter::None, HEADERS),
        ],
    )
}

/// `sendfile`, as kernel 6.12 shows it.
pub(crate) fn sendfile() -> Pass {
    let s = Process::Server;
    let (call, send) = ((Syscall::Sendfile, File::Regular), (Syscall::Sendto, File::Socket));
    let mut pass = pass(
        "sendfile",
        vec![
            count(s, "filemap_splice_read", call, Iter::None, PAYLOAD),
            count(s, "tcp_sendmsg_locked", call, Iter::None, PAYLOAD),
            count(s, "skb_splice_from_iter", call, Iter::None, PAYLOAD),
            count(s, "_copy_from_user", call, Iter::None, 512),
            count(s, "_copy_from_user", (InSyscall::Other(233), File::None), Iter::None, 12),
            count(s, "_copy_from_iter", send, Iter::User, HEADERS),
            count(s, "tcp_sendmsg_locked", send, Iter::None, HEADERS),
        ],
    );
    pass.named.push(Named {
        process: s,
        hop: Hop::Arguments,
        disposition: Disposition::Copied,
        syscall: NamedSyscalls::These(vec![Syscall::Sendfile]),
        bytes: 512,
        what: "sendfile offsets".to_owned(),
    });
    pass
}

/// `sendfile`, as kernel 6.1 shows it: a reader with a pipe iterator, and no tcp_sendmsg.
pub(crate) fn sendfile_before_splice_pages() -> Pass {
    let s = Process::Server;
    let call = (Syscall::Sendfile, File::Regular);
    let mut pass = sendfile();
    pass.counts.retain(|c| c.process != s || c.syscall != Syscall::Sendfile);
    pass.counts.push(count(s, "generic_file_splice_read", call, Iter::None, PAYLOAD));
    pass.counts.push(count(s, "filemap_read", call, Iter::Pipe, PAYLOAD));
    pass.counts.push(count(s, "do_tcp_sendpages", call, Iter::None, PAYLOAD));
    pass.counts.push(count(s, "_copy_from_user", call, Iter::None, 512));
    pass
}

/// MSG_ZEROCOPY, as kernel 6.12 shows it; `later` bytes are copied in softirq.
pub(crate) fn msg_zerocopy(later: u64) -> Pass {
    let s = Process::Server;
    let send = (Syscall::Sendto, File::Socket);
    let all = PAYLOAD + HEADERS;
    pass(
        "msg_zerocopy",
        vec![
            count(s, "tcp_sendmsg_locked", send, Iter::None, all),
            count(s, "skb_zerocopy_iter_stream", send, Iter::None, PAYLOAD),
            count(s, "_copy_from_iter", send, Iter::User, HEADERS),
            count(s, "skb_copy_ubufs", (InSyscall::None, File::None), Iter::None, later),
        ],
    )
}

pub(crate) fn control() -> Control {
    let pass = read_write();
    let truth = |hop, instrument| Truth {
        hop,
        disposition: Disposition::Copied,
        instrument,
        bytes: PAYLOAD,
    };
    let truth = [Instrument::Audit, Instrument::Callers]
        .into_iter()
        .flat_map(|i| [truth(Hop::PageCacheToUser, i), truth(Hop::UserToSocket, i)])
        .collect();
    Control { name: "read_write".to_owned(), way: ControlPath::Plain, truth, pass }
}

pub(crate) fn run(passes: Vec<Pass>) -> Run {
    let attached = |site: &Site| Probe {
        site: site.name.to_owned(),
        instrument: site.instrument,
        state: ProbeState::Attached {
            symbol: site.symbols()[0].to_owned(),
            by: "fexit".to_owned(),
            missed: Some(0),
        },
    };
    Run {
        schema: SCHEMA,
        zcprof: "0".to_owned(),
        kernel: Kernel {
            release: "6.12.0".to_owned(),
            version: String::new(),
            machine: "x86_64".to_owned(),
            cpus: 2,
            hypervisor: None,
        },
        workload: Workload {
            payload: PAYLOAD,
            fetch_size: 1 << 20,
            connections: 1,
            segments: 4,
            log_bytes: PAYLOAD,
            file_system: "ext4".to_owned(),
            storage: stack(&["ext4", "virtio_blk"]),
            network: "TCP over loopback".to_owned(),
            network_name: "loopback".to_owned(),
            socket: "tcp".to_owned(),
            consumer: "zcprof 0.1.0".to_owned(),
        },
        coverage: Coverage { probes: SITES.iter().map(attached).collect(), holes: Vec::new() },
        controls: vec![control()],
        passes,
        receptions: Vec::new(),
        skipped: Vec::new(),
        timings: Vec::new(),
        claims: Vec::new(),
        stacks: None,
        results: Vec::new(),
        verdict: None,
        phases: Vec::new(),
    }
}
