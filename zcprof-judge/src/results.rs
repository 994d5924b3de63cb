//! Pure: what the claims of a run came to, as its record keeps it.

use zcprof_common::vocabulary::{Disposition, Hop, Instrument, Process};

use crate::interval::{HopBytes, Interval};
use crate::ledger::{Ledger, sum};
use crate::receive;
use crate::run::{PassResult, Run};
use crate::verdict::code::codes_and_reasons;
use crate::verdict::{Judgement, Unknown, instruments, judge};

use Disposition::{Bounced, Copied, Deferred};

/// Notes in a run what its claims came to, those about receiving among them.
///
/// # Errors
/// A claim that this version does not know.
pub fn note(run: &mut Run) -> Result<(), Unknown> {
    receive::note(run)?;
    let judgements = judge(run)?;
    run.results = judgements.iter().map(Judgement::result).collect();
    let is_claimed = !judgements.is_empty() || !run.receptions.is_empty();
    let exit = receive::exit_with(run, &judgements)?;
    run.verdict = is_claimed.then(|| exit.verdict().to_owned());
    Ok(())
}

impl Judgement {
    /// What the record keeps of it.
    #[must_use]
    pub fn result(&self) -> PassResult {
        let (codes, reasons) = codes_and_reasons(self.why());
        let payload = self.ledger.payload;
        let hops = seen(&self.ledger);
        let (least, most) = copies(&hops);
        let kept = hops.into_iter().map(|(hop, disposition, (least, most))| HopBytes {
            hop,
            disposition,
            per_byte: Interval::per_byte(least, most, payload),
        });
        PassResult {
            transfer: self.transfer.clone(),
            cache: self.cache,
            claim: self.claim.name.to_owned(),
            verdict: self.verdict.name().to_owned(),
            codes,
            reasons,
            payload,
            copies: Interval::per_byte(least, most, payload),
            hops: kept.collect(),
        }
    }
}

/// The least and the most bytes of the server's at a hop with a disposition.
type SeenBytes = (Hop, Disposition, (u64, u64));

/// What the two instruments that look into the kernel saw of the server, where that is anything.
fn seen(ledger: &Ledger) -> Vec<SeenBytes> {
    // Of other dispositions than copies the leaves tell nothing.
    let callers = ledger.account(Instrument::Callers);
    let cells =
        Hop::ALL.iter().flat_map(|hop| Disposition::ALL.iter().map(move |what| (*hop, *what)));
    let span = |(hop, what): (Hop, Disposition)| {
        let bytes = callers.bytes(Process::Server, hop, what);
        let span = if what == Copied { instruments::copied(ledger, hop) } else { (bytes, bytes) };
        (span.1 > 0).then_some((hop, what, span))
    };
    cells.filter_map(span).collect()
}

/// Copies over all hops of the payload's: fresh pages that were filled may be copies, and are the same bytes
/// as those that were seen copied at their hop.
fn copies(seen: &[SeenBytes]) -> (u64, u64) {
    let of = |hop, what| {
        let found = seen.iter().find(|(at, how, _)| (*at, *how) == (hop, what));
        found.map_or((0, 0), |(.., span)| *span)
    };
    let hops = Hop::ALL.iter().copied().filter(|hop| *hop != Hop::Arguments);
    let spans: Vec<(u64, u64)> = hops
        .map(|hop| {
            let (copied, later, fresh) = (of(hop, Copied), of(hop, Deferred), of(hop, Bounced));
            let most = copied.1.max(fresh.1);
            (copied.0.saturating_add(later.0), most.saturating_add(later.1))
        })
        .collect();
    (sum(spans.iter().map(|span| span.0)), sum(spans.iter().map(|span| span.1)))
}
