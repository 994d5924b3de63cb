//! Two functions that both call `write`: each is charged its own bytes.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

const BLOCK: usize = 16384;

/// Sends a file: of four blocks three by one function and one by the other.
pub(crate) fn send(file: &mut File, socket: &mut TcpStream) -> io::Result<()> {
    let mut blocks = vec![0; 4 * BLOCK];
    loop {
        let length = file.read(&mut blocks)?;
        if length == 0 {
            return Ok(());
        }
        let (large, small) = blocks[..length].split_at(length / 4 * 3);
        three_quarters(socket, large)?;
        a_quarter(socket, small)?;
    }
}

#[inline(never)]
fn three_quarters(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    black_box(socket.write_all(bytes))
}

#[inline(never)]
fn a_quarter(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let sent = socket.write_all(bytes);
    black_box(bytes.len());
    sent
}
