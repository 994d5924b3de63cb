//! Pure: a view into a terminal's cells. Nothing is said by colour alone, and no character is used that
//! a serial console lacks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Table, TableState, Wrap};
use zcprof_common::vocabulary::{Instrument, Process};
use zcprof_judge::verdict::{beyond_tolerance, watching};
use zcprof_judge::watch::record::{Of, Watch};
use zcprof_judge::watch::traffic::Traffic;

use super::columns::{COLUMNS, GAP, SO_FAR, copies, rate, that_fit};
use super::details::{self, KnownStacks};
use super::rows::{LiveRow, RowNumbers, so_far};
use super::state::{KEYS, Screen, ViewState};
use crate::watch::size;

/// All that is drawn.
pub(super) struct View<'a> {
    /// The window so far.
    pub(super) record: &'a Watch,
    /// Its rows.
    pub(super) rows: &'a [LiveRow],
    /// What is known of who copied.
    pub(super) stacks: &'a KnownStacks,
    /// What the user chose.
    pub(super) state: &'a ViewState,
    /// What happened last, if something did.
    pub(super) said: Option<&'a str>,
    /// Whether there may be colours.
    pub(super) colour: bool,
}

/// Draws it.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let heading = heading(view);
    let height = u16::try_from(heading.len()).unwrap_or(u16::MAX);
    let parts = [Constraint::Length(height), Constraint::Fill(1), Constraint::Length(1)];
    let [top, middle, bottom] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(heading), top);
    match view.state.page {
        Screen::Table | Screen::Filter => table(frame, middle, view),
        Screen::Details => page(frame, middle, details_of(view), view.state.scroll),
        Screen::Keys => page(frame, middle, keys(), 0),
    }
    frame.render_widget(Paragraph::new(last_line(view)), bottom);
}

/// Who is watched, what was sent, and what speaks against the numbers.
fn heading(view: &View<'_>) -> Vec<Line<'static>> {
    let record = view.record;
    let who = record.targets.join(" and ");
    let first = format!("{:.0} s  {who}", record.seconds);
    let all = Traffic::counted(&record.counts, &Of::All, record.direction);
    let numbers = RowNumbers::of(&all);
    let done = record.direction.done();
    let sending: Option<f64> = view.rows.iter().map(LiveRow::sending).sum();
    let verdict = so_far(record);
    let rate = sending.map_or_else(String::new, |bytes| format!("{}/s, ", rate(Some(bytes))));
    let mut second = if numbers.sent == 0 {
        format!("nothing {done} yet")
    } else {
        format!("{} {done}, {rate}{} copied per byte", size(numbers.sent), copies(&numbers))
    };
    if let Some(verdict) = verdict {
        second = format!("so far {verdict}: {second}");
    }
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = vec![
        Line::styled(first, Style::new().add_modifier(Modifier::REVERSED)),
        Line::styled(second, bold.patch(of_verdict(verdict, view.colour))),
    ];
    lines.extend(doubt(record, &all).map(|doubt| Line::styled(doubt, bold)));
    lines.extend(view.said.map(|said| Line::raw(said.to_owned())));
    if lines.len() == 2 {
        lines.push(Line::default());
    }
    lines
}

/// What makes the numbers less than all that was copied.
fn doubt(record: &Watch, all: &Traffic) -> Option<String> {
    if let Some(doubt) = record.doubts.first() {
        return Some(format!("doubtful: {doubt}"));
    }
    let blind = |instrument| watching(instrument, &record.coverage).err();
    let [callers, audit] = [Instrument::Callers, Instrument::Audit].map(blind);
    let of_nobody = all.ledger.account(Instrument::Callers).copied(Process::Unknown);
    let of_nobody = beyond_tolerance(of_nobody, all.sent())
        .then(|| format!("{} were copied for nobody that is known", size(of_nobody)));
    callers.or(audit).map(|reason| reason.to_string()).or(of_nobody)
}

fn table(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let (state, done) = (view.state, view.record.direction.done());
    let shown = state.shown(view.rows);
    if shown.is_empty() {
        let text = if view.rows.is_empty() {
            format!("Nothing was {done} yet.")
        } else {
            format!("No row contains {:?} (Esc).", state.filter)
        };
        return frame.render_widget(Paragraph::new(text), area);
    }
    let columns = that_fit(area.width, state.claimed);
    let widths = columns.iter().map(|at| match COLUMNS[*at].heading {
        "program" => Constraint::Min(COLUMNS[*at].width),
        _ => Constraint::Length(COLUMNS[*at].width),
    });
    let cells = |row: &&LiveRow| {
        let style = of_verdict(row.verdict, view.colour);
        let cells = columns.iter().map(|at| {
            let text = cell(*at, (COLUMNS[*at].cell)(row, state.recent));
            if COLUMNS[*at].heading == SO_FAR { text.style(style) } else { text }
        });
        ratatui::widgets::Row::new(cells.collect::<Vec<_>>())
    };
    let above = columns.iter().map(|at| {
        let sorted =
            if *at == state.sort { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::BOLD };
        cell(*at, named(*at, done)).style(Style::new().add_modifier(sorted))
    });
    let place = state.place(&shown);
    let table = Table::new(shown.iter().map(cells), widths)
        .header(ratatui::widgets::Row::new(above.collect::<Vec<_>>()))
        .column_spacing(GAP)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    // The chosen row is always in sight.
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(place));
}

