//! Every exit code of this program; zcprof has the same ones.

use std::fmt;
use std::process::ExitCode;

use crate::interrupt;

/// How a command ended. The order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0: everything asked for was done and every claim holds.
    Holds,
    /// 3: something could have gone unseen.
    Inconclusive,
    /// 1: a claim is refuted, or a test failed.
    Refuted,
    /// 4: something that is needed is missing; it was said what, and how to get it.
    Missing,
    /// 2: wrong usage, or an error while running.
    Error,
}

/// A need that nothing here could meet. As the cause of an error it makes the exit code 4.
#[derive(Debug)]
pub(crate) struct Unmet(pub(crate) String);

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unmet {}

impl Exit {
    /// What a child's exit code says; codes that zcprof does not have are errors.
    pub(crate) fn of_code(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Holds,
            Some(1) => Self::Refuted,
            Some(3) => Self::Inconclusive,
            Some(4) => Self::Missing,
            _ => Self::Error,
        }
    }

    /// What an error that reached `main` amounts to.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        let unmet = error.is::<Unmet>() && !interrupt::requested();
        if unmet { Self::Missing } else { Self::Error }
    }

    /// The number the caller sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Refuted => 1,
            Self::Error => 2,
            Self::Inconclusive => 3,
            Self::Missing => 4,
        }
    }

    /// One word for a table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
            Self::Missing => "missing",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_round_trip_and_strange_ones_are_errors() {
        for code in 0..=4 {
            assert_eq!(i32::from(Exit::of_code(Some(code)).code()), code);
        }
        assert_eq!(Exit::of_code(Some(101)), Exit::Error);
        assert_eq!(Exit::of_code(None), Exit::Error);
    }

    #[test]
    fn the_worst_is_the_greatest() {
        let worst = [Exit::Holds, Exit::Refuted, Exit::Inconclusive].into_iter().max();
        assert_eq!(worst, Some(Exit::Refuted));
    }
}
