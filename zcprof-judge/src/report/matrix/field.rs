//! A field of `matrix.svg`: a transfer in a setting, warm and cold.

use super::super::canvas::{Canvas, Pen, Point};
use super::super::ink;
use super::super::lettering::Type;
use super::super::numbers::thousandths;
use super::super::stripes::Stripes;
use super::super::verdicts::Word;
use crate::matrix::MatrixCell;
use crate::verdict::per_byte;

/// Height of a field with one number, and of each further number.
const HEIGHT: i32 = 30;
const FURTHER: i32 = 13;

/// Copies per payload byte of each cell, once where they are the same. Whole numbers have no decimals.
fn numbers(cells: &[&MatrixCell]) -> Vec<String> {
    // What an inconclusive pass saw is no more than a lower bound.
    let at_least = |cell: &MatrixCell| {
        if Word::named(&cell.verdict) == Word::Inconclusive { "≥" } else { "" }
    };
    let copies = |cell: &&MatrixCell| match cell.copied() {
        Some(bytes) => {
            let number = per_byte(bytes, cell.payload);
            format!("{}{}", at_least(cell), number.strip_suffix(".000").unwrap_or(&number))
        }
        None => "?".to_owned(),
    };
    let mut numbers: Vec<String> = cells.iter().map(copies).collect();
    numbers.dedup();
    numbers
}

/// The gravest verdict of some cells.
fn worst(cells: &[&MatrixCell]) -> Word {
    cells.iter().map(|cell| Word::named(&cell.verdict)).min().unwrap_or(Word::Inconclusive)
}

/// Which pass it is that has the gravest verdict, if not each has it: a number that warm and cold share does
/// not tell.
fn which(cells: &[&MatrixCell]) -> &'static str {
    let worst = worst(cells);
    let mut bad = cells.iter().filter(|cell| Word::named(&cell.verdict) == worst);
    match (bad.next(), bad.next()) {
        (Some(one), None) if cells.len() > 1 && worst != Word::Holds => one.cache.name(),
        _ => "",
    }
}

/// Height that the cells of a field need.
pub(super) fn height(cells: &[&MatrixCell]) -> i32 {
    let further = i32::try_from(numbers(cells).len().saturating_sub(1)).unwrap_or(0);
    HEIGHT + FURTHER * further
}

/// Draws a field. One that holds has a tick; a refuted one is black with a cross, and an inconclusive one
/// hatched with a question mark.
pub(super) fn draw(canvas: &mut Canvas, (x, y): Point, size: Point, cells: &[&MatrixCell]) {
    let edge = Pen::new(ink::WHITE, 2);
    let centre = x + size.0 / 2;
    if cells.is_empty() {
        canvas.rect((x, y), size, ink::PAPER, edge);
        let grey = Type::new(9).ink(ink::GREY).centred();
        for (line, y) in ["not", "run"].into_iter().zip([y + 4, y + 14]) {
            canvas.text((centre, y), line, grey);
        }
        return;
    }
    let whole = |cell: &&MatrixCell| {
        Some(thousandths(cell.copied()?, cell.payload).saturating_add(500) / 1000)
    };
    let most = cells.iter().filter_map(whole).max();
    let most = usize::try_from(most.unwrap_or(0)).unwrap_or(usize::MAX);
    let word = worst(cells);
    let off = cells.iter().any(|cell| cell.is_off());
    let (fill, color, sign) = match word {
        Word::Refuted => (ink::BLACK, ink::WHITE, "✗"),
        Word::Inconclusive => (ink::PAPER, ink::BLACK, "?"),
        Word::Holds => (ink::HEAT[most.min(ink::HEAT.len() - 1)], ink::BLACK, "✓"),
    };
    canvas.rect((x, y), size, fill, edge);
    if word == Word::Inconclusive {
        let stripes = Stripes::new(7, Pen::new(ink::PALE, 1));
        canvas.hatch((x + 1, y + 1), (size.0 - 2, size.1 - 2), stripes);
    }
    let words = [sign, which(cells), if off { "OFF" } else { "" }];
    let sign = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut line = y + 1;
    for number in numbers(cells) {
        let style = Type::new(13).bold().ink(color).centred();
        canvas.text((centre, line), &number, style.fitting(&number, size.0 - 4, 9));
        line += FURTHER;
    }
    // A question mark alone needs no other.
    if numbers(cells) != [sign.as_str()] {
        let heavy = word != Word::Holds || off;
        let style = Type { bold: heavy, ..Type::new(11).ink(color).centred() };
        canvas.text((centre, line + 2), &sign, style.fitting(&sign, size.0 - 4, 9));
    }
}
