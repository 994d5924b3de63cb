//! Bars of bytes above each other, as SVG: readable as it is, searched and zoomed by a small script in
//! it, by nothing from elsewhere. To a screen reader it is an image, until the script makes a group of it
//! in which there is something to type and to press: within an image nobody would find that.

use std::fmt::Write as _;

use crate::report::lettering::Type;
use crate::report::numbers::counted;
use crate::report::xml::escaped;

/// Width of the picture.
const WIDTH: i32 = 1200;
/// Free space at its edges.
const EDGE: i32 = 16;
/// Height of a row of bars.
const ROW: i32 = 18;
/// Bars that are drawn at most: the widest. A report with this many stays well below 2 MiB.
const MOST: usize = 3000;
/// Pixels of a letter of the monospaced text in bars.
const LETTER: f64 = 6.7;

/// A bar: its place along the width, in bytes.
pub(in super::super) struct Bar {
    pub(in super::super) depth: usize,
    pub(in super::super) from: u128,
    pub(in super::super) width: u128,
    pub(in super::super) text: String,
    /// What is said besides when it is pointed at.
    pub(in super::super) hint: String,
    /// The colour's name in the style.
    pub(in super::super) class: String,
    pub(in super::super) hatched: bool,
}

/// What a colour means.
pub(in super::super) struct LegendKey {
    pub(in super::super) class: String,
    pub(in super::super) hatched: bool,
    pub(in super::super) text: String,
}

/// A picture of bars in reading order; the first bar is the whole.
pub(in super::super) struct Sheet {
    pub(in super::super) title: String,
    pub(in super::super) about: String,
    pub(in super::super) keys: Vec<LegendKey>,
    pub(in super::super) bars: Vec<Bar>,
}

/// Each node of a tree in reading order, with where it begins: children stand side by side from the left
/// edge of their parent. The first node is the whole.
pub(in super::super) fn places<'a>(
    children: impl Fn(usize) -> &'a [usize],
    width: impl Fn(usize) -> u128,
) -> Vec<(usize, u128)> {
    let (mut places, mut open) = (Vec::new(), vec![(0, 0)]);
    while let Some((at, from)) = open.pop() {
        places.push((at, from));
        let mut ends = from + children(at).iter().map(|child| width(*child)).sum::<u128>();
        for child in children(at).iter().rev() {
            ends -= width(*child);
            open.push((*child, ends));
        }
    }
    places
}

