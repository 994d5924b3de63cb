//! Pure: a [`Matrix`] in, bytes out, the same bytes every time.

mod field;
mod notes;
mod picture;
mod table;

use super::{ReportError, html};
use crate::matrix::Matrix;

/// A file that shows a matrix.
struct MatrixFormat {
    file_name: &'static str,
    render: fn(&Matrix) -> Result<Vec<u8>, ReportError>,
}

/// Every file.
const FORMATS: &[MatrixFormat] = &[
    MatrixFormat { file_name: "matrix.txt", render: |matrix| Ok(table(matrix).into_bytes()) },
    MatrixFormat { file_name: "matrix.json", render: json },
    MatrixFormat { file_name: "matrix.svg", render: |matrix| Ok(picture::draw(matrix)) },
];

/// Renders a matrix in every format: file names and their bytes.
pub fn render_all(matrix: &Matrix) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError> {
    let shown = |format: &MatrixFormat| Ok((format.file_name, (format.render)(matrix)?));
    let mut files: Vec<_> = FORMATS.iter().map(shown).collect::<Result<_, ReportError>>()?;
    let title = notes::finding(matrix, &notes::notes(matrix));
    files.push((html::FILE, html::matrix(matrix, title, table::columns(matrix), &files)));
    Ok(files)
}

/// The terminal's table: every cell, and what is off.
#[must_use]
pub fn table(matrix: &Matrix) -> String {
    table::render(matrix)
}

/// The JSON schema of [`Matrix`], as text.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Matrix).to_value())
}

fn json(matrix: &Matrix) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(matrix)?;
    bytes.push(b'\n');
    Ok(bytes)
}
