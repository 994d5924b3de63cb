//! What waits in the sockets by which watched processes send. The loader asks when a window ends: what is
//! copied or encrypted below a socket is so when it leaves.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use zcprof_common::layout::SocketQueue;

use crate::{below, kernel, place};

/// What the loader asked last: the results of programs on raw tracepoints are nobody's.
#[map]
static QUEUE: Array<SocketQueue> = Array::with_max_entries(1, 0);

/// Answers what waits in a `struct sock *`.
#[inline(always)]
pub(crate) fn look(sock: u64) {
    let mut queue = SocketQueue::default();
    if below::is_known(sock) && kernel::is_of_tcp(sock) {
        let (end, next) = (kernel::written(sock), kernel::next_to_leave(sock));
        queue = SocketQueue { end, next, port: place::port(sock), unused: 0 };
    }
    if let Some(answer) = QUEUE.get_ptr_mut(0) {
        // SAFETY: the loader asks one thing after the other.
        unsafe { *answer = queue };
    }
}
