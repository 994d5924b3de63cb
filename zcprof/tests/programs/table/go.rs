//! Programs of Go: net/http (zcprof/tests/programs/go) and Caddy.

use super::{BASE, COPIES, ProgramCase, UNPACKED};

const GO: ProgramCase = ProgramCase { process: "serve", needs: Some("go"), ..BASE };

const FILE: &str = "/srv/Caddyfile";
const CADDY: ProgramCase = ProgramCase {
    process: "caddy",
    command: &["/usr/bin/caddy", "run", "--config", FILE, "--adapter", "caddyfile"],
    ..BASE
};

macro_rules! caddyfile {
    ($more:literal) => {
        Some((
            FILE,
            concat!(
                "{\n\tadmin off\n}\nhttp://:PORT {\n\troot * /www\n",
                $more,
                "\tfile_server\n}\n"
            ),
        ))
    };
}

macro_rules! serves {
    ($mode:literal) => {
        &["/built/go/serve", $mode, "8080"]
    };
}

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase { name: "Go, http.ServeFile", command: serves!("servefile"), ..GO },
    ProgramCase {
        name: "Go, behind a writer without ReadFrom",
        command: serves!("hiding"),
        copiers: &[("main.(*hiding).Write", 1.0), ("main.serve", 1.0)],
        claims: COPIES.claims,
        truth: COPIES.truth,
        ..GO
    },
    ProgramCase { name: "Go, behind a writer with ReadFrom", command: serves!("passing"), ..GO },
    ProgramCase { name: "Caddy, file_server", file: caddyfile!(""), ..CADDY },
    ProgramCase {
        name: "Caddy, encode, to who accepts none",
        file: caddyfile!("\tencode gzip\n"),
        ..CADDY
    },
    // It compresses nothing of what has no type, and goes round sendfile all the same (2.6.2).
    ProgramCase {
        name: "Caddy, encode, to who accepts gzip",
        file: caddyfile!("\tencode gzip\n"),
        load: UNPACKED,
        claims: COPIES.claims,
        truth: COPIES.truth,
        ..CADDY
    },
];
