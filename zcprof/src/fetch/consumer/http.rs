//! HTTP/1.1, as far as it takes to fetch ranges of segment files: GET with `Range`, answered by
//! 206 with `Content-Length`, on a connection that stays open.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::head::Head;
use super::plan::PlannedFetch;
use crate::fetch::log::segment_name;

/// Longest response head in bytes.
const LONGEST: usize = 4096;

/// Most header fields of a response.
const FIELDS: usize = 32;

/// One connection's.
pub(super) struct HttpSpeech {
    path: String,
    host: SocketAddr,
    head: Vec<u8>,
    /// What is known of the head's length: the segment, and the length without the digits that
    /// say which bytes it holds.
    known: Option<(u64, usize)>,
}

/// A whole response head.
struct Parsed {
    length: usize,
    status: u16,
    content_length: Option<u64>,
}

impl HttpSpeech {
    pub(super) fn new(path: &str, host: SocketAddr) -> Self {
        Self { path: path.to_owned(), host, head: vec![0; LONGEST], known: None }
    }

    pub(super) fn request(&self, planned: &PlannedFetch) -> Bytes {
        let (path, host) = (&self.path, self.host);
        let (name, from) = (segment_name(planned.segment), planned.position);
        let to = from + planned.bytes.saturating_sub(1);
        let text = format!(
            "GET {path}{name} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={from}-{to}\r\n\r\n"
        );
        text.into()
    }

    /// Receives a response up to its body, and no byte of that.
    ///
    /// Heads for the same file differ in length only by the digits of the range and its length.
    /// So only the first one is looked at before it is received, and every later one costs one
    /// system call, as a Kafka header does.
    pub(super) async fn head(
        &mut self,
        stream: &mut TcpStream,
        planned: &PlannedFetch,
    ) -> Result<Head> {
        let digits = digits(planned);
        let known = self.known.filter(|(segment, _)| *segment == planned.segment);
        let mut held = 0;
        let parsed = loop {
            let most = match known {
                Some((_, rest)) if held < rest + digits => rest + digits,
                _ => stream.peek_more(&mut self.head, held).await?,
            };
            let room = self.head.get_mut(held..most).context("the head is too long")?;
            let read = stream.read(room).await?;
            ensure!(read > 0, "the server closed the connection in the middle of a head");
            held += read;
            if let Some(parsed) = parse(&self.head[..held])? {
                break parsed;
            }
        };
        ensure!(parsed.status == 206, "HTTP status {} and not 206", parsed.status);
        ensure!(parsed.length == held, "the head is shorter than the one before for this file");
        let record_bytes = parsed.content_length.context("an answer without Content-Length")?;
        let rest = held.checked_sub(digits).context("a head that says too little")?;
        self.known = Some((planned.segment, rest));
        Ok(Head { length: held, record_bytes })
    }
}

/// Looks at what has come without receiving it.
trait PeekMore {
    /// Where the head ends, if `held` bytes of it are in the buffer already; or, if its end has
    /// not come, where the part ends that has.
    async fn peek_more(&self, buffer: &mut [u8], held: usize) -> Result<usize>;
}

impl PeekMore for TcpStream {
    async fn peek_more(&self, buffer: &mut [u8], held: usize) -> Result<usize> {
        let room = buffer.get_mut(held..).filter(|room| !room.is_empty());
        let peeked = self.peek(room.context("the head is too long")?).await?;
        let end = held + peeked;
        Ok(parse(&buffer[..end])?.map_or(end.max(held + 1), |parsed| parsed.length))
    }
}

/// Digits that say which bytes a response holds: `Content-Range: bytes A-B/…` and
/// `Content-Length: C`.
fn digits(planned: &PlannedFetch) -> usize {
    let last = planned.position + planned.bytes.saturating_sub(1);
    let count = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    count(planned.position) + count(last) + count(planned.bytes)
}

