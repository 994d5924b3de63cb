//! What the loader and the eBPF programs share: [the table of copy sites](sites) and the
//! [layout of the maps](layout).
#![no_std]

pub mod layout;
pub mod sites;
pub mod syscalls;
pub mod vocabulary;
