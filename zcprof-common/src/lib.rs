//! What the loader and the eBPF programs share: [the table of copy sites](sites) and the
//! layout of the maps ([counts](layout), [files and peers](objects)); and the [names](names) of the command line.
#![no_std]

pub mod layout;
pub mod names;
pub mod objects;
pub mod offsets;
pub mod sites;
pub mod syscalls;
pub mod vocabulary;
