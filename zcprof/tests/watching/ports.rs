//! At which port a watched program sends, beside strangers who send from more ports than there is room for.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::{env, thread};

use socket2::{Domain, Socket, Type};
use zcprof_common::layout::MAX_PORTS;

use super::super::{code, text, zcprof};
use super::{recorded, unmissed};

/// The port from which the program sends, and the first of the strangers': the kernel hands out none of them
/// by itself.
const OWN: u16 = 9_000;
const STRANGERS: u16 = 20_000;

/// Bytes that the program sends.
const BYTES: usize = 1 << 20;

/// To whom the program sends.
const PEER: &str = "ZCPROF_TEST_PEER";

fn connect(from: u16, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Whoever closes first keeps the port for a minute else.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, from)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

#[test]
#[ignore = "the program that the test below watches"]
fn a_program_that_sends_from_a_port() {
    let peer = env::var(PEER).expect("the test below says it").parse().expect("an address");
    let mut stream = connect(OWN, peer).expect("connected");
    stream.read_exact(&mut [0]).expect("it is told to begin");
    stream.write_all(&vec![7; BYTES]).expect("sent");
}

/// Lets strangers send, then the program, and takes what it sends.
fn serve(listener: &TcpListener) -> io::Result<u64> {
    let (mut program, _) = listener.accept()?;
    let to = listener.local_addr()?;
    for port in (STRANGERS..).take(MAX_PORTS as usize + 6) {
        connect(port, to)?.write_all(&[7])?;
        io::copy(&mut listener.accept()?.0, &mut io::sink())?;
    }
    program.write_all(&[7])?;
    io::copy(&mut program, &mut io::sink())
}

#[test]
fn ports_of_strangers_take_no_room() {
    let out = PathBuf::from("/data/ports");
    let (output, record) = unmissed(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let peer = listener.local_addr().expect("it has one").to_string();
        let received = thread::spawn(move || serve(&listener));
        let program = env::current_exe().expect("this program").display().to_string();
        let name = "watching::ports::a_program_that_sends_from_a_port";
        let output = zcprof(&["watch", "--out"])
            .arg(&out)
            .args(["--", &program, "--exact", name, "--ignored", "--test-threads=1"])
            .env(PEER, &peer)
            .output()
            .expect("zcprof runs");
        let received = received.join().expect("joined").expect("received");
        assert_eq!(received, BYTES as u64, "{}", text(&output));
        let record = recorded(&out, &output);
        (output, record)
    });
    assert_eq!(code(&output), 0, "{}", text(&output));
    let sent = record.counts.iter().filter(|count| count.site == "tcp_sendmsg_locked");
    let at_it = sent.filter(|count| count.port == Some(OWN)).map(|count| count.bytes);
    assert_eq!(at_it.sum::<u64>(), BYTES as u64, "{}", text(&output));
    assert!(record.counts.iter().all(|count| count.port.is_none_or(|port| port == OWN)));
}
