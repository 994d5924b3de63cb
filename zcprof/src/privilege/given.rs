//! What zcprof makes as root belongs to the user who called sudo: new files and new folders, and nothing
//! that was there before.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use tempfile::NamedTempFile;

use super::User;

/// Makes a folder and those above it that are missing; the new ones belong to the user who called sudo.
///
/// # Errors
/// The kernel's own.
pub(crate) fn make_folders(folder: &Path) -> io::Result<()> {
    User::of_sudo().map_or_else(|| fs::create_dir_all(folder), |user| make_for(user, folder))
}

/// A new file in a folder, under a temporary name. The name that it is to have may be a link, or another's
/// file: it is replaced, and never written into.
///
/// # Errors
/// The kernel's own.
pub(crate) fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".zcprof-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
}

/// Gives a file that was just made to the user who called sudo, if somebody did. Some file systems know
/// no owners: the file is root's then.
pub(crate) fn give(file: &File) {
    if let Some(user) = User::of_sudo() {
        user.own_if_possible(file);
    }
}

/// Each folder is made and opened in the one above it that is open, so that whoever swaps a part of the
/// path for a link gets nothing: only what has the name in that very folder is given away, if it is empty
/// and root's.
fn make_for(user: User, folder: &Path) -> io::Result<()> {
    let is_there = |above: &&Path| above.is_dir() || above.as_os_str().is_empty();
    let there = folder.ancestors().find(is_there).unwrap_or_else(|| Path::new("/"));
    let missing = folder.strip_prefix(there).unwrap_or_else(|_| Path::new(""));
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !missing.components().all(is_plain) {
        return fs::create_dir_all(folder); // through a folder that is not there yet, and back
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let start = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let mut at: OwnedFd = open(start, flags, Mode::empty())?;
    for part in missing.components() {
        let name = part.as_os_str();
        let is_new = match mkdirat(&at, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let link = if is_new { OFlag::O_NOFOLLOW } else { OFlag::empty() };
        let made = File::from(openat(&at, name, flags | link, Mode::empty())?);
        if is_new && made.metadata()?.uid() == 0 && is_empty(&made)? {
            user.own_if_possible(&made);
        }
        at = made.into();
    }
    Ok(())
}

fn is_empty(folder: &File) -> io::Result<bool> {
    use std::os::fd::AsRawFd as _;
    // The kernel's name for just this folder, wherever it is now.
    Ok(fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))?.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::super::swapped::while_swapped;
    use super::*;

    #[test]
    fn new_folders_are_given_away_and_old_ones_are_not() {
        let Some(user) = User::ordinary() else {
            println!("skipped: only root gives anything away");
            return;
        };
        let base = tempfile::tempdir().expect("a folder");
        let owner = |path: &str| fs::metadata(base.path().join(path)).expect("there").uid();
        fs::create_dir(base.path().join("old")).expect("made");
        std::os::unix::fs::symlink("old", base.path().join("link")).expect("a link");
        make_for(user, &base.path().join("link/new/inner")).expect("root may");
        make_for(user, &base.path().join("old/new")).expect("it is there");
        let of_user = owner("old/new");
        assert_ne!(of_user, 0);
        assert_eq!([owner("old"), owner("."), owner("old/new/inner")], [0, 0, of_user]);
        // A file is no folder, and a link to nowhere is not followed.
        fs::write(base.path().join("file"), "").expect("written");
        std::os::unix::fs::symlink("nowhere", base.path().join("lost")).expect("a link");
        for wrong in ["file", "file/new", "lost"] {
            assert!(make_for(user, &base.path().join(wrong)).is_err(), "{wrong}");
        }
        assert!(!base.path().join("nowhere").exists());
    }

    /// Somebody who may rename what is in the folder swaps a part of the path for a link to where root's
    /// folders are, again and again.
    #[test]
    fn a_link_that_is_put_in_the_way_gives_no_folder_away() {
        let Some(user) = User::ordinary() else {
            println!("skipped: only root gives anything away");
            return;
        };
        let (base, roots) = (tempfile::tempdir(), tempfile::tempdir());
        let (base, roots) = (base.expect("a folder"), roots.expect("a folder"));
        fs::create_dir(roots.path().join("inner")).expect("made");
        let (way, link) = (base.path().join("way"), base.path().join("link"));
        fs::create_dir(&way).expect("made");
        std::os::unix::fs::symlink(roots.path(), &link).expect("a link");
        while_swapped(&way, &link, || {
            let _ = make_for(user, &way.join("inner"));
            let _ = fs::remove_dir(base.path().join("way/inner"));
            let _ = fs::create_dir(roots.path().join("inner"));
        });
        let owner = fs::metadata(roots.path()).expect("there").uid();
        assert_eq!(owner, 0, "a folder that was there was given away");
    }
}
