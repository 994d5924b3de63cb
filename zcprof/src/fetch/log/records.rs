//! The records of a batch, encoded and decoded by kafka-protocol.

mod counts;

use anyhow::{Context as _, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::compression::{Decompressor as _, Gzip, Lz4, Snappy, Zstd};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub use kafka_protocol::records::Record;

use super::batch::BatchHeader;
use super::codec::Codec;

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

/// Decodes the records of a whole batch, whatever its codec.
///
/// # Errors
/// The batch's CRC, codec or records are none.
pub fn decode(mut batch: Bytes) -> Result<Vec<Record>> {
    let header = BatchHeader::read(&batch)?;
    let decompress = |records: &mut Bytes, compression| {
        let records = decompress(records, compression)?;
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

fn decompress(records: &mut Bytes, compression: Compression) -> Result<Bytes> {
    let whole = |bytes: &mut Bytes| Ok(std::mem::take(bytes));
    match compression {
        Compression::None => Ok(records.clone()),
        Compression::Gzip => Gzip::decompress(records, whole),
        Compression::Snappy => Snappy::decompress(records, whole),
        Compression::Lz4 => Lz4::decompress(records, whole),
        Compression::Zstd => Zstd::decompress(records, whole),
    }
}
