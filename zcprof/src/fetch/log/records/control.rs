//! The one record of a control batch, which says how a transaction ended.

use super::counts::{take, varint};

/// How a transaction ended: Kafka's `ControlRecordType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fetch::log) enum TransactionEnd {
    /// Its records must not be read.
    Aborted,
    /// Its records count.
    Committed,
}

/// Reads the records of a control batch, which are never compressed; `None` for another kind of
/// control record.
pub(in crate::fetch::log) fn end_of_transaction(mut records: &[u8]) -> Option<TransactionEnd> {
    let bytes = &mut records;
    varint(bytes).ok()?; // length
    take(bytes, 1).ok()?; // attributes
    varint(bytes).ok()?; // timestamp
    varint(bytes).ok()?; // offset
    let length = usize::try_from(varint(bytes).ok()?).ok()?;
    match take(bytes, length).ok()? {
        // A version, and the type.
        [_, _, 0, 0, ..] => Some(TransactionEnd::Aborted),
        [_, _, 0, 1, ..] => Some(TransactionEnd::Committed),
        _ => None,
    }
}
