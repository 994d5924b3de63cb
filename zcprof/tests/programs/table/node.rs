//! A program of Node (zcprof/tests/programs/serve.js).

use super::{BASE, COPIES, ProgramCase};

pub(super) const ROWS: &[ProgramCase] = &[ProgramCase {
    name: "Node, read and write, with its map",
    process: "node",
    command: &[
        "/usr/bin/node",
        "--perf-basic-prof",
        "--interpreted-frames-native-stack",
        "/srv/serve.js",
        "8080",
    ],
    claims: COPIES.claims,
    truth: COPIES.truth,
    copiers: &[("copyFirst", 0.5), ("copySecond", 0.5)],
    ..BASE
}];
