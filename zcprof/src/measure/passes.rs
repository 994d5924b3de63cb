//! Controls and passes: a known payload, and what the probes counted meanwhile.

use anyhow::{Context as _, Result};
use zcprof_common::layout::{self, Key, NO_OWNER, StackValue, Value};
use zcprof_common::sites::{SITES, Site};
use zcprof_common::syscalls::Syscall;
use zcprof_common::vocabulary::{Disposition, File, Hop, Instrument, Iter, Need, Process};

use super::bench::{Amount, TestBench};
use super::by_stack::ByStack;
use super::repetition;
use crate::fetch::consumer::Outcome;
use crate::fetch::consumer::mode::ModeSpec;
use crate::probe::{Probes, Snapshot};
use crate::run::{
    Cache, Control, ControlPath, Count, DeviceExit, Doubt, LeafStack, Named, Pass, Payload,
    Reception, SyscallCount, Truth,
};
use crate::server::Account;
use crate::stacks::{LeafWay, leaf_ways};
use crate::syscall::{InSyscall, NamedSyscalls};
use crate::transfer::{Argument, ArgumentSize, Layer, Notices, TransferSpec};
use crate::verdict::control_failure;

/// How long the idle control watches. It must see nothing, so it needs no precision.
const IDLE: std::time::Duration = std::time::Duration::from_millis(100);

/// What a TLS 1.3 record adds in bytes: header 5, content type 1, tag 16 (RFC 8446, 5.2). The
/// content type is encrypted with the plaintext.
const TLS_RECORD: u64 = 5 + 1 + 16;

/// Most times that a pass is made, and the idle control. On a preemptible kernel (7.3) a tracing
/// program that is preempted keeps others of its kind from running on that CPU; the kernel counts
/// each that it skipped, and such a pass proves nothing.
const ATTEMPTS: usize = 5;

/// Measures one transfer, again if need be.
pub(super) fn pass(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
) -> Result<(Pass, ByStack)> {
    pass_until(bench, probes, row, cache, amount, |_| false)
}

/// The same, where a pass may be good enough although the probes missed runs in it.
fn pass_until(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
    is_enough: impl Fn(&Pass) -> bool,
) -> Result<(Pass, ByStack)> {
    // Work that can reach more leaves than are watched at a time is done again for the others.
    let arises = |need| need != Need::Writes || row.writes_files();
    let mut whole: Option<(Pass, ByStack)> = None;
    for group in probes.groups(arises) {
        probes.turn_to(group)?;
        let mut by_stack = ByStack::default();
        let done = until_unmissed(&is_enough, || {
            let (pass, stacks) = attempt(bench, probes, row, cache, amount)
                .map_err(|error| bench.cause(error))
                .with_context(|| format!("{}, {}", row.name, cache.name()))?;
            by_stack = stacks;
            Ok(pass)
        })?;
        match &mut whole {
            None => whole = Some((done, by_stack)),
            // The callers are the first repetition's.
            Some((first, _)) => repetition::add(first, done),
        }
    }
    probes.turn_to(0)?;
    whole.context("there is no group of leaves")
}

/// Makes a pass until the probes missed nothing in it or it is good enough, or there were enough
/// attempts. The record keeps what was wrong with those before the last.
fn until_unmissed(
    is_enough: impl Fn(&Pass) -> bool,
    mut attempt: impl FnMut() -> Result<Pass>,
) -> Result<Pass> {
    let is_void = |doubt: &Doubt| {
        matches!(doubt, Doubt::Missed { .. } | Doubt::UnwatchedCpu { .. } | Doubt::ProbeOff { .. })
    };
    let mut void = Vec::new();
    loop {
        let mut pass = attempt()?;
        if void.len() + 1 == ATTEMPTS || !pass.doubts.iter().any(is_void) || is_enough(&pass) {
            pass.void = void;
            return Ok(pass);
        }
        void.push(pass.doubts);
    }
}

