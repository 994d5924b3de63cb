//! A picture of one quantity: a panel for every number of connections, the legend at the side.

use super::super::ReportError;
use super::super::canvas::{Canvas, LINE, MARGIN, SMALL, WIDTH, ink};
use super::super::lettering::Type;
use super::super::timing::named;
use super::panel::{self, SIZE};
use super::quantity::Quantity;
use crate::bench::record::{BenchRun, Cell};

/// Panels beside each other.
const COLUMNS: usize = 2;

/// Where the legend begins.
const LEGEND: i32 = MARGIN + 2 * SIZE.0 + 8;

/// Draws the picture.
pub(super) fn draw(run: &BenchRun, quantity: &Quantity) -> Result<Vec<u8>, ReportError> {
    let mut canvas = Canvas::new();
    let top = heading(&mut canvas, run, quantity);
    let axes = panel::across(&run.cells).zip(panel::up(&run.cells, quantity));
    let Some((across, up)) = axes else {
        let text = "Nothing was timed in this benchmark.";
        canvas.text((MARGIN, top), text, Type::new(14).bold());
        return canvas.finish();
    };
    let mut bottom = legend(&mut canvas, top, run);
    for (index, cells) in panels(run).iter().enumerate() {
        let (row, column) = (index / COLUMNS, index % COLUMNS);
        let (row, column) = (i32::try_from(row), i32::try_from(column));
        let (row, column) = (row.unwrap_or(0), column.unwrap_or(0));
        let at = (MARGIN + column * SIZE.0, top + row * SIZE.1);
        panel::draw(&mut canvas, at, cells, quantity, (&across, &up));
        bottom = bottom.max(at.1 + SIZE.1);
    }
    let conditions = &run.conditions;
    let note = format!(
        "Across: most record bytes in one fetch. Both axes are logarithmic. Square: median of {} \
         rounds; thick line: the middle half of them; thin line: least to most. In each \
         round all take part, in changing order, loaded alike by one consumer in mode {}.",
        conditions.rounds, conditions.consumer
    );
    let grey = Type::new(SMALL).color(ink::GREY);
    canvas.paragraph((MARGIN, bottom + 6), &note, WIDTH - 2 * MARGIN, grey);
    canvas.finish()
}

fn heading(canvas: &mut Canvas, run: &BenchRun, quantity: &Quantity) -> i32 {
    let title = format!("{}, {} ({})", quantity.title, quantity.unit, quantity.better);
    canvas.text((MARGIN, 14), title, Type::new(20).bold());
    let subtitle = format!(
        "zcprof {} on Linux {}, {} CPUs · {} · no probe attached",
        run.zcprof,
        named(&run.kernel),
        run.kernel.cpus,
        run.conditions.network
    );
    canvas.paragraph((MARGIN, 42), &subtitle, WIDTH - 2 * MARGIN, Type::new(SMALL)) + 12
}

fn legend(canvas: &mut Canvas, top: i32, run: &BenchRun) -> i32 {
    let text = Type::new(SMALL);
    let mut y = top + 24;
    for (index, contestant) in run.contestants.iter().enumerate() {
        let middle = y + SMALL / 2 + 1;
        canvas.line((LEGEND, middle), (LEGEND + 24, middle), panel::pen(index));
        panel::mark(canvas, (LEGEND + 12, middle), index);
        let room = WIDTH - MARGIN - LEGEND - 30;
        y = canvas.paragraph((LEGEND + 30, y), &contestant.name, room, text).max(y + LINE) + 5;
    }
    y
}

/// The cells of each number of connections, by rising size of fetch.
fn panels(run: &BenchRun) -> Vec<Vec<&Cell>> {
    let mut panels: Vec<Vec<&Cell>> = Vec::new();
    for cell in &run.cells {
        let same = |panel: &&mut Vec<&Cell>| panel[0].connections == cell.connections;
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
