//! When Kafka adds an entry to the indexes of a segment, and which.

/// Bytes that are appended between two entries, at least: Kafka's `index.interval.bytes`.
const INTERVAL: u64 = 4096;

/// Kafka's timestamp of records that have none.
const NO_TIMESTAMP: i64 = -1;

/// The indexes of a segment that is being appended to. See Kafka's `LogSegment.append`.
#[derive(Debug)]
pub struct IndexRule {
    base_offset: i64,
    /// Bytes appended since the last entry.
    since: u64,
    /// Greatest timestamp so far, and the last offset of the append that brought it.
    latest: (i64, i64),
    /// Timestamp of the last entry in the time index.
    last_time: i64,
    offsets: Vec<u8>,
    times: Vec<u8>,
}

impl IndexRule {
    /// Begins with an empty segment.
    #[must_use]
    pub fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            since: 0,
            latest: (NO_TIMESTAMP, base_offset),
            last_time: NO_TIMESTAMP,
            offsets: Vec::new(),
            times: Vec::new(),
        }
    }

    /// A batch of `length` bytes was appended at a position. An append that comes right after an
    /// entry or at the beginning of the segment gets none, however long it is: only what lies
    /// before it counts.
    ///
    /// # Errors
    /// An offset is too far from the segment's first for an entry, or a position from its
    /// beginning.
    pub fn append(
        &mut self,
        position: u64,
        length: u64,
        last_offset: i64,
        max_timestamp: i64,
    ) -> Result<(), std::num::TryFromIntError> {
        if max_timestamp > self.latest.0 {
            self.latest = (max_timestamp, last_offset);
        }
        if self.since > INTERVAL {
            self.offsets.extend(i32::try_from(last_offset - self.base_offset)?.to_be_bytes());
            self.offsets.extend(i32::try_from(position)?.to_be_bytes());
            self.add_time()?;
            self.since = 0;
        }
        self.since += length;
        Ok(())
    }

    /// Ends the segment: the contents of its `.index` and of its `.timeindex`, whose last entry
    /// is the segment's greatest timestamp.
    ///
    /// # Errors
    /// See [`IndexRule::append`].
    pub fn finish(mut self) -> Result<(Vec<u8>, Vec<u8>), std::num::TryFromIntError> {
        self.add_time()?;
        Ok((self.offsets, self.times))
    }

    /// A timestamp that is not greater than the last entry's gets none.
    fn add_time(&mut self) -> Result<(), std::num::TryFromIntError> {
        let (timestamp, offset) = self.latest;
        if timestamp > self.last_time {
            self.times.extend(timestamp.to_be_bytes());
            self.times.extend(i32::try_from(offset - self.base_offset)?.to_be_bytes());
            self.last_time = timestamp;
        }
        Ok(())
    }
}
