//! `stacks.pb.gz`: pprof's profile.proto (github.com/google/pprof, proto/profile.proto), gzip'd. Its
//! seven messages need two of protobuf's wire types, so that the encoding is here, and no compiler of
//! schemas is needed to build. A test reads it by the same schema, and compares it with the folded text.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::name;
use crate::report::ReportError;
use crate::stacks::Stacks;
use crate::stacks::record::{Frame, Stack};
use crate::stacks::tree::{frames, is_copied, lost};

pub(super) fn render(stacks: &Stacks) -> Result<Vec<u8>, ReportError> {
    let mut profile = Profile::new();
    for stack in &stacks.stacks {
        let frames: Vec<Frame> = frames(stacks, stack).collect();
        let place = (stack.hop.name(), stack.disposition.name());
        let copied = is_copied(stack.disposition);
        profile.sample(&frames, values(stack.calls, stack.bytes, copied), |profile| {
            let mut labels = profile.label("program", &stack.charged.to_string());
            labels.extend(profile.label("hop", place.0));
            labels.extend(profile.label("disposition", place.1));
            labels.extend(profile.label("site", &stack.site));
            labels.extend(port(profile, stack));
            labels
        });
    }
    for gone in &stacks.lost {
        let copied = is_copied(gone.disposition);
        profile.sample(&[lost()], values(0, gone.bytes, copied), |profile| {
            let mut labels = profile.label("hop", gone.hop.name());
            labels.extend(profile.label("disposition", gone.disposition.name()));
            labels
        });
    }
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    let written = out.write_all(&profile.finish()).and_then(|()| out.finish());
    written.map_err(|error| ReportError::Write(error.to_string()))
}

/// Calls, bytes copied, bytes handed over.
fn values(calls: u64, bytes: u64, copied: bool) -> [u64; 3] {
    // The file's numbers are signed.
    let fits = |number: u64| number.min(i64::MAX.unsigned_abs());
    let (copied, moved) = if copied { (bytes, 0) } else { (0, bytes) };
    [fits(calls), fits(copied), fits(moved)]
}

fn port(profile: &mut Profile, stack: &Stack) -> Vec<u8> {
    let Some(port) = stack.port else { return Vec::new() };
    let mut label = Vec::new();
    number(&mut label, 1, profile.text("port"));
    number(&mut label, 3, u64::from(port));
    field(3, &label)
}

/// A profile in the making: field numbers are those of profile.proto.
struct Profile {
    samples: Vec<u8>,
    locations: BTreeMap<Frame, u64>,
    texts: BTreeMap<String, u64>,
    table: Vec<String>,
}

impl Profile {
    fn new() -> Self {
        let mut profile = Self {
            samples: Vec::new(),
            locations: BTreeMap::new(),
            texts: BTreeMap::new(),
            table: Vec::new(),
        };
        // The first text must be the empty one.
        profile.text("");
        profile
    }

    /// Place of a text in the table.
    fn text(&mut self, text: &str) -> u64 {
        if let Some(at) = self.texts.get(text) {
            return *at;
        }
        let at = self.table.len() as u64;
        self.table.push(text.to_owned());
        self.texts.insert(text.to_owned(), at);
        at
    }

    fn label(&mut self, key: &str, value: &str) -> Vec<u8> {
        let mut label = Vec::new();
        number(&mut label, 1, self.text(key));
        number(&mut label, 2, self.text(value));
        field(3, &label)
    }

    /// A sample: the innermost frame first.
    fn sample(
        &mut self,
        frames: &[Frame],
        values: [u64; 3],
        labels: impl FnOnce(&mut Self) -> Vec<u8>,
    ) {
        let mut places = Vec::new();
        for frame in frames.iter().rev() {
            let next = self.locations.len() as u64 + 1;
            varint(&mut places, *self.locations.entry(frame.clone()).or_insert(next));
        }
        let mut packed = Vec::new();
        for value in values {
            varint(&mut packed, value);
        }
        let sample = [field(1, &places), field(2, &packed), labels(self)].concat();
        self.samples.extend(field(2, &sample));
    }

    /// ValueType: what is counted, and its unit.
    fn kind(&mut self, what: &str, unit: &str) -> Vec<u8> {
        let mut kind = Vec::new();
        number(&mut kind, 1, self.text(what));
        number(&mut kind, 2, self.text(unit));
        kind
    }

    fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for (what, unit) in [("calls", "count"), ("copied", "bytes"), ("handed_over", "bytes")] {
            out.extend(field(1, &self.kind(what, unit)));
        }
        out.append(&mut self.samples);
        for (frame, id) in std::mem::take(&mut self.locations) {
            let mut line = Vec::new();
            number(&mut line, 1, id);
            let mut location = Vec::new();
            number(&mut location, 1, id);
            location.extend(field(4, &line));
            out.extend(field(4, &location));
            let mut function = Vec::new();
            number(&mut function, 1, id);
            number(&mut function, 2, self.text(&name(&frame)));
            number(&mut function, 4, self.text(&frame.file));
            out.extend(field(5, &function));
        }
        let copied = self.text("copied");
        for text in &self.table {
            out.extend(field(6, text.as_bytes()));
        }
        number(&mut out, 14, copied);
        out
    }
}

/// Base 128, the low bits first.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A field of wire type 0.
fn number(out: &mut Vec<u8>, tag: u64, value: u64) {
    varint(out, tag << 3);
    varint(out, value);
}

/// A field of wire type 2.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, tag << 3 | 2);
    varint(&mut out, bytes.len() as u64);
    out.extend(bytes);
    out
}
