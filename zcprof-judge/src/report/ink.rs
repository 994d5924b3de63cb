//! The colours of pictures, on white paper and on dark. Each differs from its neighbours in brightness
//! or pattern too, so that nothing is said by colour alone.

/// A colour by name: pictures draw with its class, and their style says what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ink {
    /// Its class, unique among all.
    pub(super) name: &'static str,
    /// On white paper.
    pub(super) light: &'static str,
    /// Where the reader asks for dark.
    pub(super) dark: &'static str,
}

const fn ink(name: &'static str, light: &'static str, dark: &'static str) -> Ink {
    Ink { name, light, dark }
}

pub(super) const BLACK: Ink = ink("black", "#000", "#f0f2f4");
pub(super) const GREY: Ink = ink("grey", "#555", "#b4bac1");
pub(super) const PALE: Ink = ink("pale", "#bebebe", "#545b63");
pub(super) const PAPER: Ink = ink("paper", "#f0f0f0", "#272c33");
pub(super) const WHITE: Ink = ink("white", "#fff", "#15181c");
pub(super) const RED: Ink = ink("red", "#a5141e", "#ff7f7f");
pub(super) const BLUE: Ink = ink("blue", "#1450a5", "#86b6ff");

/// Of stations in the kernel.
pub(super) const POST: Ink = ink("post", "#d9d9d9", "#3d444d");

/// Behind what is refuted.
pub(super) const ALARM: Ink = ink("alarm", "#fbe3e1", "#4a1d20");

/// Of stacked pieces, by hop.
pub(super) const HOPS: [Ink; 3] = [
    ink("hop0", "#e18246", "#b8602c"),
    ink("hop1", "#8c1423", "#e26b74"),
    ink("hop2", "#eba03c", "#c07f22"),
];

/// By copies per payload byte, from none on.
pub(super) const HEAT: [Ink; 3] = [
    ink("heat0", "#e2f0fa", "#1d3346"),
    ink("heat1", "#fdd49e", "#7a5416"),
    ink("heat2", "#ef8a62", "#9c3f1d"),
];
