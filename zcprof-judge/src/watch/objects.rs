//! By which file and with which peer system calls moved bytes. It explains the counts: no verdict rests on
//! it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::charged::Charged;
use crate::syscall::InSyscall;

/// Calls of a program on a regular file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileCalls {
    /// Whose calls.
    pub charged: Charged,
    /// The file; none stands for all files that are not told apart.
    pub file: Option<WatchedFile>,
    /// The system call.
    pub syscall: InSyscall,
    /// Calls that moved bytes.
    pub calls: u64,
    /// The bytes, as the calls say: read, written, sent or spliced.
    pub bytes: u64,
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedFile {
    /// The last three names of its path at the first call that was counted, or fewer; `…/` stands for the
    /// rest.
    pub path: String,
    /// The device of its file system, as `/proc/self/mountinfo` has it: major and minor number.
    pub device: String,
    /// Its inode's number.
    pub inode: u64,
}

/// Calls of a program that reach one peer from one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerCalls {
    /// Whose calls.
    pub charged: Charged,
    /// The kind of socket: `tcp`, `udp`, `mptcp`, `unix`, `vsock`, or `other`.
    pub family: String,
    /// Local port, if it is one that is told apart.
    pub port: Option<u16>,
    /// The peer's address, with its port if that is none which a kernel hands out by itself; none where the
    /// socket has no such address.
    pub peer: Option<String>,
    /// The system call.
    pub syscall: InSyscall,
    /// Calls that moved bytes.
    pub calls: u64,
    /// The bytes, as the calls say.
    pub bytes: u64,
}

/// Sends of a process that is not watched, by sockets of a program that is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrangerCalls {
    /// Whose sockets.
    pub charged: Charged,
    /// The process.
    pub pid: u32,
    /// Its thread's name.
    pub name: String,
    /// Calls that sent.
    pub calls: u64,
    /// Bytes sent.
    pub bytes: u64,
}
