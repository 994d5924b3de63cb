//! THE TABLE of programs: how each is started, and what is known of it before it is watched. To add
//! one is to add a row.

/// Port that every program listens at.
pub(crate) const PORT: u16 = 8080;

/// A program that zcprof did not write.
pub(crate) struct Row {
    /// What it is, in the report.
    pub(crate) name: &'static str,
    /// Name of its process.
    pub(crate) process: &'static str,
    /// How it is configured, if it is nginx: what stands in `http`, and behind `listen PORT`.
    pub(crate) nginx: Option<(&'static str, &'static str)>,
    /// How it is started, in the image.
    pub(crate) command: &'static [&'static str],
    /// What is sent: four times the body, by this command of a shell in the image.
    pub(crate) load: &'static str,
    /// Claims, each with its verdict.
    pub(crate) claims: &'static [(&'static str, &'static str)],
    /// Per sent byte, outside framing: copied from user memory, handed over from files.
    pub(crate) truth: Option<(f64, f64)>,
}

const CURL: &str = "curl -s -o /dev/null http://127.0.0.1:8080/body";
const UNPACKED: &str = "curl -s --compressed -o /dev/null http://127.0.0.1:8080/body";
const TLS: &str = "curl -s -k -o /dev/null https://127.0.0.1:8080/body";
const NGINX: &[&str] = &["/usr/sbin/nginx", "-c", "/etc/nginx/watched.conf"];
const CERTIFICATE: &str = "ssl; ssl_certificate /srv/cert.pem; ssl_certificate_key /srv/key.pem";

const ZERO: &[(&str, &str)] = &[("zero-copy", "holds"), ("copied<=0.01", "holds")];
const TWICE: &[(&str, &str)] =
    &[("zero-copy", "refuted"), ("two-copies", "holds"), ("copied<=0.99", "refuted")];
/// The interpreter reads its own modules, which it might have sent for all that is known.
const ONCE: &[(&str, &str)] =
    &[("zero-copy", "refuted"), ("copied<=1.05", "holds"), ("copied<=0.99", "refuted")];

const BASE: Row = Row {
    name: "",
    process: "",
    nginx: None,
    command: NGINX,
    load: CURL,
    claims: ZERO,
    truth: Some((0.0, 1.0)),
};

const fn nginx(name: &'static str, http: &'static str, listen: &'static str) -> Row {
    Row { name, process: "nginx", nginx: Some((http, listen)), ..BASE }
}

const fn python(name: &'static str, command: &'static [&'static str]) -> Row {
    Row { name, process: "python3", command, ..BASE }
}

/// A way of `serve.py`.
macro_rules! serves {
    ($name:literal, $mode:literal) => {
        python($name, &["/usr/bin/python3", "/srv/serve.py", $mode, "8080"])
    };
}

/// Every program.
pub(crate) const PROGRAMS: &[Row] = &[
    nginx("nginx, sendfile on", "sendfile on;", ""),
    Row {
        claims: TWICE,
        truth: Some((1.0, 0.0)),
        ..nginx("nginx, sendfile off", "sendfile off;", "")
    },
    Row {
        load: UNPACKED,
        claims: &[("zero-copy", "refuted")],
        truth: Some((1.0, 0.0)),
        ..nginx("nginx, gzip on", "sendfile on; gzip on; gzip_comp_level 1; gzip_types *;", "")
    },
    Row {
        load: TLS,
        claims: &[("zero-copy", "refuted")],
        truth: Some((1.0, 0.0)),
        ..nginx("nginx, TLS", "sendfile on;", CERTIFICATE)
    },
    Row {
        load: TLS,
        claims: &[("zero-copy", "refuted"), ("transforms", "holds")],
        truth: None,
        ..nginx(
            "nginx, TLS in the kernel",
            "sendfile on; ssl_conf_command Options KTLS;",
            CERTIFICATE,
        )
    },
    Row {
        claims: TWICE,
        truth: Some((1.0, 0.0)),
        ..python(
            "Python, http.server",
            &["/usr/bin/python3", "-m", "http.server", "-d", "/www", "8080"],
        )
    },
    serves!("Python, os.sendfile", "sendfile"),
    Row { claims: TWICE, truth: Some((1.0, 0.0)), ..serves!("Python, read and send", "copy") },
    Row {
        claims: &[("zero-copy", "refuted"), ("copied<=1.01", "holds"), ("copied<=0.49", "refuted")],
        truth: Some((0.5, 0.5)),
        ..serves!("half by sendfile, half by read and send", "half")
    },
    serves!("hashed by read, then sendfile", "hashed"),
    Row { claims: ONCE, truth: Some((1.0, 0.0)), ..serves!("mmap and send", "mmap") },
    Row {
        claims: &[("zero-copy", "refuted")],
        truth: Some((0.0, 1.0)),
        ..serves!("written into a pipe, then splice", "pipe")
    },
    serves!("spliced from the file by a pipe", "splice"),
    Row {
        // Read, and written into the memfd: two copies, and framing.
        claims: &[
            ("zero-copy", "inconclusive"),
            ("copied<=1.5", "inconclusive"),
            ("copied<=2.01", "holds"),
        ],
        ..serves!("copied into a memfd, then sendfile", "staged")
    },
    Row {
        claims: &[("zero-copy", "refuted")],
        truth: Some((1.0, 0.0)),
        ..serves!("cat as a process for each answer", "cat")
    },
    Row { claims: TWICE, truth: Some((1.0, 0.0)), ..serves!("a child copies", "child-copy") },
    serves!("a child uses sendfile", "child-sendfile"),
    Row { claims: TWICE, truth: Some((1.0, 0.0)), ..serves!("a thread copies", "thread-copy") },
    serves!("a thread uses sendfile", "thread-sendfile"),
    Row { claims: TWICE, truth: Some((1.0, 0.0)), ..serves!("exec, then copies", "exec-copy") },
    serves!("exec, then sendfile", "exec-sendfile"),
];
