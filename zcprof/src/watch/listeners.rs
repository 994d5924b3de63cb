//! Who listens at a port that is watched: also who begins to while the window is open.

use std::collections::BTreeSet;

use super::processes::{self, RunningProcess};

/// Ports, and their sockets that were looked at.
pub(super) struct Listeners {
    ports: Vec<u16>,
    seen: BTreeSet<u64>,
}

impl Listeners {
    /// Whoever listens at these ports.
    pub(super) const fn at(ports: Vec<u16>) -> Self {
        Self { ports, seen: BTreeSet::new() }
    }

    /// Processes that have a socket which was not there at the last look. What one of them has sent by then
    /// is not counted, which the window's doubts say.
    pub(super) fn look(&mut self) -> Vec<RunningProcess> {
        let now = self.sockets();
        let new: BTreeSet<u64> = now.difference(&self.seen).copied().collect();
        self.seen = now;
        if new.is_empty() {
            return Vec::new();
        }
        processes::holding(&new).into_iter().filter_map(processes::one).collect()
    }

    fn sockets(&self) -> BTreeSet<u64> {
        self.ports.iter().flat_map(|port| processes::listening_sockets(*port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A socket of several that may listen at a port.
    fn listening(port: u16) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).expect("a port");
        socket.listen(1).expect("it listens");
        socket
    }

    #[test]
    fn who_begins_to_listen_is_found_once() {
        let first = listening(0);
        let port = first.local_addr().expect("an address").as_socket().expect("IPv4").port();
        let mut listeners = Listeners::at(vec![port]);
        assert_eq!(listeners.look().len(), 1);
        assert!(listeners.look().is_empty(), "it was there");
        let _second = listening(port);
        let pids: Vec<_> = listeners.look().into_iter().map(|found| found.pid).collect();
        assert_eq!(pids, [std::process::id()]);
        assert!(listeners.look().is_empty());
        let mut none = Listeners::at(Vec::new());
        assert!(none.look().is_empty());
    }
}
