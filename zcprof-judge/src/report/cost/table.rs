//! The terminal's table: for every load one block of ratios, and the bounds under them.

use std::fmt::Write as _;

use super::super::columns::wrapped;
use super::super::numbers::{counted, size, size_of};
use super::super::rounds::{Quartiles, RatioSpread};
use super::super::timing::{emulated, named};
use super::bound::{BOUNDS, Bound, ROUNDS};
use super::ratio::{Whose, place, void, wall};
use crate::bench::record::Placement;
use crate::cost::record::{CostRun, Load};
use crate::cost::watcher::NOBODY;

/// Widest line.
const WIDTH: usize = 100;

pub(super) fn render(run: &CostRun) -> String {
    let mut text = heading(run);
    for at in 0..run.loads.len() {
        text.push_str(&block(run, at));
    }
    text.push_str(&bounds(run));
    text
}

fn heading(run: &CostRun) -> String {
    let conditions = &run.conditions;
    let placement = match conditions.placement {
        Placement::Apart { servers, consumer } => {
            format!("The servers on CPU {servers}, the consumer on CPU {consumer}")
        }
        Placement::Free => "Servers and consumer on whatever CPU the scheduler chose".to_owned(),
    };
    let mut text = format!(
        "What watching costs: zcprof {} on Linux {}, {} CPUs\n\
         {} from the page cache of {} over {}, consumer mode {}\n{placement}\n",
        run.zcprof,
        named(&run.kernel),
        run.kernel.cpus,
        size_of(u128::from(conditions.payload)),
        conditions.file_system,
        conditions.network,
        conditions.consumer,
    );
    if emulated(&run.kernel) {
        text.push_str(
            "The processor is emulated: no time here means anything, only ratios within this run do, \
             and\na breakpoint or a system call need not cost there what it costs on a real one.\n",
        );
    }
    let rounds = run.rounds.len();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        text,
        "{} in changing order. In each, every watcher is attached, sees the loads and is detached.",
        counted(rounds as u64, "round", "rounds")
    );
    if rounds < ROUNDS {
        let _ = writeln!(text, "FEWER THAN {ROUNDS} ROUNDS: nothing is said of the bounds.");
    }
    text.push('\n');
    for watcher in run.watchers.iter().filter(|watcher| !watcher.program.is_empty()) {
        let witness = watcher.witness.as_deref().unwrap_or("nothing");
        let said = format!("{}: {}; must have seen {witness}", watcher.program, watcher.line);
        for (at, line) in wrapped(&said, WIDTH - 19).iter().enumerate() {
            let name = if at == 0 { watcher.name.as_str() } else { "" };
            let _ = writeln!(text, "  {name:<16} {line}");
        }
    }
    text.push('\n');
    text
}

fn title(load: &Load) -> String {
    format!("{}, fetches of {}", load.transfer, size(load.fetch_size))
}

/// Wall time beside every watcher by wall time beside nobody.
fn block(run: &CostRun, load: usize) -> String {
    let title = run.loads.get(load).map(title).unwrap_or_default();
    let mut text = format!(
        "{title}: wall time by that with nobody watching, in the same round\n\
         {:<18}{:<36}{:<36}{:>8}\n{:<18}",
        "", "the server that is watched", "a server beside it", "", "watcher"
    );
    for _ in [Whose::Watched, Whose::Neighbour] {
        let _ = write!(text, "{:>7}  {:<15}  {:<10}", "median", "95 % interval", "most");
    }
    text.push_str("    void\n");
    let Some(bare) = place(run, NOBODY) else {
        text.push_str("  nothing to compare with: nobody was always watching\n\n");
        return text;
    };
    for (at, watcher) in run.watchers.iter().enumerate().filter(|(at, _)| *at != bare) {
        let _ = write!(text, "{:<18}", watcher.name);
        for whose in [Whose::Watched, Whose::Neighbour] {
            text.push_str(&numbers(wall(run, whose, load, (at, bare)).as_ref()));
        }
        let _ = writeln!(text, "{:>8}", format!("{}/{}", void(run, at), run.rounds.len()));
    }
    text.push('\n');
    text
}

fn numbers(ratio: Option<&RatioSpread>) -> String {
    let Some(ratio) = ratio else { return format!("{:>7}  {:<27}", "-", "not timed") };
    let Quartiles { median, most, .. } = ratio.quartiles;
    format!("{median:>7.3}  {:<15}  {most:<10.3}", interval(ratio))
}

fn interval(ratio: &RatioSpread) -> String {
    let said = |(from, to)| format!("{from:.3} to {to:.3}");
    ratio.interval.map_or_else(|| "none".to_owned(), said)
}

fn bounds(run: &CostRun) -> String {
    let mut text = format!(
        "Bounds: wall time beside the first by that beside the second\n{:<52}{:<6}{:>8}  {:<15}  \
         finding\n",
        "", "bound", "median", "95 % interval"
    );
    for (bound, load) in
        BOUNDS.iter().flat_map(|bound| (0..run.loads.len()).map(move |at| (bound, at)))
    {
        for (whose, of) in [(Whose::Watched, ""), (Whose::Neighbour, " beside")] {
            if let Some(ratio) = bound.ratio(run, whose, load) {
                text.push_str(&line(run, bound, (load, of), &ratio));
            }
        }
    }
    if !BOUNDS.iter().any(|bound| place(run, bound.watcher).is_some()) {
        text.push_str("  none is about these watchers\n");
    }
    text
}

fn line(run: &CostRun, bound: &Bound, (load, of): (usize, &str), ratio: &RatioSpread) -> String {
    let fetch = run.loads.get(load).map_or(0, |load| load.fetch_size);
    let pair = format!("{} by {}", bound.watcher, bound.over);
    let load = format!("{} {}{of}", bound.transfer, size(fetch));
    let finding = bound.find(ratio).word();
    let median = ratio.quartiles.median;
    format!(
        "{pair:<26}{load:<26}{:<6}{median:>8.3}  {:<15}  {finding}\n",
        bound.most(),
        interval(ratio)
    )
}
