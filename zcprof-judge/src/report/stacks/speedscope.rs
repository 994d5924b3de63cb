//! `stacks.speedscope.json`: the file format of speedscope (its `src/lib/file-format-spec.ts`), with
//! one profile of what was copied and one of what was handed over.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::report::ReportError;
use crate::stacks::Stacks;
use crate::stacks::tree::{Label, is_copied, ways};

pub(super) fn render(stacks: &Stacks) -> Result<Vec<u8>, ReportError> {
    let mut frames: Vec<Value> = Vec::new();
    let mut known = BTreeMap::<Label, usize>::new();
    let mut profiles = [Profile::default(), Profile::default()];
    for (way, (_, disposition), bytes) in ways(stacks) {
        let sample = way.into_iter().map(|label| {
            *known.entry(label.clone()).or_insert_with(|| {
                frames.push(frame(&label));
                frames.len() - 1
            })
        });
        let profile = &mut profiles[usize::from(!is_copied(disposition))];
        profile.samples.push(sample.collect());
        profile.weights.push(bytes);
    }
    let named = profiles.iter().zip(["copied bytes", "bytes handed over"]);
    let profiles: Vec<Value> = named.map(|(profile, name)| profile.json(name)).collect();
    Ok(serde_json::to_vec(&json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "zcprof",
        "activeProfileIndex": 0,
        "shared": { "frames": frames },
        "profiles": profiles,
    }))?)
}

#[derive(Default)]
struct Profile {
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

impl Profile {
    fn json(&self, name: &str) -> Value {
        let end = self.weights.iter().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
        json!({
            "type": "sampled",
            "name": name,
            "unit": "bytes",
            "startValue": 0,
            "endValue": end,
            "samples": self.samples,
            "weights": self.weights,
        })
    }
}

fn frame(label: &Label) -> Value {
    match label {
        Label::Frame(frame) if !frame.file.is_empty() => {
            json!({ "name": super::label(label), "file": frame.file })
        }
        _ => json!({ "name": super::label(label) }),
    }
}
