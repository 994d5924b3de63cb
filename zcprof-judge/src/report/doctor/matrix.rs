//! Which instrument sees which disposition at which hop.

use zcprof_common::vocabulary::{Hop, Instrument};

use super::layout::{lay_out, line};
use super::{numbered, references};
use crate::doctor::record::{Diagnosis, Gap, Sees, VisibilityCell};

/// What is put before or after a disposition, and what that means.
const MARKS: &[(Sees, &str, &str)] = &[
    (Sees::All, "", "every site that it takes is attached"),
    (Sees::Presumed, "*", "not seen: presumed from what system calls returned"),
    (Sees::Limited, "<", "a part of it: other functions copy there too, which it cannot watch"),
    (Sees::Part, "~", "some of the sites that it takes are not attached"),
    (Sees::Nothing, "!", "a hole: nothing of it is seen"),
    (Sees::Untried, "?", "not tried"),
];

/// The table of hops and instruments, and what its marks mean.
pub(super) fn render(diagnosis: &Diagnosis) -> String {
    let mut rows = vec![["hop".to_owned(), heading(0), heading(1), heading(2)]];
    for hop in Hop::ALL {
        let words = |instrument: &Instrument| {
            let cells = diagnosis.cells.iter();
            let of_it = cells.filter(|c| c.hop == *hop && c.instrument == *instrument);
            let words: Vec<_> = of_it.map(|cell| word(cell, diagnosis)).collect();
            if words.is_empty() { ".".to_owned() } else { words.join(" ") }
        };
        let [audit, callers, syscalls] = Instrument::ALL else { continue };
        rows.push([hop.name().to_owned(), words(audit), words(callers), words(syscalls)]);
    }
    let mut text = "\nWhich instrument sees which disposition here\n".to_owned();
    lay_out(&mut text, &rows);
    for (sees, mark, meaning) in MARKS {
        if !mark.is_empty() && diagnosis.cells.iter().any(|cell| cell.sees == *sees) {
            line(&mut text, &format!("  {mark} {meaning}"));
        }
    }
    line(&mut text, "  . the table has no site for it on this kernel: that instrument cannot tell");
    line(
        &mut text,
        "  audit sees every copy by the leaves, callers those by the functions in their list:",
    );
    line(&mut text, "  a zero takes both");
    text
}

fn heading(at: usize) -> String {
    Instrument::ALL.get(at).map_or_else(String::new, |instrument| instrument.name().to_owned())
}

/// A disposition with its mark, and the numbers of the holes in it.
fn word(cell: &VisibilityCell, diagnosis: &Diagnosis) -> String {
    let mark = MARKS.iter().find(|(sees, ..)| *sees == cell.sees).map_or("", |(_, mark, _)| mark);
    let holds_it = |gap: &Gap| gap.sites.iter().any(|site| cell.sites.contains(site));
    // What bars everything is said above it all.
    let marked = match cell.sees {
        Sees::Part | Sees::Nothing => true,
        Sees::Untried => diagnosis.barred.is_none(),
        Sees::All | Sees::Presumed | Sees::Limited => false,
    };
    let holes = references(numbered(diagnosis).filter(|(_, gap)| marked && holds_it(gap)));
    format!("{mark}{}{holes}", cell.disposition.name())
}
