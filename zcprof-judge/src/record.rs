//! Reading records: a text in, a record out, or what is wrong with the text. Records come from
//! strangers too, so that no string in one may steer a terminal or end a picture's XML.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bench::record::BenchRun;
use crate::cost::record::CostRun;
use crate::doctor::record::Diagnosis;
use crate::matrix::Matrix;
use crate::run::{Run, Timing};
use crate::watch::Watch;

/// A kind of record.
pub trait Record: DeserializeOwned {
    /// Version of its form. A reader refuses any other.
    const SCHEMA: u32;
    /// Which of the kinds it is.
    const KIND: RecordKind;
}

impl Record for Run {
    const SCHEMA: u32 = crate::run::SCHEMA;
    const KIND: RecordKind = RecordKind::Run;
}

impl Record for BenchRun {
    const SCHEMA: u32 = crate::bench::record::SCHEMA;
    const KIND: RecordKind = RecordKind::Bench;
}

impl Record for CostRun {
    const SCHEMA: u32 = crate::cost::record::SCHEMA;
    const KIND: RecordKind = RecordKind::Cost;
}

impl Record for Watch {
    const SCHEMA: u32 = crate::watch::record::SCHEMA;
    const KIND: RecordKind = RecordKind::Watch;
}

impl Record for Matrix {
    const SCHEMA: u32 = crate::matrix::SCHEMA;
    const KIND: RecordKind = RecordKind::Matrix;
}

impl Record for Diagnosis {
    const SCHEMA: u32 = crate::doctor::record::SCHEMA;
    const KIND: RecordKind = RecordKind::Diagnosis;
}

/// Why a text is not the record that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON, or it lacks what the record has.
    #[error("it is not what zcprof writes there: {0}")]
    Form(#[from] serde_json::Error),
    /// It is a record of another kind.
    #[error("it is {found}, not {wanted}: {}", .found.remedy())]
    Kind {
        /// What the text holds.
        found: RecordKind,
        /// What was asked for.
        wanted: RecordKind,
    },
    /// Another version of zcprof wrote it.
    #[error("it has schema {found}, and this zcprof reads {known}: use the zcprof that wrote it")]
    Version {
        /// The record's.
        found: u32,
        /// This one's.
        known: u32,
    },
}

/// Reads a record. Every character that is none for a reader (see [`is_visible`]) becomes U+FFFD.
///
/// # Errors
/// The text is no such record.
pub fn read<T: Record>(text: &[u8]) -> Result<T, Unreadable> {
    /// The part that every version has.
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let value = cleaned(text)?;
    if let Some(found) = kind_of(&value)?.filter(|found| *found != T::KIND) {
        return Err(Unreadable::Kind { found, wanted: T::KIND });
    }
    let Versioned { schema: found } = Versioned::deserialize(&value)?;
    if found != T::SCHEMA {
        return Err(Unreadable::Version { found, known: T::SCHEMA });
    }
    Ok(serde_json::from_value(value)?)
}

/// Reads timings, which are no record by themselves.
///
/// # Errors
/// The text is none.
pub fn read_timings(text: &[u8]) -> Result<Vec<Timing>, Unreadable> {
    Ok(serde_json::from_value(cleaned(text)?)?)
}

fn cleaned(text: &[u8]) -> Result<Value, Unreadable> {
    let mut value = serde_json::from_slice(text)?;
    clean(&mut value);
    Ok(value)
}

/// Which kind of record a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A measurement of the built-in workload.
    Run,
    /// Several, beside each other.
    Matrix,
    /// A window in which programs were watched.
    Watch,
    /// A throughput benchmark.
    Bench,
    /// What watching costs.
    Cost,
    /// What can be seen of a kernel.
    Diagnosis,
}

impl RecordKind {
    /// What to do with a record of this kind.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Run | Self::Watch => "`zcprof report` renders it",
            Self::Matrix => "`zcprof matrix` renders it",
            Self::Bench | Self::Cost => "`zcprof bench report` renders it",
            Self::Diagnosis => "`zcprof doctor` makes a new one, and no command reads it",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "a run",
            Self::Matrix => "a matrix",
            Self::Watch => "a watched window",
            Self::Bench => "a benchmark",
            Self::Cost => "what watching costs",
            Self::Diagnosis => "a diagnosis",
        })
    }
}

