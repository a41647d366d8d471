//! The framing that AWS's SDKs put around a body (`aws-chunked`): sized chunks, perhaps signed,
//! then trailers.
//!
//! `s3s` takes it off only after it has verified the signature, which needs the secret key. Nobody
//! verifies on loopback, so it is taken off here, and the signatures in it are passed over.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use s3s::StdError;

/// A chunk's head has its size and a signature of 64 digits.
const MAX_LINE: usize = 1024;
const MAX_TRAILERS: usize = 32;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ChunkError {
    #[error("the aws-chunked body ended in the middle")]
    Incomplete,
    #[error("the aws-chunked body has a chunk without a proper head")]
    BadHead,
    #[error("the aws-chunked body has a chunk that does not end where its size says")]
    BadEnd,
    #[error("the aws-chunked body has trailers that make no sense")]
    BadTrailer,
}

/// The headers that follow a body. They are there once the body has been read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trailers {
    found: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Trailers {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Takes the framing off a body.
pub(crate) fn decode(
    body: impl Stream<Item = Result<Bytes, StdError>> + Send + Unpin,
    trailers: Trailers,
) -> impl Stream<Item = Result<Bytes, StdError>> + Send {
    let decoder = Decoder { buffer: BytesMut::new(), state: State::Head, trailers };
    stream::try_unfold((body, decoder), |(mut body, mut decoder)| async move {
        loop {
            match decoder.next()? {
                Step::Data(data) => return Ok(Some((data, (body, decoder)))),
                Step::End => return Ok(None),
                Step::NeedMore => match body.next().await {
                    Some(piece) => decoder.buffer.extend_from_slice(&piece?),
                    None => {
                        decoder.end()?;
                        return Ok(None);
                    }
                },
            }
        }
    })
}

struct Decoder {
    buffer: BytesMut,
    state: State,
    trailers: Trailers,
}

#[derive(Clone, Copy)]
enum State {
    Head,
    /// So many bytes of the chunk are to come.
    Data(u64),
    DataEnd,
    /// The last chunk is over; so many trailers were read.
    Trailers(usize),
    Done,
}

enum Step {
    Data(Bytes),
    NeedMore,
    End,
}

impl Decoder {
    fn next(&mut self) -> Result<Step, ChunkError> {
        loop {
            match self.state {
                State::Head => {
                    let Some(line) = self.line(ChunkError::BadHead)? else {
                        return Ok(Step::NeedMore);
                    };
                    self.state = match size_of(&line).ok_or(ChunkError::BadHead)? {
                        0 => State::Trailers(0),
                        size => State::Data(size),
                    };
                }
                State::Data(left) => {
                    if self.buffer.is_empty() {
                        return Ok(Step::NeedMore);
                    }
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let data = self.buffer.split_to(here).freeze();
                    let left = left - here as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Step::Data(data));
                }
                State::DataEnd => {
                    if self.buffer.len() < 2 {
                        return Ok(Step::NeedMore);
                    }
                    if !self.buffer.starts_with(b"\r\n") {
                        return Err(ChunkError::BadEnd);
                    }
                    self.buffer.advance(2);
                    self.state = State::Head;
                }
                State::Trailers(count) => {
                    let Some(line) = self.line(ChunkError::BadTrailer)? else {
                        return Ok(Step::NeedMore);
                    };
                    self.state = self.trailer(&line, count)?;
                }
                State::Done => return Ok(Step::End),
            }
        }
    }

    /// The body is over. Some clients leave out the empty line at the end, or the end of the last.
    fn end(&mut self) -> Result<(), ChunkError> {
        if let State::Trailers(count) = self.state {
            let rest = self.buffer.split();
            self.trailer(&rest, count)?;
            return Ok(());
        }
        Err(ChunkError::Incomplete)
    }

    /// Takes a line out of the buffer, without its end. `None` if it is not there as a whole.
    fn line(&mut self, too_long: ChunkError) -> Result<Option<Bytes>, ChunkError> {
        let Some(end) = self.buffer.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return if self.buffer.len() < MAX_LINE { Ok(None) } else { Err(too_long) };
        };
        let mut line = self.buffer.split_to(end + 1);
        line.truncate(end);
        if line.ends_with(b"\r") {
            line.truncate(end - 1);
        }
        Ok(Some(line.freeze()))
    }

    fn trailer(&mut self, line: &[u8], count: usize) -> Result<State, ChunkError> {
        if line.is_empty() {
            return Ok(State::Done);
        }
        if count == MAX_TRAILERS {
            return Err(ChunkError::BadTrailer);
        }
        let line = std::str::from_utf8(line).map_err(|_| ChunkError::BadTrailer)?;
        let (name, value) = line.split_once(':').ok_or(ChunkError::BadTrailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        let mut found = self.trailers.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(name, value);
        Ok(State::Trailers(count + 1))
    }
}

