//! A connection, plain or encrypted: what is read and written is plaintext.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use bytes::{Buf as _, BytesMut};
use rustls::Connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::tls;

/// An encrypted connection's keys and buffers, which a transfer may share.
pub type Session = Arc<Mutex<Connection>>;

/// Front of a TLS record: type, version, length (RFC 8446, 5.1).
const RECORD_HEADER: usize = 5;

/// Ciphertext that is received at most in one step: about one record.
const STEP: usize = 17 << 10;

/// Plaintext that is read at most behind a buffer: requests are small.
const PIECE: usize = 2 << 10;

/// A connection.
pub struct Link {
    /// The socket. To write to it goes round the encryption.
    pub stream: TcpStream,
    session: Option<Session>,
    /// Ciphertext that was received and not yet decrypted.
    input: BytesMut,
    /// Bytes received from the socket, as ciphertext if there is encryption.
    pub received: u64,
    /// Bytes that [`Link::write_all`] sent to the socket, as ciphertext if there is encryption.
    pub sent: u64,
}

/// The session, even if a thread panicked while it held the lock.
pub fn lock(session: &Session) -> MutexGuard<'_, Connection> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Without encryption.
    #[must_use]
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream, session: None, input: BytesMut::new(), received: 0, sent: 0 }
    }

    /// With TLS in user space: shakes hands, and reads nothing that comes after.
    ///
    /// # Errors
    /// The peer left, or is not who it should be.
    pub async fn secured(stream: TcpStream, connection: Connection) -> Result<Self> {
        let session = Arc::new(Mutex::new(connection));
        let mut link = Self { session: Some(Arc::clone(&session)), ..Self::plain(stream) };
        loop {
            link.flush(&session).await.context("shaking hands")?;
            if !lock(&session).is_handshaking() {
                return Ok(link);
            }
            link.handshake_record(&session).await.context("shaking hands")?;
        }
    }

    /// Hands the encryption over to the kernel; from here on this link looks plain.
    ///
    /// # Errors
    /// The kernel has no TLS, or a transfer shares the session.
    pub fn into_kernel(mut self) -> Result<Self> {
        let session = self.session.take().context("the connection is not encrypted")?;
        let session = Arc::into_inner(session).context("the session is shared")?;
        let connection = session.into_inner().unwrap_or_else(PoisonError::into_inner);
        tls::into_kernel(&self.stream, connection)?;
        Ok(self)
    }

    /// The keys, if they are in user space.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Reads plaintext; zero at the end.
    ///
    /// # Errors
    /// The kernel's own, and `InvalidData` for what is no TLS.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = self.session.clone() else {
            let read = self.stream.read(buffer).await?;
            self.received += read as u64;
            return Ok(read);
        };
        loop {
            match lock(&session).reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.input.is_empty() {
                self.input.reserve(STEP);
                let read = self.stream.read_buf(&mut self.input).await?;
                self.received += read as u64;
                if read == 0 {
                    return Ok(0);
                }
            }
            feed(&session, &mut self.input)?;
        }
    }

    /// Reads plaintext behind what is in the buffer, as far as that has room.
    ///
    /// # Errors
    /// Those of [`Link::read`].
    pub async fn read_buf(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        if self.session.is_none() {
            let read = self.stream.read_buf(buffer).await?;
            self.received += read as u64;
            return Ok(read);
        }
        // Not an array: it would be part of every connection's task, plain ones included.
        let mut piece = vec![0; PIECE];
        let read = self.read(&mut piece).await?;
        buffer.extend_from_slice(&piece[..read]);
        Ok(read)
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// `UnexpectedEof`, and those of [`Link::read`].
    pub async fn read_exact(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read(buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => buffer = &mut buffer[read..],
            }
        }
        Ok(())
    }

    /// Writes plaintext, and what is encrypted of it leaves.
    ///
    /// # Errors
    /// The kernel's own.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(session) = self.session.clone() else {
            self.sent += bytes.len() as u64;
            return self.stream.write_all(bytes).await;
        };
        while !bytes.is_empty() {
            let taken = lock(&session).writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(&session).await?;
        }
        Ok(())
    }

    /// Sends the ciphertext that there is.
    async fn flush(&mut self, session: &Session) -> io::Result<()> {
        let mut output = Vec::new();
        while lock(session).wants_write() {
            lock(session).write_tls(&mut output)?;
        }
        self.sent += output.len() as u64;
        self.stream.write_all(&output).await
    }

    /// Receives one record and not a byte more: what comes after the handshake may be for the
    /// kernel to decrypt.
    async fn handshake_record(&mut self, session: &Session) -> io::Result<()> {
        let mut record = BytesMut::zeroed(RECORD_HEADER);
        self.stream.read_exact(&mut record).await?;
        let length = u16::from_be_bytes([record[3], record[4]]);
        record.resize(RECORD_HEADER + usize::from(length), 0);
        self.stream.read_exact(&mut record[RECORD_HEADER..]).await?;
        self.received += record.len() as u64;
        while !record.is_empty() {
            feed(session, &mut record)?;
        }
        Ok(())
    }
}

/// Decrypts the front of what was received.
fn feed(session: &Session, input: &mut BytesMut) -> io::Result<()> {
    let mut session = lock(session);
    let taken = session.read_tls(&mut &input[..])?;
    input.advance(taken);
    let processed = session.process_new_packets();
    processed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::fetch::tls::{Identity, connect};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.expect("connected"), far.expect("accepted").0)
    }

    fn runtime() -> tokio::runtime::Runtime {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime")
    }

    #[test]
    fn plaintext_goes_both_ways_and_no_byte_of_it_is_on_the_wire() {
        runtime().block_on(async {
            let identity = Identity::new().expect("a certificate");
            let (near, far) = pair().await;
            let client = connect(&identity.certificate).expect("a certificate");
            let server = identity.accept().expect("a session");
            let (near, far) = tokio::join!(Link::secured(near, client), Link::secured(far, server));
            let (mut near, mut far) = (near.expect("secured"), far.expect("secured"));
            let before = near.sent;
            let text = vec![b'z'; 300_000];
            let mut read = vec![0; text.len()];
            let (written, received) =
                tokio::join!(near.write_all(&text), far.read_exact(&mut read));
            written.and(received).expect("written and read");
            assert!(read == text);
            assert!(near.sent - before > 300_000, "records have headers and tags");
            far.write_all(b"back").await.expect("written");
            near.read_exact(&mut read[..4]).await.expect("read");
            assert_eq!(&read[..4], b"back");
        });
    }

    #[test]
    fn another_servers_certificate_is_refused() {
        runtime().block_on(async {
            let [ours, theirs] = [(); 2].map(|()| Identity::new().expect("a certificate"));
            let (near, far) = pair().await;
            let client = connect(&theirs.certificate).expect("a certificate");
            let server = ours.accept().expect("a session");
            let (near, _) = tokio::join!(Link::secured(near, client), Link::secured(far, server));
            let error = format!("{:#}", near.err().expect("refused"));
            assert!(error.contains("certificate"), "{error}");
        });
    }
}
