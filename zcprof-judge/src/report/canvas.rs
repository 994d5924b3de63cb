//! A picture as a list of shapes, on white, as high as it gets. plotters writes
//! the SVG.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::ReportError;
use super::lettering::Type;

/// Width of a picture, in pixels, unless it needs another.
pub(super) const WIDTH: i32 = 800;

/// Free space at the picture's edges.
pub(super) const MARGIN: i32 = 16;

/// Height of a line of [`SMALL`] text.
pub(super) const LINE: i32 = 15;

/// Size of most text.
pub(super) const SMALL: i32 = 12;

/// Colours; each also differs from its neighbours in brightness or pattern.
pub(super) mod ink {
    use plotters::style::RGBColor;

    pub(in super::super) const BLACK: RGBColor = RGBColor(0, 0, 0);
    pub(in super::super) const GREY: RGBColor = RGBColor(95, 95, 95);
    pub(in super::super) const PALE: RGBColor = RGBColor(190, 190, 190);
    pub(in super::super) const PAPER: RGBColor = RGBColor(240, 240, 240);
    pub(in super::super) const WHITE: RGBColor = RGBColor(255, 255, 255);
    pub(in super::super) const RED: RGBColor = RGBColor(165, 20, 30);
    pub(in super::super) const BLUE: RGBColor = RGBColor(20, 80, 165);
}

/// A place on the picture.
pub(super) type Point = (i32, i32);

/// How a line is drawn.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) color: RGBColor,
    pub(super) width: u32,
    /// Length of a dash; zero for none.
    pub(super) dash: i32,
}

enum Shape {
    Fill(Vec<Point>, RGBColor),
    Line(Point, Point, Pen),
    Text(Point, String, Type),
}

/// A picture in the making.
pub(super) struct Canvas {
    shapes: Vec<Shape>,
    width: i32,
    height: i32,
}

impl Pen {
    pub(super) const fn new(color: RGBColor, width: u32) -> Self {
        Self { color, width, dash: 0 }
    }

