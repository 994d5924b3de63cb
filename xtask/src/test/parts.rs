//! What of the guest tests runs on which kernels: a table.

use crate::kernels::{DEFAULT, Kernel};

/// A part of the guest tests, in a guest of its own.
#[derive(Debug)]
pub(super) struct Part {
    /// Name of the stage.
    pub(super) name: &'static str,
    /// What the test program is told.
    pub(super) words: &'static [&'static str],
    /// Whether it depends on the kernel what comes out; else one kernel is enough.
    everywhere: bool,
}

/// Every part.
pub(super) const PARTS: &[Part] = &[
    Part {
        name: "tests",
        words: &["--skip=faults::", "--skip=leftovers::", "--skip=privileges::"],
        everywhere: true,
    },
    Part { name: "faults", words: &["faults::", "leftovers::", "privileges::"], everywhere: false },
    // It cannot be undone, so that nothing comes after it.
    Part {
        name: "lockdown",
        words: &["--ignored", "a_kernel_that_is_locked_down_says_so"],
        everywhere: false,
    },
];

/// A test that can be had longer, instead of all others.
#[derive(Debug)]
pub(super) struct Longer {
    pub(super) name: &'static str,
    /// The variable that says how long.
    pub(super) variable: &'static str,
    pub(super) test: &'static str,
}

/// `--random`.
pub(super) const RANDOM: Longer = Longer {
    name: "random",
    variable: "ZCPROF_RANDOM",
    test: "no_false_claim_holds_and_no_true_claim_is_refuted",
};

/// `--repeat`.
pub(super) const REPEAT: Longer = Longer {
    name: "repetitions",
    variable: "ZCPROF_REPEAT",
    test: "the_classics_get_the_same_verdict_every_time",
};

impl Part {
    /// Whether it runs on one of the kernels that were chosen. One is enough: the default kernel,
    /// or the first if that was not chosen.
    pub(super) fn runs_on(&self, kernel: &Kernel, chosen: &[&Kernel], everywhere: bool) -> bool {
        let default = chosen.iter().find(|known| known.name == DEFAULT).or(chosen.first());
        everywhere || self.everywhere || default.is_some_and(|one| one.name == kernel.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    #[test]
    fn each_part_runs_on_some_kernel_whatever_is_chosen() {
        for names in ["all", "bookworm", "trixie"] {
            let chosen = kernels::choose(&[names.to_owned()]).expect("known");
            for part in PARTS {
                let on = |everywhere| {
                    chosen.iter().filter(|k| part.runs_on(k, &chosen, everywhere)).count()
                };
                assert_eq!(on(true), chosen.len());
                assert_eq!(on(false), if part.everywhere { chosen.len() } else { 1 }, "{names}");
            }
        }
    }
}
