//! KVM or emulation: found out by booting a guest, because a KVM that is there may still hang.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::console::Limits;
use super::{GuestOutcome, Spec, qemu};
use crate::cache::CacheFolder;
use crate::kernels::Installed;
use crate::{process, progress};

/// How QEMU runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accel {
    /// On the processor.
    Kvm,
    /// Translated; some 20 times slower, and right.
    Tcg,
}

impl Accel {
    /// QEMU's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// A guest that only has to boot may take this long under KVM.
const PROBE: Duration = Duration::from_secs(10);

/// Chooses, and says why. The verdict of a trial boot holds until the next boot of this machine
/// or another QEMU.
pub(crate) fn choose(cache: &CacheFolder, kernel: &Installed) -> Result<(Accel, String)> {
    if let Err(error) = File::options().read(true).write(true).open("/dev/kvm") {
        return Ok((Accel::Tcg, format!("/dev/kvm cannot be used: {error}")));
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let key = format!("{} {}", boot.trim(), qemu::version().unwrap_or_default());
    let kept = cache.path("kvm");
    if let Ok(text) = fs::read_to_string(&kept)
        && let Some((known, said)) = text.split_once('\n')
        && known == key
    {
        return Ok(read(said));
    }
    let said = progress::step_saying(
        "trying KVM with a guest that only boots",
        || try_kvm(cache, kernel),
        |said| if said.is_empty() { "KVM works" } else { "KVM does not work" },
    )?;
    if !said.is_empty() {
        eprintln!("guest: under KVM {said}");
    }
    let mut text = key;
    write!(text, "\n{said}")?;
    fs::write(&kept, text).with_context(|| format!("writing {}", kept.display()))?;
    Ok(read(&said))
}

/// An empty text if KVM works, else what went wrong.
fn try_kvm(cache: &CacheFolder, kernel: &Installed) -> Result<String> {
    let work = cache.work_folder("kvm")?;
    let limits = Limits { boot: PROBE, silence: PROBE, job: PROBE };
    let spec = Spec {
        kernel,
        accel: Accel::Kvm,
        cpus: 1,
        flags: "",
        append: "",
        modules: Vec::new(),
        files: Vec::new(),
        image: None,
        variables: Vec::new(),
        command: vec!["true".to_owned()],
        file_system: &super::FILE_SYSTEMS[0],
        wire: false,
        data_size: 0,
        limits,
    };
    match super::run(&spec, work.path(), &mut |_| {})?.outcome {
        GuestOutcome::Finished(0) => Ok(String::new()),
        GuestOutcome::Interrupted => anyhow::bail!("interrupted"),
        other => Ok(process::last_lines(&other.to_string(), 2)),
    }
}

fn read(said: &str) -> (Accel, String) {
    if said.is_empty() {
        (Accel::Kvm, "a trial boot under KVM worked".to_owned())
    } else {
        (Accel::Tcg, "a trial boot under KVM failed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Accel, read};

    #[test]
    fn a_trial_that_said_nothing_chose_kvm() {
        assert_eq!(read("").0, Accel::Kvm);
        assert_eq!(read("the guest hung").0, Accel::Tcg);
    }
}
