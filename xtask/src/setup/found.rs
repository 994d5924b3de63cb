//! What was found of a need.

use std::fmt;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is there: version and what else is worth a word.
    Ready(String),
    /// It is not there.
    Missing,
    /// It is there and cannot be used: why.
    Unfit(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(version) => write!(f, "ok: {version}"),
            Self::Missing => write!(f, "missing"),
            Self::Unfit(why) => write!(f, "unfit: {why}"),
        }
    }
}

/// Judges the first version number in `text`.
pub(super) fn at_least(text: &str, least: (u32, u32)) -> Found {
    let version = text
        .split(|c: char| c.is_whitespace() || c == '(' || c == '/')
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let Some(version) = version else { return Found::Unfit(format!("no version in {text:?}")) };
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    if (next(), next()) < least {
        return Found::Unfit(format!("{version} is older than {}.{}", least.0, least.1));
    }
    Found::Ready(version.to_owned())
}