/// Reads a head; `None` if more of it is to come.
fn parse(bytes: &[u8]) -> Result<Option<Parsed>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let status = response.parse(bytes).context("no HTTP response")?;
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let status = response.code.context("a response without a status")?;
    let mut content_length = None;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(field.value)?;
            content_length = Some(text.parse().with_context(|| format!("Content-Length {text}"))?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the server answers in a transfer encoding, and ranges of bytes have none");
        }
    }
    Ok(Some(Parsed { length, status, content_length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(position: u64, bytes: u64) -> PlannedFetch {
        PlannedFetch { offset: 0, segment: 7, position, bytes }
    }

    fn response(planned: &PlannedFetch) -> String {
        let (from, bytes) = (planned.position, planned.bytes);
        let to = from + bytes - 1;
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {bytes}\r\n\
             Content-Range: bytes {from}-{to}/99999\r\n\r\n"
        )
    }

    #[test]
    fn a_request_names_the_file_and_the_first_and_last_byte() {
        let speech = HttpSpeech::new("/orders-0/", SocketAddr::from(([127, 0, 0, 1], 80)));
        let request = speech.request(&planned(100, 50));
        let text = std::str::from_utf8(&request).expect("text");
        assert!(text.starts_with("GET /orders-0/00000000000000000007.log HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nRange: bytes=100-149\r\n"), "{text}");
    }

    #[test]
    fn heads_of_one_file_differ_by_their_digits_alone() {
        let bare = |planned: &PlannedFetch| response(planned).len() - digits(planned);
        let first = bare(&planned(0, 1));
        for (position, bytes) in [(0, 10), (9, 1), (9, 2), (1000, 4096), (99_990, 9)] {
            assert_eq!(bare(&planned(position, bytes)), first, "{position}, {bytes}");
        }
    }

    /// A server on the other end of a real connection, which sends in pieces.
    fn heard(pieces: Vec<String>, fetches: &[PlannedFetch]) -> Vec<Result<Head>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let (mut server, _) = listener.accept().await.expect("accepted");
            let sender = tokio::spawn(async move {
                for piece in pieces {
                    tokio::io::AsyncWriteExt::write_all(&mut server, piece.as_bytes())
                        .await
                        .expect("sent");
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            });
            let mut speech = HttpSpeech::new("/", address);
            let mut heads = Vec::new();
            for planned in fetches {
                let head = speech.head(&mut stream, planned).await;
                if let Ok(head) = &head {
                    let bytes = usize::try_from(head.record_bytes).expect("small");
                    stream.read_exact(&mut vec![0; bytes]).await.expect("a body");
                }
                heads.push(head);
            }
            sender.abort();
            heads
        })
    }

    #[test]
    fn heads_are_received_to_the_byte_however_they_are_cut() {
        let fetches = [planned(0, 10), planned(10, 5), planned(99, 2)];
        let whole: String = fetches
            .iter()
            .map(|planned| response(planned) + &"x".repeat(planned.bytes.try_into().expect("few")))
            .collect();
        for cut in [1, 20, 60, 90, 120, whole.len() - 1] {
            let (front, back) = whole.split_at(cut);
            let heads = heard(vec![front.to_owned(), back.to_owned()], &fetches);
            for (head, planned) in heads.into_iter().zip(&fetches) {
                let head = head.expect("a head");
                assert_eq!(head.length, response(planned).len(), "cut at {cut}");
                assert_eq!(head.record_bytes, planned.bytes, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_range_of_bytes_is_refused_with_its_reason() {
        for (response, reason) in [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer encoding"),
            ("HTTP/1.1 206 Partial Content\r\n\r\n", "Content-Length"),
            ("HTTP/1.1 206 Partial Content\r\nContent-Length: -1\r\n\r\n", "-1"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP response"),
        ] {
            let heads = heard(vec![response.to_owned()], &[planned(0, 1)]);
            let [Err(error)] = &heads[..] else { panic!("{response}: {heads:?}") };
            let error = format!("{error:#}");
            assert!(error.contains(reason), "{response}: {error}");
        }
    }
}
