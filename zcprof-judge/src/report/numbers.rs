//! Numbers as they are printed and drawn. Counts stay integers until here.

/// Bytes in a MiB.
pub(super) const MIB: u64 = 1 << 20;

/// Bytes in a GiB, for rates.
pub(super) const GIB: f64 = 1_073_741_824.0;

/// `12345` as `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that divides them.
pub(super) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    match unit {
        Some((shift, name)) => format!("{} {name}", grouped(bytes >> shift)),
        None => format!("{} B", grouped(bytes)),
    }
}

/// Bytes in the unit in which people read them, rounded down to a tenth: not exact, for headlines.
pub(super) fn size_of(bytes: u128) -> String {
    const UNITS: [&str; 8] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    while unit + 1 < UNITS.len() && bytes >> (10 * (unit + 2)) > 0 {
        unit += 1;
    }
    let (shift, name) = (10 * (unit + 1), UNITS[unit]);
    let tenth = ((bytes & ((1 << shift) - 1)) * 10) >> shift;
    format!("{}.{tenth} {name}", bytes >> shift)
}

/// `part` of `whole` in per cent, with one decimal; never rounded up to all of it.
pub(super) fn share(part: u128, whole: u128) -> String {
    let mille = part.saturating_mul(1000) / whole.max(1);
    format!("{}.{} %", mille / 10, mille % 10)
}

/// `one` or `many` behind their number.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `part` of `whole`, in thousandths, rounded half up as
/// [`per_byte`](crate::verdict::per_byte) does; zero of nothing.
pub(super) fn thousandths(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let ratio = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    u64::try_from(ratio).unwrap_or(u64::MAX)
}

/// How far along an axis of `length` pixels, which ends at `end`, a value lies.
pub(super) fn along(value: u64, end: u64, length: u32) -> i32 {
    let pixels = u128::from(value.min(end)) * u128::from(length) / u128::from(end.max(1));
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

/// A count as a number to calculate time with.
#[expect(clippy::cast_precision_loss, reason = "only time and speed, which no verdict reads")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// [`along`] for measured time.
#[expect(clippy::cast_possible_truncation, reason = "a pixel is a whole number")]
pub(super) fn along_time(value: f64, end: f64, length: u32) -> i32 {
    if end > 0.0 { ((value / end).clamp(0.0, 1.0) * f64::from(length)).round() as i32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn sizes_are_exact() {
        let texts = [0, 1023, 1 << 10, 64 << 20, (1 << 20) + 1].map(size);
        assert_eq!(texts, ["0 B", "1,023 B", "1 KiB", "64 MiB", "1,048,577 B"]);
    }

    #[test]
    fn headlines_are_rounded_down() {
        let texts = [0, 1023, 1024, (1 << 20) - 1, 3 << 29, 1 << 90].map(size_of);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1023.9 KiB", "1.5 GiB", "1024.0 YiB"]);
        assert_eq!(
            [share(1, 3), share(999_999, 1_000_000), share(5, 5)],
            ["33.3 %", "99.9 %", "100.0 %"]
        );
    }

    #[test]
    fn an_axis_without_a_length_is_no_panic() {
        assert_eq!(along(5, 0, 100), 0);
        assert_eq!(along(u64::MAX, u64::MAX, 100), 100);
        assert_eq!(along_time(f64::NAN, 1.0, 100), 0);
        assert_eq!(along_time(1.0, 0.0, 100), 0);
    }
}
