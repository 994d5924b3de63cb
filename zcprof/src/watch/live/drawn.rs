use std::collections::BTreeMap;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use zcprof_judge::run::Doubt;
use zcprof_judge::watch::record::{Charged, WatchedCount};

use super::super::rows::rows;
use super::super::tests::{golden, grown, several};
use super::*;

/// A terminal of a size, and what the keys did.
struct Drawn {
    terminal: Terminal<TestBackend>,
    record: Watch,
    rows: Vec<LiveRow>,
    state: ViewState,
    colour: bool,
}

impl Drawn {
    fn new(width: u16, height: u16) -> Self {
        let (before, record) = (golden(), grown());
        let alive = record.programs.iter().map(|program| (program.name.clone(), 1)).collect();
        let rows = rows(&record, Some((&before.counts, 1.0)), &alive);
        let state = ViewState::new("program", true);
        let terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        Self { terminal, record, rows, state, colour: true }
    }

    fn press(&mut self, code: KeyCode) {
        self.state.press(KeyEvent::new(code, KeyModifiers::NONE), &self.rows);
    }

    fn draw(&mut self) -> Vec<String> {
        let Self { record, rows, state, colour, .. } = self;
        let stacks = &KnownStacks::NotKept;
        let said = Some("nginx has ended");
        let view = View { record, rows, stacks, state, said, colour: *colour };
        self.terminal.draw(|frame| draw(frame, &view)).expect("drawn");
        lines(self.terminal.backend().buffer())
    }

    fn colours(&self) -> usize {
        let cells = &self.terminal.backend().buffer().content;
        cells.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    }
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width);
    let text =
        |line: &[ratatui::buffer::Cell]| line.iter().map(ratatui::buffer::Cell::symbol).collect();
    lines.map(text).map(|line: String| line.trim_end().to_owned()).collect()
}

#[test]
fn eighty_by_twenty_four_has_all_that_is_asked_of_a_row() {
    let mut drawn = Drawn::new(80, 24);
    let lines = drawn.draw();
    assert!(lines[0].contains(&drawn.record.targets[0]), "{lines:#?}");
    assert!(lines[1].starts_with("so far refuted: "), "{lines:#?}");
    assert_eq!(lines[2], "nginx has ended");
    for heading in ["program", "port", "sent/s", "copies/byte", "worst hop", "framing", "so far"] {
        assert!(lines[3].contains(heading), "{heading}: {lines:#?}");
    }
    let row = &drawn.rows[0];
    assert!(lines[4].contains(&row.id.program) && lines[4].contains("refuted"), "{lines:#?}");
    assert!(lines[4].contains(&copies(&row.whole)), "{lines:#?}");
    assert!(lines[23].contains("q ends and reports"), "{lines:#?}");
    assert!(drawn.colours() > 0);
}

#[test]
fn nothing_is_said_by_colour_alone() {
    let mut drawn = Drawn::new(80, 24);
    let with = drawn.draw();
    drawn.colour = false;
    drawn.terminal.clear().expect("cleared");
    assert_eq!(drawn.draw(), with);
    assert_eq!(drawn.colours(), 0);
}

#[test]
fn forty_columns_and_other_sizes_show_the_row_that_is_chosen() {
    let mut drawn = Drawn::new(80, 24);
    drawn.rows = several();
    for (width, height) in [(40, 24), (80, 8), (200, 60), (40, 6), (1, 1), (20, 3), (80, 24)] {
        drawn.terminal.backend_mut().resize(width, height);
        drawn.press(KeyCode::End);
        let lines = drawn.draw();
        assert_eq!(lines.len(), usize::from(height));
        if width >= 40 && height >= 6 {
            assert!(lines.iter().any(|line| line.contains("proxy")), "{width}: {lines:#?}");
            assert!(lines[3].contains("copies/byte"), "{width}: {lines:#?}");
        }
    }
    drawn.terminal.backend_mut().resize(42, 12);
    let lines = drawn.draw();
    assert!(lines.iter().any(|line| line.starts_with("! copier")), "a mark: {lines:#?}");
}

#[test]
fn enter_shows_one_row_and_escape_all_again() {
    let mut drawn = Drawn::new(80, 24);
    let table = drawn.draw();
    drawn.press(KeyCode::Enter);
    let lines = drawn.draw();
    assert!(lines.iter().any(|line| line.contains("Hops, as the callers saw them")), "{lines:#?}");
    for _ in 0..1000 {
        drawn.press(KeyCode::PageDown);
    }
    let lines = drawn.draw();
    assert!(lines[3..23].iter().any(|line| !line.is_empty()), "the end is in sight: {lines:#?}");
    drawn.press(KeyCode::Esc);
    assert_eq!(drawn.draw(), table);
    drawn.press(KeyCode::Char('?'));
    let lines = drawn.draw();
    for (key, what) in KEYS {
        let said = |line: &String| line.contains(key) && line.contains(what);
        assert!(lines.iter().any(said), "{key}: {lines:#?}");
    }
}

#[test]
fn the_filter_and_the_order_are_in_the_last_line() {
    let mut drawn = Drawn::new(80, 24);
    for key in "/zz".chars() {
        drawn.press(KeyCode::Char(key));
    }
    let lines = drawn.draw();
    assert_eq!(lines[23], "/zz_");
    assert!(lines[3].contains("No row contains \"zz\""), "{lines:#?}");
    drawn.press(KeyCode::Enter);
    drawn.press(KeyCode::Char('w'));
    let last = drawn.draw().pop().expect("a line");
    for word in ["/zz", "by program", "last interval"] {
        assert!(last.contains(word), "{word}: {last}");
    }
}

#[test]
fn what_could_not_be_seen_is_said_above_the_numbers() {
    let mut drawn = Drawn::new(80, 24);
    drawn.record.doubts.push(Doubt::Unfollowed { times: 3 });
    let lines = drawn.draw();
    assert!(lines[2].starts_with("doubtful: 3 forks"), "{lines:#?}");
    assert_eq!(lines[3], "nginx has ended", "neither hides the other");
    drawn.record.doubts.clear();
    let sent = |count: &&WatchedCount| count.site == "tcp_sendmsg_locked" && count.bytes > 1 << 20;
    let sent = drawn.record.counts.iter().find(sent).expect("it sends").clone();
    drawn.record.counts.push(WatchedCount { charged: Charged::Unknown, ..sent });
    let lines = drawn.draw();
    assert!(lines[2].contains("copied for nobody"), "{lines:#?}");
    let callers = |probe: &zcprof_judge::run::Probe| probe.instrument == Instrument::Callers;
    drawn.record.coverage.probes.retain(|probe| !callers(probe));
    let lines = drawn.draw();
    assert!(lines[2].contains("callers"), "{lines:#?}");
}

#[test]
fn a_window_in_which_nothing_was_sent_is_no_zero() {
    let mut drawn = Drawn::new(80, 24);
    drawn.record.counts.clear();
    drawn.rows = rows(&drawn.record, None, &BTreeMap::new());
    let lines = drawn.draw();
    assert!(lines[1].contains("nothing sent yet"), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("0.000")), "{lines:#?}");
}
