//! The fixed part of a record batch, read in place: Kafka's RecordBatch v2, big-endian.

use super::Damage;

/// Bytes before the records.
pub const HEADER: usize = 61;

/// Bytes before the part that `batchLength` counts.
const PREFIX: usize = 12;

/// Where the CRC's range begins; it ends with the batch.
const CRC_FROM: usize = 21;

/// Bit of the attributes that says that the broker stamped the records.
const LOG_APPEND_TIME: i16 = 1 << 3;

/// Bit of the attributes that says that the records belong to a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// Bit of the attributes that says that the batch is Kafka's own word, and no record.
const CONTROL: i16 = 1 << 5;

/// The only form of batch that is known here.
const MAGIC: i8 = 2;

/// What a batch of one of the forms before that has at least: Kafka's `LegacyRecord`, form 0.
const LEGACY: usize = 14;

/// Where the checksum of the older forms is; it covers what is behind it.
const LEGACY_CRC: usize = 12;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the first record of the next batch.
    pub next_offset: i64,
    /// Bytes of the whole batch, header included.
    pub length: usize,
    /// CRC-32C that the batch claims.
    pub crc: u32,
    /// Greatest timestamp of its records, milliseconds since 1970.
    pub max_timestamp: i64,
    /// Number of its records.
    pub records: i32,
    /// The broker stamped the records: `max_timestamp` is the timestamp of each.
    pub log_append_time: bool,
    /// The leader's epoch in which the batch was appended; -1 if it is not known.
    pub leader_epoch: i32,
    /// The producer that numbered the records; -1 for none.
    pub producer_id: i64,
    /// The records belong to a transaction of that producer.
    pub transactional: bool,
    /// The batch says how a transaction ended, and holds no record for consumers.
    pub control: bool,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`.
    ///
    /// # Errors
    /// The bytes are too few, or they say what no batch can say.
    pub fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let magic = i8::from_be_bytes(array(bytes, 16)?);
        if magic != MAGIC {
            return Err(Damage::Magic(magic));
        }
        if bytes.len() < HEADER {
            return Err(Damage::Torn);
        }
        let claimed = i32::from_be_bytes(array(bytes, 8)?);
        let length = usize::try_from(claimed).ok().filter(|length| PREFIX + length >= HEADER);
        let base = i64::from_be_bytes(array(bytes, 0)?);
        let delta = i32::from_be_bytes(array(bytes, 23)?);
        // Records count from zero, so a batch of one has delta zero.
        let next = base.checked_add(i64::from(delta) + 1);
        let next = next.filter(|_| base >= 0 && delta >= 0);
        let attributes = i16::from_be_bytes(array(bytes, 21)?);
        Ok(Self {
            base_offset: base,
            next_offset: next.ok_or(Damage::Offsets { base, delta })?,
            length: PREFIX + length.ok_or(Damage::Length(claimed))?,
            crc: u32::from_be_bytes(array(bytes, 17)?),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)?),
            records: i32::from_be_bytes(array(bytes, 57)?),
            log_append_time: attributes & LOG_APPEND_TIME != 0,
            leader_epoch: i32::from_be_bytes(array(bytes, 12)?),
            producer_id: i64::from_be_bytes(array(bytes, 43)?),
            transactional: attributes & TRANSACTIONAL != 0,
            control: attributes & CONTROL != 0,
        })
    }
}

/// The CRC-32C that a whole batch should claim.
#[must_use]
pub fn crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(&batch[CRC_FROM.min(batch.len())..])
}

/// The form of a whole record set of one of the older forms, 0 or 1, at the front of `bytes`: one
/// whose checksum is right, so that zeros and other bytes are not taken for one.
#[must_use]
pub fn legacy_form(bytes: &[u8]) -> Option<i8> {
    let magic = i8::from_be_bytes(array(bytes, 16).ok()?);
    let length = usize::try_from(i32::from_be_bytes(array(bytes, 8).ok()?)).ok()?;
    let covered = bytes.get(LEGACY_CRC + 4..PREFIX + length).filter(|_| length >= LEGACY)?;
    let mut crc = flate2::Crc::new();
    crc.update(covered);
    let claimed = u32::from_be_bytes(array(bytes, LEGACY_CRC).ok()?);
    (matches!(magic, 0 | 1) && crc.sum() == claimed).then_some(magic)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(Damage::Torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(base: i64, length: i32, magic: u8, delta: i32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[0..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = magic;
        bytes[23..27].copy_from_slice(&delta.to_be_bytes());
        bytes
    }

    #[test]
    fn a_header_says_where_the_next_batch_begins() {
        let read = BatchHeader::read(&header(40, 100, 2, 9)).expect("a header");
        assert_eq!((read.base_offset, read.next_offset, read.length), (40, 50, 112));
    }

    #[test]
    fn what_no_batch_can_say_is_named() {
        let refused = |bytes: Vec<u8>| BatchHeader::read(&bytes).expect_err("refused");
        assert_eq!(refused(header(0, -1, 2, 0)), Damage::Length(-1));
        assert_eq!(refused(header(0, 48, 2, 0)), Damage::Length(48));
        assert_eq!(refused(header(0, 100, 2, -1)), Damage::Offsets { base: 0, delta: -1 });
        assert_eq!(refused(header(-1, 100, 2, 0)), Damage::Offsets { base: -1, delta: 0 });
        let last = Damage::Offsets { base: i64::MAX, delta: 0 };
        assert_eq!(refused(header(i64::MAX, 100, 2, 0)), last);
        assert_eq!(refused(header(0, 20, 1, 0)), Damage::Magic(1));
        for end in 0..HEADER {
            assert_eq!(refused(header(0, 100, 2, 0)[..end].to_vec()), Damage::Torn, "{end}");
        }
    }
}
