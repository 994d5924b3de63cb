//! Whether this program may install what is missing.

use std::sync::OnceLock;

use clap::Args;

/// What its user said about that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Nothing: they are asked, at a terminal.
    #[default]
    Ask,
    /// `--yes`.
    Given,
    /// `--no-install`.
    Never,
}

/// Options of every command that may install.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Install what is missing without asking.
    #[arg(long, global = true, conflicts_with = "no_install")]
    yes: bool,
    /// Install nothing: name what is missing, and exit with 4.
    #[arg(long, global = true)]
    no_install: bool,
}

static SAID: OnceLock<Consent> = OnceLock::new();

/// Keeps what was said for the rest of this process.
pub(crate) fn say(options: Options) {
    let said = match options {
        Options { yes: true, .. } => Consent::Given,
        Options { no_install: true, .. } => Consent::Never,
        Options { .. } => Consent::Ask,
    };
    SAID.get_or_init(|| said);
}

/// What was said.
pub(super) fn said() -> Consent {
    SAID.get().copied().unwrap_or_default()
}
