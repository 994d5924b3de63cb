//! The fixed part of a record batch, read in place: Kafka's RecordBatch v2, big-endian.

/// Bytes before the records.
pub const HEADER: usize = 61;

/// Bytes before the part that `batchLength` counts.
const PREFIX: usize = 12;

/// Where the CRC's range begins; it ends with the batch.
const CRC_FROM: usize = 21;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub length: usize,
    /// Form of the batch; 2 is the only one known here.
    pub magic: i8,
    /// CRC-32C that the batch claims.
    pub crc: u32,
    /// Offset of the last record, less `base_offset`.
    pub last_offset_delta: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`; `None` if they are too few, or if the length
    /// is not one that a batch can have.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let length = usize::try_from(i32::from_be_bytes(array(bytes, 8)?)).ok()?;
        if bytes.len() < HEADER || length < HEADER - PREFIX {
            return None;
        }
        Some(Self {
            base_offset: i64::from_be_bytes(array(bytes, 0)?),
            length: PREFIX + length,
            magic: i8::from_be_bytes(array(bytes, 16)?),
            crc: u32::from_be_bytes(array(bytes, 17)?),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)?),
        })
    }

    /// Offset of the first record of the next batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }
}

/// The CRC-32C that a whole batch should claim.
#[must_use]
pub fn crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(&batch[CRC_FROM.min(batch.len())..])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}