impl Sheet {
    /// The picture.
    pub(in super::super) fn svg(&self) -> String {
        let (heading, top) = self.heading();
        let shown = self.shown();
        let left_out = self.bars.len() - shown.len();
        let depth = shown.iter().map(|bar| bar.depth).max().unwrap_or(0);
        let depth = i32::try_from(depth).unwrap_or(i32::MAX / ROW / 2);
        let end = top + (depth + 1) * ROW + 10;
        let mut body = String::new();
        for bar in &shown {
            self.draw(&mut body, bar, top);
        }
        let (keys, mut bottom) = self.legend(end);
        let (mut note, mut more) = (String::new(), String::new());
        if left_out > 0 {
            bottom += 20;
            // The script searches what is drawn, and has to say so.
            more = format!(" data-more=\"{left_out}\"");
            let said = counted(left_out as u64, "narrower frame is", "narrower frames are");
            let said = format!("{said} not drawn");
            let _ =
                writeln!(note, r#"<text class="s" x="{EDGE}" y="{}">{said}</text>"#, bottom - 6);
        }
        let height = bottom + EDGE;
        let (title, about) = (escaped(&self.title), escaped(&self.about));
        let (style, script) = (include_str!("style.css"), include_str!("script.js"));
        format!(
            r#"<svg class="zf" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="zf-title zf-desc">
<title id="zf-title">{title}</title>
<desc id="zf-desc">{about}</desc>
<style>{style}</style>
<defs><pattern id="zf-moved" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="stripe" width="2" height="6"/></pattern></defs>
<rect class="paper" width="{WIDTH}" height="{height}"/>
{heading}<g class="bars" data-left="{EDGE}" data-width="{}" data-letter="{LETTER}"{more}>
{body}</g>
{keys}{note}<script>/*<![CDATA[*/
{script}
/*]]>*/</script>
</svg>
"#,
            WIDTH - 2 * EDGE
        )
    }

    /// Title and what is said below it; and where the bars begin.
    fn heading(&self) -> (String, i32) {
        let (mut text, mut y) = (String::new(), 12);
        for (class, said, size) in [("t", &self.title, 20), ("s", &self.about, 13)] {
            let style = if class == "t" { Type::new(size).bold() } else { Type::new(size) };
            for line in style.wrap(said, WIDTH - 2 * EDGE) {
                y += size + 6;
                let line = escaped(&line);
                let _ = writeln!(text, r#"<text class="{class}" x="{EDGE}" y="{y}">{line}</text>"#);
            }
        }
        (text, y + 40)
    }

    /// The widest, in reading order. A parent is as wide as its children at least, and stands before
    /// them, so that none is without it.
    fn shown(&self) -> Vec<&Bar> {
        let mut order: Vec<usize> = (0..self.bars.len()).collect();
        order.sort_by(|a, b| self.bars[*b].width.cmp(&self.bars[*a].width).then(a.cmp(b)));
        order.truncate(MOST);
        order.sort_unstable();
        order.into_iter().map(|at| &self.bars[at]).collect()
    }

    fn draw(&self, body: &mut String, bar: &Bar, top: i32) {
        let all = self.bars.first().map_or(1, |whole| whole.width.max(1));
        let room = f64::from(WIDTH - 2 * EDGE);
        let (from, width) = (fraction(bar.from, all), fraction(bar.width, all));
        let (x, w) = (f64::from(EDGE) + from * room, width * room);
        let depth = i32::try_from(bar.depth).unwrap_or(i32::MAX / ROW / 2);
        let y = top + depth * ROW;
        let (text, hint, class) = (escaped(&bar.text), escaped(&bar.hint), &bar.class);
        let _ = write!(
            body,
            r#"<g class="b" data-x="{from:.7}" data-w="{width:.7}"><title>{text}{hint}</title><rect class="{class}" x="{x:.2}" y="{y}" width="{w:.2}" height="{}"/>"#,
            ROW - 1
        );
        if bar.hatched {
            let _ = write!(
                body,
                r#"<rect fill="url(#zf-moved)" x="{x:.2}" y="{y}" width="{w:.2}" height="{}"/>"#,
                ROW - 1
            );
        }
        if let Some(cut) = cut(&bar.text, w) {
            let cut = escaped(&cut);
            let _ = write!(body, r#"<text x="{:.2}" y="{}">{cut}</text>"#, x + 3.0, y + 13);
        }
        body.push_str("</g>\n");
    }

    fn legend(&self, top: i32) -> (String, i32) {
        let (mut text, style) = (String::new(), Type::new(13));
        let (mut x, mut y) = (EDGE, top + 6);
        for key in &self.keys {
            let wide = 32 + style.width(&key.text) + 18;
            if x + wide > WIDTH - EDGE && x > EDGE {
                (x, y) = (EDGE, y + 22);
            }
            let class = &key.class;
            let at = format!(r#"x="{x}" y="{y}" width="26" height="16""#);
            let _ = write!(text, r#"<rect class="{class}" {at}/>"#);
            if key.hatched {
                let _ = write!(text, r#"<rect fill="url(#zf-moved)" {at}/>"#);
            }
            let said = escaped(&key.text);
            let _ =
                writeln!(text, r#"<text class="s" x="{}" y="{}">{said}</text>"#, x + 32, y + 13);
            x += wide;
        }
        (text, y + 22)
    }
}

/// The beginning of a text that fits, none if not even three letters do.
fn cut(text: &str, width: f64) -> Option<String> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some letters")]
    let fits = ((width - 6.0) / LETTER).max(0.0) as usize;
    if text.chars().count() <= fits {
        return Some(text.to_owned());
    }
    (fits >= 3).then(|| text.chars().take(fits - 1).chain(['…']).collect())
}

#[expect(clippy::cast_precision_loss, reason = "drawn, and not judged by")]
fn fraction(part: u128, whole: u128) -> f64 {
    part as f64 / whole as f64
}
