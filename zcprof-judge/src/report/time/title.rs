//! The title of `time.svg`: which transfers lead, and what the probes cost, as far as the rounds tell.

use super::super::leaders::Leaders;
use super::super::numbers::counted;
use super::super::rounds::{Better, Standing};
use super::super::timing::{Cost, Speed};

/// Who is ahead, as far as the rounds tell, and whether the probes are felt.
pub(super) fn of(speeds: &[Speed<'_>], costs: &[Cost<'_>]) -> String {
    let said = [throughput(speeds), probes(costs)];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "No time was taken".to_owned() } else { said.join("; ") }
}

/// Of the transfers that were timed on the first kernel.
fn throughput(speeds: &[Speed<'_>]) -> Option<String> {
    let here: Vec<&Speed<'_>> =
        speeds.iter().filter(|speed| speed.kernel == speeds[0].kernel).collect();
    let timed: Vec<usize> = (0..here.len()).filter(|at| here[*at].throughput.is_some()).collect();
    let leaders = Leaders::of(&timed, Better::Higher, |one, other| here[one].by(here[other]))?;
    let names: Vec<&str> = here.iter().map(|speed| speed.transfer).collect();
    Some(format!("Throughput: {}", leaders.words(&names, ("sends", Better::Higher), usize::MAX)))
}

/// How many transfers need more CPU time with probes, as far as the rounds tell.
fn probes(costs: &[Cost<'_>]) -> Option<String> {
    let standing = |cost: &Cost<'_>| cost.ratio.standing(Better::Lower);
    let fewest = costs.iter().map(|cost| cost.ratio.rounds).min()?;
    let shown = costs.iter().filter(|cost| standing(cost) == Standing::Behind);
    let medians: Vec<f64> = shown.map(|cost| cost.ratio.quartiles.median).collect();
    let few = costs.iter().any(|cost| standing(cost) == Standing::TooFewRounds);
    let most = medians.iter().copied().reduce(f64::max);
    Some(match most {
        Some(most) => format!(
            "with probes {} of {} {} more CPU time, up to {most:.2} times (median)",
            medians.len(),
            counted(costs.len() as u64, "transfer", "transfers"),
            if medians.len() == 1 { "needs" } else { "need" }
        ),
        None if few => {
            let rounds = counted(fewest as u64, "round", "rounds");
            format!("{rounds} cannot tell what the probes cost")
        }
        None => "no cost of the probes is shown".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::timing;
    use super::*;
    use crate::run::{Run, TimedRound};

    /// The golden run with these seconds of its transfers' rounds.
    fn run(seconds: [&[f64]; 4]) -> Run {
        let json = include_str!("../../../tests/golden/classic/run.json");
        let mut run: Run = serde_json::from_str(json).expect("the golden record");
        run.timings.retain(|timing| !timing.probed);
        let round = run.timings[0].rounds[0];
        for (timing, seconds) in run.timings.iter_mut().zip(seconds) {
            let made = |seconds: &f64| TimedRound { seconds: *seconds, ..round };
            timing.rounds = seconds.iter().map(made).collect();
        }
        run
    }

    fn title(run: &Run) -> String {
        of(&timing::speeds(run), &timing::costs(run))
    }

    #[test]
    fn a_transfer_is_ranked_only_if_the_rounds_tell() {
        let (even, varied) = ([1.0; 6], [0.8, 0.8, 0.8, 0.8, 1.2, 1.2]);
        let level = run([&even, &varied, &even, &even]);
        assert_eq!(
            title(&level),
            "Throughput: no difference is shown between read_write, mmap_write, sendfile and splice"
        );
        let best = run([&even, &varied, &[0.5; 6], &even]);
        let said = "Throughput: sendfile sends at least 60.0 % more than any other";
        assert_eq!(title(&best), said);
        let few = run([&even, &even, &[0.5; 5], &even]);
        let said = "Throughput: 5 rounds are too few for a ranking";
        assert_eq!(title(&few), said);
    }

    /// Less in eight of nine rounds, though its median is greater.
    #[test]
    fn rounds_decide_against_medians() {
        let slow = [20.0; 9];
        let first = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        let second = [0.9, 1.9, 2.9, 3.9, 5.5, 5.9, 6.9, 7.9, 8.9];
        let said = title(&run([&slow, &first, &second, &slow]));
        assert!(said.starts_with("Throughput: sendfile sends at least 1.7 % more"), "{said}");
    }

    #[test]
    fn probes_cost_only_what_the_rounds_tell() {
        let cost = |with: &[f64]| {
            let mut run = run([&[1.0; 6]; 4]);
            let mut probed = run.timings[0].clone();
            let made = |(round, times): (&TimedRound, &f64)| TimedRound {
                server_cpu: round.server_cpu * times,
                consumer_cpu: round.consumer_cpu * times,
                ..*round
            };
            probed.rounds = probed.rounds.iter().zip(with).map(made).collect();
            probed.probed = true;
            run.timings.push(probed);
            title(&run).split_once("; ").map(|(_, said)| said.to_owned()).unwrap_or_default()
        };
        assert_eq!(
            cost(&[1.5; 6]),
            "with probes 1 of 1 transfer needs more CPU time, up to 1.50 times (median)"
        );
        // The median is above 1, by rounds that go either way.
        assert_eq!(cost(&[1.5, 1.5, 1.5, 1.5, 0.9, 0.9]), "no cost of the probes is shown");
        assert_eq!(cost(&[1.5; 5]), "5 rounds cannot tell what the probes cost");
        assert_eq!(cost(&[0.9; 6]), "no cost of the probes is shown");
    }
}
