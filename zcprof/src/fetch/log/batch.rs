//! The fixed part of a record batch, read in place: Kafka's RecordBatch v2, big-endian.

use super::Damage;

/// Bytes before the records.
pub const HEADER: usize = 61;

/// Bytes before the part that `batchLength` counts.
const PREFIX: usize = 12;

/// Where the CRC's range begins; it ends with the batch.
const CRC_FROM: usize = 21;

/// The only form of batch that is known here.
const MAGIC: i8 = 2;

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
    /// Largest timestamp of its records, in milliseconds since 1970.
    pub max_timestamp: i64,
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
        Ok(Self {
            base_offset: base,
            next_offset: next.ok_or(Damage::Offsets { base, delta })?,
            length: PREFIX + length.ok_or(Damage::Length(claimed))?,
            crc: u32::from_be_bytes(array(bytes, 17)?),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)?),
        })
    }
}

/// The CRC-32C that a whole batch should claim.
#[must_use]
pub fn crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(&batch[CRC_FROM.min(batch.len())..])
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
