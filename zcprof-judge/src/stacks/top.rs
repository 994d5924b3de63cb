//! Pure: the functions that copy.

use std::collections::BTreeMap;

use super::carriers::carries;
use super::record::{Frame, FrameKind, MEMORY, Stack, Stacks};
use super::tree::{frames, is_copied};

/// A function of a program, and what it copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// Who is charged.
    pub charged: String,
    /// The innermost frame that is the program's own.
    pub frame: Frame,
    /// Bytes that it had copied.
    pub bytes: u128,
}

impl Top {
    /// The function for a sentence, by its name if it has one: of `<a::Type as b::Trait>::run`, which is how Rust names what a
    /// type does for a trait, `Type::run`.
    #[must_use]
    pub fn name(&self) -> String {
        let Frame { kind, name, file } = &self.frame;
        if *kind == FrameKind::Missing {
            return format!("a function that is not known ({name})");
        }
        if self.frame.is_unnamed() {
            return match &**file {
                MEMORY => "a function without a name, made at run time,".to_owned(),
                file => format!("a function without a name in {file}"),
            };
        }
        let parts = name.strip_prefix('<').and_then(|rest| rest.split_once(" as "));
        let parts = parts.and_then(|(of, rest)| Some((of, rest.rsplit_once(">::")?.1)));
        let Some((of, function)) = parts else { return name.clone() };
        let end = of.find('<').unwrap_or(of.len());
        let begin = of[..end].rfind("::").map_or(0, |at| at + 2);
        format!("{}::{function}", &of[begin..])
    }
}

/// The innermost user frame that is the program's own; the innermost of all where none is; what is
/// missing where there is no user frame.
fn of_program(stacks: &Stacks, stack: &Stack) -> Option<Frame> {
    let all: Vec<Frame> = frames(stacks, stack).collect();
    let user = || all.iter().rev().filter(|frame| frame.kind == FrameKind::User);
    let missing = || all.iter().rev().find(|frame| frame.kind == FrameKind::Missing);
    user().find(|frame| !carries(frame)).or_else(|| user().next()).or_else(missing).cloned()
}

/// The functions that had bytes copied, those of most bytes first.
#[must_use]
pub fn functions(stacks: &Stacks) -> Vec<Top> {
    let mut sums = BTreeMap::<(String, Frame), u128>::new();
    for stack in stacks.stacks.iter().filter(|stack| is_copied(stack.disposition)) {
        if let Some(frame) = of_program(stacks, stack) {
            let key = (stack.charged.to_string(), frame);
            *sums.entry(key).or_default() += u128::from(stack.bytes);
        }
    }
    let top = |((charged, frame), bytes)| Top { charged, frame, bytes };
    let mut all: Vec<Top> = sums.into_iter().map(top).filter(|top| top.bytes > 0).collect();
    all.sort_by_key(|top| std::cmp::Reverse(top.bytes));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_type_does_for_a_trait() {
        let name = |name: &str| {
            let frame = Frame { kind: FrameKind::User, name: name.to_owned(), file: String::new() };
            Top { charged: String::new(), frame, bytes: 1 }.name()
        };
        assert_eq!(name("<server::by::Writer as server::Transfer>::send"), "Writer::send");
        assert_eq!(
            name("<a::Pair<b::Left, c::Right> as d::Trait<e::F>>::run"),
            "Pair<b::Left, c::Right>::run"
        );
        for whole in
            ["main", "server::copy", "<no::Trait>::run", "<a as b", "Serve.copy(byte[], int)"]
        {
            assert_eq!(name(whole), whole);
        }
    }
}
