//! The numbers of a benchmark as columns that a page can sort: a row for each contestant in each setting.

use super::super::columns::Column;
use super::super::numbers::{grouped, size};
use super::super::rounds::Quartiles;
use super::quantity::{CPU, P50, P99, Quantity, THROUGHPUT};
use super::table::{CALLS, FAIRNESS, Last};
use crate::bench::record::{BenchCell, BenchRun, Contestant, Series};

/// Which of a quantity's numbers stand in a page.
type Shown = (&'static str, fn(&Quartiles) -> f64);

/// Those of what is compared.
const SPREAD: [Shown; 3] =
    [("median", |all| all.median), ("least", |all| all.least), ("most", |all| all.most)];
/// Those of the others.
const MIDDLE: [Shown; 1] = [SPREAD[0]];

/// A contestant in a setting.
struct BenchLine<'a> {
    contestant: &'a Contestant,
    cell: &'a BenchCell,
    series: &'a Series,
}

/// Every column.
pub(super) fn columns<'a>(run: &'a BenchRun) -> Vec<Column> {
    let of_cell = |cell: &'a BenchCell| {
        let both = run.contestants.iter().zip(&cell.series);
        both.map(move |(contestant, series)| BenchLine { contestant, cell, series })
    };
    let lines: Vec<BenchLine<'a>> = run.cells.iter().flat_map(of_cell).collect();
    let column = |heading: String, left, cell: &dyn Fn(&BenchLine<'_>) -> String| Column {
        heading: vec![heading],
        cells: lines.iter().map(cell).collect(),
        left,
    };
    let word = |word: &str| word.to_owned();
    let mut columns = vec![
        column(word("contestant"), true, &|line| line.contestant.name.clone()),
        column(word("fetch size"), false, &|line| size(line.cell.fetch_size)),
        column(word("connections"), false, &|line| grouped(u64::from(line.cell.connections))),
    ];
    let quantities: [(&Quantity, &[Shown]); 4] =
        [(&THROUGHPUT, &SPREAD), (&CPU, &SPREAD), (&P50, &MIDDLE), (&P99, &MIDDLE)];
    for (quantity, shown) in quantities {
        for (which, read) in shown {
            let heading = format!("{}, {}: {which}", quantity.title, quantity.unit);
            columns.push(column(heading, false, &|line| number(quantity, line, *read)));
        }
    }
    for Last { heading, cell } in [&CALLS, &FAIRNESS] {
        let heading = heading.join(" ").replace("/ ", "/");
        columns.push(column(heading, false, &|line| cell(line.cell, line.series)));
    }
    if lines.iter().any(|line| !line.series.verified) {
        let right = |line: &BenchLine<'_>| if line.series.verified { "yes" } else { "NO" };
        columns.push(column(word("every byte right"), true, &|line| right(line).to_owned()));
    }
    columns
}

fn number(quantity: &Quantity, line: &BenchLine<'_>, read: fn(&Quartiles) -> f64) -> String {
    let digits = quantity.digits;
    let spread = quantity.of(line.cell, line.series);
    spread.map_or_else(|| "not timed".to_owned(), |all| format!("{:.digits$}", read(&all)))
}
