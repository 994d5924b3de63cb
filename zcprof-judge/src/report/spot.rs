//! Copies of `path.svg` that have no arrow of their own: each is drawn where it happened, as a loop at
//! its station, with the code of the claim that it refutes.

use zcprof_common::vocabulary::{Disposition, Hop, Process};

use super::arrow::{each, pointed};
use super::canvas::{Canvas, Pen};
use super::ink;
use super::lettering::Type;
use super::reading::{Judged, Reading, codes_at};

/// How far a loop reaches to the side, and half its height.
const REACH: i32 = 20;
const HALF: i32 = 4;

/// Height of a loop with its line of text.
pub(super) const HEIGHT: i32 = 16;

/// Where loops are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At the user buffer.
    User,
    /// At the page cache.
    PageCache,
    /// On the way from there to the socket, where a pipe is.
    Pipe,
    /// At the socket.
    Socket,
}

impl Spot {
    pub(super) const ALL: [Self; 4] = [Self::User, Self::PageCache, Self::Pipe, Self::Socket];

    /// Where a copy over a hop is drawn that has no arrow.
    fn of(hop: Hop) -> Option<Self> {
        match hop {
            Hop::UserToPageCache | Hop::PageCacheToPageCache => Some(Self::PageCache),
            Hop::PageCacheToPipe | Hop::UserToPipe | Hop::PipeToUser => Some(Self::Pipe),
            Hop::SocketToSocket | Hop::SocketToUser | Hop::SocketToPipe | Hop::SocketToWire => {
                Some(Self::Socket)
            }
            Hop::UserToUser | Hop::Arguments => Some(Self::User),
            Hop::StorageToPageCache
            | Hop::PageCacheToUser
            | Hop::UserToSocket
            | Hop::PageCacheToSocket => None,
        }
    }

    /// The edge that it begins and ends at, and to which side its words stand.
    const fn edge(self) -> (i32, i32) {
        match self {
            Self::User => (470, 1),
            Self::PageCache => (308, 1),
            Self::Pipe => (330, 1),
            Self::Socket => (620, -1),
        }
    }
}

/// A copy at a spot.
pub(super) struct SpotCopies {
    spot: Spot,
    text: String,
    /// Whether a claim fails here.
    guilty: bool,
}

/// Whether entries of this disposition are drawn at a spot; others are said beside.
pub(super) fn draws(hop: Hop, what: Disposition) -> bool {
    let copied = [Disposition::Copied, Disposition::Deferred, Disposition::Bounced];
    copied.contains(&what) && Spot::of(hop).is_some()
}

/// What all passes of a transfer copy at a spot, a line each.
pub(super) fn at(spot: Spot, passes: &[&Judged<'_>], reading: &Reading<'_>) -> Vec<SpotCopies> {
    let mut all = Vec::new();
    for hop in Hop::ALL.iter().copied().filter(|hop| Spot::of(*hop) == Some(spot)) {
        let codes = codes_at(hop, passes);
        let before = all.len();
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
            let place = if matches!(spot, Spot::Socket) { "" } else { hop.name() };
            let bytes = each(passes.iter().map(of));
            let text = format!("{bytes} {word}{presumed} {place}").trim_end().to_owned();
            all.push(SpotCopies { spot, text, guilty: false });
        }
        if codes.is_empty() {
            continue;
        }
        if all.len() == before {
            all.push(SpotCopies {
                spot,
                text: format!("0.000 copied {}", hop.name()),
                guilty: true,
            });
        }
        for copies in &mut all[before..] {
            copies.text = format!("{} {}", copies.text, codes.join(" "));
            copies.guilty = true;
        }
    }
    all
}

impl SpotCopies {
    /// A copy over a hop without an arrow, in words; none of a hop that has one.
    pub(super) fn over(hop: Hop, text: String, guilty: bool) -> Option<Self> {
        Some(Self { spot: Spot::of(hop)?, text, guilty })
    }

    pub(super) fn is_in_kernel(&self) -> bool {
        self.spot != Spot::User
    }

    pub(super) fn told(&self) -> &str {
        &self.text
    }

    /// Draws a loop with its words, from `top` on.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: i32) {
        let (x, side) = self.spot.edge();
        let (middle, out) = (top + HEIGHT / 2 - 1, x + side * REACH);
        let (upper, lower) = (middle - HALF, middle + HALF);
        let pen = Pen::new(ink::RED, 3).dashed(3);
        canvas.line((x, upper), (out, upper), pen);
        canvas.line((out, upper), (out, lower), pen);
        pointed(canvas, (out, lower), (x, lower), pen, 7);
        let color = if self.guilty { ink::RED } else { ink::BLACK };
        let style = Type::new(12).bold().ink(color).fitting(&self.text, 264, 9);
        let style = if side > 0 { style } else { style.right() };
        canvas.text((out + side * 8, middle - style.size / 2 - 1), &self.text, style);
    }
}
