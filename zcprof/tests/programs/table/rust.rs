//! Programs of Rust (zcprof/tests/programs/rust).

use super::{BASE, COPIES, ProgramCase};

const RUST: ProgramCase = ProgramCase {
    process: "zcprof-served",
    needs: Some("rust"),
    claims: COPIES.claims,
    truth: COPIES.truth,
    ..BASE
};

macro_rules! serves {
    ($mode:literal) => {
        &["/built/rust/zcprof-served", $mode, "8080"]
    };
}

pub(super) const ROWS: &[ProgramCase] = &[
    // No sendfile any more: pieces of 8 KiB (Rust 1.95, by strace).
    ProgramCase {
        name: "Rust, std::io::copy",
        command: serves!("io-copy"),
        copiers: &[("zcprof_served", 1.0)],
        ..RUST
    },
    ProgramCase {
        name: "Rust, two functions that write",
        command: serves!("two-writers"),
        copiers: &[("two::three_quarters", 0.75), ("two::a_quarter", 0.25)],
        ..RUST
    },
    ProgramCase { name: "Rust, axum and tower-http's ServeFile", command: serves!("axum"), ..RUST },
];
