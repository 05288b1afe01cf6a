//! One tensor over HTTP, of which only its ranges are requested: `http FILE.znn TENSOR`.
//!
//! The server is in here, too, so that nothing else is needed to try it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::thread;

use tiny_http::{Header, Request, Response, Server};
use zipnn_ranges::{Error, Ranges, layout, open, read};

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name] = &arguments[..] else { return Err("usage: http FILE.znn TENSOR".into()) };
    let server = Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = server.server_addr().to_ip().ok_or("the server has no address")?;
    let file = File::open(path)?;
    thread::spawn(move || {
        for request in server.incoming_requests() {
            if let Err(error) = answer(request, &file) {
                eprintln!("server: {error}");
            }
        }
    });

    let mut source = Http { url: format!("http://{address}/"), requests: 0, received: 0 };
    let seeker = open(&mut source)?;
    println!("{} requests, {} bytes to find all frames", source.requests, source.received);
    let layout = layout(&seeker, &mut source)?;
    println!("{} requests, {} bytes to list all tensors", source.requests, source.received);
    let tensor = layout.tensor(name).ok_or("there is no such tensor")?;
    let data = read(&seeker, &mut source, tensor.range.clone())?;
    println!("{} requests, {} bytes to read {name}", source.requests, source.received);
    println!("{name}: {} {:?}, {} bytes", tensor.dtype, tensor.shape, data.len());
    Ok(())
}

/// A file on a server that answers range requests.
struct Http {
    url: String,
    requests: u64,
    received: u64,
}

impl Ranges for Http {
    fn len(&mut self) -> Result<u64, Error> {
        self.requests += 1;
        let response = ureq::head(&self.url).call()?;
        let len = response.headers().get("content-length").ok_or("the server tells no length")?;
        Ok(len.to_str()?.parse()?)
    }

    fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        self.requests += 1;
        self.received += range.end - range.start;
        let range = format!("bytes={}-{}", range.start, range.end - 1);
        let mut response = ureq::get(&self.url).header("range", &range).call()?;
        if response.status() != 206 {
            return Err("the server does not answer range requests".into());
        }
        Ok(response.body_mut().with_config().limit(u64::MAX).read_to_vec()?)
    }
}

/// Answers a request for the file or for a range of it.
fn answer(request: Request, mut file: &File) -> Result<(), Error> {
    let len = file.metadata()?.len();
    let wanted = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("range"))
        .and_then(|header| parse_range(header.value.as_str(), len));
    let (status, range) = wanted.map_or((200, 0..len), |range| (206, range));
    file.seek(SeekFrom::Start(range.start))?;
    let range_len = range.end - range.start;
    let mut response = Response::empty(status)
        .with_data(file.take(range_len), Some(usize::try_from(range_len)?))
        .with_chunked_threshold(usize::MAX);
    if status == 206 {
        let value = format!("bytes {}-{}/{len}", range.start, range.end - 1);
        let header = Header::from_bytes("Content-Range", value).map_err(|()| "a bad header")?;
        response.add_header(header);
    }
    Ok(request.respond(response)?)
}

/// `bytes=A-B`, both included, within a file of this length.
fn parse_range(text: &str, len: u64) -> Option<Range<u64>> {
    let (start, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = start.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    (range.start < range.end && range.end <= len).then_some(range)
}
