//! Which file of an overlay's layers has the bytes of a file (fs/overlayfs/namei.c, 6.12).

use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use rustix::fs::lgetxattr;
use rustix::io::Errno;

use super::mounts::{Mount, path};

/// A name of the overlay's own attributes, without what precedes it.
const METACOPY: &str = "metacopy";
const REDIRECT: &str = "redirect";

/// The file that is read where `file` is read: that of the uppermost layer which has one with data.
/// With `metacopy` an upper file may have only its own owner, mode and times, while ovl_open()
/// (fs/overlayfs/file.c) opens that of a lower layer.
///
/// # Errors
/// Why it cannot be told: a file or folder has another name below, the layers are not to be seen from
/// here, or this process may not read the overlay's attributes.
pub(super) fn data_of(mount: &Mount, file: &Path) -> Result<PathBuf, String> {
    let lost = || format!("which layer of the overlay has {}", file.display());
    let seen = file.canonicalize().map_err(|_| lost())?;
    let within = seen.strip_prefix(&mount.point).map_err(|_| lost())?;
    // A folder of an overlay may be bound elsewhere.
    let root = mount.root.strip_prefix("/").map_err(|_| lost())?;
    let attributes = OwnAttributes::of(mount);
    data_in(&layers(mount), &root.join(within), |what, path| attributes.has(what, path))?
        .ok_or_else(lost)
}

/// See [`data_of`]; `has` tells whether a file or folder has an attribute of the overlay's.
fn data_in(
    layers: &[PathBuf],
    within: &Path,
    has: impl Fn(&str, &Path) -> Result<bool, String>,
) -> Result<Option<PathBuf>, String> {
    for layer in layers {
        if !layer.is_absolute() {
            return Err(format!("the overlay's layer {} has no absolute name", layer.display()));
        }
        let path = layer.join(within);
        let is_there = path.is_file();
        if is_there && !has(METACOPY, &path)? {
            return Ok(Some(path));
        }
        // A metacopy, or a folder, that was renamed has the old name in the layers below.
        let names = within.ancestors().skip(usize::from(!is_there));
        for name in names.filter(|name| !name.as_os_str().is_empty()) {
            let path = layer.join(name);
            if has(REDIRECT, &path)? {
                return Err(format!("{} has another name in the layers below", path.display()));
            }
        }
    }
    Ok(None)
}

/// Attributes by which an overlay keeps what it knows of files.
struct OwnAttributes {
    prefix: &'static str,
    /// To all who lack CAP_SYS_ADMIN, no file has any (xattr_permission(), fs/xattr.c).
    are_seen: bool,
}

impl OwnAttributes {
    fn of(mount: &Mount) -> Self {
        if mount.has(b"userxattr") {
            return Self { prefix: "user.overlay.", are_seen: true };
        }
        let admin = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN);
        Self { prefix: "trusted.overlay.", are_seen: admin.unwrap_or(false) }
    }

    fn has(&self, what: &str, path: &Path) -> Result<bool, String> {
        let name = format!("{}{what}", self.prefix);
        if !self.are_seen {
            return Err(format!("only CAP_SYS_ADMIN sees whether {} has {name}", path.display()));
        }
        match lgetxattr(path, &*name, &mut [0_u8; 0]) {
            Ok(_) => Ok(true),
            // None, a file system that knows none, or nothing of that name in this layer.
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(format!("whether {} has {name}: {error}", path.display())),
        }
    }
}

/// An overlay's layers, the upper one first (ovl_show_options(), fs/overlayfs/params.c, 6.12).
fn layers(mount: &Mount) -> Vec<PathBuf> {
    let mut layers = mount.values(b"upperdir=");
    for all in mount.values(b"lowerdir=") {
        let parts = split_unescaped(&all, b':').into_iter();
        // Two colons are before layers of data, which only a redirect leads to.
        layers.extend(parts.take_while(|part| !part.is_empty()).map(<[u8]>::to_vec));
    }
    layers.extend(mount.values(b"lowerdir+="));
    layers.iter().map(|layer| path(&without_backslashes(layer))).collect()
}

