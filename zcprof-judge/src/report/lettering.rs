//! Text in a picture: how it is drawn, and how much room it takes. Nothing measures text when
//! plotters writes SVG, so its width is estimated for a wide font.

use plotters::style::RGBColor;
use plotters::style::colors::BLACK;
use plotters::style::text_anchor::HPos;

/// How text is drawn.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) size: i32,
    pub(super) bold: bool,
    pub(super) color: RGBColor,
    pub(super) align: HPos,
}

impl Type {
    pub(super) const fn new(size: i32) -> Self {
        Self { size, bold: false, color: BLACK, align: HPos::Left }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn color(self, color: RGBColor) -> Self {
        Self { color, ..self }
    }

    pub(super) const fn right(self) -> Self {
        Self { align: HPos::Right, ..self }
    }

    pub(super) const fn centred(self) -> Self {
        Self { align: HPos::Center, ..self }
    }

    /// Pixels that the text takes at most.
    pub(super) fn width(self, text: &str) -> i32 {
        // Thousandths of the size, as DejaVu Sans has them, which is wide.
        let advance = |letter: char| match letter {
            'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ' ' => 340,
            'f' | 't' | 'r' | 'I' | '(' | ')' | '-' | '/' => 420,
            'm' | 'w' | 'M' | 'W' | '@' | '%' | '>' | '<' | '=' | '+' => 900,
            'A'..='Z' => 750,
            _ => 640,
        };
        let sum: i32 = text.chars().map(advance).sum();
        let sum = if self.bold { sum + sum / 8 } else { sum };
        sum * self.size / 1000 + 1
    }

    /// The text in lines of at most `width` pixels, broken behind spaces and underscores, or,
    /// if a word is longer than a line, anywhere.
    pub(super) fn wrap(self, text: &str, width: i32) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_inclusive([' ', '_']) {
            let line = lines.last().map_or("", String::as_str);
            if !line.is_empty() && self.width(&format!("{line}{}", word.trim_end())) > width {
                lines.push(String::new());
            }
            for letter in word.chars() {
                let full = lines.last().is_some_and(|line| {
                    letter != ' '
                        && !line.is_empty()
                        && self.width(&format!("{line}{letter}")) > width
                });
                if full {
                    lines.push(String::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(letter);
                }
            }
        }
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_behind_spaces_and_underscores() {
        let lines = Type::new(12).wrap("io_uring_send_zc over loopback", 90);
        assert_eq!(lines.concat().replace(' ', ""), "io_uring_send_zcoverloopback");
        assert!(lines.iter().all(|line| Type::new(12).width(line) <= 90), "{lines:?}");
    }

    #[test]
    fn a_word_without_a_break_is_broken_anyway() {
        let lines = Type::new(12).wrap("0123456789012345678901234567890123456789", 90);
        assert!(lines.len() > 2, "{lines:?}");
    }
}
