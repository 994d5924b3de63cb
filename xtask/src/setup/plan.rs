//! What setup is about to do, said before it is done, and whether its user agrees.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};

use super::consent::Consent;
use super::found::Found;
use super::needs::Need;
use crate::exit::Unmet;

/// One thing that setup does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SetupStep {
    /// Install Debian's packages.
    Packages(Vec<&'static str>),
    /// Give Debian's compiler a name that rustup knows.
    LinkCompiler,
    /// Install a compiler into the cache.
    FetchCompiler,
    /// Build the linker into the cache.
    BuildLinker,
    /// Install clients into the cache.
    Clients,
    /// Fetch a kernel into the cache.
    Kernel(&'static str),
}

impl SetupStep {
    /// What it does, and what becomes of that afterwards.
    fn words(&self) -> (String, &'static str) {
        const IN_CACHE: &str = "in the cache: goes with it";
        const STAYS: &str = "stays: apt-get remove undoes it";
        const STARTS: &str = "stays: apt-get remove undoes it; where a service manager runs, nginx's \
                              service is started";
        match self {
            Self::Packages(names) => {
                let after = if names.contains(&"nginx") { STARTS } else { STAYS };
                (format!("apt-get install {}", names.join(" ")), after)
            }
            Self::LinkCompiler => {
                ("a name for Debian's compiler that rustup can call it by".to_owned(), IN_CACHE)
            }
            Self::FetchCompiler => ("a nightly Rust with the sources of core".to_owned(), IN_CACHE),
            Self::BuildLinker => ("build bpf-linker (a minute or two)".to_owned(), IN_CACHE),
            Self::Clients => ("Kafka's clients for Python".to_owned(), IN_CACHE),
            Self::Kernel(name) => (format!("fetch Debian's kernel {name}"), IN_CACHE),
        }
    }
}

/// What will be done for what is missing.
pub(super) fn of(
    missing: &[(Need, Found)],
    packages: Vec<&'static str>,
    debian: bool,
) -> Vec<SetupStep> {
    let lacks = |name: &str| missing.iter().any(|(need, _)| need.name() == name);
    let compiler = if debian { SetupStep::LinkCompiler } else { SetupStep::FetchCompiler };
    let kernels = missing.iter().filter_map(|(need, _)| match need {
        Need::Kernel(kernel) => Some(SetupStep::Kernel(kernel.name)),
        Need::Tool(_) => None,
    });
    let steps = [
        (!packages.is_empty(), SetupStep::Packages(packages)),
        (lacks("Rust for BPF"), compiler),
        (lacks("bpf-linker"), SetupStep::BuildLinker),
        (lacks(super::CLIENTS), SetupStep::Clients),
    ];
    steps.into_iter().filter_map(|(wanted, step)| wanted.then_some(step)).chain(kernels).collect()
}

/// The plan as it is printed.
pub(super) fn text(steps: &[SetupStep], cache: &str) -> String {
    let mut text = format!("setup will do this (the cache is {cache}):\n");
    for step in steps {
        let (what, after) = step.words();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what}\n      {after}");
    }
    text
}

/// Says the plan, and goes on if its user agrees: at a terminal they are asked once, Enter means yes;
/// without one, as in CI, they are not.
///
/// # Errors
/// They do not, or want no more than the plan.
pub(super) fn agree(steps: &[SetupStep], cache: &str, consent: Consent) -> Result<()> {
    eprint!("{}", text(steps, cache));
    let asked = io::stdin().is_terminal() && io::stderr().is_terminal();
    let agreed = match consent {
        Consent::Never => {
            return Err(Unmet("nothing was installed: --no-install".to_owned()).into());
        }
        Consent::Given => true,
        Consent::Ask if !asked => true,
        Consent::Ask => {
            eprint!("go on? [Y/n] ");
            io::stderr().flush().ok();
            let mut answer = String::new();
            let read = io::stdin().lock().read_line(&mut answer).context("reading the answer")?;
            crate::interrupt::check()?;
            read > 0 && is_yes(&answer)
        }
    };
    if agreed { Ok(()) } else { Err(Unmet("nothing was installed".to_owned()).into()) }
}

/// Enter alone is a yes.
fn is_yes(answer: &str) -> bool {
    ["", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::GuestKernel;

    #[test]
    fn the_plan_says_what_stays() {
        let trixie = GuestKernel::find("trixie").expect("known");
        let missing = [(Need::Kernel(trixie), Found::Missing)];
        let steps = of(&missing, vec!["gcc"], true);
        assert_eq!(steps, [SetupStep::Packages(vec!["gcc"]), SetupStep::Kernel("trixie")]);
        let text = text(&steps, "/cache");
        for word in ["apt-get install gcc", "stays:", "kernel trixie", "/cache"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(of(&[], Vec::new(), true).is_empty());
    }

    #[test]
    fn enter_is_a_yes_and_no_is_none() {
        assert!(["\n", "y\n", "YES\n"].into_iter().all(is_yes));
        assert!(!["n\n", "no\n", "maybe\n"].into_iter().any(is_yes));
    }

    #[test]
    fn who_forbids_it_gets_nothing_and_the_reason() {
        let error = agree(&[SetupStep::BuildLinker], "/cache", Consent::Never).unwrap_err();
        assert!(error.is::<Unmet>() && error.to_string().contains("--no-install"), "{error}");
        agree(&[SetupStep::BuildLinker], "/cache", Consent::Given).expect("agreed");
    }
}
