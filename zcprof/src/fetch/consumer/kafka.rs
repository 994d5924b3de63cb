//! Kafka's Fetch, as the consumer speaks it.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;

use super::head::Head;
use super::plan::PlannedFetch;
use crate::fetch::link::Link;
use crate::fetch::wire::{Fetch, FetchHeader};

/// One connection's.
pub(super) struct KafkaSpeech {
    topic: String,
    partition: i32,
    /// Of the last request.
    correlation_id: i32,
    /// Room for a response up to its records.
    header: Vec<u8>,
}

impl KafkaSpeech {
    pub(super) fn new(topic: &str, partition: i32) -> Result<Self> {
        let header = vec![0; FetchHeader::header_bytes(topic)?];
        Ok(Self { topic: topic.to_owned(), partition, correlation_id: 0, header })
    }

    pub(super) fn request(&mut self, planned: &PlannedFetch) -> Result<Bytes> {
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let fetch = Fetch {
            correlation_id: self.correlation_id,
            topic: self.topic.clone(),
            partition: self.partition,
            offset: i64::try_from(planned.offset)?,
            max_bytes: i32::try_from(planned.bytes).context("a fetch of 2 GiB or more")?,
        };
        Ok(fetch.encode()?)
    }

    /// Receives a response up to its records.
    pub(super) async fn head(&mut self, link: &mut Link) -> Result<Head> {
        link.read_exact(&mut self.header).await?;
        let answer = FetchHeader::decode(&self.header)?;
        ensure!(answer.correlation_id == self.correlation_id, "an answer to another request");
        if answer.error_code != 0 {
            bail!("the server answered with Kafka error {}", answer.error_code);
        }
        Ok(Head { length: self.header.len(), record_bytes: u64::from(answer.record_bytes) })
    }
}
