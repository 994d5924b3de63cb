//! What the loader and the eBPF programs share: [the table of copy sites](sites) and the
//! layout of the maps ([counts](layout), [files and peers](objects)); and the [names](names) of the
//! command line.
#![no_std]

/// Lets user space read types as they lie in the maps.
#[cfg(feature = "user")]
macro_rules! pods {
    ($($Type:ident),* $(,)?) => {
        #[expect(unsafe_code, reason = "aya::Pod is an unsafe marker trait")]
        const _: () = {
            $(
                // SAFETY: the type is `repr(C)`, `Copy`, made of integers only and free of padding
                // (the tests of its module prove the last).
                unsafe impl aya::Pod for $Type {}
            )*
        };
    };
}
#[cfg(feature = "user")]
use pods;

pub mod layout;
pub mod names;
pub mod objects;
pub mod offsets;
pub mod sites;
pub mod syscalls;
pub mod vocabulary;
