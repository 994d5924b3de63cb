//! The eBPF programs: filter, count, return. They hold no policy; [`Config`] configures them and
//! the table in `zcprof_common::sites` stamps them (see `build.rs`).
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "kernel memory is read through pointers that the kernel gives")]

mod below;
mod count;
mod current;
mod kernel;
mod loss;
mod mappings;
mod objects;
mod place;
mod queues;
mod stacks;
mod strangers;
mod sums;
mod task;
mod who;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe, perf_event, raw_tracepoint, tracepoint};
use aya_ebpf::programs::{
    FEntryContext, FExitContext, PerfEventContext, ProbeContext, RawTracePointContext,
    RetProbeContext, TracePointContext,
};
use zcprof_common::layout::{Config, ELSEWHERE, Entered, EnteredKey, Lost, NO_OWNER};
use zcprof_common::sites::{Bytes, SITES};
use zcprof_common::syscalls::GETSOCKOPT;
use zcprof_common::vocabulary::Iter;

use crate::below::Sender;
use crate::stacks::OnStack;

/// Set by the loader; the values here are never used.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::UNKNOWN;

/// A leaf copy function, watched at its entry by an execution breakpoint or a kprobe.
macro_rules! audit {
    ($site:literal, $break:ident, $kprobe:ident) => {
        #[perf_event]
        fn $break(ctx: PerfEventContext) -> u32 {
            // The context of a perf event begins with the interrupted registers, so that its
            // arguments are read as a kprobe's are.
            leaf::<$site>(&ProbeContext::new(ctx.as_ptr()))
        }

        #[kprobe]
        fn $kprobe(ctx: ProbeContext) -> u32 {
            leaf::<$site>(&ctx)
        }
    };
}

/// A leaf that has hooks.
macro_rules! hooked {
    ($site:literal, $fentry:ident) => {
        #[fentry]
        fn $fentry(ctx: FEntryContext) -> i32 {
            let _ = requested::<$site, _>(&ctx, |at| Some(ctx.arg(at)));
            0
        }
    };
}

/// A traceable function whose result tells the bytes.
macro_rules! caller {
    ($site:literal, $fexit:ident, $entry:ident, $return:ident) => {
        #[fexit]
        fn $fexit(ctx: FExitContext) -> i32 {
            returned::<$site>(&ctx)
        }

        #[kprobe]
        fn $entry(ctx: ProbeContext) -> u32 {
            entered::<$site>(&ctx)
        }

        #[kretprobe]
        fn $return(ctx: RetProbeContext) -> u32 {
            left::<$site>(&ctx)
        }
    };
}

/// The entry of a traceable function, where its result alone does not tell enough.
macro_rules! before {
    ($site:literal, $fentry:ident) => {
        #[fentry]
        fn $fentry(ctx: FEntryContext) -> i32 {
            enter::<$site, _>(&ctx, |at| ctx.arg(at));
            0
        }
    };
}

/// A tracepoint whose arguments tell the bytes.
macro_rules! raw {
    ($site:literal, $name:ident) => {
        #[raw_tracepoint]
        fn $name(ctx: RawTracePointContext) -> i32 {
            traced::<$site>(&ctx)
        }
    };
}

