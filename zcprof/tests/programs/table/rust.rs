//! Programs of Rust (zcprof/tests/programs/rust).

use super::{BASE, COPIES, Row};

const RUST: Row = Row {
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

pub(super) const ROWS: &[Row] = &[
    // No sendfile any more: pieces of 8 KiB (Rust 1.95, by strace).
    Row {
        name: "Rust, std::io::copy",
        command: serves!("io-copy"),
        copiers: &[("zcprof_served", 1.0)],
        ..RUST
    },
    Row {
        name: "Rust, two functions that write",
        command: serves!("two-writers"),
        copiers: &[("two::three_quarters", 0.75), ("two::a_quarter", 0.25)],
        ..RUST
    },
    Row { name: "Rust, axum and tower-http's ServeFile", command: serves!("axum"), ..RUST },
];
