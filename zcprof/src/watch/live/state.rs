//! Pure: what the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::columns::{COLUMNS, MARK, SO_FAR};
use super::rows::{Id, LiveRow};

/// What is shown, and how.
#[derive(Clone, Debug)]
pub(super) struct ViewState {
    /// Which page.
    pub(super) page: Screen,
    /// The column to sort by, by its place in [`COLUMNS`].
    pub(super) sort: usize,
    /// Whether the order is turned round.
    pub(super) reversed: bool,
    /// What a row's program or port must contain.
    pub(super) filter: String,
    /// The row that is chosen.
    pub(super) selected: Option<Id>,
    /// Lines of the details that are passed over.
    pub(super) scroll: u16,
    /// Whether the numbers are those of the last interval.
    pub(super) recent: bool,
    /// Whether something is claimed, so that there are verdicts to sort by.
    pub(super) claimed: bool,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    /// The rows.
    Table,
    /// The rows, while what is typed is their filter.
    Filter,
    /// One row.
    Details,
    /// The keys.
    Keys,
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The window goes on.
    Go,
    /// The window ends.
    End,
}

/// The keys, and what they do.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("q, Ctrl-C", "end the window and report"),
    ("Up, Down, k, j", "choose a row"),
    ("PgUp, PgDn", "ten rows on"),
    ("Home, End", "the first row, the last"),
    ("Enter", "hops, sites and stacks of the row"),
    ("Esc", "back; forget the filter"),
    ("/", "show rows whose program or port contains ..."),
    ("s, S", "sort by the next column, by the one before"),
    ("r", "turn the order round"),
    ("w", "numbers of the whole window, or of the last interval"),
    ("?", "these keys"),
];

impl ViewState {
    /// As it is at first, sorted by a column.
    pub(super) fn new(sort: &str, claimed: bool) -> Self {
        Self {
            page: Screen::Table,
            sort: COLUMNS.iter().position(|column| column.heading == sort).unwrap_or(1),
            reversed: false,
            filter: String::new(),
            selected: None,
            scroll: 0,
            recent: false,
            claimed,
        }
    }

    /// The rows that the filter lets through, sorted.
    pub(super) fn shown<'a>(&self, rows: &'a [LiveRow]) -> Vec<&'a LiveRow> {
        let wanted = self.filter.to_lowercase();
        let passes = |row: &&LiveRow| {
            let port = row.id.port.map_or_else(String::new, |port| port.to_string());
            row.id.program.to_lowercase().contains(&wanted) || port.contains(&wanted)
        };
        let mut shown: Vec<&LiveRow> = rows.iter().filter(passes).collect();
        let order = COLUMNS[self.sort].order;
        shown.sort_by(|a, b| {
            let by_column = order(a, b, self.recent);
            let by_column = if self.reversed { by_column.reverse() } else { by_column };
            by_column.then_with(|| a.id.cmp(&b.id))
        });
        shown
    }

    /// Place of the chosen row among those that are shown: the first if it is not among them.
    pub(super) fn place(&self, shown: &[&LiveRow]) -> usize {
        let is_it = |row: &&LiveRow| Some(&row.id) == self.selected.as_ref();
        shown.iter().position(is_it).unwrap_or(0)
    }

    /// What a key does.
    pub(super) fn press(&mut self, key: KeyEvent, rows: &[LiveRow]) -> Next {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Next::End;
        }
        if self.page == Screen::Filter {
            self.type_filter(key.code);
            return Next::Go;
        }
        match key.code {
            KeyCode::Char('q') => return Next::End,
            KeyCode::Char('?') => {
                self.page = if self.page == Screen::Keys { Screen::Table } else { Screen::Keys };
            }
            KeyCode::Esc if self.page == Screen::Table => self.filter.clear(),
            KeyCode::Esc => self.page = Screen::Table,
            KeyCode::Enter => self.open(rows),
            KeyCode::Char('w') => self.recent = !self.recent,
            code => match self.page {
                Screen::Table => self.on_table(code, rows),
                Screen::Details => self.on_details(code),
                Screen::Filter | Screen::Keys => {}
            },
        }
        Next::Go
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.page = Screen::Table,
            KeyCode::Esc => {
                self.filter.clear();
                self.page = Screen::Table;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
    }

    fn open(&mut self, rows: &[LiveRow]) {
        let shown = self.shown(rows);
        let chosen = shown.get(self.place(&shown)).map(|row| row.id.clone());
        self.page = match (self.page, chosen) {
            (Screen::Table, Some(chosen)) => {
                (self.selected, self.scroll) = (Some(chosen), 0);
                Screen::Details
            }
            _ => Screen::Table,
        };
    }

    fn on_table(&mut self, code: KeyCode, rows: &[LiveRow]) {
        let shown = self.shown(rows);
        let (at, last) = (self.place(&shown), shown.len().saturating_sub(1));
        let to = match code {
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => at + 1,
            KeyCode::PageUp => at.saturating_sub(PAGE),
            KeyCode::PageDown => at + PAGE,
            KeyCode::Home => 0,
            KeyCode::End => last,
            KeyCode::Char('/') => {
                self.page = Screen::Filter;
                return;
            }
            KeyCode::Char('s') => return self.sort_by(1),
            KeyCode::Char('S') => return self.sort_by(COLUMNS.len() - 1),
            KeyCode::Char('r') => {
                self.reversed = !self.reversed;
                return;
            }
            _ => return,
        };
        self.selected = shown.get(to.min(last)).map(|row| row.id.clone());
    }

    fn on_details(&mut self, code: KeyCode) {
        self.scroll = match code {
            KeyCode::Up | KeyCode::Char('k') => self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll.saturating_add(10),
            KeyCode::Home => 0,
            _ => self.scroll,
        };
    }

    /// Sorts by a column further on; a mark is the same as the word, and where nothing is claimed there
    /// is neither.
    fn sort_by(&mut self, further: usize) {
        let able = |at: usize| match COLUMNS[at].heading {
            MARK => false,
            SO_FAR => self.claimed,
            _ => true,
        };
        let next = (1..=COLUMNS.len()).map(|step| (self.sort + further * step) % COLUMNS.len());
        if let Some(next) = next.into_iter().find(|at| able(*at)) {
            self.sort = next;
        }
    }
}

