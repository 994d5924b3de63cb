//! A device's numbers in one word: huge_encode_dev() (include/linux/kdev_t.h).

/// The word of a major and a minor number.
pub(super) fn encoded((major, minor): (u32, u32)) -> u64 {
    u64::from(minor & 0xff) | u64::from(major) << 8 | u64::from(minor & !0xff) << 12
}

/// The major and the minor number of a word.
pub(super) fn decoded(word: u64) -> (u32, u32) {
    let bits = |shift: u32, mask: u64| u32::try_from(word >> shift & mask).unwrap_or(0);
    (bits(8, 0xfff), bits(0, 0xff) | bits(12, 0xff_ff00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [(7, 0), (259, 300), (0, 0xf_ffff), (0xfff, 1)] {
            assert_eq!(decoded(encoded(number)), number);
        }
        assert_eq!(encoded((7, 3)), 0x703);
    }
}
