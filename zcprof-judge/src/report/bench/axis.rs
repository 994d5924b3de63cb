//! A logarithmic axis, on which equal ratios are equally far apart.

/// From one value above zero to a greater one, in pixels.
pub(super) struct Axis {
    from: f64,
    to: f64,
    length: f64,
}

impl Axis {
    /// An axis that holds all values which can lie on it; `None` if there is none.
    pub(super) fn over(values: impl Iterator<Item = f64>, length: i32) -> Option<Self> {
        let values: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).collect();
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        Some(Self { from: least, to: most, length: f64::from(length) })
    }

    /// Both ends moved out, so that no point lies on them.
    pub(super) fn wider(self, ratio: f64) -> Self {
        Self { from: self.from / ratio, to: self.to * ratio, ..self }
    }

    /// How far along a value lies, in pixels.
    #[expect(clippy::cast_possible_truncation, reason = "a pixel is a whole number")]
    pub(super) fn at(&self, value: f64) -> i32 {
        let all = (self.to / self.from).ln();
        if !(value > 0.0 && all > 0.0) {
            return 0;
        }
        ((value / self.from).ln() / all * self.length).clamp(0.0, self.length).round() as i32
    }

    /// Values to mark, at least so many pixels apart on average: powers of ten, and between them 2 and 5
    /// where that is not too many.
    pub(super) fn marks(&self, apart: i32) -> Vec<f64> {
        let decades = -9..=9;
        let of = |steps: &'static [f64]| {
            let values = decades
                .clone()
                .flat_map(|decade| steps.iter().map(move |s| s * 10_f64.powi(decade)));
            values.filter(|value| (self.from..=self.to).contains(value)).collect::<Vec<_>>()
        };
        let dense: [&'static [f64]; 3] = [
            &[1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            &[1.0, 2.0, 5.0],
            &[1.0],
        ];
        let [all, some, few] = dense.map(of);
        // Marks need room for their numbers.
        let most = usize::try_from(self.at(self.to) / apart.max(1)).unwrap_or(1).max(2);
        [all, some].into_iter().find(|marks| marks.len() <= most).unwrap_or(few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let axis = Axis::over([4.0, 1.0, 16.0].into_iter(), 100).expect("values");
        assert_eq!([1.0, 4.0, 16.0].map(|value| axis.at(value)), [0, 50, 100]);
        assert_eq!([0.0, -1.0, 99.0, f64::NAN].map(|value| axis.at(value)), [0, 0, 100, 0]);
    }

    #[test]
    fn what_cannot_lie_on_it_makes_no_axis() {
        assert!(Axis::over([0.0, f64::NAN, -1.0].into_iter(), 100).is_none());
        let point = Axis::over([3.0].into_iter(), 100).expect("a value");
        assert_eq!(point.at(3.0), 0);
    }

    #[test]
    fn marks_are_round_lie_within_and_are_not_too_many() {
        for (from, to) in [(0.03, 4.0), (0.9, 1.1), (1.0, 1e6), (2.1, 2.9)] {
            let axis = Axis::over([from, to].into_iter(), 180).expect("values");
            let marks = axis.marks(22);
            assert!(!marks.is_empty() && marks.len() <= 9, "{from} to {to}: {marks:?}");
            assert!(marks.iter().all(|mark| (from..=to).contains(mark)), "{marks:?}");
        }
    }
}
