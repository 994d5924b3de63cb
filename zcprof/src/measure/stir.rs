//! Lets go of pages that freed socket buffers still hold.
//!
//! An skb that is freed on another CPU than its own is put on that CPU's list
//! (`skb_attempt_defer_free()`, net/core/skbuff.c, since 5.19) and is released when that CPU next
//! receives something (`skb_defer_free_flush()` in `net_rx_action()`, net/core/dev.c). Until then
//! its pages cannot leave the page cache.

use std::net::UdpSocket;

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::probe::kernel::online_cpus;

/// Has every CPU receive something over loopback.
///
/// # Errors
/// The kernel's own.
pub(super) fn every_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).context("asking for this thread's CPUs")?;
    let stirred = online_cpus()?.into_iter().try_for_each(|cpu| {
        let mut only = CpuSet::new();
        only.set(usize::try_from(cpu)?)?;
        sched_setaffinity(this_thread, &only).with_context(|| format!("moving to CPU {cpu}"))?;
        // Loopback delivers on the CPU that sends.
        let socket = UdpSocket::bind("127.0.0.1:0").context("a UDP socket")?;
        socket.send_to(&[0], socket.local_addr()?).context("sending over loopback")?;
        socket.recv(&mut [0]).context("receiving over loopback")?;
        Ok(())
    });
    sched_setaffinity(this_thread, &before).context("returning to this thread's CPUs")?;
    stirred
}
