//! The user that a worker is after its set-up.
#![expect(unsafe_code, reason = "system calls that change the user of one thread only")]

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::libc;
use nix::unistd::{Gid, Uid, fchown, setgroups, setresgid, setresuid};

/// A user without privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    uid: Uid,
    gid: Gid,
}

/// Who is nobody, where the kernel does not say: kernel/sys.c, `DEFAULT_OVERFLOWUID`.
const NOBODY: u32 = 65534;

impl User {
    /// The user who called sudo, else nobody; none if this process is not root, and so has no other user
    /// to be.
    pub(crate) fn ordinary() -> Option<Self> {
        Uid::effective().is_root().then(|| {
            Self::of_sudo().unwrap_or_else(|| Self {
                uid: Uid::from_raw(overflow("overflowuid")),
                gid: Gid::from_raw(overflow("overflowgid")),
            })
        })
    }

    /// The user who called sudo; none if nobody did, if that was root, or if this process is not root.
    pub(crate) fn of_sudo() -> Option<Self> {
        let said = |name| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        let pair = said("SUDO_UID").zip(said("SUDO_GID")).filter(|(uid, _)| *uid != 0);
        let (uid, gid) = pair.filter(|_| Uid::effective().is_root())?;
        Some(Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
    }

    /// Makes this user the owner of what is open, or says why not.
    pub(super) fn own_if_possible(self, opened: &File) {
        if let Err(error) = fchown(opened, Some(self.uid), Some(self.gid)) {
            log::warn!("a report stays root's, and is not {self}'s: {error}");
        }
    }

    /// Who can do something with a log in this folder, with the least privileges: its owner, else
    /// an ordinary user; none if only root can, or if this process is not root.
    pub(crate) fn able_to<E: fmt::Display + Send>(
        folder: &Path,
        job: impl Fn() -> Result<(), E> + Sync,
    ) -> Option<Self> {
        let ordinary = Self::ordinary()?;
        let owner = fs::metadata(folder).ok();
        let owner = owner
            .map(|owner| Self { uid: Uid::from_raw(owner.uid()), gid: Gid::from_raw(owner.gid()) });
        let owner = owner.filter(|owner| !owner.uid.is_root() && *owner != ordinary);
        owner.into_iter().chain([ordinary]).find(|user| match user.try_as(&job) {
            Ok(()) => true,
            Err(why) => {
                log::info!("{user} cannot serve the log in {}: {why}", folder.display());
                false
            }
        })
    }

    /// Does something as this user on a thread of its own; the others stay who they are.
    pub(crate) fn try_as<E: fmt::Display + Send>(
        self,
        job: impl Fn() -> Result<(), E> + Sync,
    ) -> Result<(), String> {
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| {
                self.become_on_this_thread().map_err(|errno| errno.to_string())?;
                // Where the bit SECBIT_NO_SETUID_FIXUP is set, any user keeps them.
                super::give_up_capabilities().map_err(|error| format!("{error:#}"))?;
                job().map_err(|error| error.to_string())
            });
            tried.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        })
    }

    /// The C library changes the user of all threads at once; the kernel's own calls do not.
    fn become_on_this_thread(self) -> Result<(), Errno> {
        let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
        // SAFETY: no group is read where their number is zero.
        Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, 0, 0) })?;
        // SAFETY: numbers only.
        Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
        // SAFETY: as above.
        Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
    }

    /// This process becomes that user, for good.
    ///
    /// # Errors
    /// The kernel's own: it takes CAP_SETUID and CAP_SETGID.
    pub(super) fn become_it(self) -> Result<(), Errno> {
        setgroups(&[])?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)
    }

    /// The user whom a folder, or the nearest one above it that is there, belongs to, if that is
    /// not root: what root does in it by path, this user can have happen elsewhere.
    pub(crate) fn master_of(folder: &Path) -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        let there = folder.ancestors().find_map(|folder| fs::symlink_metadata(folder).ok())?;
        let owner = Self { uid: Uid::from_raw(there.uid()), gid: Gid::from_raw(there.gid()) };
        (!owner.uid.is_root()).then_some(owner)
    }

    /// Makes this user the owner of a folder and of everything in it that belongs to this process's
    /// own user. Only what is opened is changed, and no symbolic link is followed: a user
    /// who can rename something on the way gains nothing by it.
    ///
    /// # Errors
    /// The kernel's own: it takes CAP_CHOWN; or there is a link on the way.
    pub(crate) fn own_all_in(self, folder: &Path) -> Result<()> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
        let opened = openat2(AT_FDCWD, folder, how);
        let opened = opened.with_context(|| format!("opening {}", folder.display()))?;
        self.own_opened(&opened.into())
            .with_context(|| format!("giving {} to {self}", folder.display()))
    }

    /// The same for what is open.
    fn own_opened(self, opened: &File) -> Result<()> {
        let found = opened.metadata()?;
        if found.is_dir() {
            // The kernel's name for just this folder, wherever it is now.
            for entry in fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd()))? {
                let how = OpenHow::new()
                    .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
                    .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH);
                let inner = openat2(opened, entry?.file_name().as_os_str(), how)?;
                self.own_opened(&inner.into())?;
            }
        }
        // A file with two names may have the other where its owner would not want a new one.
        let is_ours = found.uid() == Uid::effective().as_raw();
        if is_ours && (found.is_dir() || found.nlink() == 1) {
            fchown(opened, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} of group {}", self.uid, self.gid)
    }
}

fn overflow(name: &str) -> u32 {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(NOBODY)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::swapped::while_swapped;
    use super::*;

    #[test]
    fn trying_as_somebody_changes_nobody_else() {
        let Some(user) = User::ordinary() else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let own = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), own).expect("nobody else may enter");
        fs::write(folder.path().join("segment"), "bytes").expect("written");
        let read = || fs::read(folder.path().join("segment")).map(drop);
        assert!(User::able_to(folder.path(), read).is_none(), "it belongs to root");
        user.own_all_in(folder.path()).expect("root may");
        assert_eq!(User::able_to(folder.path(), read), Some(user));
        assert!(Uid::effective().is_root());
    }

    /// Somebody who may rename what is in the folder swaps a part of it for a link to a file of
    /// root's, again and again, while root gives the folder away.
    #[test]
    fn a_link_that_is_put_in_the_way_gives_nothing_away() {
        let Some(user) = User::ordinary() else {
            println!("skipped: only root gives anything away");
            return;
        };
        let (folder, roots) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir());
        let roots = roots.expect("a folder");
        fs::create_dir(roots.path().join("0")).expect("made");
        let secret = roots.path().join("0/secret");
        fs::write(&secret, "root's").expect("written");
        let base = folder.path().canonicalize().expect("a real path");
        let (log, link) = (base.join("log"), base.join("link"));
        std::os::unix::fs::symlink(roots.path(), &link).expect("a link");
        while_swapped(&log, &link, || {
            let _ = fs::create_dir_all(log.join("0"));
            let _ = fs::write(log.join("0/segment"), "bytes");
            let _ = user.own_all_in(&log);
            let _ = user.own_all_in(&log.join("0"));
        });
        for path in [roots.path(), &roots.path().join("0"), &secret] {
            let owner = fs::metadata(path).expect("there").uid();
            assert_eq!(owner, Uid::effective().as_raw(), "{}", path.display());
        }
    }
}
