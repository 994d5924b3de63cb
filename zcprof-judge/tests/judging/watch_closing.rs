//! The last lines of a watched window.

use zcprof_judge::report::terminal::Terminal;
use zcprof_judge::report::watch::last_lines;
use zcprof_judge::watch::Watch;
use zcprof_judge::watch::record::{Asked, Of, StartedCommand};

use super::stacks::by_hand;
use super::watched::{BODY, handed_over, read, window, written};

fn lines(watch: &Watch, code: Option<u8>, place: Option<&str>) -> Vec<String> {
    let terminal = Terminal { width: 100, colour: false, program: "zcprof", place };
    let text = last_lines(watch, code, &terminal).expect("known claims");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_last_lines_say_verdicts_exit_code_and_where_the_report_is() {
    let mut watch = window("two-copies", &[read(BODY), written(BODY)]);
    watch.claims.push(Asked { of: Of::Port(80), claim: "zero-copy".to_owned() });
    assert_eq!(
        lines(&watch, Some(0), Some("out")),
        [
            "Verdict: refuted: zero-copy of port 80; holds: two-copies of all",
            "Exit:    1, a claim is false",
            "Reports: out/report.html to open; table.txt beside it has every number",
            "Next:    zcprof explain ZC102",
        ]
    );
    let holds = window("zero-copy", &[handed_over(BODY)]);
    let said = lines(&holds, None, None);
    assert_eq!(said[..2], ["Verdict: holds: zero-copy of all", "Exit:    0, every claim holds"]);
    assert!(
        said[2].ends_with("none written; --out DIR for the pictures and the report"),
        "{said:?}"
    );
}

/// Stacks that were kept and become no file are pointed to.
#[test]
fn a_window_without_a_claim_ends_as_its_command_and_leads_to_the_flame_graph() {
    let mut watch = window("zero-copy", &[handed_over(BODY)]);
    watch.claims.clear();
    watch.stacks = Some(by_hand());
    let said = lines(&watch, Some(0), None);
    assert_eq!(
        said,
        [
            "Verdict: none, for nothing is claimed",
            "Exit:    0, the window is over; nothing is claimed",
            "Reports: none written; --out DIR for the flame graph and the report",
            "Next:    the same with --claim zero-copy, for a verdict",
        ]
    );
    let line = vec!["true".to_owned()];
    watch.command = Some(StartedCommand { line, status: Some(7), ended_by_us: false });
    assert_eq!(
        lines(&watch, Some(7), None)[1],
        "Exit:    7, the command's own; nothing is claimed"
    );
    // Who judges such a record gets no command's code.
    assert_eq!(lines(&watch, None, None)[1], "Exit:    3, nothing is claimed");
}
