//! A picture as SVG, as high as it gets: shapes in the order in which they are drawn, on paper that is
//! white, or dark where the reader asks for that. What it shows is in its `<title>`, and all that it
//! says in its `<desc>`, for those who do not see it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ink::{self, Ink};
use super::lettering::{Align, Type};
pub(super) use super::pen::Pen;
use super::stripes::Stripes;
use super::xml::escaped;

/// Width of a picture, in pixels.
pub(super) const WIDTH: i32 = 800;

/// Free space at the picture's edges.
pub(super) const MARGIN: i32 = 16;

/// Height of a line of [`SMALL`] text.
pub(super) const LINE: i32 = 15;

/// Size of most text.
pub(super) const SMALL: i32 = 12;

/// A place on the picture.
pub(super) type Point = (i32, i32);

/// A picture in the making.
pub(super) struct Canvas {
    /// What its identifiers begin with, so that several pictures can be in one page.
    id: &'static str,
    title: String,
    told: String,
    body: String,
    inks: BTreeSet<Ink>,
    stripes: BTreeSet<Stripes>,
    /// What texts have behind them where lines pass.
    ground: Ink,
    height: i32,
}

impl Canvas {
    /// A picture whose title is what it shows; says where the next line would begin.
    pub(super) fn titled(id: &'static str, title: &str) -> (Self, i32) {
        let mut canvas = Self::on(id, ink::WHITE);
        title.clone_into(&mut canvas.title);
        let y = canvas.paragraph((MARGIN, 14), title, WIDTH - 2 * MARGIN, Type::new(20).bold());
        (canvas, y + 3)
    }

    /// A layer to draw over this picture later, on this ground.
    pub(super) fn layer(&self, ground: Ink) -> Self {
        Self::on(self.id, ground)
    }

    fn on(id: &'static str, ground: Ink) -> Self {
        Self {
            id,
            title: String::new(),
            told: String::new(),
            body: String::new(),
            inks: BTreeSet::new(),
            stripes: BTreeSet::new(),
            ground,
            height: 0,
        }
    }

    /// Adds a sentence to what is told to those who do not see the picture.
    pub(super) fn tell(&mut self, sentence: &str) {
        if !self.told.is_empty() {
            self.told.push('\n');
        }
        self.told.push_str(sentence);
    }

