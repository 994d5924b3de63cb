//! Who takes part, and one round of one of them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::calls::Calls;
use super::log::{RoundPlan, Served};
use super::nginx::{self, Nginx};
use super::record::{Contestant, Placement, Round};
use crate::fetch::consumer::{FetchCommand, Outcome, Protocol, Share};
use crate::fetch::log::Log;
use crate::fetch::socket::SocketKind;
use crate::measure::workers::{Consumer, Server, cpu_seconds};
use crate::patience::Patience;
use crate::placement::{self, Wish};
use crate::transfer::TransferSpec;

/// Rounds before those that count.
pub(super) const PRACTICE: u32 = 2;

/// Every server, and the consumer that loads them.
pub(super) struct Contest<'a> {
    log: &'a Log,
    server: Server,
    consumer: Consumer,
    entrants: Vec<Entrant>,
}

struct Entrant {
    contestant: Contestant,
    address: SocketAddr,
    certificate: Option<String>,
    pid: u32,
    protocol: Protocol,
    /// Ends it with the contest, if it is a process of its own.
    _nginx: Option<Nginx>,
}

impl<'a> Contest<'a> {
    pub(super) fn set_up(
        files: &'a Served,
        rows: &[&TransferSpec],
        nginx: Option<&Path>,
    ) -> Result<Self> {
        let log = &files.log;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server =
            Server::start(&files.folder(), SocketKind::TCP, any, rows, Patience::default())?;
        let consumer = Consumer::start(Patience::default())?;
        let mut contest = Self { log, server, consumer, entrants: Vec::new() };
        for row in rows {
            contest.entrants.push(contest.transfer(row)?);
        }
        for sendfile in [true, false] {
            if let Some(program) = nginx {
                contest.entrants.push(entrant(program, &files.folder(), sendfile)?);
            }
        }
        Ok(contest)
    }

    fn transfer(&self, row: &TransferSpec) -> Result<Entrant> {
        let contestant = Contestant {
            name: row.name.to_owned(),
            program: format!("zcprof/{}", env!("CARGO_PKG_VERSION")),
            summary: row.summary.to_owned(),
        };
        let topic = self.log.topic().to_owned();
        Ok(Entrant {
            contestant,
            address: self.server.listening(row.name)?.address.internet(),
            certificate: self.server.listening(row.name)?.certificate.clone(),
            pid: self.server.worker.pid(),
            protocol: Protocol::Kafka { topic, partition: self.log.partition() },
            _nginx: None,
        })
    }

    /// Puts everybody on the CPUs that are wished.
    pub(super) fn place(&self, wish: Wish) -> Result<Placement> {
        let servers: BTreeSet<u32> = self.entrants.iter().map(|entrant| entrant.pid).collect();
        placement::make(wish, &servers, self.consumer.worker.pid())
    }

    pub(super) fn contestants(&self) -> Vec<Contestant> {
        self.entrants.iter().map(|entrant| entrant.contestant.clone()).collect()
    }

    /// Process that serves for a contestant.
    pub(super) fn pid(&self, index: usize) -> Option<u32> {
        Some(self.entrants.get(index)?.pid)
    }

    /// One address of those that serve; all are on the same device.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.entrants.first().context("nobody takes part")?.address)
    }

    /// Fetches in mode `copy`; says whether every byte was right.
    pub(super) fn verify(&mut self, index: usize, plan: &RoundPlan) -> Result<bool> {
        Ok(self.fetch(index, plan, "copy")?.verified.is_right())
    }

    /// Fetches, and says how many system calls the server made.
    pub(super) fn count_calls(
        &mut self,
        index: usize,
        plan: &RoundPlan,
        mode: &str,
    ) -> Result<u64> {
        let pid = self.pid(index).context("there is no such contestant")?;
        let calls = Calls::of(pid)?;
        self.fetch(index, plan, mode)?;
        calls.end()
    }

    /// Fetches, and says how long it took.
    pub(super) fn round(&mut self, index: usize, plan: &RoundPlan, mode: &str) -> Result<Round> {
        let server = self.pid(index).context("there is no such contestant")?;
        let consumer = self.consumer.worker.pid();
        let before = (cpu_seconds(server)?, cpu_seconds(consumer)?);
        let outcome = self.fetch(index, plan, mode)?;
        Ok(Round {
            seconds: outcome.seconds,
            server_cpu: cpu_seconds(server)? - before.0,
            consumer_cpu: cpu_seconds(consumer)? - before.1,
            p50: outcome.latency.p50,
            p99: outcome.latency.p99,
            max: outcome.latency.max,
            fastest: outcome.pace.fastest,
            median: outcome.pace.median,
            slowest: outcome.pace.slowest,
        })
    }

    fn fetch(&mut self, index: usize, plan: &RoundPlan, mode: &str) -> Result<Outcome> {
        let entrant = self.entrants.get(index).context("there is no such contestant")?;
        let name = &entrant.contestant.name;
        let command = FetchCommand {
            certificate: entrant.certificate.clone(),
            address: entrant.address.into(),
            protocol: entrant.protocol.clone(),
            mode: mode.to_owned(),
            rounds: 1,
            shares: plan.shares.iter().map(Share::clone).collect(),
        };
        let outcome = self.consumer.fetch(&command).with_context(|| format!("loading {name}"))?;
        let (bytes, wanted) = (outcome.payload_bytes, plan.payload);
        ensure!(bytes == wanted, "{name} sent {bytes} record bytes, not {wanted}");
        Ok(outcome)
    }
}

fn entrant(program: &Path, root: &Path, sendfile: bool) -> Result<Entrant> {
    let (name, does) = if sendfile { ("nginx sendfile", "on") } else { ("nginx read", "off") };
    let contestant = Contestant {
        name: name.to_owned(),
        program: nginx::version(program)?,
        summary: format!("sendfile {does}, {}", nginx::SETUP),
    };
    let nginx = Nginx::start(program, root, sendfile)?;
    Ok(Entrant {
        contestant,
        address: nginx.address(),
        certificate: None,
        pid: nginx.pid(),
        protocol: Protocol::Http { path: "/".to_owned() },
        _nginx: Some(nginx),
    })
}
