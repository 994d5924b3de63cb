//! A picture of one quantity: a line for every contestant, and on it a mark for every size of fetch; a
//! panel for every number of connections.

use super::super::canvas::{Canvas, MARGIN, Pen, SMALL, WIDTH};
use super::super::ink;
use super::super::lettering::Type;
use super::super::numbers::{counted, size};
use super::super::timing::named;
use super::finding;
use super::panel::{self, Panel};
use super::quantity::Quantity;
use super::title;
use crate::bench::record::{BenchCell, BenchRun};

/// Room for a contestant's name.
const NAMES: i32 = 124;

/// Most panels beside each other.
const COLUMNS: usize = 3;

/// Draws the picture; `id` tells it from others in a page.
pub(super) fn draw(run: &BenchRun, id: &'static str, quantity: &Quantity) -> Vec<u8> {
    let panels = panels(run);
    let (mut canvas, y) = Canvas::titled(id, &title::of(run, quantity));
    let top = heading(&mut canvas, y, run, quantity);
    let Some(axis) = panel::axis(&run.cells, quantity, width(panels.len())) else {
        let text = "Nothing was timed in this benchmark.";
        canvas.text((MARGIN, top), text, Type::new(14).bold());
        return canvas.finish();
    };
    let order = order(run, quantity, &panels);
    let sizes = sizes(run);
    let mut y = legend(&mut canvas, top, &sizes) + 8;
    for band in panels.chunks(COLUMNS) {
        let first = y + panel::HEADING;
        let rows = i32::try_from(order.len()).unwrap_or(0);
        for (row, contestant) in (0..).zip(&order) {
            let name = run.contestants[*contestant].name.as_str();
            let (style, y) =
                (Type::new(SMALL).fitting(name, NAMES - 8, 9), first + row * panel::ROW);
            let style = if name.starts_with("nginx") { style.bold() } else { style };
            canvas.text((MARGIN, y + (panel::ROW - style.size) / 2), name, style);
            canvas.line(
                (MARGIN, y + panel::ROW),
                (WIDTH - MARGIN, y + panel::ROW),
                Pen::new(ink::PALE, 1),
            );
        }
        for (column, cells) in (0..).zip(band) {
            let at = (MARGIN + NAMES + column * width(panels.len()), y);
            let lead = lead(cells, quantity);
            let panel = Panel { cells, quantity, axis: &axis, sizes: &sizes, order: &order, lead };
            panel.draw(&mut canvas, at, width(panels.len()));
        }
        y = first + rows * panel::ROW + 14;
    }
    for cells in &panels {
        tell(&mut canvas, run, quantity, cells);
    }
    let note = note(run, panels.iter().any(|cells| !lead(cells, quantity).is_empty()));
    let grey = Type::new(SMALL).ink(ink::GREY);
    canvas.paragraph((MARGIN, y + 6), &note, WIDTH - 2 * MARGIN, grey);
    canvas.finish()
}

/// How to read it; `ranked` if some contestants lead.
fn note(run: &BenchRun, ranked: bool) -> String {
    let conditions = &run.conditions;
    let bold = if ranked {
        "Bold number: none of the others is shown ahead of it."
    } else {
        "No contestant is shown ahead of another."
    };
    format!(
        "The axis is logarithmic. Mark: median of {} rounds; thick line: the middle half of them; thin \
         line: least to most. Number: the median at the largest fetch, which ranks nobody; rows are in \
         its order in the first panel. In each round all take part, in changing order, loaded alike by \
         one consumer in mode {}. A difference between two is shown where the 95 % interval of their \
         ratio within a round excludes 1, which takes six rounds. {bold}",
        conditions.rounds, conditions.consumer
    )
}

/// Those in a panel behind whom the rounds show somebody and ahead of whom nobody, at its largest fetch.
fn lead(cells: &[&BenchCell], quantity: &Quantity) -> Vec<usize> {
    let leaders = cells.last().and_then(|cell| finding::leaders(cell, quantity));
    leaders.map_or_else(Vec::new, |leaders| leaders.shown().to_vec())
}

