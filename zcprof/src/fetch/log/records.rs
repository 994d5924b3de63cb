//! The records of a batch, encoded and decoded by kafka-protocol.

pub(super) mod control;
mod counts;
mod decompress;

use anyhow::{Context as _, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub use kafka_protocol::records::Record;

use super::batch::BatchHeader;
use super::codec::Codec;

/// Most bytes that the records of a batch may come to when they are decompressed. A producer
/// makes no batch above its `max.request.size`, which counts before compression and is 1 MiB
/// unless somebody raised it; a few kilobytes that come to gigabytes are an attack.
const MOST_DECOMPRESSED: usize = 128 << 20;

/// A record as a plain producer sends it. The timestamp is in milliseconds since 1970.
#[must_use]
pub fn record(
    offset: i64,
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
        sequence: NO_SEQUENCE,
        timestamp,
        key,
        value,
        headers: headers
            .iter()
            .map(|(name, value)| (StrBytes::from_string((*name).to_owned()), value.clone()))
            .collect(),
    }
}

/// Encodes records as one batch, and returns it with its header. Their sequence numbers are set,
/// for the encoder begins a new batch where sequence and offset do not rise together.
///
/// # Errors
/// There are no records, they make no single batch, or the batch is too long.
pub fn encode(records: &mut [Record], codec: Codec) -> Result<(Bytes, BatchHeader)> {
    let first = records.first().context("a batch of no records cannot be made")?.offset;
    for record in records.iter_mut() {
        // The batch gets the first one's: none.
        record.sequence = NO_SEQUENCE.wrapping_add(i32::try_from(record.offset - first)?);
    }
    let compression = codec.compression();
    let mut buffer = BytesMut::with_capacity(if compression == Compression::None {
        records.iter().map(|r| 64 + r.value.as_ref().map_or(0, Bytes::len)).sum()
    } else {
        0
    });
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut buffer, &*records, &options).context("encoding a batch")?;
    let header = BatchHeader::read(&buffer).context("reading back a batch that was encoded")?;
    ensure!(header.length == buffer.len(), "the records make more than one batch");
    Ok((buffer.freeze(), header))
}

/// Decodes the records of whole batches that lie behind each other. What control batches hold is
/// none for consumers, and left out.
///
/// # Errors
/// See [`decode`].
pub fn decode_all(mut batches: Bytes) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    while !batches.is_empty() {
        let header = BatchHeader::read(&batches)?;
        ensure!(header.length <= batches.len(), "a batch is cut");
        let batch = batches.split_to(header.length);
        if !header.control {
            records.extend(decode(batch)?);
        }
    }
    Ok(records)
}

/// Decodes the records of a whole batch, whatever its codec.
///
/// # Errors
/// The batch's CRC, codec or records are none.
pub fn decode(mut batch: Bytes) -> Result<Vec<Record>> {
    let header = BatchHeader::read(&batch)?;
    let decompress = |records: &mut Bytes, compression| {
        let records = decompress::records(records, compression, MOST_DECOMPRESSED)?;
        counts::check(&records, header.records)?;
        Ok(records)
    };
    let decode = RecordBatchDecoder::decode_with_custom_compression;
    let mut set = decode(&mut batch, Some(decompress))?;
    if header.log_append_time {
        // The broker stamped the batch, and left in the records what their producer had said.
        for record in &mut set.records {
            record.timestamp = header.max_timestamp;
        }
    }
    Ok(set.records)
}
