//! Names of watchers, which a command line, the record and the bounds know.

/// Nobody watches.
pub const NOBODY: &str = "nobody";
/// The same once more: what two turns without a watcher differ by.
pub const NOBODY_AGAIN: &str = "nobody-again";
/// zcprof without the audit and without stacks.
pub const CALLERS: &str = "callers";
/// The same with stacks.
pub const CALLERS_STACKS: &str = "callers+stacks";
/// zcprof with callers and audit, without stacks.
pub const BOTH: &str = "both";
/// The same with stacks.
pub const BOTH_STACKS: &str = "both+stacks";
/// bpftrace, counting the calls of four functions.
pub const BPFTRACE: &str = "bpftrace";
/// `perf trace -s`.
pub const PERF_TRACE: &str = "perf-trace";
/// `strace -f`.
pub const STRACE: &str = "strace";

/// All of them.
pub const ALL: &[&str] = &[
    NOBODY,
    NOBODY_AGAIN,
    CALLERS,
    CALLERS_STACKS,
    BOTH,
    BOTH_STACKS,
    BPFTRACE,
    PERF_TRACE,
    STRACE,
];
