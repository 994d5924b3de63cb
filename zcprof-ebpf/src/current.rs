//! Which system call a watched thread is in, and on which kind of file.

use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use zcprof_common::layout::{ELSEWHERE, Inflight, Lost, MAX_SYSCALLS, NO_FD, NO_SYSCALL, NOT_OWN};
use zcprof_common::syscalls::{IO_URING_ENTER, MMAP, PEEKS, SENDMMSG, flags_argument};
use zcprof_common::vocabulary::File;

use crate::loss::lose;
use crate::place::Place;
use crate::{CONFIG, kernel, mappings, place, who};

/// Keyed by thread (`bpf_get_current_pid_tgid()`); watched processes only.
#[map]
static INFLIGHT: HashMap<u64, Inflight> = HashMap::with_max_entries(16384, 0);

/// A thread enters a system call; `argument` gives one of its first five.
#[inline(always)]
pub(crate) fn enter(number: i64, argument: impl Fn(u8) -> u32) {
    let thread = helpers::bpf_get_current_pid_tgid();
    if who::subject_at_syscall() == ELSEWHERE {
        return;
    }
    // The numbers of 32-bit calls mean others (arch/x86/entry/syscalls/syscall_32.tbl).
    let number = if kernel::is_compat() { i64::from(NO_SYSCALL) } else { number };
    let place = match fd_argument(number) {
        NO_FD => Place::NONE,
        at => place::of(kernel::file(argument(at))),
    };
    const MSG_PEEK: u32 = 2; // include/linux/socket.h
    let looks = flags_argument(number).is_some_and(|at| argument(at) & MSG_PEEK != 0);
    if number == i64::from(MMAP) {
        mappings::map(&argument);
    }
    let number = if looks { number | i64::from(PEEKS) } else { number };
    let Place { kind, port, open_file, sock } = place;
    let (syscall, file) = (number as i32, u16::from(kind));
    let inflight = Inflight { syscall, file, port, user: NOT_OWN, open_file, sock };
    if INFLIGHT.insert(&thread, &inflight, 0).is_err() {
        lose(Lost::Inflight);
    }
}

/// A thread leaves a system call: which, and how many bytes it moved. None of a thread that was not
/// seen to enter, as those that are not watched are not.
#[inline(always)]
pub(crate) fn exit(result: i64) -> Option<(Inflight, u64)> {
    let inflight = get()?;
    let thread = helpers::bpf_get_current_pid_tgid();
    let _ = INFLIGHT.remove(&thread);
    // Only of data-moving system calls is the result a number of bytes.
    let moves = fd_argument(i64::from(inflight.syscall)) != NO_FD;
    let bytes = if moves && result > 0 { result as u64 } else { 0 };
    Some((inflight, bytes))
}

/// A watched thread begins to work on a kind of file that its system call does not name: it is
/// in io_uring_enter or sendmmsg, or in no system call at all (a worker of its io_uring).
#[inline(always)]
pub(crate) fn begin_scope(file: File) {
    let thread = helpers::bpf_get_current_pid_tgid();
    let syscall = match get() {
        None => NO_SYSCALL,
        Some(Inflight { syscall: known @ (IO_URING_ENTER | SENDMMSG), .. }) => known,
        Some(inflight) if inflight.syscall == NO_SYSCALL => NO_SYSCALL,
        Some(_) => return,
    };
    let inflight = Inflight { syscall, file: file as u16, ..Inflight::NOWHERE };
    if INFLIGHT.insert(&thread, &inflight, 0).is_err() {
        lose(Lost::Inflight);
    }
}

/// It ends that work.
#[inline(always)]
pub(crate) fn end_scope() {
    let Some(inflight) = get() else { return };
    let thread = helpers::bpf_get_current_pid_tgid();
    if inflight.syscall == NO_SYSCALL {
        let _ = INFLIGHT.remove(&thread);
    } else if let IO_URING_ENTER | SENDMMSG = inflight.syscall {
        let inflight =
            Inflight { syscall: inflight.syscall, user: inflight.user, ..Inflight::NOWHERE };
        let _ = INFLIGHT.insert(&thread, &inflight, 0);
    }
}

/// From here on the current thread works on a `struct sock *` of that port.
#[inline(always)]
pub(crate) fn at_socket(sock: u64, port: u16) {
    if let Some(inflight) = INFLIGHT.get_ptr_mut(&helpers::bpf_get_current_pid_tgid()) {
        // SAFETY: the entry is this thread's own, and nobody else writes it.
        unsafe { ((*inflight).sock, (*inflight).port) = (sock, port) };
    }
}

/// The current thread ends, in whatever system call that is.
#[inline(always)]
pub(crate) fn forget_this() {
    let _ = INFLIGHT.remove(&helpers::bpf_get_current_pid_tgid());
}

/// A thread of the current process is gone that had this number.
#[inline(always)]
pub(crate) fn forget(number: u32) {
    let process = helpers::bpf_get_current_pid_tgid() >> 32 << 32;
    let _ = INFLIGHT.remove(&(process | u64::from(number)));
}

/// The system call that the current thread is in, if it is watched and was seen to enter.
#[inline(always)]
pub(crate) fn get() -> Option<Inflight> {
    // SAFETY: the entry is this thread's own, and nobody else writes it.
    unsafe { INFLIGHT.get(&helpers::bpf_get_current_pid_tgid()) }.copied()
}

/// Whether the current thread is in this system call.
#[inline(always)]
pub(crate) fn is_in(syscall: i32) -> bool {
    get().is_some_and(|inflight| inflight.syscall == syscall)
}

/// Which way through the program led to the current system call; `find` says it of a subject the first
/// time.
#[inline(always)]
pub(crate) fn user(subject: u32, find: fn(u32) -> u64) -> u64 {
    let inflight = INFLIGHT.get_ptr_mut(&helpers::bpf_get_current_pid_tgid());
    if let Some(inflight) = inflight {
        // SAFETY: the entry is this thread's own, and nobody else writes it.
        let known = unsafe { (*inflight).user };
        if known != NOT_OWN {
            return known;
        }
    }
    let user = find(subject);
    if let Some(inflight) = inflight {
        // SAFETY: as above.
        unsafe { (*inflight).user = user };
    }
    user
}

#[inline(always)]
fn fd_argument(number: i64) -> u8 {
    kernel::configured(&CONFIG.fd_argument[number as usize & (MAX_SYSCALLS - 1)])
}
