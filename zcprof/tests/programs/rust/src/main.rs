//! Serves /www/body over HTTP as Rust programs do: zcprof-served MODE PORT.

mod ring;
mod short;
mod two;

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use ring::{By, Ring};

const PATH: &str = "/www/body";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [mode, rest @ ..] = &words[..] else { return Err("zcprof-served MODE PORT".into()) };
    if *mode == "piece" {
        return Ok(short::piece(rest)?);
    }
    let port = rest.first().ok_or("no port")?.parse()?;
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    match *mode {
        "io-copy" => answer(&listener, |file, socket, _| io::copy(file, socket).map(drop))?,
        "two-writers" => answer(&listener, |file, socket, _| two::send(file, socket))?,
        "axum" => by_axum(listener)?,
        "short-copy" => answer(&listener, |_, socket, length| short::by("copy", socket, length))?,
        "short-sendfile" => {
            answer(&listener, |_, socket, length| short::by("sendfile", socket, length))?;
        }
        "sqpoll-copy" => by_ring(&listener, By::KernelThread, Ring::copy)?,
        "sqpoll-splice" => by_ring(&listener, By::KernelThread, Ring::splice)?,
        "workers-copy" => by_ring(&listener, By::Workers, Ring::copy)?,
        "workers-splice" => by_ring(&listener, By::Workers, Ring::splice)?,
        _ => return Err(format!("{mode} is no mode").into()),
    }
    Ok(())
}

/// Answers every connection with the file, sent in some way.
fn answer(
    listener: &TcpListener,
    mut send: impl FnMut(&mut File, &mut TcpStream, u64) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let (mut socket, _) = listener.accept()?;
        let mut request = [0; 4096];
        let _ = socket.read(&mut request)?;
        let mut file = File::open(PATH)?;
        let length = file.metadata()?.len();
        write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
        send(&mut file, &mut socket, length)?;
    }
}

fn by_ring(
    listener: &TcpListener,
    by: By,
    send: fn(&mut Ring, &File, &TcpStream, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut ring = Ring::new(by)?;
    answer(listener, |file, socket, length| send(&mut ring, file, socket, length))
}

/// tower-http's file service, below axum.
fn by_axum(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    listener.set_nonblocking(true)?;
    runtime.block_on(async {
        let file = tower_http::services::ServeFile::new(PATH);
        let served = axum::Router::new().route_service("/body", file);
        axum::serve(tokio::net::TcpListener::from_std(listener)?, served).await?;
        Ok(())
    })
}
