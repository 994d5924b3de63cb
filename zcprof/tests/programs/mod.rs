//! Programs that zcprof did not write, watched: what is known of each beforehand is what must be seen.
//! They come on a disk's image (`cargo xtask test --programs` makes it), so that these tests run where
//! that is, and fail where it is not.

mod container;
mod copiers;
mod counters;
mod image;
mod place;
mod random;
mod running;
mod table;
mod ways;

use std::fs;

use zcprof::verdict::beyond_tolerance;
use zcprof_common::vocabulary::{Disposition, Hop};
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{ClaimResult, Interval};

use self::counters::Before;
use self::image::{BODY, ROOT, set_up};
use self::place::{Asks, Place};
use self::running::RunningProgram;
use self::table::{Begins, ProgramCase, Sends, programs};
use super::{take_record, text, zcprof};

/// How often what is served is asked for.
const TIMES: usize = 4;

/// Every row, as it is known beforehand; one after the other, because the window is the whole guest's.
/// `ZCPROF_PROGRAMS` has words; a row's name must have one of them.
#[test]
#[ignore = "needs the image of programs: cargo xtask test --programs"]
fn every_program_is_seen_as_it_is() {
    every_program(&Place::host());
}

/// The same where containers have their programs.
#[test]
#[ignore = "needs the image of programs: cargo xtask test --programs"]
fn every_program_in_a_containers_place_is_seen_as_it_is() {
    every_program(&Place::container());
}

/// Watches every program in a place.
fn every_program(place: &Place) {
    set_up();
    let wanted = std::env::var("ZCPROF_PROGRAMS").unwrap_or_default();
    let left_out = std::env::var("ZCPROF_LEFT_OUT").unwrap_or_default();
    let is_wanted = |row: &&ProgramCase| {
        wanted.is_empty() || wanted.split(',').any(|word| row.name.contains(word))
    };
    let (mut wrong, mut watched, mut inconclusive) = (Vec::new(), 0, 0);
    let mut running = None;
    for row in programs().filter(is_wanted) {
        if row.needs.is_some_and(|name| left_out.split(',').any(|word| word == name)) {
            println!("{}: NOT WATCHED, it could not be built", row.name);
            continue;
        }
        watched += 1;
        let before = row.counter.map(|counter| Before::look(counter, place));
        let watch = match watch(row, place, &mut running) {
            Ok(watch) => watch,
            Err(error) => {
                println!("{}: WRONG: {error}", row.name);
                wrong.push(format!("{}: {error}", row.name));
                continue;
            }
        };
        let untroubled = row.claims.iter().all(|(_, verdict)| *verdict != "inconclusive");
        let open = watch.results.iter().any(|result| result.verdict == "inconclusive");
        inconclusive += usize::from(open && untroubled);
        let counted = before.and_then(|before| before.differs(sent(&watch), place));
        let copiers = copiers::errors(row, &watch);
        for error in errors(row, &watch).into_iter().chain(counted).chain(copiers) {
            println!("{}: WRONG: {error}", row.name);
            wrong.push(format!("{}: {error}", row.name));
        }
    }
    println!("{watched} programs {}, {inconclusive} inconclusive without trouble", place.name);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(watched > 0, "no program is called {wanted:?}");
    assert_eq!(inconclusive, 0);
}

/// What differs from what is known.
fn errors(row: &ProgramCase, watch: &Watch) -> Vec<String> {
    let mut errors = Vec::new();
    for ((claim, expected), result) in row.claims.iter().zip(&watch.results) {
        println!("{}: {claim} {} {:?}", row.name, result.verdict, result.codes);
        if result.verdict != *expected {
            errors.push(format!("{claim} is {}: {:#?}", result.verdict, result.reasons));
        }
    }
    let Some(result) = watch.results.first() else { return vec!["nothing was judged".to_owned()] };
    let seen = at(result, Hop::UserToSocket, Disposition::Copied);
    let over = at(result, Hop::PageCacheToSocket, Disposition::Moved);
    let Interval { least, most } = result.copies;
    if let Some((copied, moved)) = row.truth {
        let framing = (seen.least - copied).max(0.0);
        println!(
            "{}: MEASURED {least:.4} to {most:.4} copied, {:.4} of it into the socket, {:.4} handed over, framing {framing:.5}",
            row.name, seen.most, over.most
        );
        if framing > row.framing {
            errors.push(format!("framing is {framing:.5} per byte, known {:.5}", row.framing));
        }
        for (what, seen, known) in [
            ("copied into the socket", seen, copied + framing),
            ("handed over", over, (moved - framing).max(0.0)),
        ] {
            let off = [seen.least, seen.most].map(|end| (end - known).abs());
            if off.iter().any(|off| *off > 0.001) || seen.most - seen.least > 0.002 {
                errors.push(format!("{what}: {seen:?} per byte, known {known:.4}"));
            }
        }
    } else {
        println!("{}: MEASURED {least:.4} to {most:.4} copied, {over:?} handed over", row.name);
    }
    if let Some(known) = row.copies
        && (most - known).abs() > 0.001
    {
        errors.push(format!("at most {most:.4} copied per byte, known {known:.4}"));
    }
    let names: Vec<_> = watch.programs.iter().map(|program| program.name.as_str()).collect();
    if !names.contains(&row.process) {
        errors.push(format!("{} is not among the programs: {names:?}", row.process));
    }
    errors
}

