//! Where clients are told to connect, as somebody typed it.

use std::net::Ipv6Addr;
use std::str::FromStr;

/// Where clients are told to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for Advertised {
    type Err = String;

    /// Reads HOST:PORT; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not HOST:PORT, such as broker.example:9092");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let plain = match bare {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(legal),
        };
        match port.parse() {
            Ok(port) if port > 0 && plain => Ok(Self { host: host.to_owned(), port }),
            _ => Err(wrong()),
        }
    }
}
