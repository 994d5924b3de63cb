//! Text in a picture: how it is drawn, and how much room it takes. Nobody measures text while a picture
//! is made, so its width is that of a wide font.

use super::advances::advance;
use super::ink::{self, Ink};

/// Which part of a text stands where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// How text is drawn.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) size: i32,
    pub(super) bold: bool,
    pub(super) ink: Ink,
    pub(super) align: Align,
}

impl Type {
    pub(super) const fn new(size: i32) -> Self {
        Self { size, bold: false, ink: ink::BLACK, align: Align::Left }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn ink(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }

    pub(super) const fn right(self) -> Self {
        Self { align: Align::Right, ..self }
    }

    pub(super) const fn centred(self) -> Self {
        Self { align: Align::Middle, ..self }
    }

    /// Pixels that the text takes at most.
    pub(super) fn width(self, text: &str) -> i32 {
        let sum: i32 = text.chars().map(|letter| advance(letter, self.bold)).sum();
        sum * self.size / 1000 + 1
    }

    /// The same, smaller if the text is wider than `width` pixels, but never smaller than `least`.
    pub(super) fn fitting(self, text: &str, width: i32, least: i32) -> Self {
        let sizes = (least..self.size).rev().map(|size| Self { size, ..self });
        let smaller = |style: &Self| style.width(text) <= width;
        let smallest = Self { size: least.min(self.size), ..self };
        Some(self).into_iter().chain(sizes).find(smaller).unwrap_or(smallest)
    }

    /// The text in lines of at most `width` pixels, broken behind spaces; a word that is longer than a
    /// line is broken behind hyphens, slashes and plus signs, which no kernel's name of a function or
    /// system call has, and only if that is not enough anywhere.
    pub(super) fn wrap(self, text: &str, width: i32) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_inclusive(' ') {
            let pieces: Vec<&str> = if self.width(word.trim_end()) <= width {
                vec![word]
            } else {
                word.split_inclusive(['-', '/', '+', '>']).collect()
            };
            for piece in pieces {
                self.add(&mut lines, piece, width);
            }
        }
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }

    fn add(self, lines: &mut Vec<String>, piece: &str, width: i32) {
        let line = lines.last().map_or("", String::as_str);
        if !line.is_empty() && self.width(&format!("{line}{}", piece.trim_end())) > width {
            lines.push(String::new());
        }
        for letter in piece.chars() {
            let full = lines.last().is_some_and(|line| {
                letter != ' ' && !line.is_empty() && self.width(&format!("{line}{letter}")) > width
            });
            if full {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_behind_spaces_and_never_within_a_name() {
        let lines = Type::new(12).wrap("tcp_sendmsg_locked over loopback", 130);
        assert_eq!(lines, ["tcp_sendmsg_locked", "over loopback"]);
        let lines = Type::new(12).wrap("6.12.117+deb13-cloud-amd64", 110);
        assert_eq!(lines, ["6.12.117+deb13-", "cloud-amd64"]);
    }

    #[test]
    fn a_word_without_a_break_is_broken_anyway() {
        let lines = Type::new(12).wrap("0123456789012345678901234567890123456789", 90);
        assert!(lines.len() > 2, "{lines:?}");
        assert!(lines.iter().all(|line| Type::new(12).width(line) <= 90), "{lines:?}");
    }

    #[test]
    fn what_is_too_wide_is_set_smaller_down_to_the_least() {
        let size = |width| Type::new(14).fitting("copy_file_range", width, 10).size;
        assert_eq!([size(500), size(1)], [14, 10]);
        assert!((10..14).contains(&size(Type::new(12).width("copy_file_range"))));
    }
}
