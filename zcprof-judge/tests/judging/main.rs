//! The judge, on records made by hand and on records made at random.

mod accounts;
mod advice;
mod below;
mod charge;
mod diff;
mod hostile;
mod instruments;
mod objects;
mod page_words;
mod pages;
mod pipes;
mod pprof;
mod properties;
mod ranking;
mod receiving;
mod records;
mod results;
mod rules;
mod stacks;
mod unexplained;
mod unnamed;
mod watch_closing;
mod watched;
mod watched_at_random;
mod watched_below;
mod windows;
