//! Fetches of a pass: by the built-in consumer, or by kcat.

use anyhow::{Context as _, Result, ensure};

use super::bench::TestBench;
use super::workers::PAUSE;
use crate::fetch::consumer::{FetchCommand, Outcome, Protocol, Share, Verified};

/// Times that the server is asked whether it has noticed that kcat is gone.
const QUESTIONS: u32 = 20;

/// How much a pass fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// What the user asked for.
    Full,
    /// Enough for a control.
    Control,
}

/// CPU time of both processes for one pass, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    pub(super) server: f64,
    pub(super) consumer: f64,
}

impl TestBench {
    /// Whether a foreign client consumes so much.
    pub(super) fn is_foreign(&self, amount: Amount) -> bool {
        self.kcat.is_some() && amount == Amount::Full && self.receiving.is_none()
    }

    /// Has kcat consume the whole log by one transfer, and waits until the server has noticed
    /// that it is gone. The outcome's bytes are the server's own account.
    pub(super) fn fetch_by_kcat(&mut self, transfer: &str) -> Result<Outcome> {
        super::interrupt::check()?;
        let kcat = self.kcat.as_ref().context("there is no kcat")?;
        let listening = self.server.listening(transfer)?;
        ensure!(listening.certificate.is_none(), "kcat is not told how to decrypt {transfer}");
        let quiet = self.server.worker.descriptors()?;
        let address = listening.address.internet();
        let server = &mut self.server.worker;
        let (fetch_size, patience) = (self.options.fetch_size, self.options.patience());
        let fetched = kcat.fetch(address, &self.log, fetch_size, patience, server);
        super::interrupt::check()?;
        let (seconds, right) = fetched?;
        for _ in 0..QUESTIONS {
            if self.server.worker.descriptors()? == quiet {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        let verified = if right { Verified::Right } else { Verified::Wrong };
        let payload_bytes = self.log.bytes();
        Ok(Outcome { payload_bytes, verified, seconds, ..Outcome::default() })
    }

    /// Fetches by one transfer.
    pub(super) fn fetch(&mut self, transfer: &str, amount: Amount) -> Result<(Outcome, Cpu)> {
        super::interrupt::check()?;
        let listening = self.server.listening(transfer)?;
        let command = FetchCommand {
            certificate: listening.certificate.clone(),
            address: listening.address.clone(),
            protocol: Protocol::Kafka {
                topic: self.log.topic().to_owned(),
                partition: self.log.partition(),
            },
            mode: self.receiving.unwrap_or(self.options.consumer).name.to_owned(),
            rounds: 1,
            shares: self.shares(amount).to_vec(),
        };
        let before = self.cpu()?;
        let outcome = self.consumer.fetch(&command)?;
        let after = self.cpu()?;
        let cpu = Cpu {
            server: after.server - before.server,
            consumer: after.consumer - before.consumer,
        };
        Ok((outcome, cpu))
    }

    /// Record bytes that a fetch delivers: whole batches.
    pub(super) fn payload(&self, amount: Amount) -> u64 {
        self.shares(amount).iter().map(|share| share.bytes).sum()
    }

    fn shares(&self, amount: Amount) -> &[Share] {
        match amount {
            Amount::Full => &self.full,
            Amount::Control => &self.control,
        }
    }

    fn cpu(&self) -> Result<Cpu> {
        Ok(Cpu {
            server: self.server.worker.cpu_seconds()?,
            consumer: self.consumer.worker.cpu_seconds()?,
        })
    }
}
