//! Clients of other protocols, told by the first bytes that they send.

/// How requests of HTTP begin.
const HTTP: [&[u8]; 8] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"PRI "];

/// What a client speaks that sends these four bytes where the size of a request should be; each
/// would be the size of a frame that is far too long.
pub(super) fn spoken(front: [u8; 4]) -> Option<&'static str> {
    // A handshake record of SSL 3 or TLS (RFC 8446, 5.1).
    if front[0] == 0x16 && front[1] == 3 {
        return Some(
            "the client speaks TLS, and this port does not; give the client \
             security.protocol=PLAINTEXT, or serve by --transfer tls",
        );
    }
    let http = HTTP.iter().any(|method| front == **method);
    http.then_some("the client speaks HTTP, and this is a Kafka broker")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::wire::request_size;

    #[test]
    fn no_size_of_a_request_is_taken_for_another_protocol() {
        for front in [[0x16, 3, 1, 2], *b"GET ", *b"PRI "] {
            assert!(spoken(front).is_some() && request_size(front).is_err(), "{front:?}");
        }
        assert_eq!(spoken([0, 0, 0x16, 3]), None);
    }
}