fn attempt(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    cache: Cache,
    amount: Amount,
) -> Result<(Pass, ByStack)> {
    let unprepared = bench.prepare(cache)?;
    probes.snapshot()?;
    log::info!("fetching: {}, {}", row.name, cache.name());
    let foreign = bench.is_foreign(amount);
    let mut outcome =
        if foreign { bench.fetch_by_kcat(row.name)? } else { bench.fetch(row.name, amount)?.0 };
    let snapshot = probes.snapshot()?;
    log::info!(
        "{} TCP segments were sent again so far",
        bench.server.worker.segments_sent_again()?
    );
    let mut pass = record(bench, row.name, cache, &snapshot);
    pass.leaves = vec![probes.leaves()];
    pass.leaf_stacks = leaf_stacks(bench, probes, &snapshot)?;
    let account = bench.server.account(row.name)?;
    pass.notices = account.notices;
    if foreign {
        (outcome.fetches, outcome.request_bytes) = (account.fetches, account.requests);
        outcome.header_bytes = account.encoded;
        pass.watched_consumer = false;
        pass.named = named_of_foreign(row, &outcome, &account, &pass);
    } else {
        pass.named = named(row, &outcome, account.iovecs, &pass);
    }
    if bench.is_reception() {
        pass.named.extend(said(bench.consumer.worker.said));
    }
    pass.payload = Payload {
        bytes: outcome.payload_bytes,
        fetches: outcome.fetches,
        verified: outcome.verified.is_right(),
    };
    pass.seconds = outcome.seconds;
    pass.doubts.extend(unprepared);
    Ok((pass, by_stack(bench, (row.name, cache), &snapshot)))
}

/// What a pass counted by stack; nothing where no stacks are kept.
fn by_stack(bench: &TestBench, pass: (&str, Cache), snapshot: &Snapshot) -> ByStack {
    if snapshot.stacks.is_empty() {
        return ByStack::default();
    }
    let counts = snapshot.counts.iter().map(|(key, value)| count(bench, key, value));
    let stacks = snapshot.stacks.iter();
    let stacks = stacks.map(|(key, seen)| (*key, count(bench, &key.count, &value(*seen))));
    ByStack::of(pass, counts, stacks)
}

/// Measures how the consumer receives in a mode, by one transfer.
pub(super) fn reception(
    bench: &mut TestBench,
    probes: &mut Probes,
    row: &TransferSpec,
    mode: &'static ModeSpec,
) -> Result<Reception> {
    let cache = bench.warmest();
    let (mut pass, _) =
        bench.receive_by(mode, |bench| pass(bench, probes, row, cache, Amount::Full))?;
    // It is no evidence of what the transfer promises.
    pass.claim = None;
    Ok(Reception {
        mode: mode.name.to_owned(),
        claim: mode.claim.name.to_owned(),
        sees: mode.sees,
        pass,
        result: None,
    })
}

