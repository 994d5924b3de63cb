//! The same measurement, again and again.

use zcprof::verdict::{self, Judgement, Verdict};
use zcprof_common::vocabulary::{Instrument, Process};

use super::{code, measure, text};

/// Repetitions of a test, unless `ZCPROF_REPEAT` says another number.
const REPETITIONS: usize = 3;

/// What is measured, and what its server copies per payload byte.
const CLASSICS: [(&str, f64); 4] =
    [("read_write", 2.0), ("mmap_write", 1.0), ("sendfile", 0.0), ("splice", 0.0)];

/// How far a number may be from what is known, in copies per payload byte.
const TOLERANCE: f64 = 0.001;

/// Smallest and largest copies per payload byte that an instrument saw of a transfer.
#[derive(Clone, Copy, Debug)]
struct Spread {
    least: f64,
    most: f64,
}

#[test]
fn the_classics_get_the_same_verdict_every_time() {
    let wanted = std::env::var("ZCPROF_REPEAT").ok();
    let wanted = wanted.map_or(REPETITIONS, |text| text.parse().expect("a number"));
    let names = CLASSICS.map(|(name, _)| name).join(",");
    let instruments = [Instrument::Audit, Instrument::Callers];
    let none = Spread { least: f64::INFINITY, most: f64::NEG_INFINITY };
    let mut spreads = CLASSICS.map(|_| instruments.map(|_| none));
    println!();
    for repetition in 1..=wanted {
        let arguments = ["--cache", "warm", "--transfer", &names];
        let (output, run) = measure("repeated", &arguments);
        assert_eq!(code(&output), 0, "repetition {repetition}: {}", text(&output));
        let judgements = verdict::judge(&run.expect("a record")).expect("known names");
        assert_eq!(judgements.len(), CLASSICS.len(), "a pass for each");
        for (judged, of_transfer) in judgements.iter().zip(&mut spreads) {
            let name = &judged.transfer;
            assert_eq!(judged.verdict, Verdict::Holds, "repetition {repetition}, {name}");
            for (instrument, spread) in instruments.iter().zip(of_transfer) {
                let copies = copies(judged, *instrument);
                spread.least = spread.least.min(copies);
                spread.most = spread.most.max(copies);
            }
        }
        // Who waits sees that something happens; a guest that is silent for long is ended.
        println!("repetition {repetition} of {wanted}: {names} hold");
    }
    println!("{wanted} repetitions, each verdict holds; copies per byte, least to most:");
    for ((name, known), of_transfer) in CLASSICS.iter().zip(spreads) {
        for (instrument, Spread { least, most }) in instruments.iter().zip(of_transfer) {
            println!("  {name:<12} {:<8} {least:.6} to {most:.6}", instrument.name());
            let far = (least - known).abs().max((most - known).abs());
            assert!(far <= TOLERANCE, "{name}, {}: {least} to {most}", instrument.name());
        }
    }
}

/// The server's copies per payload byte.
fn copies(judged: &Judgement, instrument: Instrument) -> f64 {
    let bytes = judged.ledger.account(instrument).copied(Process::Server);
    // Both are below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "a pass has fewer bytes than that")]
    let copies = bytes as f64 / judged.ledger.payload as f64;
    copies
}
