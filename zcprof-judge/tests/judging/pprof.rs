//! `stacks.pb.gz`, read as pprof's proto/profile.proto says: each sample by its locations, their lines and
//! functions, is a line of the folded text.

use std::collections::BTreeMap;
use std::io::Read as _;

use proptest::prelude::*;
use zcprof_judge::stacks::Stacks;

use super::stacks::{any_stacks, by_hand, file, text};

/// What a field holds: wire types 0 and 2.
#[derive(Clone, Debug)]
enum Held {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Held {
    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(bytes) => panic!("no number: {bytes:?}"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(number) => panic!("no bytes: {number}"),
        }
    }

    /// A packed list of numbers.
    fn numbers(&self) -> Vec<u64> {
        let (bytes, mut at, mut all) = (self.bytes(), 0, Vec::new());
        while at < bytes.len() {
            all.push(varint(bytes, &mut at));
        }
        all
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The fields of a message, by their numbers.
struct Message(Vec<(u64, Held)>);

impl Message {
    fn of(bytes: &[u8]) -> Self {
        let (mut at, mut all) = (0, Vec::new());
        while at < bytes.len() {
            let key = varint(bytes, &mut at);
            let value = varint(bytes, &mut at);
            let held = match key & 7 {
                0 => Held::Number(value),
                2 => {
                    let end = at + usize::try_from(value).expect("a length");
                    let held = Held::Bytes(bytes[at..end].to_vec());
                    at = end;
                    held
                }
                other => panic!("wire type {other}"),
            };
            all.push((key >> 3, held));
        }
        Self(all)
    }

    fn all(&self, field: u64) -> impl Iterator<Item = &Held> {
        self.0.iter().filter(move |(number, _)| *number == field).map(|(_, held)| held)
    }

    fn one(&self, field: u64) -> Option<&Held> {
        self.all(field).next()
    }

    /// A number, which is zero where it is not there.
    fn number(&self, field: u64) -> u64 {
        self.one(field).map_or(0, Held::number)
    }

    /// Messages by the identity that their first field is.
    fn by_id(&self, field: u64) -> BTreeMap<u64, Self> {
        let parsed = self.all(field).map(|held| Self::of(held.bytes()));
        let all: Vec<_> = parsed.map(|one| (one.number(1), one)).collect();
        let (many, all) = (all.len(), all.into_iter().collect::<BTreeMap<_, _>>());
        assert!(all.len() == many && !all.contains_key(&0), "identities are unique and not zero");
        all
    }
}

/// A profile without its packing.
fn unpacked(packed: &[u8]) -> Message {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut plain).expect("gzip");
    Message::of(&plain)
}

/// A profile as folded text: bytes by way.
fn folded(packed: &[u8]) -> BTreeMap<String, u128> {
    let profile = unpacked(packed);
    let words = |held: &Held| String::from_utf8(held.bytes().to_vec()).expect("UTF-8");
    let texts: Vec<String> = profile.all(6).map(words).collect();
    let text = |at: u64| texts[usize::try_from(at).expect("a place")].clone();
    assert_eq!(text(0), "", "the first text is empty");
    let kinds = profile.all(1).map(|held| Message::of(held.bytes()));
    let kinds: Vec<_> = kinds.map(|kind| (text(kind.number(1)), text(kind.number(2)))).collect();
    let wanted = [("calls", "count"), ("copied", "bytes"), ("handed_over", "bytes")];
    assert_eq!(kinds, wanted.map(|(what, unit)| (what.to_owned(), unit.to_owned())));
    assert_eq!(text(profile.number(14)), "copied", "what is shown first");
    let (locations, functions) = (profile.by_id(4), profile.by_id(5));
    let name = |location: &u64| {
        let line = Message::of(locations[location].one(4).expect("a line").bytes());
        text(functions[&line.number(1)].number(2))
    };
    let mut ways = BTreeMap::new();
    for sample in profile.all(2).map(|held| Message::of(held.bytes())) {
        let labels = sample.all(3).map(|held| Message::of(held.bytes()));
        let labels: BTreeMap<_, _> =
            labels.map(|label| (text(label.number(1)), text(label.number(2)))).collect();
        let frames = sample.one(1).map(Held::numbers).unwrap_or_default();
        let mut way: Vec<String> = labels.get("program").cloned().into_iter().collect();
        // The innermost is the first.
        way.extend(frames.iter().rev().map(name));
        way.push(format!("{} {}", labels["hop"], labels["disposition"]));
        let way = way.iter().map(|step| step.replace(';', ":").replace(['\n', '\r'], " "));
        let values = sample.one(2).expect("values").numbers();
        assert!(values.len() == 3 && (values[1] == 0 || values[2] == 0), "{values:?}");
        let bytes = u128::from(values[1]) + u128::from(values[2]);
        if bytes > 0 {
            *ways.entry(way.collect::<Vec<_>>().join(";")).or_default() += bytes;
        }
    }
    ways
}

/// The folded text itself.
fn lines(stacks: &Stacks) -> BTreeMap<String, u128> {
    let text = text(stacks, "stacks.folded");
    let line = |line: &str| {
        let (way, bytes) = line.rsplit_once(' ').expect("a way and its bytes");
        (way.to_owned(), bytes.parse().expect("bytes"))
    };
    text.lines().map(line).collect()
}

#[test]
fn a_profile_says_what_the_folded_text_says() {
    let known = by_hand();
    let profile = folded(&file(&known, "stacks.pb.gz"));
    assert_eq!(profile, lines(&known));
    assert_eq!(profile.len(), known.stacks.len() + known.lost.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever frames, names and bytes there are; of more bytes than a signed number holds it says as many
    /// as that holds.
    #[test]
    fn pprof_has_every_stack(stacks in any_stacks()) {
        let mut stacks = stacks;
        let most = i64::MAX.unsigned_abs();
        stacks.stacks.iter_mut().for_each(|stack| stack.bytes = stack.bytes.min(most));
        stacks.lost.iter_mut().for_each(|gone| gone.bytes = gone.bytes.min(most));
        prop_assert_eq!(folded(&file(&stacks, "stacks.pb.gz")), lines(&stacks));
    }

    #[test]
    fn a_profile_of_any_number_is_read(stacks in any_stacks()) {
        let profile = folded(&file(&stacks, "stacks.pb.gz"));
        prop_assert!(profile.values().all(|bytes| *bytes > 0));
        let samples = unpacked(&file(&stacks, "stacks.pb.gz")).all(2).count();
        prop_assert_eq!(samples, stacks.stacks.len() + stacks.lost.len());
    }
}
