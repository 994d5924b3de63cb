//! Who copied, as the stacks of a window say it, against what is known of the program.

use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::stacks::record::{FrameKind, Stack};
use zcprof_judge::stacks::top::functions;
use zcprof_judge::stacks::tree::frames;
use zcprof_judge::watch::Watch;

use super::table::ProgramCase;

/// Least share of the copied bytes whose stacks are whole.
const WHOLE: f64 = 0.95;

/// What differs from what is known.
#[expect(clippy::cast_precision_loss, reason = "shares of some megabytes")]
pub(super) fn errors(row: &ProgramCase, watch: &Watch) -> Vec<String> {
    let [(most, _), ..] = row.copiers else { return Vec::new() };
    let Some(stacks) = &watch.stacks else { return vec!["no stacks were kept".to_owned()] };
    let here = (Hop::UserToSocket, Disposition::Copied);
    let copied = || stacks.stacks.iter().filter(|stack| (stack.hop, stack.disposition) == here);
    let sum = |has: &dyn Fn(&Stack) -> bool| -> u64 {
        copied().filter(|stack| has(stack)).map(|stack| stack.bytes).sum()
    };
    let lost = stacks.lost.iter().filter(|lost| (lost.hop, lost.disposition) == here);
    let all = (sum(&|_| true) + lost.map(|lost| lost.bytes).sum::<u64>()) as f64;
    let mut errors = Vec::new();
    for (function, known) in row.copiers {
        let has = |stack: &Stack| frames(stacks, stack).any(|frame| frame.name.contains(function));
        let share = sum(&has) as f64 / all;
        println!("{}: {function} copied {share:.4} into the socket", row.name);
        if (share - known).abs() > 0.02 {
            errors.push(format!("{function} copied {share:.4} into the socket, known {known:.4}"));
        }
    }
    // What was read on the way may be another function's.
    let mut into = stacks.clone();
    into.stacks.retain(|stack| (stack.hop, stack.disposition) == here);
    let top: Vec<_> = functions(&into).into_iter().map(|top| top.frame.name).take(5).collect();
    if !top.first().is_some_and(|name| name.contains(most)) {
        errors.push(format!("not {most} copied most, but {top:?}"));
    }
    let cut = |stack: &Stack| frames(stacks, stack).any(|frame| frame.kind == FrameKind::Missing);
    let whole = 1.0 - sum(&cut) as f64 / all;
    println!("{}: {whole:.4} of it has a whole stack", row.name);
    if whole < WHOLE {
        let widest = copied().filter(|stack| cut(stack)).max_by_key(|stack| stack.bytes);
        let its_frames = widest.into_iter().flat_map(|stack| frames(stacks, stack));
        let names: Vec<_> = its_frames.map(|frame| frame.name).collect();
        errors.push(format!("only {whole:.4} of it has a whole stack, and not {names:?}"));
    }
    errors
}
