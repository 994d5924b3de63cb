//! Copies of `path.svg` that have no arrow of their own: each is drawn where it happened, as a loop at
//! its station, with the code of the claim that it refutes.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::arrow::arrow;
use super::canvas::{Canvas, Pen, Point, ink};
use super::lettering::Type;
use super::reading::{Judged, Reading, codes_at};

/// Half the width of a loop, and how far it hangs down.
const HALF: i32 = 9;
const DEPTH: i32 = 20;

/// Height of a line of its label.
const LINE: i32 = 16;

/// Where loops hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// Under the page cache.
    PageCache,
    /// Under the way from there to the socket, where a pipe is.
    Pipe,
    /// Under the socket.
    Socket,
    /// Under the user buffer.
    User,
}

impl Spot {
    pub(super) const ALL: [Self; 4] = [Self::PageCache, Self::Pipe, Self::Socket, Self::User];

    /// Where a copy over a hop is drawn that has no arrow.
    fn of(hop: Hop) -> Option<Self> {
        match hop {
            Hop::UserToPageCache | Hop::PageCacheToPageCache => Some(Self::PageCache),
            Hop::PageCacheToPipe | Hop::UserToPipe | Hop::PipeToUser => Some(Self::Pipe),
            Hop::SocketToSocket | Hop::SocketToUser | Hop::SocketToWire => Some(Self::Socket),
            Hop::UserToUser | Hop::Arguments => Some(Self::User),
            Hop::StorageToPageCache
            | Hop::PageCacheToUser
            | Hop::UserToSocket
            | Hop::PageCacheToSocket => None,
        }
    }

    /// Its middle.
    fn x(self) -> i32 {
        match self {
            Self::PageCache => 226,
            Self::Pipe => 334,
            Self::Socket => 582,
            Self::User => 400,
        }
    }
}

/// What is copied at a spot.
pub(super) struct Copies {
    spot: Spot,
    lines: Vec<String>,
    /// Whether a claim fails here.
    guilty: bool,
}

/// Whether entries of this disposition are drawn at a spot; others are said beside.
pub(super) fn draws(hop: Hop, what: Disposition) -> bool {
    let copied = [Disposition::Copied, Disposition::Deferred, Disposition::Bounced];
    copied.contains(&what) && Spot::of(hop).is_some()
}

/// What all passes of a transfer copy at a spot.
pub(super) fn at(spot: Spot, passes: &[&Judged<'_>], reading: &Reading<'_>) -> Option<Copies> {
    let mut lines = Vec::new();
    let mut guilty = false;
    for hop in Hop::ALL.iter().copied().filter(|hop| Spot::of(*hop) == Some(spot)) {
        for what in Disposition::ALL.iter().copied().filter(|what| draws(hop, *what)) {
            let of = |pass: &&Judged<'_>| {
                let entry = pass.entry(Process::Server, hop, what);
                pass.per_byte(Some(entry.map_or(0, |entry| entry.bytes)))
            };
            let nothing = |text: &String| text.chars().all(|c| "0.-".contains(c));
            if passes.iter().all(|pass| nothing(&of(pass))) {
                continue;
            }
            let presumed = if reading.sources.presumed(what) { ", presumed" } else { "" };
            let word = if what == Disposition::Deferred { "copied later" } else { what.name() };
            let first = of(&passes[0]);
            if passes.iter().all(|pass| of(pass) == first) {
                lines.push(format!("{first} {word}{presumed}"));
            } else {
                let each = |pass: &&Judged<'_>| format!("{} {}", of(pass), pass.pass.cache.name());
                let each: Vec<_> = passes.iter().map(each).collect();
                lines.push(format!("{} {word}{presumed}", each.join(", ")));
            }
            if !matches!(spot, Spot::Socket) {
                lines.push(hop.name().to_owned());
            }
        }
        let codes = codes_at(hop, passes);
        guilty |= !codes.is_empty();
        lines.extend((!codes.is_empty()).then(|| codes.join(" ")));
    }
    (!lines.is_empty()).then_some(Copies { spot, lines, guilty })
}

impl Copies {
    /// How far the label and the loop reach down from where they begin.
    pub(super) fn height(&self) -> i32 {
        (LINE * i32::try_from(self.lines.len()).unwrap_or(0)).max(DEPTH) + 6
    }

    pub(super) fn is_in_kernel(&self) -> bool {
        self.spot != Spot::User
    }

    /// Whether it hangs from a way, and not from a station.
    pub(super) fn is_on_the_way(&self) -> bool {
        self.spot == Spot::Pipe
    }

    /// Draws a loop from `from` down, and writes beside its lower end, `label` down.
    pub(super) fn draw(&self, canvas: &mut Canvas, from: i32, label: i32) {
        let (x, low) = (self.spot.x(), label + DEPTH);
        let pen = Pen::new(ink::RED, 4).dashed(3);
        let (left, right): (Point, Point) = ((x - HALF, low), (x + HALF, low));
        canvas.line((x - HALF, from), left, pen);
        canvas.line(left, right, pen);
        arrow(canvas, right, (x + HALF, from), Some(Disposition::Deferred));
        let color = if self.guilty { ink::RED } else { ink::BLACK };
        for (line, y) in self.lines.iter().zip((label + 3..).step_by(16)) {
            canvas.text((x + HALF + 12, y), line, Type::new(13).bold().color(color));
        }
    }
}
