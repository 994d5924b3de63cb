//! The stacks as a record has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zcprof_common::vocabulary::{Disposition, Hop};

use crate::charged::Charged;

/// Stacks of copies and moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stacks {
    /// Each frame once; stacks name them by their place here.
    pub frames: Vec<Frame>,
    /// The stacks, sorted. Bytes of one hop and disposition add up to what the exact counters say
    /// of them, less what is lost.
    pub stacks: Vec<Stack>,
    /// Bytes that were counted and whose stack is lost, by hop: the map of stacks was full, or busy.
    pub lost: Vec<LostBytes>,
}

/// A frame of a stack.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// What of it runs.
    pub kind: FrameKind,
    /// Name of the function; `[0x1234]`, an address in its file, where no symbol is known; or what
    /// is missing.
    pub name: String,
    /// Name of the file that has it, without its folders; empty in the kernel itself, or where
    /// something is missing.
    pub file: String,
}

/// What stands for the file of code that a runtime made.
pub const MEMORY: &str = "memory";

impl Frame {
    /// Whether code ran that no symbol names: of a file without symbols, or made at run time without a map.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        let name = self.name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_so = |name: &str| name == "no symbol" || name.starts_with("0x");
        self.kind == FrameKind::User && name.is_some_and(is_so)
    }
}

/// What kind of frame it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// A function of the program or of a library.
    User,
    /// A function of the kernel or of a module.
    Kernel,
    /// Not a frame: it stands for what is not known, as `stack cut`, `symbols gone` or `deferred,
    /// sender unknown`.
    Missing,
}

/// Bytes at a site by one way through the program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Who is charged.
    pub charged: Charged,
    /// Local port of the socket, if it is one that is told apart.
    pub port: Option<u16>,
    /// Which arrow of the path.
    pub hop: Hop,
    /// What happened there.
    pub disposition: Disposition,
    /// The site's name in the table.
    pub site: String,
    /// Frames, the outermost first: the program's, then the kernel's.
    pub frames: Vec<u32>,
    /// Times.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Bytes without a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LostBytes {
    /// Which arrow of the path.
    pub hop: Hop,
    /// What happened there.
    pub disposition: Disposition,
    /// Bytes.
    pub bytes: u64,
}
