//! TLS in the kernel, on a connection with nothing in flight.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::thread::{self, sleep};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{setsockopt, sockopt};
use zcprof::fetch::tls::{Identity, connect, into_kernel};

use super::super::folder;

const PAYLOAD: usize = 1 << 20;

/// Bytes of a segment on Ethernet with timestamps. The larger ones of the loopback device begin with a
/// larger buffer.
const SEGMENT: u32 = 1448;

/// Bytes of one piece: more than the buffer holds at the beginning.
const PIECE: usize = 128 << 10;

/// Long enough for a delayed acknowledgement under emulation.
const ACKNOWLEDGED: Duration = Duration::from_millis(300);

/// Up to 6.4 the kernel keeps records in a send buffer that is full with them (see `SEND_BUFFER` in
/// `zcprof::fetch::tls`), and a server that waits for room waits for ever.
#[test]
fn a_socket_with_tls_and_nothing_in_flight_sends_all_that_sendfile_gives_it() {
    let path = folder("tls").join("payload");
    fs::write(&path, vec![7; PAYLOAD]).expect("the file is written");
    let file = File::open(&path).expect("the file opens");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    setsockopt(&listener, sockopt::TcpMaxSeg, &SEGMENT).expect("small segments");
    let identity = Identity::new().expect("a certificate");
    let address = listener.local_addr().expect("an address");
    let certificate = identity.certificate.clone();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("connected");
        let mut session = connect(&certificate).expect("a session");
        while session.is_handshaking() {
            session.complete_io(&mut stream).expect("the handshake");
        }
        // Encrypted as it comes: this is about how much does.
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("all is received");
        received.len()
    });

    let (mut stream, _) = listener.accept().expect("accepted");
    let mut session = identity.accept().expect("a session");
    while session.is_handshaking() {
        session.complete_io(&mut stream).expect("the handshake");
    }
    into_kernel(&stream, session).expect("TLS in the kernel");
    stream.write_all(b"what comes before the records").expect("sent");
    stream.set_nonblocking(true).expect("a socket");
    let (mut offset, mut waited) = (0, 0);
    for _ in 0..PAYLOAD / PIECE {
        // Nothing is in flight any more.
        sleep(ACKNOWLEDGED);
        let mut left = PIECE;
        while left > 0 {
            match sendfile(&stream, &file, Some(&mut offset), left) {
                Ok(sent) => left -= sent,
                Err(Errno::EAGAIN) => {
                    waited += 1;
                    wait_for_room(&stream);
                }
                Err(error) => panic!("sendfile: {error}"),
            }
        }
    }
    stream.shutdown(Shutdown::Write).expect("shut down");
    let received = client.join().expect("the client ends");
    assert!(received > PAYLOAD, "{received} bytes were received");
    println!("waited {waited} times");
}

fn wait_for_room(stream: &TcpStream) {
    let mut sockets = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(Duration::from_secs(30)).expect("a timeout");
    let ready = match poll(&mut sockets, timeout) {
        Err(Errno::EINTR) => 0,
        ready => ready.expect("poll"),
    };
    assert!(ready > 0, "{}: nothing is sent, and nobody is told of room", ErrorKind::TimedOut);
}
