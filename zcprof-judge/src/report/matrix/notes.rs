//! What is said of a matrix in words: its finding, and under the picture why cells do not hold.

use super::super::numbers::grouped;
use super::super::verdicts::Word;
use crate::matrix::{Matrix, MatrixCell};
use crate::verdict::explain::CODES;

/// Codes whose page has several causes: what a reason says was seen, and words of the sentence about that.
const CAUSES: [(&str, &str, &str); 3] = [
    ("ZC117", "page cache->page cache copied", "share blocks"),
    ("ZC117", "socket->socket deferred", "Pinned pages"),
    ("ZC117", "page cache->socket transformed", "encrypts"),
];

/// Cells that are refuted or inconclusive for the same reason.
pub(super) struct Note {
    word: Word,
    transfers: Vec<String>,
    kernels: Vec<String>,
    file_systems: Vec<String>,
    codes: Vec<String>,
    why: String,
    as_known: bool,
}

/// `6.12` of `6.12.43+deb13-cloud-amd64`; what is real-time says so.
pub(super) fn short(release: &str) -> String {
    let numbers: Vec<_> = release.split('.').take(2).collect();
    let flavour = if release.contains("-rt-") { " rt" } else { "" };
    numbers.join(".") + flavour
}

/// Adds a name that is not there yet.
fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// What stands in brackets behind a reason: who saw it, which differs by file system.
fn without_witness(why: &str) -> &str {
    why.rsplit_once(" (").map_or(why, |(said, _)| said)
}

/// Everything that does not hold, the refuted ones first.
pub(super) fn notes(matrix: &Matrix) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for cell in &matrix.cells {
        let word = Word::named(&cell.verdict);
        if word == Word::Holds {
            continue;
        }
        let why = match word {
            // What was seen, and what was claimed instead.
            Word::Refuted => cell.why.first().map_or("", |why| without_witness(why)).to_owned(),
            _ => cell.codes.first().map_or_else(String::new, |code| titled(code)),
        };
        let as_known = cell.is_refuted_as_known();
        let same = |note: &&mut Note| {
            (note.word, note.as_known) == (word, as_known)
                && note.codes == cell.codes
                && note.why == why
        };
        if let Some(note) = notes.iter_mut().find(same) {
            note.add(cell);
            continue;
        }
        let (transfers, kernels, file_systems) = (Vec::new(), Vec::new(), Vec::new());
        let codes = cell.codes.clone();
        let mut new = Note { word, transfers, kernels, file_systems, codes, why, as_known };
        new.add(cell);
        notes.push(new);
    }
    notes.sort_by_key(|note| (note.word, note.as_known));
    notes
}

/// `ZC203 an instrument could not look`.
fn titled(code: &str) -> String {
    let known = CODES.iter().find(|known| known.name == code);
    known.map_or_else(|| code.to_owned(), |known| format!("{code} {}", known.title))
}

impl Note {
    fn add(&mut self, cell: &MatrixCell) {
        add(&mut self.transfers, &cell.transfer);
        add(&mut self.kernels, &short(&cell.setting.kernel));
        add(&mut self.file_systems, &cell.setting.file_system);
    }

    /// `copy_file_range on xfs, btrfs`.
    pub(super) fn who(&self) -> String {
        let transfers = match self.transfers.len() {
            0..=3 => self.transfers.join(", "),
            many => format!("{many} transfers"),
        };
        format!("{transfers} on {}", self.file_systems.join(", "))
    }

    /// The reason, with who and where.
    pub(super) fn text(&self) -> String {
        let known = if self.as_known { ", as known beforehand" } else { "" };
        let (word, who, kernels) = (self.word.name(), self.who(), self.kernels.join(", "));
        format!("{word}{known}: {who} ({kernels}): {}", self.why)
    }

    /// Why kernels do what refutes it, from the page of each code: only the cause that it can be, where a
    /// page has several.
    pub(super) fn explained(&self) -> Vec<String> {
        let pages = self.codes.iter().filter_map(|code| CODES.iter().find(|one| one.name == code));
        let why =
            pages.filter_map(|code| Some((code.name, code.section("Why the kernel does it")?)));
        why.map(|(name, words)| format!("{name}: {}", self.cause(name, words))).collect()
    }

    /// The sentence of a page that is about what was seen; all of them where none is known to be.
    fn cause(&self, code: &str, words: String) -> String {
        let of_it = CAUSES.iter().find(|(of, seen, _)| *of == code && self.why.contains(seen));
        let sentence = of_it.and_then(|(_, _, about)| {
            words.split_inclusive(". ").map(str::trim).find(|sentence| sentence.contains(about))
        });
        sentence.map(str::to_owned).unwrap_or(words)
    }