/// What the consumer was told by a pipe, and what it answered.
fn said((told, answered): (u64, u64)) -> [Named; 2] {
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

/// The known-truth passes: nothing, two copies, and a hand-over, always over plain TCP on the
/// loopback device, and over the way that is measured where that is another. They open a measurement
/// and close it: an instrument that sees at both ends was not lost in between.
pub(super) fn controls(
    bench: &mut TestBench,
    probes: &mut Probes,
    prefix: &str,
) -> Result<Vec<Control>> {
    let mut controls = vec![idle(bench, probes)?];
    controls.extend(bench.over_plain_tcp(|bench| known(bench, probes, ControlPath::Plain))?);
    if !bench.is_plain() {
        controls.extend(known(bench, probes, ControlPath::Measured)?);
    }
    for control in &mut controls {
        control.name.insert_str(0, prefix);
    }
    Ok(controls)
}

/// Two copies and a hand-over, by one way.
fn known(bench: &mut TestBench, probes: &mut Probes, way: ControlPath) -> Result<Vec<Control>> {
    let payload = bench.payload(Amount::Control);
    let hands_over = way == ControlPath::Plain || bench.takes_pages();
    let (moved, untaken) = if hands_over { (payload, 0) } else { (0, payload) };
    let truths = [("read_write", truth(payload, 0, 0)), ("sendfile", truth(0, moved, untaken))];
    let mut controls = Vec::new();
    for (name, truth) in truths {
        let row =
            TransferSpec::find(name).with_context(|| format!("there is no transfer {name}"))?;
        let (cache, amount) = (bench.warmest(), Amount::Control);
        let name = match way {
            ControlPath::Plain => name.to_owned(),
            ControlPath::Measured => format!("{name} over the measured way"),
        };
        let control = |pass| Control { name: name.clone(), way, truth: truth.clone(), pass };
        // A run that was missed was somebody else's if all that is known was seen.
        let is_passed = |pass: &Pass| passes(&control(pass.clone()));
        let (pass, _) = pass_until(bench, probes, row, cache, amount, is_passed)?;
        controls.push(control(pass));
    }
    Ok(controls)
}

fn idle(bench: &TestBench, probes: &mut Probes) -> Result<Control> {
    let truth = truth(0, 0, 0);
    let control = |pass| Control {
        name: "idle".to_owned(),
        way: ControlPath::Plain,
        truth: truth.clone(),
        pass,
    };
    let is_passed = |pass: &Pass| passes(&control(pass.clone()));
    let pass = until_unmissed(is_passed, || {
        probes.snapshot()?;
        std::thread::sleep(IDLE);
        let snapshot = probes.snapshot()?;
        let mut pass = record(bench, "idle", bench.warmest(), &snapshot);
        pass.leaves = vec![probes.leaves()];
        Ok(pass)
    })?;
    Ok(control(pass))
}

/// Whether both instruments pass a control.
fn passes(control: &Control) -> bool {
    let mut both = [Instrument::Audit, Instrument::Callers].into_iter();
    both.all(|instrument| control_failure(control, instrument).is_none())
}

/// What each instrument must see when so many bytes are copied twice, handed over, or copied by
/// sendfile because the socket takes no pages.
fn truth(copied: u64, moved: u64, untaken: u64) -> Vec<Truth> {
    use Disposition::{Copied, Moved};
    let both = [Instrument::Audit, Instrument::Callers];
    let truth = |hop, disposition, instrument, bytes| Truth { hop, disposition, instrument, bytes };
    let mut truths = Vec::new();
    for instrument in both {
        truths.push(truth(Hop::PageCacheToUser, Copied, instrument, copied));
        truths.push(truth(Hop::UserToSocket, Copied, instrument, copied));
        truths.push(truth(Hop::PageCacheToSocket, Copied, instrument, untaken));
    }
    truths.push(truth(Hop::PageCacheToSocket, Moved, Instrument::Callers, moved));
    truths
}

/// A pass without a payload: just the counts.
fn record(bench: &TestBench, transfer: &str, cache: Cache, snapshot: &Snapshot) -> Pass {
    let mut counts = Vec::new();
    let mut syscalls = Vec::new();
    for (key, value) in &snapshot.counts {
        if SITES[usize::from(key.site)].name == "sys_exit" {
            syscalls.push(syscall_count(bench, key, value));
        } else {
            counts.push(count(bench, key, value));
        }
    }
    let order = |c: &Count| (c.site.clone(), c.process, c.syscall, c.iter, c.file);
    counts.sort_by_key(order);
    syscalls.sort_by_key(|s| (s.process, s.syscall, s.file));
    let ours = |subject| process_of(bench, subject);
    let exit = |(exit, bytes): (&layout::DeviceKey, &u64)| DeviceExit {
        process: ours(exit.subject),
        name: text(&exit.name),
        kind: text(&exit.kind),
        bytes: *bytes,
    };
    let mut exits: Vec<_> = snapshot.exits.iter().map(exit).collect();
    exits.retain(|exit| [Process::Server, Process::Consumer].contains(&exit.process));
    let doubts: Vec<Doubt> = snapshot.doubts.clone();
    Pass {
        transfer: transfer.to_owned(),
        claim: TransferSpec::find(transfer).map(|row| row.claim.of_pass(cache).name.to_owned()),
        cache,
        payload: Payload::default(),
        named: Vec::new(),
        counts,
        exits,
        syscalls,
        notices: Notices::default(),
        doubts,
        leaves: Vec::new(),
        leaf_stacks: Vec::new(),
        watched_consumer: true,
        seconds: 0.0,
        void: Vec::new(),
    }
}

/// What was counted by a stack, as a count.
fn value(by_stack: StackValue) -> Value {
    Value { calls: by_stack.calls, bytes: by_stack.bytes, ..Value::default() }
}

fn count(bench: &TestBench, key: &Key, value: &Value) -> Count {
    let site = &SITES[usize::from(key.site)];
    let process = process(bench, key);
    // A FUSE daemon's answers cannot be told apart by whom they are for, but during a pass nobody but
    // the server reads the segments.
    let answers = site.need == Need::Process;
    let for_server = answers && bench.is_on_fuse() && process == Process::Elsewhere;
    Count {
        site: site.name.to_owned(),
        process: if for_server { Process::Server } else { process },
        syscall: InSyscall::from_number(key.syscall),
        iter: Iter::ALL.get(usize::from(key.iter)).copied().unwrap_or(Iter::Unknown),
        file: file(key),
        calls: value.calls,
        bytes: value.bytes,
    }
}

/// What leaves copied for server and consumer, by stack, where that is kept.
fn leaf_stacks(bench: &TestBench, probes: &Probes, snapshot: &Snapshot) -> Result<Vec<LeafStack>> {
    let ways = leaf_ways(probes, &snapshot.stacks)?;
    let stack = |way: LeafWay| {
        let count = count(bench, &way.count, &value(way.value));
        LeafStack { count, functions: way.functions }
    };
    let mut stacks: Vec<_> = ways.into_iter().map(stack).collect();
    stacks.retain(|stack| [Process::Server, Process::Consumer].contains(&stack.count.process));
    Ok(stacks)
}

fn syscall_count(bench: &TestBench, key: &Key, value: &Value) -> SyscallCount {
    SyscallCount {
        process: process(bench, key),
        syscall: InSyscall::from_number(key.syscall),
        file: file(key),
        calls: value.calls,
        bytes: value.bytes,
    }
}

fn file(key: &Key) -> File {
    File::ALL.get(usize::from(key.file)).copied().unwrap_or(File::Other)
}

fn process(bench: &TestBench, key: &Key) -> Process {
    process_of(bench, key.subject)
}

/// A name of the kernel's, which ends at the first zero.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn process_of(bench: &TestBench, subject: u32) -> Process {
    if subject == bench.server.worker.pid() {
        Process::Server
    } else if subject == bench.consumer.worker.pid() {
        Process::Consumer
    } else if subject == NO_OWNER {
        Process::Unknown
    } else {
        Process::Elsewhere
    }
}

