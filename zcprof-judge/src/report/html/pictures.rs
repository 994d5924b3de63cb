//! The pictures of a record within its page.

use std::fmt::Write as _;

use super::Files;
use crate::report::stacks::FLAME;

/// Most bytes of all pictures: with them a page stays below 2 MiB.
const PICTURES: usize = 1_500_000;

/// Every picture but the flame graph, as far as they fit.
pub(super) fn html(files: Files<'_>) -> String {
    let mut text = String::new();
    let is_picture =
        |name: &&str| name.rsplit_once('.').is_some_and(|(_, end)| end == "svg") && *name != FLAME;
    let mut room = PICTURES.saturating_sub(svg(files, FLAME).map_or(0, str::len));
    for name in files.iter().map(|(name, _)| *name).filter(is_picture) {
        let Some(drawn) = svg(files, name) else { continue };
        let Some(left) = room.checked_sub(drawn.len()) else {
            let _ = writeln!(text, "<p>{name} is too large for this page; it lies beside it.</p>");
            continue;
        };
        room = left;
        text.push_str(&figure(name, drawn));
    }
    if text.is_empty() { "<p>There is none.</p>\n".to_owned() } else { text }
}

/// A picture among the files.
pub(super) fn svg<'a>(files: Files<'a>, name: &str) -> Option<&'a str> {
    let file = files.iter().find(|(file, _)| *file == name)?;
    std::str::from_utf8(&file.1).ok()
}

/// A picture in a box of its own, which scrolls where the screen is narrower than the picture can be.
pub(super) fn figure(name: &str, svg: &str) -> String {
    format!(
        "<figure role=\"group\" aria-label=\"{name}\">\n<div class=\"picture\" tabindex=\"0\">\n{svg}</div>\
         <figcaption>{name}</figcaption></figure>\n"
    )
}