    /// Whether it is refuted, and nobody knew that it would be.
    const fn is_news(&self) -> bool {
        self.is_refuted() && !self.as_known
    }

    pub(super) const fn is_refuted(&self) -> bool {
        matches!(self.word, Word::Refuted)
    }
}

/// A number of cells as it is written.
pub(super) fn many(number: usize) -> String {
    grouped(number as u64)
}

/// The title: what is refuted, or that nothing is.
pub(super) fn finding(matrix: &Matrix, notes: &[Note]) -> String {
    let count =
        |word: Word| matrix.cells.iter().filter(|cell| Word::named(&cell.verdict) == word).count();
    let (refuted, open) = (count(Word::Refuted), count(Word::Inconclusive));
    let as_known = matrix.cells.iter().filter(|cell| cell.is_refuted_as_known()).count();
    let off = matrix.cells.iter().filter(|cell: &&MatrixCell| cell.is_off()).count();
    let off = if off > 0 { format!("; {} OFF what is known", many(off)) } else { String::new() };
    let all = many(matrix.cells.len());
    let claims = if matrix.cells.len() == 1 { "claim" } else { "claims" };
    let said = if matrix.cells.is_empty() {
        "Nothing was measured".to_owned()
    } else if refuted > as_known {
        let who: Vec<_> = notes.iter().filter(|note| note.is_news()).map(Note::who).collect();
        let others = if as_known > 0 {
            let are = if as_known == 1 { "is" } else { "are" };
            format!("; {} more {are} refuted, as known beforehand", many(as_known))
        } else {
            String::new()
        };
        let news = refuted - as_known;
        let are = if news == 1 { "is" } else { "are" };
        format!("{} of {all} {claims} {are} refuted: {}{others}", many(news), who.join("; "))
    } else if as_known > 0 {
        let unjudged = match open {
            0 => String::new(),
            _ => format!("; {} cannot be judged", many(open)),
        };
        let places: Vec<_> = notes.iter().filter(|note| note.as_known).collect();
        let mut file_systems = Vec::new();
        places.iter().flat_map(|note| &note.file_systems).for_each(|n| add(&mut file_systems, n));
        let on = file_systems.join(", ");
        let (known, are) = (many(as_known), if as_known == 1 { "is" } else { "are" });
        format!(
            "Of {all} {claims} {known} {are} refuted, as known beforehand: cold, on {on}{unjudged}"
        )
    } else if open > 0 {
        format!("No claim of {all} is refuted, {} cannot be judged", many(open))
    } else {
        format!("All {all} claims hold")
    };
    said + &off
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(why: &str, codes: &[&str]) -> Note {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Note {
            word: Word::Refuted,
            transfers: Vec::new(),
            kernels: Vec::new(),
            file_systems: Vec::new(),
            codes: names(codes),
            why: why.to_owned(),
            as_known: false,
        }
    }

    /// Of several causes only the one that it can be is told; of a page with one the whole is.
    #[test]
    fn a_note_gives_the_cause_of_what_was_seen() {
        let fewer = |why: &str| note(why, &["ZC117"]).explained();
        assert_eq!(
            fewer("ZC117 page cache->page cache copied 0.985 per byte, claimed 1.000"),
            ["ZC117: File systems such as xfs and btrfs share blocks instead of copying them \
                 (fs/read_write.c, vfs_copy_file_range())."]
        );
        let late = fewer("ZC117 socket->socket deferred 0.000 per byte, claimed 1.000");
        assert!(late[0].starts_with("ZC117: Pinned pages") && !late[0].contains("xfs"), "{late:?}");
        let device = fewer("ZC117 page cache->socket transformed 0.000 per byte, claimed 1.000");
        assert!(device[0].starts_with("ZC117: A device encrypts"), "{device:?}");
        let other = fewer("ZC117 user->socket copied 0.000 per byte, claimed 1.000");
        assert!(other[0].contains("Pinned pages") && other[0].contains("encrypts"), "{other:?}");
        // The sentences that are looked for are on the page.
        for (code, _, about) in CAUSES {
            let page = CODES.iter().find(|one| one.name == code).expect("a code");
            let why = page.section("Why the kernel does it").expect("a section");
            let sentences = why.split_inclusive(". ").filter(|one| one.contains(about));
            assert_eq!(sentences.count(), 1, "{about} in {why}");
        }
    }
}