/// Width of a panel.
fn width(panels: usize) -> i32 {
    let beside = i32::try_from(panels.clamp(1, COLUMNS)).unwrap_or(1);
    (WIDTH - 2 * MARGIN - NAMES) / beside
}

fn heading(canvas: &mut Canvas, top: i32, run: &BenchRun, quantity: &Quantity) -> i32 {
    let subtitle = format!(
        "{}, {} ({}) · zcprof {} on Linux {}, {} CPUs · {} · no probe attached",
        quantity.title,
        quantity.unit,
        quantity.better.words(),
        run.zcprof,
        named(&run.kernel),
        run.kernel.cpus,
        run.conditions.network
    );
    canvas.tell(&subtitle);
    canvas.paragraph((MARGIN, top), &subtitle, WIDTH - 2 * MARGIN, Type::new(SMALL)) + 8
}

/// What marks mean.
fn legend(canvas: &mut Canvas, y: i32, sizes: &[u64]) -> i32 {
    let style = Type::new(SMALL);
    canvas.text((MARGIN, y), "most record bytes in one fetch:", style);
    let mut x = MARGIN + style.width("most record bytes in one fetch:") + 16;
    for (at, fetch) in sizes.iter().enumerate() {
        panel::mark(canvas, (x, y + 7), (at, sizes.len()));
        let text = size(*fetch);
        canvas.text((x + 10, y), &text, style);
        x += 10 + style.width(&text) + 18;
    }
    y + 16
}

/// Every size of fetch, by rising size.
fn sizes(run: &BenchRun) -> Vec<u64> {
    let mut sizes: Vec<u64> = run.cells.iter().map(|cell| cell.fetch_size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn medians(cell: &BenchCell, quantity: &Quantity) -> Vec<Option<f64>> {
    cell.series.iter().map(|series| quantity.of(cell, series).map(|of| of.median)).collect()
}

/// The contestants by their medians at the first panel's largest fetch, the better ones first.
fn order(run: &BenchRun, quantity: &Quantity, panels: &[Vec<&BenchCell>]) -> Vec<usize> {
    let cell = panels.first().and_then(|cells| cells.last());
    let medians = cell.map_or_else(Vec::new, |cell| medians(cell, quantity));
    let of = |at: usize| medians.get(at).copied().flatten();
    let mut order: Vec<usize> = (0..run.contestants.len()).collect();
    order.sort_by(|a, b| match (of(*a), of(*b)) {
        (Some(a), Some(b)) => quantity.better.order(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    order
}

/// A panel in words.
fn tell(canvas: &mut Canvas, run: &BenchRun, quantity: &Quantity, cells: &[&BenchCell]) {
    let Some(cell) = cells.last() else { return };
    let said = run.contestants.iter().zip(medians(cell, quantity)).map(|(contestant, median)| {
        let digits = quantity.digits;
        let number = median.map_or("not timed".to_owned(), |median| format!("{median:.digits$}"));
        format!("{} {number}", contestant.name)
    });
    let said: Vec<_> = said.collect();
    let connections = counted(u64::from(cell.connections), "connection", "connections");
    let (fetch, unit) = (size(cell.fetch_size), quantity.unit);
    let leaders = finding::leaders(cell, quantity).map_or_else(String::new, |leaders| {
        let has = (quantity.has, quantity.better);
        format!(" Of all, {}.", leaders.words(&title::names(run), has, usize::MAX))
    });
    let said = said.join(", ");
    canvas.tell(&format!("{connections}, fetches of {fetch}, {unit}: {said}.{leaders}"));
}

/// The cells of each number of connections, by rising size of fetch.
fn panels(run: &BenchRun) -> Vec<Vec<&BenchCell>> {
    let mut panels: Vec<Vec<&BenchCell>> = Vec::new();
    for cell in &run.cells {
        let same = |panel: &&mut Vec<&BenchCell>| panel[0].connections == cell.connections;
        match panels.iter_mut().find(same) {
            Some(panel) => panel.push(cell),
            None => panels.push(vec![cell]),
        }
    }
    for panel in &mut panels {
        panel.sort_by_key(|cell| cell.fetch_size);
    }
    panels
}