/// Parts between separators that no backslash is before.
fn split_unescaped(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        if text[at] == b'\\' {
            at += 1;
        } else if text[at] == separator {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        at += 1;
    }
    parts.push(&text[start..]);
    parts
}

fn without_backslashes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::mounts::parse;
    use super::*;

    fn mount(options: &str) -> Mount {
        let line = format!("40 35 0:50 / /merged rw - overlay overlay rw,{options}");
        parse(line.as_bytes()).expect("a mount").1
    }

    #[test]
    fn an_overlay_has_its_layers_in_order() {
        let names = |options| {
            let layers = layers(&mount(options)).into_iter();
            layers.map(|layer| layer.display().to_string()).collect::<Vec<_>>()
        };
        let plain = r"lowerdir=/a\134:b:/c\040d,upperdir=/up,workdir=/w";
        assert_eq!(names(plain), ["/up", "/a:b", "/c d"]);
        assert_eq!(
            names("lowerdir+=/a,lowerdir+=/b,datadir+=/c,upperdir=/up"),
            ["/up", "/a", "/b"]
        );
        assert_eq!(names("lowerdir=/a:/b::/c"), ["/a", "/b"]);
    }

    #[test]
    fn the_uppermost_file_with_data_is_what_is_read() {
        let base = tempfile::tempdir().expect("a folder");
        let [upper, lower, lowest] =
            ["upper", "lower", "lowest"].map(|name| base.path().join(name));
        for (layer, name) in [(&upper, "log/0"), (&lower, "log/0"), (&lowest, "log/1")] {
            let file = layer.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, "bytes").expect("written");
        }
        let layers = [upper.clone(), lower.clone(), lowest.clone()];
        let found = |name: &str, own: &[(&str, PathBuf)]| {
            let has = |what: &str, path: &Path| {
                Ok(own.iter().any(|(name, of)| *name == what && of == path))
            };
            data_in(&layers, Path::new(name), has)
        };
        let first = upper.join("log/0");
        assert_eq!(found("log/0", &[]), Ok(Some(first.clone())));
        // Its owner was changed: the bytes are still the lower file's.
        let metacopy = (METACOPY, first.clone());
        assert_eq!(found("log/0", std::slice::from_ref(&metacopy)), Ok(Some(lower.join("log/0"))));
        // It was renamed besides: which of the lower ones it is, its own name does not say.
        let renamed = (REDIRECT, first);
        assert!(found("log/0", &[metacopy, renamed.clone()]).is_err());
        assert!(found("log/0", &[renamed]).is_ok(), "it has its data");
        // So it is with the folder, for files that are not in its own layer.
        let folder = (REDIRECT, upper.join("log"));
        assert_eq!(found("log/1", &[]), Ok(Some(lowest.join("log/1"))));
        assert!(found("log/1", std::slice::from_ref(&folder)).is_err());
        assert!(found("log/0", &[folder]).is_ok());
        assert_eq!(found("log/2", &[]), Ok(None));
        let refused = |_: &str, _: &Path| Err("not to be seen".to_owned());
        assert!(data_in(&layers, Path::new("log/0"), refused).is_err());
        let relative = [PathBuf::from("upper"), lower];
        assert!(data_in(&relative, Path::new("log/0"), |_, _| Ok(false)).is_err());
    }

    #[test]
    fn attributes_that_are_not_there_are_told_from_those_that_are_not_seen() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = OwnAttributes::of(&mount("userxattr,lowerdir=/a"));
        assert_eq!(own.prefix, "user.overlay.");
        assert_eq!(own.has(METACOPY, here), Ok(false));
        assert_eq!(own.has(METACOPY, Path::new("/nowhere/at/all")), Ok(false));
        let blind = OwnAttributes { are_seen: false, ..OwnAttributes::of(&mount("lowerdir=/a")) };
        assert_eq!(blind.prefix, "trusted.overlay.");
        assert!(blind.has(METACOPY, here).is_err());
    }
}