/// The same where a foreign client consumes. Its requests end where it likes, so that a response
/// may end in a cut batch, which it fetches again: more records are sent than it counts then.
fn named_of_foreign(
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

/// Bytes that the workload knows to be no payload: framing, by its own account, and arguments
/// that system calls copy by pointer, by the number of calls or of `iovecs`.
fn named(row: &TransferSpec, outcome: &Outcome, iovecs: u64, pass: &Pass) -> Vec<Named> {
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

/// Size of a `struct iovec` in bytes.
const IOVEC: u64 = size_of::<nix::libc::iovec>() as u64;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass by how many runs the probes missed in it.
    fn missed(runs: u64) -> Pass {
        let doubt = Doubt::Missed { site: "do_wp_page".to_owned(), runs };
        Pass {
            transfer: "idle".to_owned(),
            claim: None,
            cache: Cache::Warm,
            payload: Payload::default(),
            named: Vec::new(),
            counts: Vec::new(),
            exits: Vec::new(),
            syscalls: Vec::new(),
            notices: Notices::default(),
            doubts: if runs > 0 { vec![doubt] } else { Vec::new() },
            leaves: Vec::new(),
            leaf_stacks: Vec::new(),
            watched_consumer: true,
            seconds: 0.0,
            void: Vec::new(),
        }
    }

    #[test]
    fn a_pass_that_missed_runs_is_made_again_and_what_was_wrong_is_kept() {
        let mut missing = [4, 1, 0, 7].into_iter();
        let pass = until_unmissed(|_| false, || Ok(missed(missing.next().unwrap()))).unwrap();
        assert_eq!(pass.doubts, missed(0).doubts);
        assert_eq!(pass.void, [missed(4).doubts, missed(1).doubts]);
    }

    #[test]
    fn a_pass_that_always_misses_runs_stays_in_doubt() {
        let mut attempts = 0;
        let pass = until_unmissed(
            |_| false,
            || {
                attempts += 1;
                Ok(missed(1))
            },
        )
        .unwrap();
        assert_eq!((attempts, pass.void.len()), (ATTEMPTS, ATTEMPTS - 1));
        assert_eq!(pass.doubts, missed(1).doubts);
    }
}
