//! The records of a batch, encoded and decoded by kafka-protocol.

use anyhow::{Context as _, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

pub use kafka_protocol::records::Record;

use super::batch::BatchHeader;
use super::codec::Codec;

/// Kafka's base sequence of a batch whose producer numbers nothing. Records count on from it,
/// for the encoder begins a new batch where sequence and offset do not rise together.
pub(super) const NO_SEQUENCE: i32 = -1;

/// A record as a plain producer sends it. `index` is its place in its batch.
#[must_use]
pub fn record(
    offset: i64,
    index: i32,
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: &[(&str, Option<Bytes>)],
) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: NO_SEQUENCE.wrapping_add(index),
        timestamp,
        key,
        value,
        headers: headers
            .iter()
            .map(|(name, value)| (StrBytes::from_string((*name).to_owned()), value.clone()))
            .collect(),
    }
}

/// Encodes records as one batch, and returns it with its header.
///
/// # Errors
/// There are no records, they make no single batch, or the batch is too long.
pub fn encode(records: &[Record], codec: Codec) -> Result<(Bytes, BatchHeader)> {
    let compression = codec.compression();
    let mut buffer = BytesMut::with_capacity(if compression == Compression::None {
        records.iter().map(|r| 64 + r.value.as_ref().map_or(0, Bytes::len)).sum()
    } else {
        0
    });
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut buffer, records, &options).context("encoding a batch")?;
    let header = BatchHeader::read(&buffer).context("reading back a batch that was encoded")?;
    ensure!(header.length == buffer.len(), "the records make more than one batch");
    Ok((buffer.freeze(), header))
}

/// Decodes the records of a whole batch, whatever its codec.
///
/// # Errors
/// The batch's CRC, codec or records are none.
pub fn decode(mut batch: Bytes) -> Result<Vec<Record>> {
    let header = BatchHeader::read(&batch)?;
    let mut set = RecordBatchDecoder::decode(&mut batch)?;
    if header.log_append_time {
        // The broker stamped the batch, and left in the records what their producer had said.
        for record in &mut set.records {
            record.timestamp = header.max_timestamp;
        }
    }
    Ok(set.records)
}
