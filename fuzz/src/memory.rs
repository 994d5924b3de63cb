//! A bound on memory for each input: an allocation beyond it ends the process, which the fuzzer
//! takes for a crash. Memory that C libraries take is bounded by libFuzzer's `-rss_limit_mb`.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Does `work` with at most so many bytes of memory more than are taken now.
pub fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + bytes).expect("above what is taken");
    let result = work();
    ALLOCATOR.set_limit(usize::MAX).expect("no bound");
    result
}
