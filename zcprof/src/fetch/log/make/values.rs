//! Values for records: text that looks like a log's, compresses like one, and is the same for the
//! same seed.

use bytes::Bytes;

/// Words to choose from.
const WORDS: usize = 4096;

/// Letters of a word.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=9;

/// One word in so many is a number.
const NUMBERS: u64 = 4;

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

/// Words, few of them often and many seldom, between numbers; at least `length` bytes.
fn text(random: &mut Random, length: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..WORDS).map(|_| word(random)).collect();
    let mut text = Vec::with_capacity(length + 32);
    while text.len() < length {
        if random.next().is_multiple_of(NUMBERS) {
            text.extend_from_slice(random.below(1 << 20).to_string().as_bytes());
        } else {
            // The smaller of several is skewed towards the first words.
            let rank = (0..4).map(|_| random.below(WORDS)).min().unwrap_or(0);
            text.extend_from_slice(&words[rank]);
        }
        text.push(b' ');
    }
    text
}

fn word(random: &mut Random) -> Vec<u8> {
    let letters = LETTERS.start() + random.below(LETTERS.end() - LETTERS.start() + 1);
    (0..letters).map(|_| *b"etaoinshrdlcumwf".get(random.below(16)).unwrap_or(&b'e')).collect()
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
