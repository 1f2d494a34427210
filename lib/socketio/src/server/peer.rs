//! Who is at the other end: the address and the request headers, kept small.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Kept as one block, because a map of borrowed values would keep the HTTP server's read buffer
/// for as long as the connection lives.
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Name, NUL, value, line feed, and so on: neither character can stand in a header.
    headers: Box<[u8]>,
}

impl Peer {
    /// `None` when the headers are longer than `bytes_max`.
    pub(super) fn new(address: IpAddr, headers: &HeaderMap, bytes_max: usize) -> Option<Self> {
        let mut block = Vec::new();
        for (name, value) in headers {
            block.extend_from_slice(name.as_str().as_bytes());
            block.push(0);
            block.extend_from_slice(value.as_bytes());
            block.push(b'\n');
            if block.len() > bytes_max {
                return None;
            }
        }
        Some(Self { address, headers: block.into() })
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in self.headers.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == 0) else { continue };
            let name = HeaderName::from_bytes(&line[..at]);
            let value = HeaderValue::from_bytes(&line[at + 1..]);
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let mut headers = HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("Bearer a b"));
        headers.append("x-twice", HeaderValue::from_static("1"));
        headers.append("x-twice", HeaderValue::from_static("2"));
        headers.append("x-empty", HeaderValue::from_static(""));
        let address = IpAddr::from([127, 0, 0, 1]);
        let peer = Peer::new(address, &headers, 8_192).unwrap();
        assert_eq!(peer.headers(), headers);
        assert!(Peer::new(address, &headers, 20).is_none());
    }
}
