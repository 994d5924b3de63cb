//! nginx: a row is what stands in its `http` block and in its `server` block.

use super::{BASE, COPIES, Counter, ProgramCase, REFUTED, Sends, TLS, UNPACKED};

const FILE: &str = "/etc/nginx/watched.conf";
const COMMAND: &[&str] = &["/usr/sbin/nginx", "-c", FILE];
const LOG: Option<Counter> = Some(Counter::AccessLog("/var/log/access.log"));

macro_rules! configured {
    ($http:literal, $listen:literal, $server:literal) => {
        Some((
            FILE,
            concat!(
                "daemon off; worker_processes 1; pid /run/nginx.pid; error_log /dev/stderr warn;\n\
                 events {}\n\
                 http { log_format sent '$bytes_sent'; access_log /var/log/access.log sent;\n",
                $http,
                "\nserver { listen PORT ",
                $listen,
                "; ",
                $server,
                " root /www; } }\n"
            ),
        ))
    };
}

macro_rules! encrypted {
    ($http:literal) => {
        configured!(
            $http,
            "ssl",
            "ssl_certificate /srv/cert.pem; ssl_certificate_key /srv/key.pem;"
        )
    };
}

const NGINX: ProgramCase = ProgramCase { process: "nginx", command: COMMAND, ..BASE };

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase {
        name: "nginx, sendfile on",
        file: configured!("sendfile on;", "", ""),
        counter: LOG,
        ..NGINX
    },
    ProgramCase {
        name: "nginx, sendfile off",
        process: "nginx",
        command: COMMAND,
        file: configured!("sendfile off;", "", ""),
        counter: LOG,
        copiers: &[("ngx_writev", 1.0)],
        ..COPIES
    },
    ProgramCase {
        name: "nginx, gzip on",
        file: configured!("sendfile on; gzip on; gzip_comp_level 1; gzip_types *;", "", ""),
        load: UNPACKED,
        sends: Sends::Something,
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        counter: LOG,
        ..NGINX
    },
    // It reads all that it sends, and what it replaces nothing of it sends by sendfile (by strace).
    ProgramCase {
        name: "nginx, sub_filter that finds nothing",
        file: configured!(
            "sendfile on; sub_filter_types *; sub_filter no-such-text another;",
            "",
            ""
        ),
        counter: LOG,
        ..NGINX
    },
    ProgramCase {
        name: "nginx, TLS",
        file: encrypted!("sendfile on;"),
        load: TLS,
        claims: REFUTED,
        truth: Some((1.0, 0.0)),
        ..NGINX
    },
    ProgramCase {
        name: "nginx, TLS in the kernel",
        file: encrypted!("sendfile on; ssl_conf_command Options KTLS;"),
        load: TLS,
        claims: &[
            ("zero-copy", "refuted"),
            ("transforms", "holds"),
            ("port:8080=zero-copy", "refuted"),
        ],
        truth: None,
        counter: Some(Counter::TlsStat),
        ..NGINX
    },
];
