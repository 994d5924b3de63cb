//! What can be claimed of a watched program: a claim by name, or a bound.

use std::fmt;

use zcprof_common::vocabulary::Disposition;

use crate::claim::{CLAIMS, Claim, ZERO_COPY_FROM_STORAGE};

/// A claim about each byte that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// One of [`CLAIMS`].
    Named(&'static Claim),
    /// A bound for one number.
    Bound(Bound),
}

/// At most, or at least, so many per sent byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is counted.
    pub what: Disposition,
    /// At most, else at least.
    pub at_most: bool,
    /// The bound in millionths.
    pub millionths: u64,
}

/// What a bound can be about.
const COUNTED: [Disposition; 4] =
    [Disposition::Copied, Disposition::Moved, Disposition::Deferred, Disposition::Transformed];

impl Promise {
    /// Reads `zero-copy` or `copied<=0.02`.
    ///
    /// # Errors
    /// Says what could be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bound = [("<=", true), (">=", false)].into_iter().find_map(|(sign, at_most)| {
            text.split_once(sign).map(|(what, number)| (what.trim(), at_most, number.trim()))
        });
        if let Some((what, at_most, number)) = bound {
            return bounded(what, at_most, number).map(Self::Bound);
        }
        let claim = Claim::find(text).ok_or_else(|| {
            format!("{text:?} is no claim; there are {}, and copied<=0.02 and its like", names())
        })?;
        if claim.from_storage {
            let (from, zero) = (claim.name, "zero-copy");
            return Err(format!(
                "{from} is judged by `zcprof measure`; a watched program's claims begin at the page cache: {zero}"
            ));
        }
        Ok(Self::Named(claim))
    }
}

fn names() -> String {
    let known = CLAIMS.iter().filter(|claim| claim.name != ZERO_COPY_FROM_STORAGE.name);
    known.map(|claim| claim.name).collect::<Vec<_>>().join(", ")
}

fn bounded(what: &str, at_most: bool, number: &str) -> Result<Bound, String> {
    let what = COUNTED.into_iter().find(|counted| counted.name() == what).ok_or_else(|| {
        let names: Vec<_> = COUNTED.iter().map(|counted| counted.name()).collect();
        format!("a bound is about {}; {what:?} is none of them", names.join(", "))
    })?;
    let millionths = millionths(number)
        .ok_or_else(|| format!("{number:?} is no number per byte, such as 0.02"))?;
    Ok(Bound { what, at_most, millionths })
}

/// A decimal number of at most six digits behind the point, in millionths.
#[must_use]
pub fn millionths(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || rest.len() > 6 || !digits(whole) || !digits(rest) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let rest: u64 = format!("{rest:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(rest)
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(claim) => write!(f, "{}", claim.name),
            Self::Bound(bound) => {
                let sign = if bound.at_most { "<=" } else { ">=" };
                let (whole, rest) = (bound.millionths / 1_000_000, bound.millionths % 1_000_000);
                let rest = format!("{rest:06}");
                let rest = rest.trim_end_matches('0');
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{}{sign}{whole}{point}{rest}", bound.what.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_written_as_they_are_read() {
        for text in ["zero-copy", "one-copy", "copied<=0.02", "moved>=1", "transformed<=0.000001"] {
            assert_eq!(Promise::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(Promise::parse("copied <= 0.020").expect("read").to_string(), "copied<=0.02");
    }

    #[test]
    fn what_is_no_promise_is_said() {
        let numbers = ["", "-1", "+1", "0.+5", "1e3", ".5", "0.0000001"];
        let bounds = numbers.map(|number| format!("copied<={number}"));
        let others = ["", "zerocopy", "filled<=1", "copied<1"].map(str::to_owned);
        for text in bounds.into_iter().chain(others) {
            assert!(Promise::parse(&text).is_err(), "{text}");
        }
        let said = Promise::parse("zerocopy").expect_err("none");
        assert!(said.contains("there are zero-copy, one-copy, "), "{said}");
        let from_storage = Promise::parse("zero-copy-from-storage").expect_err("not judged");
        assert!(from_storage.contains("measure"), "{from_storage}");
    }
}