/// Which kind of record is in the text: a run, unless it says that it is another.
///
/// # Errors
/// It is no record.
pub fn kind(text: &[u8]) -> Result<RecordKind, Unreadable> {
    Ok(kind_of(&serde_json::from_slice(text)?)?.unwrap_or(RecordKind::Run))
}

/// `None` if nothing in it tells.
fn kind_of(value: &Value) -> Result<Option<RecordKind>, serde_json::Error> {
    /// What newer kinds say of themselves.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kind {
        Watch(crate::watch::record::Kind),
        Cost(crate::cost::record::Kind),
    }
    /// What tells kinds apart.
    #[derive(Deserialize)]
    struct Marks {
        kind: Option<Kind>,
        contestants: Option<serde::de::IgnoredAny>,
        capabilities: Option<serde::de::IgnoredAny>,
        cells: Option<serde::de::IgnoredAny>,
        workload: Option<serde::de::IgnoredAny>,
    }
    Ok(match Marks::deserialize(value)? {
        Marks { kind: Some(Kind::Watch(_)), .. } => Some(RecordKind::Watch),
        Marks { kind: Some(Kind::Cost(_)), .. } => Some(RecordKind::Cost),
        Marks { contestants: Some(_), .. } => Some(RecordKind::Bench),
        Marks { capabilities: Some(_), .. } => Some(RecordKind::Diagnosis),
        Marks { cells: Some(_), .. } => Some(RecordKind::Matrix),
        Marks { workload: Some(_), .. } => Some(RecordKind::Run),
        Marks { .. } => None,
    })
}

/// A text without characters that steer a terminal, for names that strangers chose.
#[must_use]
pub fn visible(text: &str) -> String {
    let seen = |c| if is_visible(c) { c } else { char::REPLACEMENT_CHARACTER };
    text.chars().map(seen).collect()
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) if !text.chars().all(is_visible) => *text = visible(text),
        Value::Array(values) => values.iter_mut().for_each(clean),
        // Keys are fields' names.
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

/// Whether a character may stand in a report: it moves no cursor, turns no text around, and is one
/// of XML's (XML 1.0, production 2).
fn is_visible(c: char) -> bool {
    let turns = ['\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}', '\u{200e}'..='\u{200f}'];
    let is_character = !matches!(c, '\u{fffe}' | '\u{ffff}');
    !c.is_control() && is_character && !turns.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::{Unreadable, is_visible, read};
    use crate::doctor::record::Diagnosis;
    use crate::matrix::Matrix;
    use crate::run::Run;

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        let wrong = |text: &str| read::<Matrix>(text.as_bytes()).expect_err(text);
        assert!(matches!(wrong("<svg/>"), Unreadable::Form(_)));
        assert!(matches!(wrong("{}"), Unreadable::Form(_)));
        assert!(matches!(wrong(r#"{"schema": 1}"#), Unreadable::Form(_)));
        let other = Unreadable::Version { found: 99, known: 1 };
        assert_eq!(wrong(r#"{"schema": 99}"#).to_string(), other.to_string());
        let bench = wrong(r#"{"schema": 1, "contestants": [], "cells": []}"#).to_string();
        assert_eq!(bench, "it is a benchmark, not a matrix: `zcprof bench report` renders it");
    }

    #[test]
    fn a_system_call_that_nobody_knows_is_no_record() {
        let text = include_str!("../tests/golden/classic/run.json");
        let known: Run = read(text.as_bytes()).expect("a run");
        assert!(known.passes.iter().any(|pass| !pass.counts.is_empty()));
        let forged = text.replace("\"syscall\": \"sendfile\"", "\"syscall\": \"teleport\"");
        let said = read::<Run>(forged.as_bytes()).expect_err("a forged run").to_string();
        assert!(said.contains("`teleport` is no system call that zcprof knows"), "{said}");
    }

    #[test]
    fn no_string_steers_a_terminal() {
        let known: Diagnosis =
            read(include_bytes!("../tests/golden/doctor/complete.json")).expect("a diagnosis");
        let mut value = serde_json::to_value(&known).expect("a record");
        value["kernel"]["release"] = "6.1\u{1b}[2J\r\nholds\u{202e}".into();
        let text = serde_json::to_vec(&value).expect("a record");
        let release = read::<Diagnosis>(&text).expect("a diagnosis").kernel.release;
        assert_eq!(release, "6.1\u{fffd}[2J\u{fffd}\u{fffd}holds\u{fffd}");
        assert!("Zürich 東京 → 1.000".chars().all(is_visible));
    }
}
