//! What a response announces, in either protocol.

/// What a response announces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Bytes before the record bytes.
    pub(super) length: usize,
    /// Record bytes that follow.
    pub(super) record_bytes: u64,
}
