//! What waits in the sockets by which watched processes send.

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::{Array, HashMap};
use aya::programs::{RawTracePoint, RawTracePointRunOptions, TestRun as _};
use zcprof_common::layout::{ELSEWHERE, NO_OWNER, SocketQueue};
use zcprof_common::vocabulary::Hook;

use super::follow::map;
use super::program_called;

/// The program that looks into a socket.
const PROGRAM: &str = "queue";

/// Bytes that wait in a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its `struct sock *`.
    socket: u64,
    /// Who sends by it.
    pub subject: u32,
    /// Its local port, or [`zcprof_common::layout::NO_PORT`].
    pub port: u16,
    /// The number behind the last of the bytes.
    end: u32,
    /// How many they are.
    pub bytes: u32,
}

/// Has the kernel take the program.
///
/// # Errors
/// It refuses.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<()> {
    Ok(program(ebpf)?.load()?)
}

fn program(ebpf: &mut Ebpf) -> Result<&mut RawTracePoint> {
    Ok(program_called(ebpf, Hook::Raw.of(PROGRAM))?.try_into()?)
}

/// What waits now, socket by socket. Sockets by which somebody else sends are left out.
///
/// # Errors
/// The map cannot be read, or the program cannot be run.
pub(super) fn all(ebpf: &mut Ebpf) -> Result<Vec<Queue>> {
    let sockets: HashMap<_, u64, u32> = map(ebpf, "SOCKETS")?;
    // One that is destroyed meanwhile is not there any more.
    let mut sockets: Vec<_> = sockets.iter().filter_map(Result::ok).collect();
    sockets.retain(|(_, subject)| ![ELSEWHERE, NO_OWNER].contains(subject));
    let mut queues = Vec::new();
    for (socket, subject) in sockets {
        let now = look(ebpf, socket)?;
        let (end, bytes) = (now.end, now.before(now.end));
        if bytes > 0 {
            queues.push(Queue { socket, subject, port: now.port, end, bytes });
        }
    }
    Ok(queues)
}

/// How many of these bytes still wait: none if the socket is gone.
///
/// # Errors
/// The program cannot be run.
pub(super) fn left(ebpf: &mut Ebpf, queue: &Queue) -> Result<u32> {
    let now = look(ebpf, queue.socket)?;
    let is_gone = now == SocketQueue::default();
    Ok(if is_gone { 0 } else { now.before(queue.end).min(queue.bytes) })
}

fn look(ebpf: &mut Ebpf, socket: u64) -> Result<SocketQueue> {
    let mut options = RawTracePointRunOptions::new();
    options.args[0] = socket;
    program(ebpf)?.test_run(options).context("looking into a socket")?;
    let answer = ebpf.map("QUEUE").context("the programs have no map QUEUE")?;
    let answer: Array<_, SocketQueue> = Array::try_from(answer)?;
    Ok(answer.get(&0, 0)?)
}
