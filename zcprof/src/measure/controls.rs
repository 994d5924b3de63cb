//! The known-truth passes by themselves: what tells that the instruments see, where what is watched
//! is not the built-in workload.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};

use super::bench::TestBench;
use super::{CONTROLS, control_passes};
use crate::cli::WorkloadArgs;
use crate::fetch::consumer::mode::ModeSpec;
use crate::fetch::socket::SocketKind;
use crate::network::NetworkSpec;
use crate::patience::Patience;
use crate::probe::Probes;
use crate::run::Control;
use crate::transfer::TransferSpec;

/// Bytes of the log that is served in the controls.
const BYTES: u64 = 4 << 20;

/// A server and a consumer of zcprof's own, over plain TCP on the loopback device.
pub(crate) struct Controls {
    bench: TestBench,
}

impl Controls {
    /// Makes a small log and starts both processes.
    ///
    /// # Errors
    /// No space, or no process.
    pub(crate) fn set_up() -> Result<Self> {
        let find =
            |name| TransferSpec::find(name).with_context(|| format!("there is no transfer {name}"));
        let rows = CONTROLS.into_iter().map(find).collect::<Result<Vec<_>>>()?;
        let workload = WorkloadArgs {
            log_dir: None,
            bytes: BYTES,
            fetch_size: 1 << 20,
            segment_bytes: BYTES,
            connections: 1,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            network: NetworkSpec::find("loopback").context("there is no loopback")?,
            socket: SocketKind::TCP,
            transfers: rows.clone(),
            consumer: ModeSpec::find("copy").context("there is no mode of copies")?,
            kcat: None,
            patience: Patience::SECONDS,
        };
        Ok(Self { bench: TestBench::set_up(&workload, &rows, &rows)? })
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.bench.processes()
    }

    /// Has the instruments look at what is known.
    ///
    /// # Errors
    /// Whatever keeps the passes from being made.
    pub(crate) fn run(&mut self, probes: &mut Probes, prefix: &str) -> Result<Vec<Control>> {
        control_passes::controls(&mut self.bench, probes, prefix)
    }
}
