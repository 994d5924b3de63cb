//! Apache Kafka itself: one broker, which is also its controller, and kcat as its consumer. The topic
//! was written before (xtask/src/programs/kafka_log.rs).

use super::{BASE, Begins, ProgramCase, REFUTED, Sends, ZERO};

const KAFKA: ProgramCase = ProgramCase {
    process: "java",
    needs: Some("kafka"),
    begins: Begins::Program,
    sends: Sends::More,
    framing: 0.01,
    ..BASE
};

/// One broker serves both listeners; `threads` are those of the network.
macro_rules! broker {
    ($threads:literal) => {
        &["/bin/sh", "/srv/kafka.sh", $threads, "ADDRESS"]
    };
}

const PLAIN: ProgramCase = ProgramCase {
    port: 19_092,
    load: "kcat -C -q -e -m 60 -o beginning -t body -b ADDRESS:19092 > /dev/null",
    claims: ZERO,
    ..KAFKA
};

const SSL: ProgramCase = ProgramCase {
    port: 19_094,
    load: "kcat -C -q -e -m 60 -o beginning -t body -b ADDRESS:19094 -X security.protocol=SSL \
           -X enable.ssl.certificate.verification=false > /dev/null",
    claims: REFUTED,
    truth: Some((1.0, 0.0)),
    ..KAFKA
};

pub(super) const ROWS: &[ProgramCase] = &[
    ProgramCase { name: "Kafka 4.1, PLAINTEXT", command: broker!("3"), ..PLAIN },
    ProgramCase { name: "Kafka 4.1, SSL", command: broker!("3"), ..SSL },
    ProgramCase {
        name: "Kafka 4.1, PLAINTEXT, one network thread",
        command: broker!("1"),
        ..PLAIN
    },
    ProgramCase { name: "Kafka 4.1, SSL, one network thread", command: broker!("1"), ..SSL },
];
