//! Reads one tensor over HTTP with range requests.
//!
//! The program contains the server, so that nothing else is needed to try it:
//!
//! ```sh
//! cargo run -p zipnn-ranges --bin http [FILE.znn TENSOR]
//! ```

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use tiny_http::{Header, Request, Response, Server};
use zipnn::io::ReadAt;
use zipnn::seek::Seeker;
use zipnn::{Archive, Limits};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let (file, name) = zipnn_ranges::input()?;
    let server = Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = server.server_addr().to_ip().ok_or("the server has no address")?;
    thread::spawn(move || {
        for request in server.incoming_requests() {
            if let Err(error) = answer(request, &file) {
                eprintln!("server: {error}");
            }
        }
    });

    let source = Http::new(format!("http://{address}/"));
    // The length of the file comes with its last bytes.
    let (suffix, file_len) = source.get(&format!("bytes=-{}", Seeker::SUFFIX_LEN))?;
    let mut seeker = Seeker::new(file_len, Limits::default());
    seeker.feed_suffix(&suffix)?;
    let archive = Archive::with_seeker(source, seeker)?;
    let report = |what: &str| {
        let Http { requests, received, .. } = archive.get_ref();
        println!("{} requests, {} bytes to {what}", requests.load(Relaxed), received.load(Relaxed));
    };
    report("find all frames");
    let tensor = archive.tensor(&name)?;
    report("list all tensors");
    let data = archive.read_tensor_bytes(&name)?;
    report(&format!("read {name}"));
    println!("{name}: {} {:?}, {} bytes", tensor.dtype, tensor.shape, data.len());
    Ok(())
}

/// A file on a server that answers range requests.
struct Http {
    url: String,
    requests: AtomicU64,
    received: AtomicU64,
}

impl Http {
    fn new(url: String) -> Self {
        Self { url, requests: AtomicU64::new(0), received: AtomicU64::new(0) }
    }

    /// Requests a range. Returns its bytes and the length of the file.
    fn get(&self, range: &str) -> io::Result<(Vec<u8>, u64)> {
        let response = ureq::get(&self.url).header("range", range).call();
        let mut response = response.map_err(io::Error::other)?;
        let content_range = response.headers().get("content-range");
        let file_len = content_range.and_then(|value| value.to_str().ok()?.rsplit_once('/'));
        let file_len = file_len.and_then(|(_, len)| len.parse().ok());
        let file_len = file_len.ok_or("the server does not answer range requests");
        let file_len = file_len.map_err(io::Error::other)?;
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
        let body = body.map_err(io::Error::other)?;
        self.requests.fetch_add(1, Relaxed);
        self.received.fetch_add(body.len() as u64, Relaxed);
        Ok((body, file_len))
    }
}

impl ReadAt for Http {
    fn size(&self) -> io::Result<u64> {
        Ok(self.get("bytes=-1")?.1)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let last = offset + (buf.len() as u64 - 1);
        let (bytes, _) = self.get(&format!("bytes={offset}-{last}"))?;
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }
}

/// Answers a request for the file or for a range of it.
fn answer(request: Request, file: &[u8]) -> Result<(), Error> {
    let len = file.len() as u64;
    let wanted = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("range"))
        .and_then(|header| parse_range(header.value.as_str(), len));
    let (status, range) = wanted.map_or((200, 0..len), |range| (206, range));
    let part = &file[usize::try_from(range.start)?..usize::try_from(range.end)?];
    let mut response = Response::empty(status)
        .with_data(part, Some(part.len()))
        .with_chunked_threshold(usize::MAX);
    if status == 206 {
        let value = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        let header = Header::from_bytes("Content-Range", value).map_err(|()| "a bad header")?;
        response.add_header(header);
    }
    Ok(request.respond(response)?)
}

/// Parses `bytes=A-B`, both included, or `bytes=-N`, the last bytes of a file of this length.
fn parse_range(text: &str, len: u64) -> Option<Range<u64>> {
    let (start, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match start {
        "" => len.saturating_sub(last.parse().ok()?)..len,
        _ => start.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?.min(len),
    };
    (range.start < range.end).then_some(range)
}
