//! `zcprof serve` as its clients meet it: real ones, where ZCPROF_KCAT and ZCPROF_PYTHON name
//! them, and one that speaks to it frame by frame.

mod cases;
mod client;
mod groups;
mod hostile;
mod java;
mod kafka;
mod member;
mod million;
mod offsets;
mod protocol;
mod reads;
mod real;
mod restarts;
mod serve;
mod topic;
