//! Who is watched: processes, each under its subject, followed from fork to exec to exit.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use zcprof_common::layout::{
    ADOPT_ALL, ADOPT_CGROUP, ADOPT_NONE, ELSEWHERE, Lost, MAX_EXECS, MAX_PROGRAMS, OTHER_PROGRAMS,
    PROCESS_BITS,
};

use crate::loss::lose;
use crate::task::process;
use crate::{CONFIG, kernel};

/// The subject of each watched process, by its number (tgid). Children are of their parent's until
/// they run another program.
#[map]
static SUBJECTS: HashMap<u32, u32> = HashMap::with_max_entries(65536, 0);

/// The subject of each program that a watched process has run, by the name of its first thread
/// (`task_struct.comm`).
#[map]
static PROGRAMS: HashMap<[u8; 16], u32> = HashMap::with_max_entries(MAX_PROGRAMS, 0);

/// Names of programs that are watched as soon as somebody runs them.
#[map]
static WANTED: HashMap<[u8; 16], u32> = HashMap::with_max_entries(64, 0);

/// The subject of the current process, or [`ELSEWHERE`].
#[inline(always)]
pub(crate) fn subject() -> u32 {
    // SAFETY: the value is read at once, and is one word.
    unsafe { SUBJECTS.get(&process()) }.copied().unwrap_or(ELSEWHERE)
}

/// The same at a system call, where a process that is to be watched is found if it is not yet.
#[inline(always)]
pub(crate) fn subject_at_syscall() -> u32 {
    let known = subject();
    let adopts = kernel::configured(&CONFIG.adopts);
    if known != ELSEWHERE || adopts == ADOPT_NONE {
        return known;
    }
    let process = process();
    let is_own = process == kernel::configured(&CONFIG.own);
    let wanted = match adopts {
        ADOPT_ALL => true,
        ADOPT_CGROUP => is_in_cgroup(),
        _ => false,
    };
    if !wanted || is_own || process == ELSEWHERE {
        return ELSEWHERE;
    }
    let Ok(name) = helpers::bpf_get_current_comm() else {
        lose(Lost::Subject);
        return ELSEWHERE;
    };
    adopt(&name, process, ELSEWHERE)
}

#[inline(always)]
fn is_in_cgroup() -> bool {
    let level = kernel::configured(&CONFIG.cgroup_level) as i32;
    // SAFETY: the helper has no precondition; it gives zero where there is no such ancestor.
    let id = unsafe { helpers::generated::bpf_get_current_ancestor_cgroup_id(level) };
    let [high, low] = [0, 1].map(|at| u64::from(kernel::configured(&CONFIG.cgroup[at])));
    id != 0 && id == high << 32 | low
}

/// Watches the current process from here on, under the subject of its program; `before` is that of
/// the one that it ran before.
#[inline(always)]
fn adopt(name: &[u8; 16], process: u32, before: u32) -> u32 {
    let subject = program(name, process, before);
    if SUBJECTS.insert(&process, &subject, 0).is_err() {
        lose(Lost::Subject);
        return ELSEWHERE;
    }
    subject
}

/// The subject of a program. A new one has the number of the process that runs it, or, if that was
/// the first to run another too, the next of that process's.
#[inline(always)]
fn program(name: &[u8; 16], process: u32, before: u32) -> u32 {
    // SAFETY: the value is read at once, and is one word.
    if let Some(known) = unsafe { PROGRAMS.get(name) } {
        return *known;
    }
    let began_it = before & ((1 << PROCESS_BITS) - 1) == process;
    let new = if began_it { before + (1 << PROCESS_BITS) } else { process };
    if new >> PROCESS_BITS > MAX_EXECS {
        return OTHER_PROGRAMS;
    }
    if PROGRAMS.insert(name, &new, u64::from(BPF_NOEXIST)).is_ok() {
        return new;
    }
    // Another CPU was faster, or there are too many programs to tell them all apart.
    // SAFETY: as above.
    unsafe { PROGRAMS.get(name) }.copied().unwrap_or(OTHER_PROGRAMS)
}

/// The current process has made a child, which does not run yet: kernel_clone(), kernel/fork.c, 5.10
/// to 7.3.
#[inline(always)]
pub(crate) fn forked(child: u64) {
    let (thread, process) = kernel::numbers(child);
    let subject = subject();
    if thread != process || subject == ELSEWHERE {
        return; // a thread, or nobody's child
    }
    let is_initial = kernel::configured(&CONFIG.pid_namespace[1]) == 0;
    let number = if is_initial { Some(process) } else { kernel::number_in_own_namespace(child) };
    // A child in a namespace of its own has no number where the loader is.
    let is_watched = number.is_some_and(|number| SUBJECTS.insert(&number, &subject, 0).is_ok());
    if !is_watched {
        lose(Lost::Subject);
    }
}

/// The current process runs another program: exec_binprm(), fs/exec.c, 5.10 to 7.3.
#[inline(always)]
pub(crate) fn executed() {
    let process = process();
    let known = subject();
    let Ok(name) = helpers::bpf_get_current_comm() else {
        lose(Lost::Subject);
        return;
    };
    // SAFETY: the map's values are not read.
    let wanted = unsafe { WANTED.get(&name) }.is_some();
    let renames = kernel::configured(&CONFIG.by_program) != 0;
    if process != ELSEWHERE && (wanted || known != ELSEWHERE && renames) {
        adopt(&name, process, known);
    }
}

/// The current thread ends: do_exit(), kernel/exit.c, 5.10 to 7.3, which counts it as no longer
/// living before.
#[inline(always)]
pub(crate) fn exited() {
    if kernel::living_threads() == 0 {
        let _ = SUBJECTS.remove(&process());
    }
}
