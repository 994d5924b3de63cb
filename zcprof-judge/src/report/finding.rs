//! What a run shows, in a sentence: the title of its pictures. It says of no transfer that it copies
//! nothing where a copy could have gone unseen.

use super::numbers::thousandths;
use super::reading::{Judged, Reading};
use crate::verdict::{TOLERANCE_PER_MILLE, Verdict};

/// Thousandths of a copy per byte that a title leaves out: the picture has the number.
const ROUNDED: u64 = 10;

/// Names that are listed; of more only the number is said.
const NAMES: usize = 3;

/// What is certain of a transfer's copies, in all of its passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Copies {
    /// Nothing is copied, and a copy would have been seen.
    None,
    /// Every byte, so many times.
    Whole(u64),
    /// Every byte, so many times, and not before the call has returned.
    Later(u64),
    /// So many thousandths per byte, or different ones warm and cold.
    Part(u64, u64),
    /// No copy, and every byte is encrypted into new pages.
    Encrypted,
    /// No copy by the server, and yet no zero-copy: storage, or what is below the sockets, copies.
    Others,
    /// A copy could have gone unseen.
    Unknown,
}

/// The title.
pub(super) fn of_run(reading: &Reading<'_>) -> String {
    let transfers = reading.by_transfer();
    if transfers.is_empty() {
        return "No pass was measured".to_owned();
    }
    if reading.sources.presumes_all() {
        return "No copy was seen: every number is presumed from system calls".to_owned();
    }
    let mut groups: Vec<(Copies, Vec<&str>)> = Vec::new();
    for passes in &transfers {
        let (copies, name) = (of_transfer(passes), passes[0].pass.transfer.as_str());
        match groups.iter_mut().find(|(known, _)| *known == copies) {
            Some((_, names)) => names.push(name),
            None => groups.push((copies, vec![name])),
        }
    }
    groups.sort_by_key(|(copies, _)| *copies);
    sentence(&groups)
}

fn of_transfer(passes: &[&Judged<'_>]) -> Copies {
    let unknown = |verdict: &Verdict| matches!(verdict, Verdict::Inconclusive(_));
    if passes.iter().any(|pass| unknown(&pass.judgement.verdict) || unknown(&pass.zero_copy)) {
        return Copies::Unknown;
    }
    if passes.iter().all(|pass| pass.zero_copy == Verdict::Holds) {
        return Copies::None;
    }
    let numbers = passes.iter().map(|pass| pass.copied_in_thousandths());
    let Some(numbers) = numbers.collect::<Option<Vec<u64>>>() else { return Copies::Unknown };
    if numbers.iter().all(|number| whole(*number) == Some(0)) {
        let encrypted = passes.iter().all(|pass| pass.transformed().is_some());
        return if encrypted { Copies::Encrypted } else { Copies::Others };
    }
    let (least, most) = (numbers.iter().min(), numbers.iter().max());
    match (least, most) {
        (Some(least), Some(most)) => match (whole(*least), whole(*most)) {
            (Some(times), Some(same)) if times == same && times > 0 => {
                let later = |pass: &&Judged<'_>| {
                    let at_once = pass.copied_by_the_best().unwrap_or(0);
                    thousandths(at_once, pass.pass.payload.bytes) <= ROUNDED
                };
                if passes.iter().all(later) { Copies::Later(times) } else { Copies::Whole(times) }
            }
            _ => Copies::Part(*least, *most),
        },
        _ => Copies::Unknown,
    }
}

/// How many times every byte is copied, if it is that and hardly more.
fn whole(thousandths: u64) -> Option<u64> {
    let times = (thousandths + TOLERANCE_PER_MILLE) / 1000;
    (thousandths.saturating_sub(times * 1000) <= ROUNDED).then_some(times)
}

fn sentence(groups: &[(Copies, Vec<&str>)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let (mut said_whole, mut counted) = (false, false);
    for (copies, names) in groups {
        let who = match (copies, names.len()) {
            // They stand among others that are counted too.
            (Copies::Later(_), many @ 2..) if counted => many.to_string(),
            _ => listed(names, &mut counted),
        };
        let copy = if names.len() == 1 { "copies" } else { "copy" };
        parts.push(match copies {
            Copies::None => format!("{who} {copy} nothing"),
            Copies::Whole(times) if std::mem::replace(&mut said_whole, true) => {
                format!("{who} {}", often(*times))
            }
            Copies::Whole(times) => format!("{who} {copy} every byte {}", often(*times)),
            Copies::Later(times) if said_whole => format!("{who} {}, later", often(*times)),
            Copies::Later(times) => format!("{who} {copy} every byte {}, later", often(*times)),
            Copies::Part(least, most) => {
                let [least_text, most_text] =
                    [least, most].map(|n| format!("{}.{:03}", n / 1000, n % 1000));
                let to = if least == most { String::new() } else { format!(" to {most_text}") };
                format!("{who} {copy} {least_text}{to} per byte")
            }
            Copies::Encrypted => {
                let s = if names.len() == 1 { "s" } else { "" };
                format!("{who} encrypt{s} every byte")
            }
            Copies::Others => {
                let is = if names.len() == 1 { "is" } else { "are" };
                format!("{who} {copy} nothing, and yet {is} not zero-copy")
            }
            Copies::Unknown => format!("no verdict on {who}"),
        });
    }
    let text = parts.join("; ");
    // A transfer's name stays as it is.
    match text.strip_prefix("no verdict") {
        Some(rest) => format!("No verdict{rest}"),
        None => text,
    }
}

/// `a`, `a and b`, `a, b and c`, `7 transfers`, and then only the number.
fn listed(names: &[&str], counted: &mut bool) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= NAMES => format!("{} and {last}", first.join(", ")),
        _ if std::mem::replace(counted, true) => names.len().to_string(),
        _ => format!("{} transfers", names.len()),
    }
}

fn often(times: u64) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{times} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_be_rounded_down_and_hardly_up() {
        let all = [0, 999, 1000, 1003, 1998, 2010, 2011, 985].map(whole);
        let [none, one, two] = [Some(0), Some(1), Some(2)];
        assert_eq!(all, [none, one, one, one, None, two, None, None]);
    }

    #[test]
    fn a_title_says_who_copies_how_often() {
        let groups = [
            (Copies::None, vec!["sendfile", "splice"]),
            (Copies::Whole(1), vec!["mmap_write"]),
            (Copies::Whole(2), vec!["a", "b", "c", "d"]),
            (Copies::Part(0, 985), vec!["e"]),
            (Copies::Unknown, vec!["f"]),
        ];
        let said = "sendfile and splice copy nothing; mmap_write copies every byte once; 4 transfers \
                    twice; e copies 0.000 to 0.985 per byte; no verdict on f";
        assert_eq!(sentence(&groups), said);
        assert_eq!(sentence(&[(Copies::Unknown, vec!["f"])]), "No verdict on f");
    }
}
