//! Who called sudo: the command that is watched runs as that user, with the environment that their
//! shell would have given it.

use std::ffi::OsString;
use std::fs;

use anyhow::{Context as _, Result};
use nix::unistd::Uid;

/// A user as /etc/passwd and /etc/group name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// User and group.
    pub(super) ids: (u32, u32),
    /// The other groups.
    pub(super) groups: Vec<u32>,
    /// Variables that sudo changed.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// Variables that sudo sets, and that a shell does not.
pub(super) const OF_SUDO: [&str; 4] = ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"];

impl Caller {
    /// The user called `name`, or else the one who called sudo; none if the command keeps zcprof's user.
    ///
    /// # Errors
    /// There is no such user.
    pub(super) fn find(name: Option<&str>) -> Result<Option<Self>> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        if let Some(name) = name {
            let found =
                passwd.lines().find_map(|line| parse(line).filter(|user| user.name == name));
            let found = found.with_context(|| format!("/etc/passwd has no user {name}"))?;
            return Ok(Some(found.caller(&groups)));
        }
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let said = |name| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        let Some((uid, gid)) = said("SUDO_UID").zip(said("SUDO_GID")).filter(|(uid, _)| *uid != 0)
        else {
            return Ok(None);
        };
        let known = passwd.lines().find_map(|line| parse(line).filter(|user| user.ids.0 == uid));
        Ok(Some(match known {
            Some(user) => user.caller(&groups),
            None => Self { ids: (uid, gid), groups: vec![gid], environment: Vec::new() },
        }))
    }
}

/// A line of /etc/passwd (passwd(5)).
struct PasswdEntry<'a> {
    name: &'a str,
    ids: (u32, u32),
    home: &'a str,
    shell: &'a str,
}

fn parse(line: &str) -> Option<PasswdEntry<'_>> {
    let words: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = *words else { return None };
    Some(PasswdEntry { name, ids: (uid.parse().ok()?, gid.parse().ok()?), home, shell })
}

impl PasswdEntry<'_> {
    fn caller(&self, groups: &str) -> Caller {
        let member = |line: &str| {
            let words: Vec<&str> = line.split(':').collect();
            let [_, _, gid, members] = *words else { return None };
            let is_member = members.split(',').any(|name| name == self.name);
            gid.parse().ok().filter(|_| is_member)
        };
        let mut all = vec![self.ids.1];
        all.extend(groups.lines().filter_map(member).filter(|gid: &u32| *gid != self.ids.1));
        let variables = [
            ("HOME", self.home),
            ("USER", self.name),
            ("LOGNAME", self.name),
            ("SHELL", if self.shell.is_empty() { "/bin/sh" } else { self.shell }),
        ];
        Caller {
            ids: self.ids,
            groups: all,
            environment: variables.map(|(name, value)| (name, value.into())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_groups_and_the_home_of_the_files() {
        let user = parse("ada:x:1000:1000:Ada,,,:/home/ada:/bin/zsh").expect("a user");
        let caller = user.caller("root:x:0:\nada:x:1000:\ndocker:x:998:bob,ada\nwheel:x:10:bob\n");
        assert_eq!((caller.ids, caller.groups), ((1000, 1000), vec![1000, 998]));
        assert!(caller.environment.contains(&("HOME", "/home/ada".into())));
        assert!(parse("broken:x:1").is_none());
    }

    #[test]
    fn a_user_that_is_not_there_is_said() {
        let error = Caller::find(Some("nobody-has-this-name")).expect_err("no such user");
        assert!(error.to_string().contains("nobody-has-this-name"), "{error}");
    }
}
