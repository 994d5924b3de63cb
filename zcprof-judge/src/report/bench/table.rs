//! The terminal's table: for every number of connections one block of speed and one of latency,
//! and under them the comparison.

use std::fmt::Write as _;

use super::super::columns::wrapped;
use super::super::numbers::{counted, float, size};
use super::super::timing::named;
use super::comparison;
use super::quantity::{CPU, P50, P99, Quantity, THROUGHPUT, UNFAIRNESS};
use crate::bench::record::{BenchCell, BenchRun, Placement, Series};

/// Widest line.
const WIDTH: usize = 120;

/// Width of a number's column.
const NUMBER: usize = 8;

/// A column at the end of a line.
pub(super) struct Last {
    pub(super) heading: [&'static str; 2],
    pub(super) cell: fn(&BenchCell, &Series) -> String,
}

pub(super) const CALLS: Last = Last {
    heading: ["calls", "per MiB"],
    cell: |cell, series| match series.calls {
        Some(calls) if cell.payload > 0 => {
            format!("{:.2}", float(calls) / (float(cell.payload) / 1_048_576.0))
        }
        _ => "-".to_owned(),
    },
};

pub(super) const FAIRNESS: Last = Last {
    heading: ["slowest/", "median"],
    cell: |cell, series| {
        let spread = UNFAIRNESS.of(cell, series);
        spread.map_or("-".to_owned(), |spread| format!("{:.2}", spread.median))
    },
};

pub(super) fn render(run: &BenchRun) -> String {
    let mut text = heading(run);
    let mut blocks: Vec<(u32, Vec<&BenchCell>)> = Vec::new();
    for cell in &run.cells {
        match blocks.iter_mut().find(|(connections, _)| *connections == cell.connections) {
            Some((_, cells)) => cells.push(cell),
            None => blocks.push((cell.connections, vec![cell])),
        }
    }
    for (connections, cells) in &blocks {
        let connections = counted(u64::from(*connections), "connection", "connections");
        text.push_str(&block(run, &connections, cells, [&THROUGHPUT, &CPU], &CALLS));
        text.push_str(&block(run, &connections, cells, [&P50, &P99], &FAIRNESS));
    }
    text.push_str(&comparison::render(run));
    text
}

fn heading(run: &BenchRun) -> String {
    let conditions = &run.conditions;
    let mut text = format!(
        "zcprof {} on Linux {}, {} CPUs, no probe attached\n\
         {}; {} in {}, {} of record bytes in the page cache\n",
        run.zcprof,
        named(&run.kernel),
        run.kernel.cpus,
        conditions.network,
        counted(u64::from(conditions.segments), "segment", "segments"),
        conditions.file_system,
        counted(conditions.log_bytes >> 20, "MiB", "MiB"),
    );
    let placement = match conditions.placement {
        Placement::Apart { servers, consumer } => {
            format!("Every server on CPU {servers}, the consumer on CPU {consumer}")
        }
        Placement::Free => "Servers and consumer on whatever CPU the scheduler chose".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{placement}; consumer mode {}\n\
         Of {} rounds each: least, quartiles with the median between, most\n",
        conditions.consumer, conditions.rounds,
    );
    for contestant in &run.contestants {
        let (name, program, summary) = (&contestant.name, &contestant.program, &contestant.summary);
        let lines = wrapped(&format!("{program}: {summary}"), WIDTH - 19);
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name.as_str() } else { "" };
            let _ = writeln!(text, "  {name:<16} {line}");
        }
    }
    if let Some(reason) = &conditions.calls_uncounted {
        let _ = writeln!(text, "System calls were not counted: {reason}");
    }
    let unverified: Vec<_> = run
        .cells
        .iter()
        .flat_map(|cell| cell.series.iter().zip(&run.contestants))
        .filter(|(series, _)| !series.verified)
        .map(|(_, contestant)| contestant.name.as_str())
        .collect();
    if unverified.is_empty() {
        text.push_str("Before the rounds every byte was verified, of every contestant.\n");
    } else {
        let _ = writeln!(text, "NOT EVERY BYTE WAS RIGHT: {}", unverified.join(", "));
    }
    text.push('\n');
    text
}

fn block(
    run: &BenchRun,
    connections: &str,
    cells: &[&BenchCell],
    quantities: [&Quantity; 2],
    last: &Last,
) -> String {
    let (mut titles, mut heads) = (format!("{connections:<26}"), format!("{:<26}", "fetch size"));
    for quantity in quantities {
        let title = format!("{}, {}", quantity.title, quantity.unit);
        let _ = write!(titles, " {title:>width$}", width = 5 * NUMBER);
        for head in ["least", "1st", "median", "3rd", "most"] {
            let _ = write!(heads, "{head:>NUMBER$}");
        }
        heads.push(' ');
    }
    let [upper, lower] = last.heading;
    let mut text = format!("{titles} {upper:>9}\n{heads}{lower:>9}\n");
    for cell in cells {
        for (index, (series, contestant)) in cell.series.iter().zip(&run.contestants).enumerate() {
            let fetch = if index == 0 { size(cell.fetch_size) } else { String::new() };
            let _ = write!(text, "{fetch:<9} {:<16}", contestant.name);
            for quantity in quantities {
                text.push_str(&numbers(quantity, cell, series));
                text.push(' ');
            }
            let _ = writeln!(text, "{:>9}", (last.cell)(cell, series));
        }
    }
    text.push('\n');
    text
}

fn numbers(quantity: &Quantity, cell: &BenchCell, series: &Series) -> String {
    let Some(spread) = quantity.of(cell, series) else {
        return format!("{:>width$}", "not timed", width = 5 * NUMBER);
    };
    let digits = quantity.digits;
    let mut text = String::new();
    for number in [spread.least, spread.first, spread.median, spread.third, spread.most] {
        let _ = write!(text, "{number:>NUMBER$.digits$}");
    }
    text
}
