//! The running kernel's configuration, where it can be read.

use std::fs::{self, File};
use std::io::{self, Read as _};

use flate2::read::GzDecoder;

/// The text of a kernel's `.config`.
pub(super) struct KernelConfig(String);

impl KernelConfig {
    /// From /proc/config.gz (CONFIG_IKCONFIG_PROC), or from where distributions put it.
    pub(super) fn of(release: &str) -> Option<Self> {
        let places = [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")];
        let text = unpacked("/proc/config.gz")
            .or_else(|_| fs::read_to_string(&places[0]))
            .or_else(|_| fs::read_to_string(&places[1]));
        text.ok().map(Self)
    }

    /// `y`, `m`, a value, or `n` where the option is not set.
    pub(super) fn value(&self, option: &str) -> String {
        let set = self.0.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix('='));
        set.unwrap_or("n").to_owned()
    }
}

fn unpacked(path: &str) -> io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_what_its_own_line_says() {
        let text = "CONFIG_KPROBES_ON_FTRACE=y\n# CONFIG_KPROBES is not set\nCONFIG_BTF=m\n";
        let config = KernelConfig(text.to_owned());
        assert_eq!(config.value("CONFIG_KPROBES"), "n");
        assert_eq!(config.value("CONFIG_KPROBES_ON_FTRACE"), "y");
        assert_eq!(config.value("CONFIG_BTF"), "m");
    }
}
