//! Findings and reasons in words.

use std::fmt;

use super::{Finding, Reason};
use crate::run::Doubt;

/// `bytes` per payload byte with three decimals, rounded half up, by integers only.
#[must_use]
pub fn per_byte(bytes: u64, payload: u64) -> String {
    if payload == 0 {
        return "-".to_owned();
    }
    let thousandths = (u128::from(bytes) * 1000 + u128::from(payload) / 2) / u128::from(payload);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} per byte, claimed {} ({}{}{})",
            self.hop.name(),
            self.disposition.name(),
            per_byte(self.bytes, self.payload),
            per_byte(self.claimed, self.payload),
            self.instrument.name(),
            if self.at.is_empty() { "" } else { ": " },
            self.at
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadUnverified => {
                write!(f, "the consumer did not receive the bytes that the segments hold")
            }
            Self::NoPayload => write!(f, "no payload was sent"),
            Self::NotWatching(instrument, why) => {
                write!(f, "{} could not look: {why}", instrument.name())
            }
            Self::Unwatched(hop, leaf) => write!(
                f,
                "no repetition watched the leaf {leaf}, which may have copied {}",
                hop.name()
            ),
            Self::ControlFailed(instrument, why) => {
                write!(f, "{} failed its control: {why}", instrument.name())
            }
            Self::WayDiffers(instrument, why) => write!(
                f,
                "{} saw what is known over plain TCP, and something else over the measured network \
                 or socket: {why}",
                instrument.name()
            ),
            Self::Doubt(doubt) => write!(f, "{doubt}"),
            Self::Residual(instrument, bytes) => {
                write!(f, "{} leaves {bytes} bytes unexplained", instrument.name())
            }
            Self::Disagree(hop, audit, callers) => write!(
                f,
                "the instruments disagree at {}: audit {audit} bytes, callers {callers}",
                hop.name()
            ),
            Self::Unowned(bytes, at) => {
                write!(f, "{bytes} bytes were copied by {at} for a socket whose owner is not known")
            }
            Self::Unattributed(bytes, at) => {
                write!(f, "{at} encrypted {bytes} bytes of UDP whose sender is not known")
            }
            Self::EncryptedForAny(bytes, at) => {
                write!(f, "{at} encrypted {bytes} bytes for a socket whose port is not known")
            }
            Self::UnknownFiller(layer) => {
                write!(
                    f,
                    "it is unknown whether the CPU fills the page cache from storage: {layer}"
                )
            }
            Self::UnknownDevice(device) => {
                write!(f, "it is unknown what {device} does to packets")
            }
            Self::BounceBuffers(bytes) => {
                write!(
                    f,
                    "the CPU copied {bytes} bytes into or out of buffers for devices that do not \
                     reach all memory, and the kernel does not tell whose they are"
                )
            }
            Self::ReachedNoDevice(sent, reached) => {
                write!(
                    f,
                    "only {reached} of {sent} bytes sent over TCP or UDP were seen to reach a device"
                )
            }
            Self::Queued(bytes) => write!(
                f,
                "{bytes} bytes waited in sockets when the window ended, and may have been copied or \
                 encrypted when they left"
            ),
            Self::MayBeSent(hop, bytes) => write!(
                f,
                "{bytes} bytes went {} in the programs that sent, which may have sent them",
                hop.name()
            ),
            Self::MayBeCopied(hop, bytes) => write!(
                f,
                "{bytes} bytes went {} that were not known to be in pages, and may have been copied",
                hop.name()
            ),
            Self::Uncounted(bytes) => {
                write!(f, "system calls sent {bytes} bytes by sockets that zcprof does not count")
            }
            Self::Untaken(bytes, calls) => write!(
                f,
                "{bytes} bytes were copied from memory in {calls}, and no socket that zcprof counts \
                 took them"
            ),
            Self::CommandFailed(status) => {
                write!(f, "the command failed with {status}, and may not have done all of its work")
            }
            Self::NoWitness(hop, moved) => {
                write!(f, "no witness: only {moved} bytes were seen moving {}", hop.name())
            }
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlike { what, first, later } => {
                write!(f, "repetitions differ in {what}: {first} bytes, then {later}")
            }
            Self::Missed { site, runs } => write!(f, "the probe at {site} missed {runs} runs"),
            Self::Lost { what, times } => write!(f, "{what}, {times} times"),
            Self::Unfollowed { times } => {
                write!(
                    f,
                    "{times} forks, execs, exits or first listens of processes were not followed"
                )
            }
            Self::UnreachedCpu { cpu, group } => write!(
                f,
                "who is watched ran on CPU {cpu}, where zcprof may not run (the cpuset of its control \
                 group, {group}): nothing shows that the breakpoints there answer"
            ),
            Self::UnwatchedCpu { cpu } => write!(f, "CPU {cpu} came online and was not watched"),
            Self::ModuleLoaded { module } => write!(
                f,
                "the module {module} was loaded after the probes were attached, and has functions \
                 that should be watched"
            ),
            Self::ProbeGone { site } => write!(f, "the probe at {site} is gone"),
            Self::ProbeOff { site } => write!(f, "the probe at {site} was switched off meanwhile"),
            Self::CacheState { resident, pages } => {
                write!(f, "{resident} of {pages} segment pages were in the page cache")
            }
        }
    }
}