    /// A polygon without an outline.
    pub(super) fn fill(&mut self, points: &[Point], ink: Ink) {
        for point in points {
            self.reach(point.1);
        }
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let class = self.filled(ink);
        self.draw(&format!(r#"<polygon class="{class}" points="{}"/>"#, points.join(" ")));
    }

    pub(super) fn line(&mut self, from: Point, to: Point, pen: Pen) {
        self.reach(from.1.max(to.1));
        let (class, look) = self.stroked(pen);
        let ((x1, y1), (x2, y2)) = (from, to);
        self.draw(&format!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"{look}/>"#
        ));
    }

    /// A rectangle without an outline: its upper left corner and its size.
    pub(super) fn block(&mut self, at: Point, size: Point, fill: Ink) {
        let class = self.filled(fill);
        self.shape(at, size, &format!(r#"class="{class}""#));
    }

    /// A rectangle: its upper left corner and its size.
    pub(super) fn rect(&mut self, at: Point, size: Point, fill: Ink, pen: Pen) {
        let (filled, (stroked, look)) = (self.filled(fill), self.stroked(pen));
        self.shape(at, size, &format!(r#"class="{filled} {stroked}"{look}"#));
    }

    /// The outline alone of a rectangle.
    pub(super) fn outline(&mut self, at: Point, size: Point, pen: Pen) {
        let (class, look) = self.stroked(pen);
        self.shape(at, size, &format!(r#"class="none {class}"{look}"#));
    }

    /// Slanted stripes within a rectangle.
    pub(super) fn hatch(&mut self, at: Point, size: Point, stripes: Stripes) {
        self.inks.insert(stripes.pen.ink);
        self.stripes.insert(stripes);
        let fill = format!(r#"fill="url(#{})""#, stripes.name(self.id));
        self.shape(at, size, &fill);
    }

    /// One line of text on ground of its own, for where lines pass behind it.
    pub(super) fn halo(&mut self, at: Point, text: &str, style: Type) {
        let width = style.width(text);
        let left = match style.align {
            Align::Left => at.0,
            Align::Right => at.0 - width,
            Align::Middle => at.0 - width / 2,
        };
        self.block((left - 2, at.1 - 1), (width + 4, style.size + 2), self.ground);
        self.text(at, text, style);
    }

    /// Draws another picture's shapes over this one.
    pub(super) fn append(&mut self, other: Self) {
        self.reach(other.height);
        self.body.push_str(&other.body);
        self.inks.extend(other.inks);
        self.stripes.extend(other.stripes);
        if !other.told.is_empty() {
            self.tell(&other.told);
        }
    }

    /// One line of text, its upper edge at `at`.
    pub(super) fn text(&mut self, (x, y): Point, text: &str, style: Type) {
        self.reach(y + style.size * 5 / 4);
        let (bold, fill) = (if style.bold { " b" } else { "" }, self.filled(style.ink));
        let anchor = match style.align {
            Align::Left => "",
            Align::Right => " e",
            Align::Middle => " m",
        };
        let (base, size, text) = (y + style.size * 19 / 20, style.size, escaped(text));
        self.draw(&format!(
            r#"<text class="{fill}{bold}{anchor}" x="{x}" y="{base}" font-size="{size}">{text}</text>"#
        ));
    }

    /// Text in as many lines as it needs; says where the next line would begin.
    pub(super) fn paragraph(&mut self, (x, y): Point, text: &str, width: i32, style: Type) -> i32 {
        let mut next = y;
        for line in style.wrap(text, width) {
            self.text((x, next), &line, style);
            next += style.size * 5 / 4;
        }
        next
    }

    /// The SVG.
    pub(super) fn finish(self) -> Vec<u8> {
        let (id, height) = (self.id, self.height + MARGIN);
        let (title, told) = (escaped(&self.title), escaped(&self.told));
        let mut svg = format!(
            r#"<svg class="zp" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="{id}-title {id}-desc">
<title id="{id}-title">{title}</title>
<desc id="{id}-desc">{told}</desc>
<style>
.zp text{{font-family:sans-serif}}.zp .b{{font-weight:bold}}.zp .m{{text-anchor:middle}}.zp .e{{text-anchor:end}}.zp .none{{fill:none}}
.zp .paper-all{{fill:{paper}}}"#,
            paper = ink::WHITE.light
        );
        let mut dark = format!(".zp .paper-all{{fill:{}}}", ink::WHITE.dark);
        for Ink { name, light, dark: night } in &self.inks {
            let rule = |of: &str| format!(".zp .f-{name}{{fill:{of}}}.zp .s-{name}{{stroke:{of}}}");
            svg.push_str(&rule(light));
            dark.push_str(&rule(night));
        }
        // Writing to a String cannot fail.
        let _ =
            writeln!(svg, "\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n</style>");
        if !self.stripes.is_empty() {
            let patterns: String = self.stripes.iter().map(|one| one.pattern(id)).collect();
            let _ = writeln!(svg, "<defs>{patterns}</defs>");
        }
        let _ = writeln!(svg, r#"<rect class="paper-all" width="{WIDTH}" height="{height}"/>"#);
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        svg.into_bytes()
    }

    fn shape(&mut self, (x, y): Point, (width, height): Point, look: &str) {
        self.reach(y + height);
        self.draw(&format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" {look}/>"#));
    }

    fn filled(&mut self, ink: Ink) -> String {
        self.inks.insert(ink);
        format!("f-{}", ink.name)
    }

    fn stroked(&mut self, Pen { ink, width, dash }: Pen) -> (String, String) {
        self.inks.insert(ink);
        let mut look = String::new();
        // Writing to a String cannot fail.
        if width != 1 {
            let _ = write!(look, r#" stroke-width="{width}""#);
        }
        if dash != 0 {
            let _ = write!(look, r#" stroke-dasharray="{dash}""#);
        }
        (format!("s-{}", ink.name), look)
    }

    fn draw(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn reach(&mut self, y: i32) {
        self.height = self.height.max(y);
    }
}
