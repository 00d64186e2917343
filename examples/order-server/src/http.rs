//! As much of HTTP/1.1 as the service needs.

use std::io::{Error, ErrorKind, Result, Write};

pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Read one request from the beginning of what was received, and how long it is; `None` until it is whole.
    pub fn parse(received: &'a [u8]) -> Result<Option<(Self, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut headers);
        let head_length = match head.parse(received) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(Error::new(ErrorKind::InvalidData, error)),
        };
        let body_length = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
            .unwrap_or(0);
        let length = head_length + body_length;
        if received.len() < length {
            return Ok(None);
        }
        let request = Request {
            method: head.method.unwrap_or(""),
            path: head.path.unwrap_or(""),
            body: &received[head_length..length],
        };
        Ok(Some((request, length)))
    }
}

pub struct Response {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Response {
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: "text/plain",
            body: text.into(),
        }
    }

    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: "application/json",
            body,
        }
    }

    pub fn write_to(&self, out: &mut Vec<u8>) {
        let length = self.body.len();
        write!(
            out,
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {length}\r\n\r\n",
            self.status, self.content_type
        )
        .expect("a vector takes everything");
        out.extend_from_slice(&self.body);
    }
}
