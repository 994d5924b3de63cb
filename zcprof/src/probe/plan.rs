//! The table on this kernel: which rows there are to attach, under which symbol, and what
//! became of each.

use std::collections::BTreeMap;

use zcprof_common::sites::{Bytes, SITES, Site, Version};
use zcprof_common::vocabulary::{Instrument, Mechanism, Need};

use super::{Surveyed, kprobes, symbols};
use crate::run::{Probe, ProbeState};

/// What became of every row so far; `None` while it is to be attached.
pub(super) struct AttachPlan {
    states: Vec<Option<ProbeState>>,
    found: Vec<Option<(String, u64)>>,
    /// Modules whose rows wait for them to be loaded.
    unloaded: Vec<&'static str>,
}

/// A row to attach.
pub(super) struct PlannedProbe {
    /// Index into [`SITES`].
    pub(super) site: usize,
    /// The name that this kernel has for it.
    pub(super) symbol: String,
    /// Its address; zero for a tracepoint.
    pub(super) address: u64,
}

impl AttachPlan {
    /// Looks every row up among the kernel's symbols.
    pub(super) fn new(
        version: Version,
        symbols: &BTreeMap<String, u64>,
        withheld: &[Instrument],
        unneeded: &[(Need, String)],
        is_loaded: impl Fn(&str) -> bool,
    ) -> Self {
        let mut plan = Self { states: Vec::new(), found: Vec::new(), unloaded: Vec::new() };
        for site in SITES {
            let tracepoint = site.instrument == Instrument::Syscalls;
            let found = site.symbols().iter().find_map(|symbol| {
                if tracepoint {
                    return Some(((*symbol).to_owned(), 0));
                }
                symbols.get(*symbol).map(|address| ((*symbol).to_owned(), *address))
            });
            let state = if !site.holds_on(version) {
                Some(ProbeState::NotOnThisKernel)
            } else if withheld.contains(&site.instrument) {
                Some(ProbeState::Withheld)
            } else if let Some((_, reason)) = unneeded.iter().find(|(need, _)| *need == site.need) {
                Some(ProbeState::NotNeeded { reason: reason.clone() })
            } else if let Some(module) = site.module.filter(|m| found.is_none() && !is_loaded(m)) {
                plan.unloaded.push(module);
                Some(ProbeState::NotOnThisKernel)
            } else if found.is_none() && site.bytes == Bytes::Causes {
                let reason = "its copies are counted where they are made".to_owned();
                Some(ProbeState::NotNeeded { reason })
            } else if found.is_none() {
                let names = site.symbols().join(" or ");
                let reason = format!("no {names} in /proc/kallsyms ({})", site.source);
                Some(ProbeState::Absent { reason })
            } else if let Some((name, symbols::AMBIGUOUS)) = &found {
                let reason = format!("several functions of this kernel are called {name}");
                Some(ProbeState::Refused { reason })
            } else {
                None
            };
            plan.states.push(state);
            plan.found.push(found);
        }
        plan
    }

    /// Takes the table for one that lacks these rows.
    pub(super) fn lack(&mut self, names: &[String]) {
        for (site, state) in SITES.iter().zip(&mut self.states) {
            if names.iter().any(|name| name == site.name) {
                *state = Some(ProbeState::NotOnThisKernel);
            }
        }
    }

    /// A module beside those of the rows would change what the probes mean if it were loaded.
    pub(super) fn wait_for(&mut self, module: &'static str) {
        self.unloaded.push(module);
    }