/// The size in a chunk's head: hexadecimal, up to extensions such as `;chunk-signature=…`.
fn size_of(head: &[u8]) -> Option<u64> {
    let head = std::str::from_utf8(head).ok()?;
    let digits = head.split(';').next()?.trim();
    // A sign would be taken, too.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use futures::TryStreamExt;

    use super::*;

    /// Decodes `framed`, given in pieces of every size, and shows data and trailers.
    #[track_caller]
    fn check(framed: &str, expect: Expect) {
        let mut shown: Vec<String> = (1..=framed.len())
            .map(|size| {
                let pieces: Vec<_> = framed
                    .as_bytes()
                    .chunks(size)
                    .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                    .collect();
                let trailers = Trailers::default();
                let decoded = decode(stream::iter(pieces), trailers.clone());
                let data: Result<Vec<Bytes>, _> =
                    futures::executor::block_on(Box::pin(decoded).try_collect());
                match data {
                    Ok(data) => {
                        let data = String::from_utf8(data.concat()).unwrap();
                        format!("{data:?} {:?}", trailers.found.lock().unwrap())
                    }
                    Err(error) => error.to_string(),
                }
            })
            .collect();
        shown.dedup();
        expect.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn unsigned_with_a_trailer() {
        check(
            "4\r\nWiki\r\n6\r\npedia \r\n0\r\nx-amz-checksum-crc32: sOO8/Q==\r\n\r\n",
            expect![[r#""Wikipedia " {"x-amz-checksum-crc32": "sOO8/Q=="}"#]],
        );
    }

    #[test]
    fn signed() {
        check(
            "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n",
            expect![[r#""hello" {}"#]],
        );
        check(
            "1;chunk-signature=ab\r\n\n\r\n0;chunk-signature=cd\r\n\
             x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-trailer-signature:ef\r\n\r\n",
            expect![[
                r#""\n" {"x-amz-checksum-crc32c": "AAAAAA==", "x-amz-trailer-signature": "ef"}"#
            ]],
        );
    }

    #[test]
    fn an_end_that_is_cut_short_is_an_end() {
        check("0\r\n", expect![[r#""" {}"#]]);
        check("1\r\nx\r\n0\r\na:b", expect![[r#""x" {"a": "b"}"#]]);
    }

    #[test]
    fn what_is_no_framing_is_refused() {
        check("hello", expect!["the aws-chunked body ended in the middle"]);
        check("hello\r\n", expect!["the aws-chunked body has a chunk without a proper head"]);
        check(
            "+1\r\nx\r\n0\r\n\r\n",
            expect!["the aws-chunked body has a chunk without a proper head"],
        );
        check("\r\n", expect!["the aws-chunked body has a chunk without a proper head"]);
        check(
            "FFFFFFFFFFFFFFFFF\r\n",
            expect!["the aws-chunked body has a chunk without a proper head"],
        );
        check(
            "1\r\nxy\r\n0\r\n",
            expect!["the aws-chunked body has a chunk that does not end where its size says"],
        );
        check("5\r\nhell", expect!["the aws-chunked body ended in the middle"]);
        check("0\r\nno colon\r\n", expect!["the aws-chunked body has trailers that make no sense"]);
    }

    #[test]
    fn a_head_without_end_is_not_gathered() {
        let endless = "1".repeat(MAX_LINE * 2);
        check(&endless, expect!["the aws-chunked body has a chunk without a proper head"]);
    }
}