/// Rows that a page of the keyboard is.
const PAGE: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::tests::several;
    use super::*;

    fn press(state: &mut ViewState, keys: &str, rows: &[LiveRow]) -> Next {
        let mut next = Next::Go;
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                '\u{2193}' => KeyCode::Down,
                letter => KeyCode::Char(letter),
            };
            next = state.press(KeyEvent::new(code, KeyModifiers::NONE), rows);
        }
        next
    }

    fn names(state: &ViewState, rows: &[LiveRow]) -> Vec<String> {
        state.shown(rows).iter().map(|row| row.id.program.clone()).collect()
    }

    #[test]
    fn sorting_goes_through_the_columns_and_round() {
        let rows = several();
        let mut state = ViewState::new("program", false);
        assert_eq!(names(&state, &rows), ["broker", "copier", "proxy"]);
        press(&mut state, "r", &rows);
        assert_eq!(names(&state, &rows), ["proxy", "copier", "broker"]);
        press(&mut state, "rs", &rows);
        assert_eq!(COLUMNS[state.sort].heading, "port");
        press(&mut state, "sss", &rows);
        assert_eq!(COLUMNS[state.sort].heading, "copies/byte");
        assert_eq!(names(&state, &rows)[0], "copier", "it copies most");
        // Nothing is claimed: there is no verdict to sort by.
        press(&mut state, "sss", &rows);
        assert_eq!(COLUMNS[state.sort].heading, "program");
        press(&mut state, "S", &rows);
        assert_eq!(COLUMNS[state.sort].heading, "framing");
    }

    #[test]
    fn the_filter_works_while_it_is_typed_and_takes_no_commands() {
        let rows = several();
        let mut state = ViewState::new("program", false);
        assert_eq!(press(&mut state, "/oqx", &rows), Next::Go);
        assert!(names(&state, &rows).is_empty(), "{}", state.filter);
        press(&mut state, "\u{8}\u{8}", &rows);
        assert_eq!(names(&state, &rows).len(), 3);
        press(&mut state, "P\n", &rows);
        assert_eq!((names(&state, &rows), state.page), (vec!["copier".to_owned()], Screen::Table));
        press(&mut state, "\u{1b}/8080\n", &rows);
        assert_eq!(names(&state, &rows), ["proxy"], "by its port");
        press(&mut state, "\u{1b}", &rows);
        assert_eq!(names(&state, &rows).len(), 3);
    }

    #[test]
    fn a_row_stays_chosen_when_the_order_changes() {
        let rows = several();
        let mut state = ViewState::new("program", false);
        press(&mut state, "\u{2193}", &rows);
        let chosen = |state: &ViewState| state.selected.clone().expect("chosen").program;
        assert_eq!(chosen(&state), "copier");
        press(&mut state, "r", &rows);
        assert_eq!((chosen(&state).as_str(), state.place(&state.shown(&rows))), ("copier", 1));
        press(&mut state, "\n", &rows);
        assert_eq!(state.page, Screen::Details);
        press(&mut state, "jjk", &rows);
        assert_eq!(state.scroll, 1);
        press(&mut state, "\n", &rows);
        assert_eq!(state.page, Screen::Table);
    }

    #[test]
    fn only_two_keys_end_the_window() {
        let rows = several();
        for page in ["", "\n", "?"] {
            let mut state = ViewState::new("program", false);
            press(&mut state, page, &rows);
            assert_eq!(press(&mut state.clone(), "q", &rows), Next::End);
            let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(state.press(interrupt, &rows), Next::End);
        }
        let mut state = ViewState::new("program", false);
        assert_eq!(press(&mut state, "\u{1b}\n\u{1b}??xc", &[]), Next::Go);
        assert_eq!(state.page, Screen::Table, "nothing to open");
    }
}
