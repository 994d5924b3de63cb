//! `run.json`: the record itself, from which every other format can be rendered again.

use super::{ReportError, RunFormat};
use crate::run::Run;

pub(super) const FORMAT: RunFormat = RunFormat {
    name: "json",
    file_name: "run.json",
    summary: "The record of the measurement, from which every other report can be made again",
    render,
};

fn render(run: &Run) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(run)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The JSON schema of [`Run`].
pub(super) fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Run).to_value())
}
