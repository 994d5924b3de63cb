//! Programs of Java (zcprof/tests/programs/java): NIO's channels, and Netty.

use super::{BASE, Begins, COPIES, ProgramCase, REFUTED, TLS};

const JAVA: ProgramCase = ProgramCase { process: "java", needs: Some("java"), ..BASE };

macro_rules! serves {
    ($mode:literal) => {
        &[
            "java",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            "/built/java:/built/java/*",
            "Serve",
            $mode,
            "8080",
        ]
    };
}

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase { name: "Java, FileChannel.transferTo", command: serves!("transfer"), ..JAVA },
    ProgramCase {
        name: "Java, read and write",
        command: serves!("copy"),
        claims: COPIES.claims,
        truth: COPIES.truth,
        ..JAVA
    },
    // Compiled at once, so that its functions have names in the map.
    ProgramCase {
        name: "Java, read and write, with frame pointers",
        command: &[
            "java",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+PreserveFramePointer",
            "-Xcomp",
            "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=compileonly,Serve::*",
            "-cp",
            "/built/java:/built/java/*",
            "Serve",
            "copy",
            "8080",
        ],
        claims: COPIES.claims,
        truth: COPIES.truth,
        copiers: &[("Serve.copy", 1.0)],
        ..JAVA
    },
    ProgramCase {
        name: "Netty, DefaultFileRegion",
        command: serves!("netty"),
        begins: Begins::Program,
        ..JAVA
    },
    ProgramCase {
        name: "Netty, SslHandler with ChunkedNioFile",
        command: serves!("netty-tls"),
        begins: Begins::Program,
        load: TLS,
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        ..JAVA
    },
];
