//! Where and on what was measured: the kernel, and what was served to whom.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A running kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m`.
    pub machine: String,
    /// CPUs online when the run began.
    pub cpus: u32,
    /// Emulator or hypervisor, as far as it is known: `TCG`, `KVM`. TCG time is not real time.
    pub hypervisor: Option<String>,
}

/// What was served to whom. Sizes in bytes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Payload that each pass aims at.
    pub payload: u64,
    /// Most record bytes in one fetch.
    pub fetch_size: u64,
    /// Connections fetching at once.
    pub connections: u32,
    /// Segment files.
    pub segments: u32,
    /// Record bytes in all segment files.
    pub log_bytes: u64,
    /// File system that holds the segments, as /proc/self/mountinfo names it.
    pub file_system: String,
    /// What stores the segments, from their file system down to the device.
    #[serde(default)]
    pub storage: Vec<StorageLayer>,
    /// Path between server and consumer.
    pub network: String,
    /// That path's name on the command line.
    pub network_name: String,
    /// Kind of socket between them, by its name on the command line.
    #[serde(default = "tcp")]
    pub socket: String,
    /// Who consumed in the passes: name and version. In the controls it is always zcprof.
    pub consumer: String,
}

/// A layer of what stores a file: a file system, something that a file system does to this file, or
/// a block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Layer")]
pub struct StorageLayer {
    /// What it is: `ext4`, `loop with direct I/O`, `dm-crypt`, `virtio_blk`.
    pub kind: String,
    /// Which: where it is mounted, or the device.
    pub name: String,
}

/// `loop /dev/loop0`.
impl fmt::Display for StorageLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The only kind of socket that older records know.
fn tcp() -> String {
    "tcp".to_owned()
}
