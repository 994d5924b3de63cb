//! The table of a comparison: the largest change first.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::changes::{Change, ONE};
use crate::report::columns::{Column, lay_out};
use crate::stacks::tree::Label;

/// Changes below this many billionths are rounding: 0.0005 per byte is shown as no change.
const LEAST: u128 = ONE / 2000;

/// The table.
pub(super) fn render(names: [&str; 2], per: &str, rows: &[Change]) -> String {
    let mut changed: Vec<&Change> = rows.iter().filter(|row| row.size() >= LEAST).collect();
    changed.sort_by_key(|row| Reverse(row.size()));
    let same = match rows.len() - changed.len() {
        1 => "1 number is the same".to_owned(),
        many => format!("{many} numbers are the same"),
    };
    // Writing to a String cannot fail.
    let mut text = format!("before: {}\nafter:  {}\n\n", names[0], names[1]);
    if changed.is_empty() {
        let _ = writeln!(text, "Nothing changed by 0.001 per {per}; {same}.");
        return text;
    }
    let _ = writeln!(text, "Bytes per {per}, the largest change first:\n");
    let column = |heading: &str, left, cell: &dyn Fn(&Change) -> String| Column {
        heading: vec![heading.to_owned()],
        cells: changed.iter().map(|row| cell(row)).collect(),
        left,
    };
    text.push_str(&lay_out(&[
        column("of", true, &|row| of(row)),
        column("hop", true, &|row| row.place.0.name().to_owned()),
        column("what", true, &|row| row.place.1.name().to_owned()),
        column("before", false, &|row| amount(row.before)),
        column("after", false, &|row| amount(row.after)),
        column("change", false, &change),
        column("", true, &|row| word(row).to_owned()),
    ]));
    let _ = writeln!(text, "\n{same}.");
    text
}

fn of(row: &Change) -> String {
    match row.way.first() {
        Some(Label::Charged(name)) => name.clone(),
        _ => String::new(),
    }
}

fn amount(amount: Option<u128>) -> String {
    amount.map_or_else(|| "-".to_owned(), shown)
}

/// Billionths with three decimals, rounded half up.
pub(super) fn shown(billionths: u128) -> String {
    let thousandths = (billionths + ONE / 2000) / (ONE / 1000);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn change(row: &Change) -> String {
    let (before, after) = row.amounts();
    let sign = if after < before { '-' } else { '+' };
    format!("{sign}{}", shown(row.size()))
}

/// What became of it, from before to after.
fn word(row: &Change) -> &'static str {
    match (row.before, row.after) {
        (None, _) => "not in before",
        (_, None) => "not in after",
        (Some(0), Some(_)) => "new",
        (Some(_), Some(0)) => "went",
        (Some(before), Some(after)) if after > before => "grew",
        _ => "shrank",
    }
}
