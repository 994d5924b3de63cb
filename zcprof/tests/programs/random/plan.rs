//! What a random program does, and what is true of it by construction.

use std::fmt;

use fastrand::Rng;

/// A way to send a part of a file.
#[derive(Debug)]
pub(super) struct SendWay {
    /// Its name in `serve.py`.
    name: &'static str,
    /// Copies per byte, all of them of bytes that are sent.
    copies: u32,
    /// Of these, the copies that no program could make of other bytes: into the socket, or into a pipe
    /// whose pages are sent.
    certain: u32,
    /// What keeps zcprof from a verdict, if something does.
    doubt: Doubt,
}

/// Whether zcprof can see what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Never,
    /// By a file that the program wrote (ZC222).
    Always,
}

const WAYS: &[SendWay] = &[
    SendWay { name: "sendfile", copies: 0, certain: 0, doubt: Doubt::Never },
    SendWay { name: "splice", copies: 0, certain: 0, doubt: Doubt::Never },
    SendWay { name: "hashed", copies: 0, certain: 0, doubt: Doubt::Never },
    SendWay { name: "mmap", copies: 1, certain: 1, doubt: Doubt::Never },
    SendWay { name: "copy", copies: 2, certain: 1, doubt: Doubt::Never },
    SendWay { name: "pipe", copies: 2, certain: 1, doubt: Doubt::Never },
    SendWay { name: "staged", copies: 2, certain: 0, doubt: Doubt::Always },
];

/// Who sends a part. A stranger is no descendant of the program: zcprof does not see what he reads.
const ACTORS: &[&str] =
    &["self", "self", "thread", "child", "grandchild", "killed", "another", "stranger"];

const STRANGER: &str = "stranger";

/// A part of each answer.
#[derive(Debug)]
struct SentPart {
    actor: &'static str,
    way: &'static SendWay,
    share: u32,
}

/// What is served at a port.
#[derive(Debug)]
pub(super) struct PortPlan {
    pub(super) port: u16,
    parts: Vec<SentPart>,
}

impl PortPlan {
    pub(super) fn random(rng: &mut Rng, port: u16) -> Self {
        // Half of the programs copy nothing: a claim that holds is worth as much as one that does not.
        let ways = if rng.bool() { &WAYS[..3] } else { WAYS };
        let one = |rng: &mut Rng| SentPart {
            actor: ACTORS[rng.usize(..ACTORS.len())],
            way: &ways[rng.usize(..ways.len())],
            share: rng.u32(1..=4),
        };
        let parts = (0..rng.usize(1..=3)).map(|_| one(rng)).collect();
        Self { port, parts }
    }

    /// A mean over the bytes that are sent.
    fn mean(&self, of: impl Fn(&SentPart) -> u32) -> f64 {
        let whole: u32 = self.parts.iter().map(|part| part.share).sum();
        let sum: u32 = self.parts.iter().map(|part| part.share * of(part)).sum();
        f64::from(sum) / f64::from(whole)
    }

    /// Copies per sent byte, its headers apart.
    pub(super) fn copies(&self) -> f64 {
        self.mean(|part| part.way.copies)
    }

    /// Copies per sent byte that zcprof cannot take for anything else.
    pub(super) fn certain(&self) -> f64 {
        self.mean(|part| part.way.certain)
    }

    /// Whether what it sends leaves by pipes of its own.
    pub(super) fn leaves_by_pipes(&self) -> bool {
        self.parts.iter().any(|part| ["splice", "pipe"].contains(&part.way.name))
    }

    /// Whether it writes into such pipes.
    pub(super) fn fills_pipes(&self) -> bool {
        self.parts.iter().any(|part| part.way.name == "pipe")
    }

    /// Whether zcprof sees all that is read and written for it.
    pub(super) fn has_no_stranger(&self) -> bool {
        self.parts.iter().all(|part| part.actor != STRANGER)
    }

    /// Whether zcprof can see where all bytes come from that are handed over.
    pub(super) fn is_seen(&self) -> bool {
        let hidden = |part: &SentPart| part.actor == STRANGER && part.way.name != "mmap";
        !self.parts.iter().any(|part| part.way.doubt == Doubt::Always || hidden(part))
    }
}

/// As `serve.py` reads it.
impl fmt::Display for PortPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.port)?;
        for (place, SentPart { actor, way, share }) in self.parts.iter().enumerate() {
            let sign = if place > 0 { "+" } else { "" };
            write!(f, "{sign}{actor}:{}:{share}", way.name)?;
        }
        Ok(())
    }
}
