//! Pure: a [`CostRun`] in, bytes out, the same bytes every time.

mod bound;
mod ratio;
mod table;

use super::ReportError;
use crate::cost::record::CostRun;

/// Renders what watching costs in every format: file names and their bytes.
///
/// # Errors
/// The record cannot be written as JSON.
pub fn render_all(run: &CostRun) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let mut record = serde_json::to_vec_pretty(run)?;
    record.push(b'\n');
    Ok(vec![("table.txt", table(run).into_bytes()), ("cost.json", record)])
}

/// The terminal's table.
#[must_use]
pub fn table(run: &CostRun) -> String {
    table::render(run)
}

/// The JSON schema of [`CostRun`], as text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(CostRun).to_value())
}
