//! Packs what the guest needs into an initial file system: an uncompressed newc archive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cpio::newc::{self, ModeFileType};

use crate::kernels::modules::module_name;
use crate::process;

/// The guest's PID 1.
const INIT: &str = include_str!("../../guest/init");

/// A file to pack: its bytes, its place in the guest (without the first slash), its mode.
struct Item {
    bytes: Vec<u8>,
    place: String,
    mode: u32,
}

/// What the guest's init runs.
pub(crate) struct Scripts<'a> {
    pub(crate) job: &'a str,
    /// Mounts /data.
    pub(crate) mount: &'a str,
}

/// Writes the archive `to`, with busybox, the modules in load order, the `files` (here, there)
/// and the scripts.
pub(crate) fn pack(
    to: &Path,
    modules: &[PathBuf],
    files: &[(PathBuf, String)],
    scripts: &Scripts<'_>,
) -> Result<()> {
    let busybox = process::find("busybox").context("busybox is missing")?;
    let mut items = vec![
        item(INIT.into(), "init", 0o755),
        item(scripts.job.into(), "job", 0o644),
        item(scripts.mount.into(), "mount", 0o644),
        item(read(&busybox)?, "bin/busybox", 0o755),
    ];
    let mut order = String::new();
    for module in modules {
        let name = format!("{}.ko", module_name(&module.to_string_lossy()));
        items.push(item(decompressed(module)?, &format!("modules/{name}"), 0o644));
        order.extend([name.as_str(), "\n"]);
    }
    items.push(item(order.into(), "modules/order", 0o644));
    for (here, there) in files {
        items.push(item(read(here)?, there.trim_start_matches('/'), 0o755));
    }
    write(to, &items)
}

/// The script that runs `command` in the guest, with `variables` in its environment.
pub(crate) fn job(command: &[String], variables: &[(&str, &str)]) -> String {
    let mut script = String::new();
    for (name, value) in variables {
        script.extend(["export ", name, "=", &process::quote(value), "\n"]);
    }
    let words: Vec<String> = command.iter().map(|word| process::quote(word)).collect();
    script + "exec " + &words.join(" ") + "\n"
}

fn item(bytes: Vec<u8>, place: &str, mode: u32) -> Item {
    Item { bytes, place: place.to_owned(), mode }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// A module's bytes. Debian compresses those of newer kernels.
fn decompressed(module: &Path) -> Result<Vec<u8>> {
    match module.extension().and_then(|ending| ending.to_str()) {
        Some("ko") => read(module),
        Some("xz") => {
            let file = File::open(module);
            let file = file.with_context(|| format!("opening {}", module.display()))?;
            let mut bytes = Vec::new();
            match lzma_rs::xz_decompress(&mut BufReader::new(file), &mut bytes) {
                Ok(()) => Ok(bytes),
                Err(error) => bail!("decompressing {}: {error:?}", module.display()),
            }
        }
        _ => bail!("{}: a module is .ko or .ko.xz", module.display()),
    }
}

fn write(to: &Path, items: &[Item]) -> Result<()> {
    let mut folders = BTreeSet::new();
    for item in items {
        folders.extend(Path::new(&item.place).ancestors().skip(1).map(Path::to_path_buf));
    }
    let naming = || format!("writing {}", to.display());
    let mut out = BufWriter::new(File::create(to).with_context(naming)?);
    // A set of paths in order has parents before children; the empty path is the root.
    for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
        let entry = newc::Builder::new(&folder.to_string_lossy());
        let entry = entry.mode(0o755).set_mode_file_type(ModeFileType::Directory);
        out = entry.nlink(2).write(out, 0).finish().with_context(naming)?;
    }
    for (number, item) in (1..).zip(items) {
        let size = u32::try_from(item.bytes.len()).context("a file above 4 GiB")?;
        let entry = newc::Builder::new(&item.place).ino(number).mode(item.mode);
        let entry = entry.set_mode_file_type(ModeFileType::Regular).nlink(1);
        let mut entry = entry.write(out, size);
        entry.write_all(&item.bytes).with_context(naming)?;
        out = entry.finish().with_context(naming)?;
    }
    newc::trailer(out).and_then(|mut out| out.flush()).with_context(naming)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_quotes_its_words() {
        let command = ["/bin/zcprof", "measure", "--note", "it's $HOME"].map(str::to_owned);
        let script = job(&command, &[("ZCPROF", "/bin/zcprof"), ("A", "b c")]);
        let wanted = "export ZCPROF=/bin/zcprof\nexport A='b c'\n\
            exec /bin/zcprof measure --note 'it'\\''s $HOME'\n";
        assert_eq!(script, wanted);
    }

    #[test]
    fn an_archive_has_folders_before_files_and_exact_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("initrd");
        write(&path, &[item(b"x\n".into(), "a/b/c", 0o755), item(vec![], "init", 0o644)])
            .expect("written");
        let mut input: Box<dyn std::io::Read> =
            Box::new(std::io::Cursor::new(fs::read(&path).expect("readable")));
        let mut seen = Vec::new();
        loop {
            let reader = newc::Reader::new(input).expect("an entry");
            let entry = reader.entry();
            if entry.is_trailer() {
                break;
            }
            seen.push((entry.name().to_owned(), entry.mode(), entry.file_size()));
            input = reader.finish().expect("the next entry");
        }
        let wanted = [("a", 0o40755, 0), ("a/b", 0o40755, 0), ("a/b/c", 0o100_755, 2)];
        let wanted = wanted.into_iter().chain([("init", 0o100_644, 0)]);
        assert!(seen.into_iter().eq(wanted.map(|(name, mode, size)| (
            name.to_owned(),
            mode,
            size
        ))));
    }

    #[test]
    fn only_known_compressions_are_taken() {
        assert!(decompressed(Path::new("/x/ext4.ko.gz")).is_err());
    }
}
