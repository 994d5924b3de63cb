//! Records that nobody measured: whatever is in one, it is refused, or it is shown as text that
//! steers no terminal and as pictures that are XML.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use zcprof_judge::bench::record::BenchRun;
use zcprof_judge::doctor::record::Diagnosis;
use zcprof_judge::matrix::Matrix;
use zcprof_judge::record::{Record, read};
use zcprof_judge::report::{self, ReportError};
use zcprof_judge::run::Run;
use zcprof_judge::verdict;

const CLASSIC: &str = include_str!("../golden/classic/run.json");
const REFUTED: &str = include_str!("../golden/refuted/run.json");
const MATRIX: &str = include_str!("../golden/matrix/matrix.json");
const BENCH: &str = include_str!("../golden/bench/bench.json");
const DIAGNOSES: [&str; 2] =
    [include_str!("../golden/doctor/complete.json"), include_str!("../golden/doctor/refused.json")];

/// What a string, a number or a list may be changed to.
#[derive(Clone, Debug)]
struct Twist {
    which: Index,
    text: String,
    number: Value,
    /// How often a list's elements come; 0 empties it.
    times: usize,
}

fn twists() -> impl Strategy<Value = Vec<Twist>> {
    let hostile =
        ["", "<&\"'>]]>", "\u{0}\u{1b}[2J\u{7f}\u{9b}", "\u{ffff}\u{202e}", "a\nb\tc", "zero-copy"];
    let text = prop_oneof![
        select(hostile.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        "[a-z]{300}"
    ];
    let numbers = vec![
        json!(0),
        json!(1),
        json!(u64::MAX),
        json!(u32::MAX),
        json!(1e308),
        json!(-1),
        json!(1e-300),
    ];
    let twist = (any::<Index>(), text, select(numbers), 0_usize..4)
        .prop_map(|(which, text, number, times)| Twist { which, text, number, times });
    prop::collection::vec(twist, 1..4)
}

/// All places in a record whose value can be changed.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            found.push(at.to_owned());
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, &format!("{at}/{name}"), found);
            }
        }
        _ if at != "/schema" => found.push(at.to_owned()),
        _ => {}
    }
}

/// A record with some of its values changed, as text.
fn twisted(text: &str, twists: &[Twist]) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(text).expect("JSON");
    for twist in twists {
        let mut found = Vec::new();
        places(&value, "", &mut found);
        let place = twist.which.get(&found);
        match value.pointer_mut(place).expect("found") {
            Value::Array(values) => {
                let all = std::mem::take(values);
                // What grows by several such twists must still be shown in a moment.
                let times = if all.len() > 64 { twist.times.min(1) } else { twist.times };
                *values = all.iter().cycle().take(all.len() * times).cloned().collect();
            }
            Value::Bool(known) => *known = !*known,
            Value::Number(known) => *known = twist.number.as_number().expect("one").clone(),
            other => *other = twist.text.clone().into(),
        }
    }
    serde_json::to_vec(&value).expect("JSON")
}

/// A page begins as HTML does.
pub(super) fn with_doctype<'a>() -> roxmltree::ParsingOptions<'a> {
    roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() }
}

/// Every character of a report is one for a reader.
fn is_fit(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let text = std::str::from_utf8(bytes).expect("text");
    if text.contains("<svg") {
        let parsed = roxmltree::Document::parse_with_options(text, with_doctype());
        prop_assert!(parsed.is_ok(), "{name}: {parsed:?}");
    }
    let stray = text.chars().find(|c| c.is_control() && *c != '\n');
    prop_assert!(stray.is_none(), "{name}: {stray:?}");
    Ok(())
}

fn shown<T: Record>(
    text: &[u8],
    render: impl Fn(&T) -> Result<Vec<(&'static str, Vec<u8>)>, ReportError>,
) -> Result<(), TestCaseError> {
    let Ok(record) = read::<T>(text) else { return Ok(()) };
    for (name, bytes) in render(&record).unwrap_or_default() {
        is_fit(name, &bytes)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_run_is_refused_or_shown(twists in twists(), base in select(vec![CLASSIC, REFUTED])) {
        let text = twisted(base, &twists);
        shown::<Run>(&text, |run| {
            let all = report::render_all(run)?;
            Ok(all.into_iter().map(|(format, bytes)| (format.file_name, bytes)).collect())
        })?;
        if let Ok(run) = read::<Run>(&text)
            && let Ok(judgements) = verdict::judge(&run)
        {
            let _ = verdict::exit(&judgements);
            let _ = Matrix::of(&[run]);
        }
    }

    #[test]
    fn a_matrix_is_refused_or_shown(twists in twists()) {
        shown::<Matrix>(&twisted(MATRIX, &twists), report::matrix::render_all)?;
    }

    #[test]
    fn a_benchmark_is_refused_or_shown(twists in twists()) {
        shown::<BenchRun>(&twisted(BENCH, &twists), |run| {
            report::bench::render_all(run)
        })?;
    }

    #[test]
    fn a_diagnosis_is_refused_or_shown(twists in twists(), base in select(&DIAGNOSES[..])) {
        shown::<Diagnosis>(&twisted(base, &twists), |diagnosis| {
            Ok(vec![("diagnosis", report::doctor::table(diagnosis).into_bytes())])
        })?;
    }

    /// What is no JSON, or not the right JSON, is refused in words.
    #[test]
    fn any_text_is_refused(text in any::<Vec<u8>>()) {
        prop_assert!(read::<Run>(&text).is_err());
        prop_assert!(read::<Matrix>(&text).is_err());
    }
}
