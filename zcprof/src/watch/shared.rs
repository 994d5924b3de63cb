//! Where a command writes that may not have the terminal.

use std::env;
use std::fs::File;
use std::io::{IsTerminal as _, stdin, stdout};
use std::os::unix::fs::fchown;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use nix::unistd::{getpgrp, tcgetpgrp};

use super::caller::Caller;
use super::live::way::{Presentation, TerminalFacts, way};
use crate::cli;
use crate::privilege::unnamed;

/// Name of the file beside the reports.
const FILE: &str = "command.txt";

/// How a window is shown, and where the commands that zcprof starts for it write.
pub(super) struct Shared {
    /// Whether a table has the terminal.
    pub(super) live: bool,
    /// The commands' file, with its name, if they may not write to the terminal.
    pub(super) output: Option<(File, PathBuf)>,
}

impl Shared {
    /// As the options and the terminal have it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn settle(options: &cli::WatchArgs) -> Result<Self> {
        let commands = !options.command.is_empty() || options.load.is_some();
        let term = env::var("TERM").ok();
        let is_one = stdin().is_terminal() && stdout().is_terminal() && is_in_foreground();
        let live =
            match way(TerminalFacts { is_one, term: term.as_deref() }, options.live, commands) {
                Presentation::Live => true,
                Presentation::Lines(why) => {
                    if let Some(why) = why {
                        log::warn!("--live draws nothing: {why}");
                    }
                    false
                }
            };
        let output = if live && commands { Some(file(options)?) } else { None };
        Ok(Self { live, output })
    }

    /// The commands' file.
    pub(super) fn file(&self) -> Option<&File> {
        self.output.as_ref().map(|(file, _)| file)
    }
}

/// Whether keys are this process's: a shell's job in the background would be stopped if it read any
/// (tcgetpgrp(3)).
fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// A file beside the reports, or one in the folder of temporary files. It belongs to the user who the
/// command runs as, for whom it may be `/dev/stderr`, which programs open by that name.
fn file(options: &cli::WatchArgs) -> Result<(File, PathBuf)> {
    let (file, path) = if let Some(folder) = &options.out {
        let path = folder.join(FILE);
        let made = unnamed(folder).and_then(|file| Ok(file.persist(&path)?));
        (made.with_context(|| format!("making {}", path.display()))?, path)
    } else {
        let made = tempfile::Builder::new().prefix("zcprof-command-").suffix(".txt").tempfile();
        made.and_then(|file| Ok(file.keep()?))
            .context("making a file for what the command writes")?
    };
    if let Some(caller) = Caller::find(options.user.as_deref())? {
        let (user, group) = caller.ids;
        fchown(&file, Some(user), Some(group))
            .with_context(|| format!("giving {} away", path.display()))?;
    }
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use clap::Parser as _;

    use super::*;

    /// Root would write into whatever the link names, and give it away.
    #[test]
    fn the_commands_file_is_made_anew_where_a_link_has_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().display().to_string();
        let cli = cli::Cli::parse_from(["zcprof", "watch", "--out", &out, "--", "true"]);
        let cli::Command::Watch(options) = cli.command else { panic!("it is another command") };
        let secret = folder.path().join("secret");
        fs::write(&secret, "another's").expect("written");
        std::os::unix::fs::symlink(&secret, folder.path().join(FILE)).expect("a link");
        let (mut file, path) = file(&options).expect("made");
        file.write_all(b"said").expect("written");
        assert_eq!(fs::read_to_string(&secret).expect("there"), "another's");
        assert_eq!(fs::read_to_string(path).expect("there"), "said");
    }
}
