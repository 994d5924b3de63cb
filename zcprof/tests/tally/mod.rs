//! What judgements of random claims came to: none may be false, and few may be missing.

use fastrand::Rng;

/// Of so many claims that must have a verdict one may be inconclusive; so may one of fewer.
const PER_UNDECIDED: usize = 10;

const VERDICTS: [&str; 3] = ["holds", "refuted", "inconclusive"];

/// How many things are tried, and the seed that makes them.
pub(crate) struct Tries {
    pub(crate) number: usize,
    pub(crate) seed: u64,
}

/// Judgements of claims whose truth is known.
#[derive(Default)]
pub(crate) struct Tally {
    /// By whether the claim is true, then by verdict.
    counts: [[usize; VERDICTS.len()]; 2],
    /// Judgements that must be a verdict.
    required: usize,
    undecided: Vec<String>,
    wrong: Vec<String>,
}

impl Tries {
    /// So many with a seed of chance, unless `ZCPROF_RANDOM` says another number and `ZCPROF_SEED` a seed.
    pub(crate) fn or(number: usize) -> Self {
        let said = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
        let number =
            said("ZCPROF_RANDOM").map_or(number, |n: u64| usize::try_from(n).expect("few"));
        let seed = said("ZCPROF_SEED").unwrap_or_else(|| fastrand::u64(..));
        println!("ZCPROF_SEED={seed} ZCPROF_RANDOM={number}");
        Self { number, seed }
    }

    pub(crate) fn rng(&self) -> Rng {
        Rng::with_seed(self.seed)
    }
}

impl Tally {
    /// Counts a judgement by its verdict's name, and says whether it is false.
    #[must_use]
    pub(crate) fn add(&mut self, is_true: bool, verdict: &str) -> bool {
        let of = VERDICTS.iter().position(|name| *name == verdict).expect("a verdict");
        self.counts[usize::from(is_true)][of] += 1;
        verdict == if is_true { "refuted" } else { "holds" }
    }

    /// Counts one of which there must be a verdict.
    pub(crate) fn require(&mut self, verdict: &str, line: &str) {
        self.required += 1;
        if verdict == "inconclusive" {
            self.undecided.push(line.to_owned());
        }
    }

    /// Keeps what must not be.
    pub(crate) fn blame(&mut self, line: String) {
        self.wrong.push(line);
    }

    /// Prints all of it.
    ///
    /// # Panics
    /// If something was wrong, or too much undecided.
    pub(crate) fn check(&self, seed: u64) {
        for (claims, counts) in ["false", "true"].iter().zip(&self.counts) {
            let [holds, refuted, inconclusive] = counts;
            println!(
                "{claims} claims: {holds} hold, {refuted} refuted, {inconclusive} inconclusive"
            );
        }
        let Self { required, undecided, wrong, .. } = self;
        println!("{} of {required} that must have a verdict have none:", undecided.len());
        for line in undecided {
            println!("  {line}");
        }
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
        let most = (required / PER_UNDECIDED).max(1);
        assert!(
            undecided.len() <= most,
            "seed {seed}: more than {most}:\n{}",
            undecided.join("\n")
        );
    }
}