    /// Names that the table looks up in /proc/kallsyms.
    pub(super) fn wanted() -> Vec<&'static str> {
        SITES.iter().flat_map(Site::symbols).copied().collect()
    }

    /// What is known of every row so far.
    pub(super) fn surveyed(self) -> Vec<Surveyed> {
        let function = |site: &Site, found: Option<(String, u64)>| {
            found.map(|(symbol, _)| symbol).filter(|_| site.instrument != Instrument::Syscalls)
        };
        SITES
            .iter()
            .zip(self.found)
            .zip(self.states)
            .map(|((site, found), state)| Surveyed { symbol: function(site, found), state })
            .collect()
    }

    /// The rows of an instrument that are still to be attached.
    pub(super) fn of(&self, instrument: Instrument) -> Vec<PlannedProbe> {
        let open = |(site, state): (usize, &Option<ProbeState>)| {
            let (symbol, address) = self.found[site].clone()?;
            let wanted = state.is_none() && SITES[site].instrument == instrument;
            wanted.then_some(PlannedProbe { site, symbol, address })
        };
        self.states.iter().enumerate().filter_map(open).collect()
    }

    /// A row is attached.
    pub(super) fn attached(&mut self, site: usize, symbol: &str, by: Mechanism) {
        let (symbol, by) = (symbol.to_owned(), by.name().to_owned());
        self.set(site, ProbeState::Attached { symbol, by, missed: None });
    }

    /// What became of a row.
    pub(super) fn set(&mut self, site: usize, state: ProbeState) {
        self.states[site] = Some(state);
    }

    /// How a row was attached, if it was.
    pub(super) fn mechanism(&self, site: usize) -> Option<Mechanism> {
        match &self.states[site] {
            Some(ProbeState::Attached { by, .. }) => Mechanism::from_name(by),
            _ => None,
        }
    }

    /// Names of the rows whose probe is called by the text of a function, by that function's address.
    pub(super) fn entries(&self) -> BTreeMap<u64, &'static str> {
        let called = |(at, site): (usize, &'static Site)| {
            let (_, address) = self.found[at].as_ref()?;
            let by = self.mechanism(at)?;
            by.is_called_by_text().then_some((*address, site.name))
        };
        SITES.iter().enumerate().filter_map(called).collect()
    }

    /// Rows that were attached by kprobe and are not any more.
    pub(super) fn gone(&self) -> impl Iterator<Item = String> {
        let attached = |(at, site): (usize, &'static Site)| match &self.states[at] {
            Some(ProbeState::Attached { symbol, .. })
                if self.mechanism(at).is_some_and(Mechanism::is_kprobe) =>
            {
                Some((site, symbol.clone()))
            }
            _ => None,
        };
        let attached: Vec<_> = SITES.iter().enumerate().filter_map(attached).collect();
        let gone = kprobes::gone(attached.iter().map(|(_, symbol)| symbol.as_str()));
        let is_gone = |(_, symbol): &&(&Site, String)| gone.contains(&symbol.as_str());
        let names: Vec<_> =
            attached.iter().filter(is_gone).map(|(site, _)| site.name.to_owned()).collect();
        names.into_iter()
    }

    /// Modules that are waited for, and that were loaded after probes were attached.
    pub(super) fn loaded_since(&self, is_loaded: impl Fn(&str) -> bool) -> Vec<&'static str> {
        let mut loaded = self.unloaded.clone();
        loaded.retain(|module| is_loaded(module));
        loaded.dedup();
        loaded
    }

    /// Program runs that a row has missed.
    pub(super) fn missed(&mut self, site: usize, runs: Option<u64>) {
        if let Some(ProbeState::Attached { missed, .. }) = &mut self.states[site] {
            *missed = runs;
        }
    }

    /// The record of every row.
    pub(super) fn probes(&self) -> Vec<Probe> {
        let unattached = || ProbeState::Refused { reason: "it was not tried".to_owned() };
        SITES
            .iter()
            .zip(&self.states)
            .map(|(site, state)| Probe {
                site: site.name.to_owned(),
                instrument: site.instrument,
                state: state.clone().unwrap_or_else(unattached),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row's function may be inlined, or have another name by its compiler, in a module that is
    /// there: that is a gap. A module that is not there hides nothing, until it is loaded.
    #[test]
    fn a_module_that_is_there_without_its_function_is_a_gap() {
        let plan = |loaded: bool| {
            AttachPlan::new((6, 12), &BTreeMap::new(), &[], &[], |module| {
                loaded && module == "fuse"
            })
        };
        let state = |plan: &AttachPlan| {
            let probes = plan.probes();
            let fuse = probes.into_iter().find(|probe| probe.site == "fuse_dev_do_write");
            fuse.expect("in the table").state
        };
        assert!(matches!(state(&plan(true)), ProbeState::Absent { .. }));
        let absent = plan(false);
        assert_eq!(state(&absent), ProbeState::NotOnThisKernel);
        assert_eq!(absent.loaded_since(|module| module == "fuse"), ["fuse"]);
        assert!(absent.loaded_since(|_| false).is_empty());
        assert!(plan(true).loaded_since(|module| module == "fuse").is_empty(), "a gap already");
    }

    #[test]
    fn a_module_that_no_row_is_in_can_be_waited_for() {
        let mut plan = AttachPlan::new((6, 12), &BTreeMap::new(), &[], &[], |_| true);
        plan.wait_for("tls");
        assert_eq!(plan.loaded_since(|module| module == "tls"), ["tls"]);
        assert!(plan.loaded_since(|_| false).is_empty());
    }

    /// A row that this kernel's version does not have waits for no module, though that is there
    /// from the beginning.
    #[test]
    fn a_row_of_another_kernel_waits_for_no_module() {
        let of_a_module = |site: &&Site| site.module.is_some();
        for version in [(5, 10), (6, 1), (6, 12), (7, 3)] {
            let plan = AttachPlan::new(version, &BTreeMap::new(), &[], &[], |_| true);
            assert!(plan.loaded_since(|_| true).is_empty(), "{version:?}");
            let absent = AttachPlan::new(version, &BTreeMap::new(), &[], &[], |_| false);
            let mut waited: Vec<_> = SITES
                .iter()
                .filter(of_a_module)
                .filter(|site| site.holds_on(version))
                .filter_map(|site| site.module)
                .collect();
            waited.dedup();
            assert_eq!(absent.loaded_since(|_| true), waited, "{version:?}");
        }
    }
}
