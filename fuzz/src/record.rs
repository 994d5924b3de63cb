//! Records as a stranger could hand them over: whatever is in one, it is refused or shown.

use serde_json::Value;
use zcprof_judge::matrix::Matrix;
use zcprof_judge::record::{Record, read};
use zcprof_judge::report;
use zcprof_judge::run::Run;
use zcprof_judge::verdict;

const RUNS: [(&str, &str); 2] = [
    ("classic", include_str!("../../zcprof-judge/tests/golden/classic/run.json")),
    ("refuted", include_str!("../../zcprof-judge/tests/golden/refuted/run.json")),
];
const MATRIX: &str = include_str!("../../zcprof-judge/tests/golden/matrix/matrix.json");

/// Runs of one pass each.
///
/// # Panics
/// The golden runs are none.
#[must_use]
pub fn run_seeds() -> Vec<(String, Vec<u8>)> {
    let first = |list: &mut Value| list.as_array_mut().expect("a list").truncate(1);
    let cut = |(name, text): (&str, &str)| {
        let mut run: Value = serde_json::from_str(text).expect("JSON");
        ["passes", "controls", "timings"].into_iter().for_each(|list| first(&mut run[list]));
        (name.to_owned(), serde_json::to_vec(&run).expect("JSON"))
    };
    RUNS.into_iter().map(cut).collect()
}

/// A matrix.
#[must_use]
pub fn matrix_seeds() -> Vec<(String, Vec<u8>)> {
    vec![("matrix".to_owned(), MATRIX.as_bytes().to_vec())]
}

/// Judges and shows a run, in every format.
pub fn run(text: &[u8]) {
    let Some(run) = record::<Run>(text) else { return };
    if let Ok(judgements) = verdict::judge(&run) {
        let _ = verdict::exit(&judgements);
    }
    for (format, bytes) in report::render_all(&run).unwrap_or_default() {
        check(format.file_name, &bytes);
    }
    let _ = Matrix::of(&[run]);
}

/// Shows a matrix, in every format.
pub fn matrix(text: &[u8]) {
    let Some(matrix) = record::<Matrix>(text) else { return };
    let _ = matrix.exit();
    for (name, bytes) in report::matrix::render_all(&matrix).unwrap_or_default() {
        check(name, &bytes);
    }
}

fn record<T: Record>(text: &[u8]) -> Option<T> {
    read(text).ok()
}

/// A picture is XML, and nothing steers a terminal.
fn check(name: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("text");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name} steers a terminal");
    if text.contains("<svg") {
        roxmltree::Document::parse_with_options(
            text,
            roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() },
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
