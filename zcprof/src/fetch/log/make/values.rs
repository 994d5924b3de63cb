//! Values for records: text that looks like a log's, compresses like one, and is the same for the
//! same seed.

use bytes::Bytes;

/// Phrases to choose from, as the messages of a program are few.
const PHRASES: usize = 64;

/// Letters of a phrase, spaces included.
const LETTERS: std::ops::RangeInclusive<usize> = 8..=40;

/// Text that values begin in, in bytes: enough that values of one batch hardly ever repeat each
/// other, for then they would compress as no log does.
const ROOM: u64 = 8 << 20;

/// Pseudo-random values: slices of one text, so that a large log is made at the speed of the
/// disk.
pub(super) struct Values {
    text: Bytes,
    length: usize,
    random: Random,
}

impl Values {
    /// Values of `length` bytes, for a log of `bytes` bytes.
    pub(super) fn new(seed: u64, length: usize, bytes: u64) -> Self {
        let mut random = Random(seed);
        let room = usize::try_from(bytes.min(ROOM)).unwrap_or(usize::MAX);
        let text = text(&mut random, length.saturating_add(room));
        Self { text: text.into(), length, random }
    }

    pub(super) fn next(&mut self) -> Bytes {
        let from = self.random.below(self.text.len() - self.length + 1);
        self.text.slice(from..from + self.length)
    }
}

/// Phrases, few of them often and many seldom, and numbers between them; at least `length` bytes.
fn text(random: &mut Random, length: usize) -> Vec<u8> {
    let phrases: Vec<Vec<u8>> = (0..PHRASES).map(|_| phrase(random)).collect();
    let mut text = Vec::with_capacity(length + 2 * LETTERS.end());
    while text.len() < length {
        // The smaller of two leans towards the first phrases.
        let rank = random.below(PHRASES).min(random.below(PHRASES));
        text.extend_from_slice(&phrases[rank]);
        text.extend_from_slice(format!(" {} ", random.below(1 << 20)).as_bytes());
    }
    text
}

fn phrase(random: &mut Random) -> Vec<u8> {
    let letters = LETTERS.start() + random.below(LETTERS.end() - LETTERS.start() + 1);
    let alphabet = b"etaoinshrdlcumwf ";
    (0..letters).map(|_| alphabet[random.below(alphabet.len())]).collect()
}

/// SplitMix64: any seed will do, and neighbouring seeds have nothing in common.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }
}
