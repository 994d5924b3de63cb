//! The judge, on records made by hand and on records made at random.

mod hostile;
mod properties;
mod records;
mod rules;
mod watched;
