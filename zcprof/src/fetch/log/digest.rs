//! What a partition's records come to: a number that a consumer in any language can compute.

use std::fmt;

use kafka_protocol::records::Record;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Length that stands for a key or value that is null.
const NULL: i32 = -1;

/// SHA-256 over records by rising offset. For each record: the key's length in bytes (i32,
/// big-endian), the key, the value's length (i32, big-endian), the value. Null has length -1 and
/// no bytes. Timestamps and headers do not enter.
#[derive(Clone, Debug, Default)]
pub struct RecordDigest {
    hash: Sha256,
    records: u64,
}

impl RecordDigest {
    /// Takes the next record.
    pub fn add(&mut self, record: &Record) {
        for field in [&record.key, &record.value] {
            // A record is smaller than a batch, whose length is an i32.
            let length = field.as_ref().map_or(NULL, |f| i32::try_from(f.len()).unwrap_or(NULL));
            self.hash.update(length.to_be_bytes());
            self.hash.update(field.as_deref().unwrap_or_default());
        }
        self.records += 1;
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The digest of the records so far.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}

/// A SHA-256. It is shown in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of several partitions: SHA-256 over their digests (32 bytes each) by rising
    /// number of the partition.
    #[must_use]
    pub fn total(partitions: impl IntoIterator<Item = Self>) -> Self {
        let mut hash = Sha256::new();
        for digest in partitions {
            hash.update(digest.0);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_those_of_sha256sum() {
        // printf '' | sha256sum
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(RecordDigest::default().finish().to_string(), empty);
    }
}
