//! `zcprof doctor` on a kernel that shows everything, and where something is taken away.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use zcprof::doctor::record::{Diagnosis, Expected, Sees, VisibilityCell};
use zcprof::run::ProbeState;
use zcprof_common::vocabulary::{Disposition, Hop, Instrument};

use crate::{KPTR_RESTRICT, breakpoints, code, text, zcprof};

/// The record that doctor prints, and how it ends.
fn diagnosis(doctor: &mut Command, ends: i32) -> Diagnosis {
    let output = doctor.output().expect("zcprof starts");
    assert_eq!(code(&output), ends, "{}", text(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn doctor_finds_this_kernel_complete() {
    let output = zcprof(&["doctor"]).output().expect("zcprof starts");
    assert_eq!(code(&output), 0, "{}", text(&output));
    // A site that is absent inside its stated range is a hole in the table.
    assert!(!text(&output).contains("ABSENT"), "{}", text(&output));
    let found = diagnosis(&mut zcprof(&["doctor", "--json"]), 0);
    assert!(found.complete && found.barred.is_none() && found.holes.is_empty(), "{found:#?}");
    for site in found.sites.iter().filter(|site| site.expected == Expected::Here) {
        let seen = |state: &ProbeState| {
            matches!(state, ProbeState::Attached { .. } | ProbeState::NotNeeded { .. })
        };
        assert!(site.state.as_ref().is_some_and(seen), "{site:?}");
    }
    for cell in &found.cells {
        let seen = match cell.instrument {
            Instrument::Audit | Instrument::Callers => cell.sees == Sees::All,
            Instrument::Syscalls => matches!(cell.sees, Sees::All | Sees::Presumed),
        };
        assert!(seen, "{cell:?}");
    }
    // Both instruments must be able to tell of the classic transfers' copies.
    for hop in [Hop::PageCacheToUser, Hop::UserToSocket] {
        for instrument in [Instrument::Audit, Instrument::Callers] {
            let is = |cell: &&VisibilityCell| (cell.hop, cell.instrument) == (hop, instrument);
            let told = found.cells.iter().filter(is).any(|c| c.disposition == Disposition::Copied);
            assert!(told, "{} at {}", instrument.name(), hop.name());
        }
    }
    assert!(found.capabilities.iter().all(|row| row.held), "{found:#?}");
}

/// A user who may load no program learns the same of the table, and which capabilities are missing.
#[test]
fn doctor_says_what_root_would_add() {
    let found = diagnosis(zcprof(&["doctor", "--json"]).uid(65534).gid(65534), 4);
    assert!(found.barred.is_some() && !found.complete, "{found:#?}");
    assert!(found.capabilities.iter().all(|row| !row.held), "{found:#?}");
    let functions = found.sites.iter().filter(|site| site.instrument != Instrument::Syscalls);
    for site in functions.filter(|site| site.expected == Expected::Here) {
        assert!(site.symbol.is_some() && site.state.is_none(), "{site:?}");
    }
    assert!(found.cells.iter().all(|cell| cell.sees == Sees::Untried), "{found:#?}");
}

/// One slot of the four is taken: the leaf that gets none is a hole at its hop, with its remedy.
#[test]
fn doctor_names_the_leaf_that_gets_no_slot() {
    let slots = breakpoints(0, 1).expect("a free slot");
    let found = diagnosis(&mut zcprof(&["doctor", "--json"]), 4);
    drop(slots);
    let [hole] = found.holes.as_slice() else { panic!("{found:#?}") };
    assert_eq!((hole.code.as_str(), hole.sites.len()), ("ZC203", 1), "{hole:?}");
    assert!(hole.reason.contains("slots are taken"), "{hole:?}");
    assert!(hole.remedy.contains("end what holds them"), "{hole:?}");
    for cell in found.cells.iter().filter(|cell| cell.instrument != Instrument::Syscalls) {
        let needs_it = cell.sites.contains(&hole.sites[0]);
        let is_hole = matches!(cell.sees, Sees::Part | Sees::Nothing | Sees::Untried);
        assert_eq!(is_hole, needs_it, "{cell:?}");
    }
}

#[test]
fn doctor_names_hidden_addresses() {
    fs::write(KPTR_RESTRICT, "2").expect("root may");
    let output = zcprof(&["doctor", "--json"]).output().expect("zcprof starts");
    fs::write(KPTR_RESTRICT, "0").expect("root may");
    assert_eq!(code(&output), 4, "{}", text(&output));
    let found: Diagnosis = serde_json::from_slice(&output.stdout).expect("JSON");
    for instrument in [Instrument::Audit, Instrument::Callers] {
        let mut its = found.holes.iter().filter(|hole| hole.instrument == instrument);
        let named = its.any(|hole| hole.remedy.contains("kernel.kptr_restrict=1"));
        assert!(named, "{:#?}", found.holes);
    }
    // The names are there, so that nothing is absent.
    assert!(!text(&output).contains("\"absent\""), "{}", text(&output));
}
