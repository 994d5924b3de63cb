//! Speed and the probes' cost, out of the timed passes. No verdict reads any of it.

use super::numbers::{GIB, float};
use super::rounds::{Quartiles, RatioSpread};
use crate::run::{Kernel, Run, TimedRound, Timing};

/// One transfer's speed on one kernel, no probe attached.
pub(super) struct Speed<'a> {
    pub(super) transfer: &'a str,
    pub(super) kernel: &'a Kernel,
    /// GiB per second.
    pub(super) throughput: Option<Quartiles>,
    /// The same of each round.
    rounds: Vec<f64>,
    /// The server's CPU seconds per GiB.
    pub(super) server: Option<Quartiles>,
    /// The consumer's CPU seconds per GiB.
    pub(super) consumer: Option<Quartiles>,
}

/// What the probes cost one transfer: CPU time with them, per CPU time without, round by round.
pub(super) struct Cost<'a> {
    pub(super) transfer: &'a str,
    pub(super) kernel: &'a Kernel,
    pub(super) ratio: RatioSpread,
}

impl Speed<'_> {
    /// Its throughput by another's, round by round.
    pub(super) fn by(&self, other: &Self) -> Option<RatioSpread> {
        let rounds = self.rounds.iter().zip(&other.rounds);
        RatioSpread::of(rounds.map(|(one, other)| one / other))
    }
}

/// Speeds from passes without probes. An emulated kernel's are left out if there are others.
pub(super) fn speeds(run: &Run) -> Vec<Speed<'_>> {
    let bare = || run.timings.iter().filter(|timing| !timing.probed);
    let real = bare().any(|timing| !emulated(&timing.kernel));
    bare()
        .filter(|timing| !(real && emulated(&timing.kernel)))
        .map(|timing| {
            let speed = |round: &TimedRound| float(timing.payload) / round.seconds / GIB;
            let rounds: Vec<f64> = timing.rounds.iter().map(speed).collect();
            Speed {
                transfer: &timing.transfer,
                kernel: &timing.kernel,
                throughput: Quartiles::of(rounds.iter().copied()),
                rounds,
                server: per_gib(timing, |round| round.server_cpu),
                consumer: per_gib(timing, |round| round.consumer_cpu),
            }
        })
        .collect()
}

/// The probes' cost, where both kinds of pass were timed on the same kernel.
pub(super) fn costs(run: &Run) -> Vec<Cost<'_>> {
    let cpu = |timing: &Timing, round: &TimedRound| {
        (round.server_cpu + round.consumer_cpu) / float(timing.payload)
    };
    let probed = run.timings.iter().filter(|timing| timing.probed);
    probed
        .filter_map(|probed| {
            let bare = run.timings.iter().find(|timing| {
                !timing.probed
                    && timing.transfer == probed.transfer
                    && timing.kernel == probed.kernel
            })?;
            // A round with probes and the one without that was made beside it.
            let pairs = probed.rounds.iter().zip(&bare.rounds);
            let ratios = pairs.map(|(with, without)| cpu(probed, with) / cpu(bare, without));
            Some(Cost {
                transfer: &probed.transfer,
                kernel: &probed.kernel,
                ratio: RatioSpread::of(ratios)?,
            })
        })
        .collect()
}

/// The kernels of a list, each once, in its order.
pub(super) fn kernels<'a>(of: impl Iterator<Item = &'a Kernel>) -> Vec<&'a Kernel> {
    let mut kernels: Vec<&Kernel> = Vec::new();
    for kernel in of {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    kernels
}

/// A kernel's name, and what its time is worth.
pub(super) fn named(kernel: &Kernel) -> String {
    match &kernel.hypervisor {
        Some(_) if emulated(kernel) => format!("{} (emulated by TCG)", kernel.release),
        Some(hypervisor) => format!("{} (under {hypervisor})", kernel.release),
        None => kernel.release.clone(),
    }
}

/// Whether the kernel's time is not real time.
pub(super) fn emulated(kernel: &Kernel) -> bool {
    kernel.hypervisor.as_deref() == Some("TCG")
}

fn per_gib(timing: &Timing, seconds: fn(&TimedRound) -> f64) -> Option<Quartiles> {
    let gib = float(timing.payload) / GIB;
    Quartiles::of(timing.rounds.iter().map(|round| seconds(round) / gib))
}
