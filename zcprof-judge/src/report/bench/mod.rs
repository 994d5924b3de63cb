//! Pure: a [`BenchRun`] in, bytes out, the same bytes every time.

mod axis;
mod chart;
mod comparison;
mod finding;
mod panel;
mod quantity;
mod sortable;
mod table;
mod title;

use super::{ReportError, html};
use crate::bench::record::BenchRun;

/// A file that shows a benchmark.
struct Format {
    file_name: &'static str,
    render: fn(&BenchRun) -> Result<Vec<u8>, ReportError>,
}

/// Every file.
const FORMATS: &[Format] = &[
    Format { file_name: "table.txt", render: |run| Ok(table(run).into_bytes()) },
    Format { file_name: "bench.json", render: json },
    Format {
        file_name: "throughput.svg",
        render: |run| Ok(chart::draw(run, "throughput", &quantity::THROUGHPUT)),
    },
    Format { file_name: "cpu.svg", render: |run| Ok(chart::draw(run, "cpu", &quantity::CPU)) },
];

/// What the pictures say in their titles, a sentence each.
fn findings(run: &BenchRun) -> [String; 2] {
    [&quantity::THROUGHPUT, &quantity::CPU].map(|quantity| title::of(run, quantity))
}

/// Renders a benchmark in every format: file names and their bytes.
pub fn render_all(run: &BenchRun) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let shown = |format: &Format| Ok((format.file_name, (format.render)(run)?));
    let mut files: Vec<_> = FORMATS.iter().map(shown).collect::<Result<_, ReportError>>()?;
    files.push((html::FILE, html::bench(run, findings(run), sortable::columns(run), &files)));
    Ok(files)
}

/// The terminal's table.
#[must_use]
pub fn table(run: &BenchRun) -> String {
    table::render(run)
}

/// The JSON schema of [`BenchRun`], as text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(BenchRun).to_value())
}

fn json(run: &BenchRun) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(run)?;
    bytes.push(b'\n');
    Ok(bytes)
}
