//! A program of this host with the shared libraries that it needs, to run in a guest.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// The program and its libraries, each to be where it is here.
pub(crate) fn with_libraries(program: &Path) -> Result<Vec<(PathBuf, String)>> {
    let said = process::output(Command::new("ldd").arg(program))
        .with_context(|| format!("asking what {} needs", program.display()))?;
    let mut files = vec![in_place(program)?];
    for path in paths(&said) {
        if path.is_empty() {
            bail!("{} needs a library that is not there:\n{said}", program.display());
        }
        files.push(in_place(Path::new(path))?);
    }
    Ok(files)
}

fn in_place(path: &Path) -> Result<(PathBuf, String)> {
    let there = path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?;
    Ok((path.to_owned(), there.to_owned()))
}

/// The paths in what ldd says, empty for a library that it does not find. The kernel's own
/// (linux-vdso) has none.
fn paths(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| match line.find('/') {
            Some(begin) => line[begin..].split(' ').next(),
            None => line.contains("not found").then_some(""),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn libraries_and_the_loader_are_found() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\
            \tlibmissing.so.2 => not found\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libz.so.1", "", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(paths(said), expected);
    }
}
