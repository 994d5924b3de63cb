//! `time.svg`: throughput and CPU time of the passes without probes, and what the probes cost.

mod title;

use super::RunFormat;
use super::canvas::{Canvas, LINE, MARGIN, Pen, Point, SMALL, WIDTH};
use super::ink;
use super::lettering::Type;
use super::numbers::{along_time, size};
use super::rounds::Quartiles;
use super::timing::{self, Cost, Speed};
use crate::run::{Kernel, Run};

pub(super) const FORMAT: RunFormat = RunFormat {
    name: "time",
    file_name: "time.svg",
    summary: "A picture: throughput, CPU seconds per GiB, and the probes' own cost",
    render: |run| Ok(render(run)),
};

/// Where the first panel begins, and how far one lies from the next.
const LEFT: i32 = 150;
const STRIDE: i32 = 160;
/// Length of a bar's axis.
const LENGTH: u32 = 138;
/// Height of a transfer's row.
const ROW: i32 = 50;

/// A column of bars.
struct Panel<'a> {
    title: &'static str,
    unit: &'static str,
    kernel: &'a Kernel,
    /// One per transfer.
    bars: Vec<Option<Quartiles>>,
    /// A value to mark with a line, if one has a meaning.
    mark: Option<f64>,
}

fn render(run: &Run) -> Vec<u8> {
    let (speeds, costs) = (timing::speeds(run), timing::costs(run));
    let (mut canvas, y) = Canvas::titled("time", &title::of(&speeds, &costs));
    let mut y = heading(&mut canvas, y, run, (&speeds, &costs));
    let transfers = transfers(&speeds, &costs);
    let rows: Vec<Vec<Panel<'_>>> = blocks(&transfers, &speeds, &costs);
    for panels in &rows {
        y = block(&mut canvas, y, &transfers, panels) + 16;
    }
    if rows.is_empty() {
        let text =
            "No time was taken in this run: nothing is said about speed or the probes' cost.";
        canvas.paragraph((MARGIN, y), text, WIDTH - 2 * MARGIN, Type::new(14).bold());
        return canvas.finish();
    }
    let once = costs.iter().any(|cost| cost.ratio.rounds == 1);
    let cost = match (costs.is_empty(), once) {
        (true, _) => "The probes' cost was not timed.",
        (false, true) => {
            "Probes' cost: CPU time with probes attached, per CPU time without, on the same kernel; 1 \
             (dashed) is no cost. One round tells little: chance may put it below 1."
        }
        (false, false) => {
            "Probes' cost: CPU time with probes attached, per CPU time without, of rounds beside each \
             other, on the same kernel; 1 (dashed) is no cost."
        }
    };
    let spread = rows.iter().flatten().flat_map(|panel| panel.bars.iter().flatten());
    let bar = if spread.into_iter().any(|spread| spread.least < spread.most) {
        "Bar: median of the rounds, which ranks nobody. Whiskers: least and greatest."
    } else {
        "Bar: the one round, which ranks nobody."
    };
    let note = format!(
        "{bar} {cost} A difference \
         is shown where the 95 % interval of the ratio within a round excludes 1, which takes six rounds. \
         No verdict depends on any of these numbers."
    );
    let grey = Type::new(SMALL).ink(ink::GREY);
    canvas.paragraph((MARGIN, y), &note, WIDTH - 2 * MARGIN, grey);
    canvas.finish()
}

fn heading(
    canvas: &mut Canvas,
    top: i32,
    run: &Run,
    (speeds, costs): (&[Speed<'_>], &[Cost<'_>]),
) -> i32 {
    let width = WIDTH - 2 * MARGIN;
    let payload = run.timings.iter().map(|timing| timing.payload).max().unwrap_or(0);
    let shown = if costs.is_empty() { "" } else { ", and what the probes cost" };
    let subtitle = format!(
        "Time without probes{shown} · up to {} of payload per round · {}",
        size(payload),
        run.workload.network
    );
    let mut y = if run.timings.is_empty() {
        top
    } else {
        canvas.tell(&subtitle);
        canvas.paragraph((MARGIN, top), &subtitle, width, Type::new(SMALL))
    };
    let bold = Type::new(SMALL).bold();
    if speeds.iter().any(|speed| timing::emulated(speed.kernel)) {
        let text = "Speeds are from an emulated guest (TCG): its time is not real time.";
        canvas.tell(text);
        y = canvas.paragraph((MARGIN, y), text, width, bold);
    } else if costs.iter().any(|cost| timing::emulated(cost.kernel)) {
        let text = "The probes' cost is from an emulated guest (TCG); the speeds are not.";
        canvas.tell(text);
        y = canvas.paragraph((MARGIN, y), text, width, bold);
    }
    y + 10
}