    pub(super) const fn dashed(self, dash: i32) -> Self {
        Self { dash, ..self }
    }
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self::wide(WIDTH)
    }

    /// A picture of another width than [`WIDTH`].
    pub(super) fn wide(width: i32) -> Self {
        Self { shapes: Vec::new(), width, height: 0 }
    }

    /// A polygon without an outline.
    pub(super) fn fill(&mut self, points: Vec<Point>, color: RGBColor) {
        for point in &points {
            self.reach(point.1);
        }
        self.shapes.push(Shape::Fill(points, color));
    }

    pub(super) fn line(&mut self, from: Point, to: Point, pen: Pen) {
        self.reach(from.1.max(to.1));
        self.shapes.push(Shape::Line(from, to, pen));
    }

    /// A rectangle: its upper left corner and its size.
    pub(super) fn rect(&mut self, (x, y): Point, (width, height): Point, fill: RGBColor, pen: Pen) {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        self.fill(corners.to_vec(), fill);
        self.outline((x, y), (width, height), pen);
    }

    /// The outline alone of a rectangle.
    pub(super) fn outline(&mut self, (x, y): Point, (width, height): Point, pen: Pen) {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        for side in 0..4 {
            self.line(corners[side], corners[(side + 1) % 4], pen);
        }
    }

    /// Slanted stripes within a rectangle, `gap` apart; rising, falling if `gap` is negative,
    /// none if it is zero.
    pub(super) fn hatch(&mut self, (x, y): Point, (width, height): Point, gap: i32, pen: Pen) {
        let step = gap.unsigned_abs() as usize;
        if step == 0 {
            return;
        }
        for start in (0..width + height).step_by(step) {
            // A stripe of slope one, cut off at the sides.
            let (low, high) = ((start - height).max(0), start.min(width));
            let (from, to) = (start - low, start - high);
            let (from, to) = if gap > 0 { (from, to) } else { (height - from, height - to) };
            self.line((x + low, y + from), (x + high, y + to), pen);
        }
    }

    /// One line of text on white, for where lines pass behind it.
    pub(super) fn halo(&mut self, at: Point, text: impl Into<String>, style: Type) {
        let text = text.into();
        let width = style.width(&text);
        let left = match style.align {
            HPos::Left => at.0,
            HPos::Right => at.0 - width,
            HPos::Center => at.0 - width / 2,
        };
        let (top, bottom) = (at.1 - 1, at.1 + style.size + 1);
        let (left, right) = (left - 2, left + width + 2);
        self.fill(vec![(left, top), (right, top), (right, bottom), (left, bottom)], ink::WHITE);
        self.text(at, text, style);
    }

    /// Draws another picture's shapes over this one.
    pub(super) fn append(&mut self, other: Self) {
        self.reach(other.height);
        self.shapes.extend(other.shapes);
    }

    /// One line of text, its upper edge at `at`.
    pub(super) fn text(&mut self, at: Point, text: impl Into<String>, style: Type) {
        self.reach(at.1 + style.size * 5 / 4);
        self.shapes.push(Shape::Text(at, text.into(), style));
    }

    /// Text in as many lines as it needs; says where the next line would begin.
    pub(super) fn paragraph(&mut self, (x, y): Point, text: &str, width: i32, style: Type) -> i32 {
        let mut next = y;
        for line in style.wrap(text, width) {
            self.text((x, next), line, style);
            next += style.size * 5 / 4;
        }
        next
    }

    fn reach(&mut self, y: i32) {
        self.height = self.height.max(y);
    }

    /// The SVG.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ReportError> {
        let height = self.height + MARGIN;
        let width = self.width;
        let paper = [(0, 0), (width, 0), (width, height), (0, height)].to_vec();
        self.shapes.insert(0, Shape::Fill(paper, ink::WHITE));
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let mut svg = String::new();
        {
            let mut backend = SVGBackend::with_string(&mut svg, size);
            for shape in &self.shapes {
                shape.draw(&mut backend)?;
            }
            backend.present().map_err(|e| ReportError::Draw(e.to_string()))?;
        }
        Ok(svg.into_bytes())
    }
}

impl Shape {
    fn draw(&self, backend: &mut SVGBackend<'_>) -> Result<(), ReportError> {
        let drawn = match self {
            Self::Fill(points, color) => {
                backend.fill_polygon(points.iter().copied(), &color.filled())
            }
            Self::Line(from, to, pen) => {
                let style = ShapeStyle::from(&pen.color).stroke_width(pen.width);
                dashes(*from, *to, pen.dash)
                    .into_iter()
                    .try_for_each(|(from, to)| backend.draw_line(from, to, &style))
            }
            Self::Text(at, text, style) => {
                // plotters writes the size divided by 1.24.
                let size = f64::from(style.size) * 1.24;
                let weight = if style.bold { FontStyle::Bold } else { FontStyle::Normal };
                let font = ("sans-serif", size, weight).into_font();
                let anchor = Pos::new(style.align, VPos::Top);
                let style = TextStyle::from(font).color(&style.color).pos(anchor);
                backend.draw_text(text, &style, *at)
            }
        };
        drawn.map_err(|error| ReportError::Draw(error.to_string()))
    }
}

/// The pieces of a dashed line; the whole line if a dash has no length.
fn dashes(from: Point, to: Point, dash: i32) -> Vec<(Point, Point)> {
    if dash == 0 {
        return vec![(from, to)];
    }
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let pieces = (dx.abs().max(dy.abs()) / (2 * dash)).max(1) * 2;
    let at = |piece: i32| (from.0 + dx * piece / pieces, from.1 + dy * piece / pieces);
    (0..pieces).step_by(2).map(|piece| (at(piece), at(piece + 1))).collect()
}