/// The least and the most at a hop.
fn at(result: &ClaimResult, hop: Hop, disposition: Disposition) -> Interval {
    let found = result.hops.iter().find(|at| at.hop == hop && at.disposition == disposition);
    found.map_or(Interval::default(), |at| at.per_byte)
}

/// Bytes that were sent in all, or from the port that the window is about.
fn sent(watch: &Watch) -> u64 {
    watch.results.iter().map(|result| result.sent).max().unwrap_or(0)
}

/// Words of a row in which an address stands.
fn words(words: &[&str], address: &str) -> Vec<String> {
    words.iter().map(|word| word.replace("ADDRESS", address)).collect()
}

/// The record of a row's window, or what went wrong with it.
fn watch(
    row: &ProgramCase,
    place: &Place,
    running: &mut Option<RunningProgram>,
) -> Result<Watch, String> {
    if let Some((file, text)) = row.file {
        let text = text.replace("PORT", &row.port.to_string());
        fs::write(format!("{ROOT}{file}"), text).expect("written");
    }
    // A program without a load asks others: those beside it are one of these.
    let asks_others = row.load.is_empty();
    let found_at = place.found_at(Asks::Outside);
    let (inside, outside) = (place.inside(), place.from(Asks::Outside));
    let speaks_with = if asks_others { place.peer() } else { found_at.clone() };
    let command = words(row.command, &speaks_with);
    if row.begins != Begins::Program || running.as_ref().is_some_and(|it| it.words != command) {
        *running = None;
    }
    if row.begins != Begins::Window && running.is_none() {
        *running = Some(RunningProgram::start(&inside, &command).listening_at(row.port));
    }
    let beside = if asks_others { &outside } else { &inside };
    let _beside = (!row.beside.is_empty())
        .then(|| RunningProgram::start(beside, &words(row.beside, &found_at)));
    let out = format!("/data/watched/{}", row.name.replace([' ', ',', '/'], "-"));
    let (port, one) = (row.port.to_string(), row.load.replace("ADDRESS", &found_at));
    let one = format!("{} {one}", outside.join(" "));
    let load = vec![one; TIMES].join(" && ");
    let mut line = vec!["watch", "--out", &out, "--direction", row.direction];
    match row.begins {
        Begins::Window if row.load.is_empty() => {}
        Begins::Window => line.extend(["--while", &load, "--ready", &port]),
        Begins::Program => line.extend(["--port", &port, "--while", &load]),
    }
    if !row.copiers.is_empty() {
        line.push("--stacks");
    }
    for (claim, _) in row.claims {
        line.extend(["--claim", claim]);
    }
    if row.begins == Begins::Window {
        line.push("--");
        line.extend(inside.iter().chain(&command).map(String::as_str));
    }
    let output = zcprof(&line).output().expect("zcprof runs");
    let said = text(&output);
    let watch = take_record(&out).map_err(|error| format!("{error}: {said}"))?;
    let (sent, least) = (sent(&watch), (BODY * TIMES) as u64);
    let is_right = match row.sends {
        Sends::Body => sent >= least && !beyond_tolerance(sent - least, 10 * least),
        Sends::Once => {
            let body = BODY as u64;
            sent >= body && !beyond_tolerance(sent - body, 10 * body)
        }
        Sends::More => sent >= least,
        Sends::Something => sent > 0,
    };
    if is_right { Ok(watch) } else { Err(format!("{sent} bytes were sent: {said}")) }
}