fn transfers<'a>(speeds: &[Speed<'a>], costs: &[Cost<'a>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in speeds.iter().map(|s| s.transfer).chain(costs.iter().map(|c| c.transfer)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A block of panels for each kernel whose speed was taken; costs stand beside the speeds of
/// their own kernel, or of the first.
fn blocks<'a>(transfers: &[&str], speeds: &[Speed<'a>], costs: &[Cost<'a>]) -> Vec<Vec<Panel<'a>>> {
    let mut blocks = Vec::new();
    let timed = timing::kernels(speeds.iter().map(|speed| speed.kernel));
    for kernel in &timed {
        let of = |read: fn(&Speed<'_>) -> Option<Quartiles>| {
            let on = |name: &&str| {
                speeds.iter().find(|s| s.transfer == *name && s.kernel == *kernel).and_then(read)
            };
            transfers.iter().map(on).collect()
        };
        let panel = |title, unit, bars| Panel { title, unit, kernel, bars, mark: None };
        blocks.push(vec![
            panel("Throughput", "GiB/s", of(|speed| speed.throughput)),
            panel("Server's CPU", "CPU s/GiB", of(|speed| speed.server)),
            panel("Consumer's CPU", "CPU s/GiB", of(|speed| speed.consumer)),
        ]);
    }
    for kernel in timing::kernels(costs.iter().map(|cost| cost.kernel)) {
        let on = |name: &&str| {
            let cost = costs.iter().find(|c| c.transfer == *name && c.kernel == kernel)?;
            Some(cost.ratio.quartiles)
        };
        let bars = transfers.iter().map(on).collect();
        let panel =
            Panel { title: "Probes' cost", unit: "times the CPU", kernel, bars, mark: Some(1.0) };
        let beside = timed.iter().position(|known| *known == kernel).unwrap_or(0);
        match blocks.get_mut(beside) {
            Some(block) if block.len() < 4 => block.push(panel),
            _ => blocks.push(vec![panel]),
        }
    }
    blocks
}

fn block(canvas: &mut Canvas, top: i32, transfers: &[&str], panels: &[Panel<'_>]) -> i32 {
    let small = Type::new(11).ink(ink::GREY);
    let mut first = top;
    for (x, panel) in places().zip(panels) {
        canvas.text((x, top), panel.title, Type::new(14).bold());
        let y = canvas.paragraph((x, top + 19), panel.unit, STRIDE - 14, Type::new(SMALL));
        let on = format!("on {}", timing::named(panel.kernel));
        first = first.max(canvas.paragraph((x, y), &on, STRIDE - 14, small));
    }
    first += 8;
    let mut bottom = first;
    for transfer in transfers {
        let name = Type::new(13).bold().fitting(transfer, LEFT - MARGIN - 8, 9);
        canvas.line((MARGIN, bottom), (WIDTH - MARGIN, bottom), Pen::new(ink::PALE, 1));
        canvas.text((MARGIN, bottom + 9), transfer, name);
        bottom += ROW;
    }
    for (x, panel) in places().zip(panels) {
        let ends = panel.bars.iter().flatten().map(|spread| spread.most).chain(panel.mark);
        let end = ends.fold(0.0, f64::max);
        let mut y = first;
        for (bar, transfer) in panel.bars.iter().zip(transfers) {
            draw(canvas, (x, y + 8), *bar, end, panel.mark);
            if let Some(spread) = bar {
                let (title, unit, median) = (panel.title, panel.unit, spread.median);
                canvas.tell(&format!("{transfer}: {title} {median:.3} {unit}."));
            }
            y += ROW;
        }
        canvas.line((x, first), (x, bottom), Pen::new(ink::BLACK, 1));
    }
    bottom + LINE / 2
}

fn places() -> impl Iterator<Item = i32> {
    (0..4).map(|column| LEFT + column * STRIDE)
}

/// The median as a number and a bar, the spread as whiskers.
fn draw(
    canvas: &mut Canvas,
    (x, y): Point,
    spread: Option<Quartiles>,
    end: f64,
    mark: Option<f64>,
) {
    let Some(spread) = spread else {
        canvas.text((x + 6, y + 8), "not timed", Type::new(SMALL).ink(ink::GREY));
        return;
    };
    let text = Type::new(SMALL).bold();
    canvas.text((x + 6, y), &format!("{:.3}", spread.median), text);
    if spread.least < spread.most {
        let range = format!("{:.3} to {:.3}", spread.least, spread.most);
        canvas.text((x + 56, y + 1), &range, Type::new(10).ink(ink::GREY));
    }
    let at = |value| x + along_time(value, end, LENGTH);
    canvas.rect((x, y + 17), (at(spread.median) - x, 14), ink::PALE, Pen::new(ink::BLACK, 1));
    if spread.least < spread.most {
        let (pen, middle) = (Pen::new(ink::BLACK, 2), y + 24);
        canvas.line((at(spread.least), middle), (at(spread.most), middle), pen);
        for value in [spread.least, spread.most] {
            canvas.line((at(value), middle - 5), (at(value), middle + 5), pen);
        }
    }
    if let Some(mark) = mark {
        canvas.line((at(mark), y + 12), (at(mark), y + 36), Pen::new(ink::BLACK, 1).dashed(2));
    }
}
