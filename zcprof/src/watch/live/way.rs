//! Pure: whether a window is shown on the terminal, or told of in lines.

/// How the window is shown while it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::watch) enum Presentation {
    /// As a table that renews itself.
    Live,
    /// As a line on standard error now and then; and why, where a table was asked for.
    Lines(Option<&'static str>),
}

/// What is known of the terminal.
#[derive(Clone, Copy, Debug)]
pub(in crate::watch) struct TerminalFacts<'a> {
    /// Whether keys can be read and a table be drawn: standard input and output are one, and this
    /// process is not in the background.
    pub(in crate::watch) is_one: bool,
    /// What TERM says.
    pub(in crate::watch) term: Option<&'a str>,
}

/// How to show it. `asked` is `--live`, and `shared` whether a command that zcprof starts writes to the
/// terminal too.
pub(in crate::watch) fn way(
    terminal: TerminalFacts<'_>,
    asked: bool,
    shared: bool,
) -> Presentation {
    let why_not = |why| Presentation::Lines(asked.then_some(why));
    match terminal.term {
        _ if !terminal.is_one => {
            why_not("standard input and output are no terminal in whose foreground it runs")
        }
        None | Some("" | "dumb") => why_not("TERM names a terminal without a cursor"),
        Some(_) if shared && !asked => Presentation::Lines(None),
        Some(_) => Presentation::Live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_drawn_where_there_is_a_terminal_of_ones_own() {
        let terminal = TerminalFacts { is_one: true, term: Some("xterm-256color") };
        let piped = TerminalFacts { is_one: false, ..terminal };
        assert_eq!(way(terminal, false, false), Presentation::Live);
        assert_eq!(
            way(terminal, false, true),
            Presentation::Lines(None),
            "a command writes there too"
        );
        assert_eq!(way(terminal, true, true), Presentation::Live);
        assert_eq!(way(piped, false, false), Presentation::Lines(None));
        for term in [None, Some(""), Some("dumb")] {
            let dumb = TerminalFacts { term, ..terminal };
            assert_eq!(way(dumb, false, false), Presentation::Lines(None), "{term:?}");
            assert!(matches!(way(dumb, true, false), Presentation::Lines(Some(_))), "{term:?}");
        }
        assert!(matches!(way(piped, true, true), Presentation::Lines(Some(_))));
    }
}
