//! What a verdict rests on: findings and reasons, with links to the pages of their codes.

use std::fmt::Write as _;

use super::arrows::unbroken;
use crate::report::xml::escaped;
use crate::verdict::code::Why;
use crate::verdict::explain::Code;

/// A finding or a reason, with the codes whose pages say more.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reason {
    pub(super) codes: Vec<&'static Code>,
    text: String,
}

impl Reason {
    pub(super) fn of(why: Why) -> Self {
        Self { codes: why.codes, text: without_empty_log(&why.text) }
    }
}

/// What a verdict rests on; nothing where it holds.
pub(super) fn html(why: &[Reason]) -> String {
    if why.is_empty() {
        return String::new();
    }
    let mut text = String::from("<ul class=\"why\">\n");
    for reason in why {
        let links: Vec<String> = reason.codes.iter().map(|code| link(code)).collect();
        let _ = writeln!(text, "<li>{} {}</li>", links.join(" "), unbroken(&reason.text));
    }
    text + "</ul>\n"
}

/// A code's name, with the title if it says what a finding does not: a reason is a sentence of its own.
fn link(code: &Code) -> String {
    let link = format!("<a href=\"#{0}\">{0}</a>", code.name);
    if code.name.starts_with("ZC1") {
        format!("{link} <em>{}</em>:", escaped(code.title))
    } else {
        link
    }
}

/// A loader's error without the place of the verifier's log where there is none, and without the system's
/// error behind it, which is said twice then.
fn without_empty_log(text: &str) -> String {
    let Some((before, after)) = text.split_once(". Verifier output: : ") else {
        return text.to_owned();
    };
    let (cause, rest) = after.split_at(after.find(';').unwrap_or(after.len()));
    let cause = if before.ends_with(cause) { String::new() } else { format!(": {cause}") };
    format!("{before}{cause}{}", without_empty_log(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_of_the_verifier_is_left_out() {
        let said =
            "fexit: refused (os error 1). Verifier output: : refused (os error 1); kretprobe: none";
        assert_eq!(without_empty_log(said), "fexit: refused (os error 1); kretprobe: none");
        let said = "fexit: refused. Verifier output: : no memory";
        assert_eq!(without_empty_log(said), "fexit: refused: no memory");
        let said = "fexit: refused. Verifier output: R1 is a scalar";
        assert_eq!(without_empty_log(said), said);
    }
}