fn cell(column: usize, text: String) -> Cell<'static> {
    let text = Text::from(text);
    Cell::from(if COLUMNS[column].right { text.right_aligned() } else { text })
}

/// A column's heading: what is not sent is received, or written.
fn named(column: usize, done: &str) -> String {
    COLUMNS[column].heading.replace("sent", if done == "received" { "recv'd" } else { done })
}

fn details_of(view: &View<'_>) -> Vec<details::Line> {
    let chosen = view.state.selected.as_ref();
    let row = view.rows.iter().find(|row| Some(&row.id) == chosen);
    row.map(|row| details::lines(view.record, row, view.stacks)).unwrap_or_default()
}

fn keys() -> Vec<details::Line> {
    let line = |heading, text: String| details::Line { heading, text };
    let mut lines = vec![line(true, "Keys".to_owned())];
    let widest = KEYS.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    lines.extend(KEYS.iter().map(|(key, what)| line(false, format!("{key:<widest$}  {what}"))));
    lines
}

fn page(frame: &mut Frame<'_>, area: Rect, lines: Vec<details::Line>, scroll: u16) {
    let style = |line: &details::Line| {
        if line.heading { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() }
    };
    // One line at least stays in sight.
    let most = u16::try_from(lines.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let lines = lines.into_iter().map(|line| Line::styled(line.text.clone(), style(&line)));
    let text = Paragraph::new(lines.collect::<Vec<_>>()).wrap(Wrap { trim: false });
    frame.render_widget(text.scroll((scroll.min(most), 0)), area);
}

fn last_line(view: &View<'_>) -> Line<'static> {
    let state = view.state;
    let numbers = if state.recent { "last interval" } else { "whole window" };
    let filter =
        if state.filter.is_empty() { String::new() } else { format!("  /{}", state.filter) };
    let text = match state.page {
        Screen::Filter => return Line::raw(format!("/{}_", state.filter)),
        Screen::Table => format!(
            "? keys  q ends and reports{filter}  by {}, {numbers}",
            if state.sort == 0 { SO_FAR } else { COLUMNS[state.sort].heading }
        ),
        Screen::Details => "Esc back  q ends and reports  Up, Down".to_owned(),
        Screen::Keys => "Esc back  q ends and reports".to_owned(),
    };
    Line::styled(text, Style::new().add_modifier(Modifier::DIM))
}

fn of_verdict(verdict: Option<&str>, colour: bool) -> Style {
    let colours = match verdict {
        _ if !colour => None,
        Some("holds") => Some(Color::Green),
        Some("refuted") => Some(Color::Red),
        Some(_) => Some(Color::Yellow),
        None => None,
    };
    colours.map_or_else(Style::new, |colour| Style::new().fg(colour))
}

#[cfg(test)]
#[path = "drawn.rs"]
mod tests;