/// A tracepoint whose hits alone are counted, by one of the two ways below.
macro_rules! occurs {
    ($site:literal, $tracepoint:ident, $raw:ident) => {
        #[tracepoint]
        fn $tracepoint(ctx: TracePointContext) -> u32 {
            count::add::<$site, _>(&ctx, kernel::NO_ITER, 0);
            0
        }

        #[raw_tracepoint]
        fn $raw(ctx: RawTracePointContext) -> i32 {
            count::add::<$site, _>(&ctx, kernel::NO_ITER, 0);
            0
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/programs.rs"));

// System calls and page faults come by one of two ways: raw tracepoints, whose programs can be
// preempted, and whose skipped runs every kernel counts; or tracepoints of perf, whose programs
// cannot, but whose skipped runs are counted only since 6.7. The loader chooses.

#[raw_tracepoint]
fn sys_enter_raw(ctx: RawTracePointContext) -> i32 {
    let regs = ctx.arg(0);
    current::enter(ctx.arg(1), |at| kernel::argument_in_regs(regs, at));
    0
}

#[raw_tracepoint]
fn sys_exit_raw(ctx: RawTracePointContext) -> i32 {
    syscall_ends(&ctx, ctx.arg(1));
    0
}

// The records of raw_syscalls:sys_enter (id, args[6]) and sys_exit (id, ret), behind the eight
// bytes that every record begins with: include/trace/events/syscalls.h, 6.1 to 7.3.

#[tracepoint]
fn sys_enter_tracepoint(ctx: TracePointContext) -> u32 {
    // SAFETY: within the record, see above; the verifier checks it too.
    let read = |at: usize| unsafe { ctx.read_at::<u64>(at) }.unwrap_or(u64::MAX);
    current::enter(read(8) as i64, |at| match at {
        0 => read(16) as u32,
        1 => read(24) as u32,
        2 => read(32) as u32,
        3 => read(40) as u32,
        _ => read(48) as u32,
    });
    0
}

#[tracepoint]
fn sys_exit_tracepoint(ctx: TracePointContext) -> u32 {
    // SAFETY: as above.
    if let Ok(result) = unsafe { ctx.read_at::<i64>(16) } {
        syscall_ends(&ctx, result);
    }
    0
}

/// The current thread leaves a system call.
#[inline(always)]
fn syscall_ends<C: OnStack>(ctx: &C, result: i64) {
    if let Some((call, bytes)) = current::exit(result) {
        let subject = who::subject();
        count::add_syscall(ctx, subject, &call, bytes);
        objects::add(subject, &call, bytes);
    }
}

// Processes are followed by raw tracepoints, which alone show the new process itself: perf's
// record of a fork does not tell a process from a thread (include/trace/events/sched.h).

#[raw_tracepoint]
fn sched_process_fork_raw(ctx: RawTracePointContext) -> i32 {
    who::forked(ctx.arg(1));
    0
}

#[raw_tracepoint]
fn sched_process_exec_raw(ctx: RawTracePointContext) -> i32 {
    // Its thread may have had another number before.
    current::forget(ctx.arg(1));
    who::executed();
    0
}

#[raw_tracepoint]
fn sched_process_exit_raw(_ctx: RawTracePointContext) -> i32 {
    current::forget_this();
    who::exited();
    0
}

/// Is never attached: the loader runs it with a socket.
#[raw_tracepoint]
fn queue_raw(ctx: RawTracePointContext) -> i32 {
    queues::look(ctx.arg(0));
    0
}

#[inline(always)]
fn leaf<const SITE: usize>(ctx: &ProbeContext) -> u32 {
    if let Bytes::Crossing(at) = const { SITES[SITE].bytes } {
        return crosses::<SITE>(ctx, usize::from(at));
    }
    let _ = requested::<SITE, _>(ctx, |at| ctx.arg(at));
    0
}

/// A leaf that is asked for bytes; `argument` gives one of its arguments.
#[inline(always)]
fn requested<const SITE: usize, C: OnStack>(
    ctx: &C,
    argument: impl Fn(usize) -> Option<u64>,
) -> Option<()> {
    let (mut bytes, mut iterator) = match const { SITES[SITE].bytes } {
        Bytes::Requested(at) => (argument(usize::from(at))?, None),
        Bytes::Checked { message, length, skb } => {
            if !kernel::is_added_up(argument(usize::from(skb))?) {
                return None;
            }
            let bytes = argument(usize::from(length))? & 0xffff_ffff;
            (bytes, Some(kernel::message_iter(argument(usize::from(message))?)))
        }
        _ => return None,
    };
    if let Some(at) = const { SITES[SITE].iter } {
        iterator = Some(argument(usize::from(at))?);
    }
    let mut iter = kernel::NO_ITER;
    if let Some(pointer) = iterator {
        iter = kernel::iter_class(pointer);
        // The leaf copies no more than the iterator holds.
        bytes = bytes.min(kernel::iter_count(pointer));
    }
    count::add::<SITE, _>(ctx, iter, bytes);
    Some(())
}

/// A routine that copies to or from user memory, and does not know for whom.
#[inline(always)]
fn crosses<const SITE: usize>(ctx: &ProbeContext, length: usize) -> u32 {
    let (Some(to), Some(from), Some(bytes)) =
        (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(length))
    else {
        return 0;
    };
    let direction = kernel::crossing(ctx.stack() as u64, to, from);
    count::add::<SITE, _>(ctx, direction, bytes & 0xffff_ffff);
    0
}

#[inline(always)]
fn returned<const SITE: usize>(ctx: &FExitContext) -> i32 {
    // bpf_get_func_ret() knows where the result lies, which a position derived from a
    // prototype would have to guess: prototypes differ between kernels.
    let Ok(result) = ctx.ret::<u64>() else {
        loss::lose(Lost::Unreadable);
        return 0;
    };
    let iter = iterator::<SITE>(|at| ctx.arg(at));
    let argument = match argument_of::<SITE>() {
        Some(at) => ctx.arg(usize::from(at)),
        None => 0,
    };
    if const { SITES[SITE].bytes.ends_at_entry() } {
        return 0;
    }
    let detail = match const { SITES[SITE].bytes } {
        Bytes::Linear { skb, .. } | Bytes::PinnedToUdp { skb, .. } => ctx.arg(usize::from(skb)),
        _ => u64::from(iter),
    };
    leave::<SITE, _>(ctx, result, Entered { argument, detail });
    0
}

#[inline(always)]
fn entered<const SITE: usize>(ctx: &ProbeContext) -> u32 {
    enter::<SITE, _>(ctx, |at| ctx.arg(at).unwrap_or(0));
    if const { SITES[SITE].bytes.is_told_at_entry() } {
        return 0; // `enter` has said what the return needs to know
    }
    let iter = iterator::<SITE>(|at| ctx.arg(at).unwrap_or(0));
    let argument = match argument_of::<SITE>() {
        Some(at) => ctx.arg::<u64>(usize::from(at)).unwrap_or(0),
        None => 0,
    };
    let detail = match const { SITES[SITE].bytes } {
        Bytes::PinnedToUdp { skb, .. } => ctx.arg::<u64>(usize::from(skb)).unwrap_or(0),
        _ => u64::from(iter),
    };
    let entered = Entered { argument, detail };
    if let Bytes::Linear { skb, .. } = const { SITES[SITE].bytes } {
        // It may call itself, so that entries and returns of one thread would not meet. It fails
        // only where the skb is shorter than what is asked of it, which is a bug.
        let skb = ctx.arg::<u64>(usize::from(skb)).unwrap_or(0);
        leave::<SITE, _>(ctx, 0, Entered { detail: skb, ..entered });
        return 0;
    }
    remember::<SITE>(entered);
    0
}

/// The kind of the site's iterator, an argument of its own or in a message.
#[inline(always)]
fn iterator<const SITE: usize>(argument: impl Fn(usize) -> u64) -> u8 {
    match const { (SITES[SITE].iter, SITES[SITE].message) } {
        (Some(at), _) => kernel::iter_class(argument(usize::from(at))),
        (None, Some(at)) => kernel::iter_class(kernel::message_iter(argument(usize::from(at)))),
        (None, None) => kernel::NO_ITER,
    }
}

/// What has to be done before the function runs, by whichever mechanism.
#[inline(always)]
fn enter<const SITE: usize, C: OnStack>(ctx: &C, argument: impl Fn(usize) -> u64) {
    if let Bytes::ReturnedByIpv4(at) = const { SITES[SITE].bytes }
        && !kernel::is_ipv4(argument(usize::from(at)))
    {
        return;
    }
    // What a system call asks the storage of a file leaves what it works on as it is.
    let is_watched = match const { (SITES[SITE].sends, SITES[SITE].scope) } {
        (Some(at), _) => below::send_by(argument(usize::from(at))) == Sender::Watched,
        (None, Some(_)) => below::subject() != ELSEWHERE,
        (None, None) => false,
    };
    if let Some(file) = const { SITES[SITE].scope }
        && is_watched
    {
        current::begin_scope(file);
    }
    // The ports of strangers would take the room of others.
    if let Some(at) = const { SITES[SITE].sends }
        && is_watched
    {
        let sock = argument(usize::from(at));
        current::at_socket(sock, place::port(sock));
    }
    match const { SITES[SITE].bytes } {
        Bytes::Lends(at) => below::lend(argument(usize::from(at))),
        Bytes::Queues { to, from } => {
            let socket = kernel::socket(argument(usize::from(to)));
            below::begin_queue(socket, argument(usize::from(from)), SITE as u16);
        }
        Bytes::Serves { socket, from } => {
            let socket = argument(usize::from(socket));
            below::begin_queue(socket, argument(usize::from(from)), SITE as u16);
        }
        Bytes::Causes => below::begin_cause(SITE as u16),
        Bytes::Forgets(at) => below::forget(argument(usize::from(at))),
        Bytes::Packet(at) => {
            let skb = argument(usize::from(at));
            if let Some(owner) = below::sent(skb) {
                count::add_for(ctx, SITE as u16, owner, kernel::bytes(skb));
            }
        }
        _ => {}
    }
    if let Bytes::Encrypted(at) = const { SITES[SITE].bytes } {
        // By its return the request may be another's: its completion frees it.
        go_in::<SITE>(kernel::encrypted_bytes(argument(usize::from(at))));
    }
    if let Bytes::Spliced { skb, offset, length } = const { SITES[SITE].bytes } {
        let [skb, offset, length] = [skb, offset, length].map(|at| argument(usize::from(at)));
        // The last two are of the type `unsigned int`.
        let bytes = kernel::bytes_in_no_page(skb, offset & 0xffff_ffff);
        let bytes = bytes.min(length & 0xffff_ffff);
        remember::<SITE>(Entered { argument: bytes, detail: 0 });
    }
    if let Bytes::Mapped(at) = const { SITES[SITE].bytes } {
        let pages = argument(usize::from(at));
        remember::<SITE>(Entered { argument: kernel::number(pages), detail: pages });
    }
    if let Bytes::Deferred(at) = const { SITES[SITE].bytes } {
        // The function forgets the owner and keeps the length.
        let skb = argument(usize::from(at));
        let owner = below::owner(kernel::ubuf(skb));
        let bytes = kernel::paged_bytes(skb);
        remember::<SITE>(Entered { argument: bytes, detail: u64::from(owner) });
    }
}

/// What has to be done when the function has run, by whichever mechanism.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "each detail is stored from what it is here")]
fn leave<const SITE: usize, C: OnStack>(ctx: &C, result: u64, entered: Entered) {
    if let Bytes::ReturnedByIpv4(_) = const { SITES[SITE].bytes }
        && !kernel::is_ipv4(entered.argument)
    {
        return;
    }
    match const { SITES[SITE].bytes } {
        Bytes::Deferred(_) => {
            if let Some(entered) = recall::<SITE>()
                && result as i32 == 0
                && entered.argument > 0
            {
                count::add_for(ctx, SITE as u16, entered.detail as u32, entered.argument);
            }
        }
        Bytes::Linear { .. } => {
            let bytes = done::<SITE>(result, entered.argument);
            let (site, owner, file) = below::copied_from(entered.detail, SITE as u16);
            count::add_for_in(ctx, site, owner, file, bytes);
        }
        Bytes::Spliced { .. } => {
            if let Some(entered) = recall::<SITE>() {
                let bytes = done::<SITE>(result, 0);
                let in_no_page = entered.argument;
                count::add::<SITE, C>(ctx, kernel::NO_ITER, bytes.saturating_sub(in_no_page));
                if in_no_page > 0 {
                    count::add::<SITE, C>(ctx, Iter::Kernel as u8, in_no_page);
                }
            }
        }
        Bytes::Mapped(_) => {
            if let Some(entered) = recall::<SITE>()
                && current::is_in(GETSOCKOPT)
            {
                let left = kernel::number(entered.detail);
                let mapped = entered.argument.saturating_sub(left);
                count::add::<SITE, C>(ctx, kernel::NO_ITER, mapped * kernel::PAGE);
            }
        }
        Bytes::Lends(_) | Bytes::Queues { .. } | Bytes::Serves { .. } | Bytes::Causes => {
            below::take_back();
        }
        Bytes::Accepts => below::accepted(result),
        Bytes::Forgets(_) | Bytes::Packet(_) => {}
        Bytes::Pinned(_) => {
            let bytes = done::<SITE>(result, entered.argument);
            if bytes > 0 {
                below::own(entered.argument);
            }
            count::add::<SITE, C>(ctx, entered.detail as u8, bytes);
        }
        Bytes::PinnedToUdp { .. } => {
            // TCP's bytes are counted by another row.
            if kernel::is_of_udp(entered.detail) && result as i32 == 0 {
                below::own(kernel::ubuf(entered.detail));
                let bytes = entered.argument & 0xffff_ffff;
                count::add::<SITE, C>(ctx, kernel::NO_ITER, bytes);
            }
        }
        Bytes::ReturnedToUdp(_) => {
            if kernel::is_of_udp(entered.argument) {
                let bytes = done::<SITE>(result, entered.argument);
                count::add::<SITE, C>(ctx, kernel::NO_ITER, bytes);
            }
        }
        Bytes::Encrypted(_) => {
            // Zero, or EINPROGRESS or EBUSY of a request that is queued: linux/errno.h.
            if let Some(bytes) = come_out::<SITE>()
                && let 0 | -115 | -16 = result as i32
                && bytes > 0
            {
                count::add::<SITE, C>(ctx, kernel::NO_ITER, bytes);
            }
        }
        Bytes::Replaced(_) => {
            let fault = entered.argument;
            if kernel::is_replaced(fault) {
                count::add_on::<SITE, C>(ctx, kernel::mapping_kind(fault), kernel::PAGE);
            }
        }
        Bytes::Unshared(_) => {
            let fault = entered.argument;
            if kernel::is_unshared(fault, result as u32) {
                count::add_on::<SITE, C>(ctx, kernel::mapping_kind(fault), kernel::PAGE);
            }
        }
        Bytes::Folio(_) => {
            let folio = entered.argument;
            count::add_on::<SITE, C>(ctx, kernel::folio_kind(folio), kernel::folio_bytes(folio));
        }
        Bytes::ReturnedOfFile(_) => {
            let (iter, bytes) = (entered.detail as u8, done::<SITE>(result, 0));
            count::add_of_file::<SITE, C>(ctx, iter, entered.argument, bytes);
        }
        Bytes::ReturnedBesideKernfs(_) if kernel::is_of_kernfs(entered.argument) => {}
        // udp_sendpage() calls it first for no byte, with an iterator of no type.
        Bytes::ReturnedByIpv4(_) if done::<SITE>(result, 0) == 0 => {}
        _ => {
            let bytes = done::<SITE>(result, entered.argument);
            count::add::<SITE, C>(ctx, entered.detail as u8, bytes);
        }
    }
    let works_for =
        if const { SITES[SITE].sends.is_some() } { below::works_for() } else { NO_OWNER };
    if const { SITES[SITE].scope.is_some() } && works_for != ELSEWHERE {
        current::end_scope();
    }
    if works_for != NO_OWNER {
        below::has_sent();
        if const { SITES[SITE].sent.is_some() } && works_for != ELSEWHERE {
            strangers::sends(works_for, done::<SITE>(result, entered.argument));
        }
    }
}

#[inline(always)]
fn remember<const SITE: usize>(entered: Entered) {
    keep::<SITE>(entered, u64::from(BPF_NOEXIST));
}

/// Remembers it in the place of what was remembered before, or if there is nothing.
#[inline(always)]
fn keep<const SITE: usize>(entered: Entered, flags: u64) {
    const EEXIST: i32 = -17; // include/uapi/asm-generic/errno-base.h
    let key = entered_key::<SITE>();
    match count::ENTERED.insert(&key, &entered, flags) {
        Ok(()) => {}
        // The return of the call before was never seen: its kretprobe had no instance left, say.
        Err(EEXIST) => {
            if const { !SITES[SITE].waits } {
                loss::lose(Lost::Twice);
            } else if who::subject() != ELSEWHERE {
                // What a stranger reads is in no account. It may have entered while the entry was probed,
                // and the return was not yet.
                loss::lose(Lost::Waited);
            }
            let _ = count::ENTERED.insert(&key, &entered, 0);
        }
        Err(error) => loss::lose_or_busy(Lost::Entered, error),
    }
}

/// What was remembered at the entry, once.
#[inline(always)]
fn recall<const SITE: usize>() -> Option<Entered> {
    let key = entered_key::<SITE>();
    // SAFETY: the entry is this thread's own, and nobody else writes it.
    let entered = unsafe { count::ENTERED.get(&key) }.copied();
    if entered.is_some() {
        let _ = count::ENTERED.remove(&key);
    } else {
        loss::lose(Lost::Entered);
    }
    entered
}

/// Enters a function that may call itself; only the outermost call's bytes are kept.
#[inline(always)]
fn go_in<const SITE: usize>(bytes: u64) {
    let key = entered_key::<SITE>();
    // SAFETY: the entry is this thread's own, and nobody else writes it.
    let outer = unsafe { count::ENTERED.get(&key) }.copied();
    let entered = match outer {
        Some(outer) => Entered { detail: outer.detail + 1, ..outer },
        None => Entered { argument: bytes, detail: 0 },
    };
    keep::<SITE>(entered, 0);
}

/// Leaves it; the bytes if this is the outermost call.
#[inline(always)]
fn come_out<const SITE: usize>() -> Option<u64> {
    let outer = recall::<SITE>()?;
    if outer.detail == 0 {
        return Some(outer.argument);
    }
    remember::<SITE>(Entered { detail: outer.detail - 1, ..outer });
    None
}

#[inline(always)]
fn left<const SITE: usize>(ctx: &RetProbeContext) -> u32 {
    if let Bytes::Linear { .. } = const { SITES[SITE].bytes } {
        return 0; // it was counted at its entry
    }
    let entered = if const { SITES[SITE].bytes.is_told_at_entry() } {
        Entered::default() // `leave` recalls what it needs
    } else {
        match recall::<SITE>() {
            Some(entered) => entered,
            None => return 0,
        }
    };
    leave::<SITE, _>(ctx, ctx.ret(), entered);
    0
}

#[inline(always)]
fn traced<const SITE: usize>(ctx: &RawTracePointContext) -> i32 {
    let bytes = match const { SITES[SITE].bytes } {
        Bytes::Folio(at) => {
            // The system call's own file may be another: its inode's metadata live in the page
            // cache of the block device.
            let folio: u64 = ctx.arg(usize::from(at));
            count::add_on::<SITE, _>(ctx, kernel::folio_kind(folio), kernel::folio_bytes(folio));
            return 0;
        }
        Bytes::Exits(at) => {
            let skb: u64 = ctx.arg(usize::from(at));
            below::note_translation(skb);
            if let Some(owner) = below::sent(skb) {
                let bytes = kernel::bytes(skb);
                below::exits(owner, skb, bytes);
                count::add_exit(SITE as u16, owner, bytes);
            }
            return 0;
        }
        // The tracepoints that carry a length carry it as an `int`.
        Bytes::Requested(at) => ctx.arg::<u64>(usize::from(at)) & 0xffff_ffff,
        _ => return 0,
    };
    count::add::<SITE, _>(ctx, kernel::NO_ITER, bytes);
    0
}

#[inline(always)]
fn entered_key<const SITE: usize>() -> EnteredKey {
    EnteredKey { thread: task::thread(), site: SITE as u64 }
}

/// The argument that the site's byte rule needs beside the result.
#[inline(always)]
fn argument_of<const SITE: usize>() -> Option<u8> {
    match const { SITES[SITE].bytes } {
        Bytes::ReturnedLess(at)
        | Bytes::ReturnedByIpv4(at)
        | Bytes::ReturnedBesideKernfs(at)
        | Bytes::ReturnedToUdp(at)
        | Bytes::ReturnedOfFile(at)
        | Bytes::IfZero(at)
        | Bytes::Pinned(at)
        | Bytes::Replaced(at)
        | Bytes::Unshared(at)
        | Bytes::Folio(at) => Some(at),
        Bytes::Linear { length, .. } | Bytes::PinnedToUdp { length, .. } => Some(length),
        _ => None,
    }
}

/// Bytes done, by the site's rule.
#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "negative results were sent away before")]
#[expect(clippy::cast_possible_wrap, reason = "a register is signed or not as its reader says")]
fn done<const SITE: usize>(result: u64, argument: u64) -> u64 {
    match const { SITES[SITE].bytes } {
        // `int` results leave the upper half of the register undefined; no single call here
        // moves 2 GiB or more (MAX_RW_COUNT), so the lower half is the result.
        Bytes::Returned
        | Bytes::ReturnedByIpv4(_)
        | Bytes::ReturnedBesideKernfs(_)
        | Bytes::ReturnedToUdp(_)
        | Bytes::ReturnedOfFile(_)
        | Bytes::Pinned(_)
        | Bytes::Spliced { .. } => i64::from(result as i32).max(0) as u64,
        Bytes::ReturnedLess(_) => {
            let result = result as i64;
            if result > 0 { (result - argument as i64).max(0) as u64 } else { 0 }
        }
        Bytes::Linear { fails: false, .. } => argument & 0xffff_ffff,
        Bytes::IfZero(_) | Bytes::Linear { .. } => {
            if result as i32 == 0 {
                argument & 0xffff_ffff
            } else {
                0
            }
        }
        _ => 0,
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// The kernel lets GPL-compatible programs read its memory; this object is offered under
// GPL-2.0 besides the project's own licences.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
