//! Settings of a matrix in words.

use std::collections::BTreeSet;

use crate::matrix::Setting;

/// Names that are listed; of more only the number is said.
const LISTED: usize = 4;

/// Each once, in the order of their first.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// `xfs, btrfs`, each once; of many only that there are `9 file systems`.
fn listed(names: impl Iterator<Item = String>, plural: &str) -> String {
    let all = distinct(names);
    if all.len() <= LISTED { all.join(", ") } else { format!("{} {plural}", all.len()) }
}

/// Where cells were measured: the setting, or how many there are and what occurs in them.
pub(super) fn place(settings: &[&Setting]) -> String {
    let each = |of: fn(&Setting) -> String| settings.iter().map(move |setting| of(setting));
    let cpus: BTreeSet<u32> = settings.iter().map(|setting| setting.cpus).collect();
    let cpus = cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let plural = if cpus == "1" { "CPU" } else { "CPUs" };
    let parts = [
        listed(each(|setting| setting.kernel.clone()), "kernels"),
        listed(each(|setting| setting.file_system.clone()), "file systems"),
        format!("{cpus} {plural}"),
        listed(each(|setting| setting.network.clone()), "networks"),
    ];
    let parts = parts.join("; ");
    match settings.len() {
        1 => format!("on {parts}"),
        many => format!("in {many} settings: {parts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_or_counted() {
        let setting = |kernel: &str, file_system: &str, cpus| Setting {
            kernel: kernel.to_owned(),
            file_system: file_system.to_owned(),
            cpus,
            network: "loopback".to_owned(),
        };
        let [one, other] = [setting("6.1", "xfs", 1), setting("6.12", "xfs", 2)];
        assert_eq!(place(&[&one]), "on 6.1; xfs; 1 CPU; loopback");
        let both = "in 2 settings: 6.1, 6.12; xfs; 1, 2 CPUs; loopback";
        assert_eq!(place(&[&one, &other]), both);
        let names = ["a", "b", "a", "c", "d", "e"].map(str::to_owned);
        assert_eq!(listed(names.into_iter(), "kernels"), "5 kernels");
    }
}
