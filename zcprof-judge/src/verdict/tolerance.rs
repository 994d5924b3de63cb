//! How far a measured number may be off.

/// Bytes per thousand payload bytes that a measured number may be off.
pub const TOLERANCE_PER_MILLE: u64 = 1;

/// Whether so many bytes are more than a measured number may be off.
#[must_use]
pub fn beyond_tolerance(bytes: u64, payload: u64) -> bool {
    u128::from(bytes) * 1000 > u128::from(payload) * u128::from(TOLERANCE_PER_MILLE)
}
