//! What parent and jailed process say to each other: frames of bounded length, each a message and
//! the bytes that belong to it.
//!
//! Both ends are the same program, so there are no versions. The parent reads as a stranger would:
//! what is no message, or too long, ends the child.

use std::time::Duration;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::codec::LengthDelimitedCodec;

use super::problem::HttpProblem;
use crate::{Limits, TaskContext, host::wit};

/// The longest frame. A page of a listing is what comes near it.
const MAX_FRAME: usize = 4 << 20;
/// Texts and bodies that are longer come in pieces of so many bytes.
pub(super) const PIECE: usize = 256 << 10;
/// A piece of an HTTP body.
pub(super) const HTTP_PIECE: usize = 64 << 10;

/// How the two find frames in a stream of bytes.
pub(super) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME).new_codec()
}

/// To the child.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Down {
    /// The bytes are the next piece of a module's machine code.
    Code {
        module: u32,
    },
    /// All of its code is there.
    Link {
        module: u32,
        name: String,
        digest: String,
    },
    /// Nobody will start it again.
    Forget {
        module: u32,
    },
    /// The bytes are the next piece of a run's input, but for the last one.
    Input {
        run: u32,
    },
    /// The bytes are the rest of the input.
    Start(Box<Start>),
    /// The guest is to hear that it should end.
    Cancel {
        run: u32,
    },
    /// The guest is to be stopped at once; [`End::Stopped`] says that it is.
    Stop {
        run: u32,
    },
    Answer {
        run: u32,
        call: u32,
        answer: Answer,
    },
}

/// What one run is given. Neither grants nor secrets: they stay with the parent.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) run: u32,
    pub(super) module: u32,
    pub(super) context: TaskContext,
    pub(super) limits: Limits,
    /// Milliseconds since the Unix epoch.
    pub(super) deadline: u64,
    /// With placeholders where secrets are.
    pub(super) environment: Vec<(String, String)>,
}

/// From the child.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Up {
    Linked {
        module: u32,
        problem: Option<String>,
    },
    /// The bytes are the guest's progress.
    Beat {
        run: u32,
    },
    /// The bytes are a line of the guest's log.
    Line {
        run: u32,
        level: u8,
        fields: String,
    },
    /// So many lines exceeded the limits of the log.
    Dropped {
        run: u32,
        lines: u64,
    },
    Object {
        run: u32,
        call: u32,
        ask: ObjectAsk,
    },
    Http {
        run: u32,
        call: u32,
        exchange: u32,
        ask: HttpAsk,
    },
    /// Nobody waits for the rest of that response.
    Close {
        run: u32,
        exchange: u32,
    },
    /// The bytes are the next piece of the result, but for the last one.
    Output {
        run: u32,
    },
    /// The bytes are the rest of the result.
    Ended {
        run: u32,
        end: End,
        used: Used,
    },
}

/// Calls of `object-store`. A guest makes one at a time.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ObjectAsk {
    Open { bucket: String },
    Head { bucket: String, key: String },
    Get { bucket: String, key: String, range: Option<wit::ByteRange> },
    Read { reader: u32, max: u32 },
    CloseReader { reader: u32 },
    Put { bucket: String, key: String, options: wit::PutOptions },
    Write { writer: u32 },
    Finish { writer: u32 },
    Discard { writer: u32 },
    List { bucket: String, prefix: String, start_after: Option<String> },
    Copy { from: (String, String), to: (String, String) },
    Delete { bucket: String, key: String },
}

/// What becomes of one HTTP request.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum HttpAsk {
    Send(Box<RequestHead>),
    /// The bytes are the next piece of the request's body.
    Body,
    /// The body ends here, as a whole or broken off.
    BodyEnd {
        whole: bool,
    },
    /// For the next piece of the response's body.
    Receive,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Headers,
    pub(super) has_body: bool,
    pub(super) connect: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) between_bytes: Option<Duration>,
}

pub(super) type Headers = Vec<(String, Vec<u8>)>;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Info(wit::ObjectInfo),
    Reader {
        reader: u32,
        info: wit::ObjectInfo,
    },
    Writer(u32),
    /// The bytes are what was read.
    Bytes,
    Page(wit::ListPage),
    Failed(wit::Error),
    Response {
        status: u16,
        headers: Headers,
    },
    /// The bytes are a piece of the response's body.
    Piece,
    Trailers(Headers),
    /// There is no more of it.
    EndOfBody,
    HttpFailed(HttpProblem),
}

/// How a run ended, as the child tells it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum End {
    /// The result is in the bytes.
    Output,
    Failure {
        reason: String,
        details: String,
        retryable: bool,
    },
    Limit(Limit),
    Call {
        message: String,
    },
    Trap {
        message: String,
        backtrace: String,
        stderr: String,
    },
    /// The jailed process itself could not go on with it.
    Host {
        message: String,
    },
    /// As the parent asked.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Limit {
    Memory,
    Cpu,
    Wall,
    Output,
    Table,
    Stack,
    Scratch,
    Handles,
}

/// What only the child can measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Used {
    pub(super) instantiate: Duration,
    pub(super) run: Duration,
    pub(super) cpu: Duration,
    pub(super) peak_memory: u64,
}

/// A frame without its length; `None` if it would be too long.
pub(super) fn encode(message: &impl Serialize, bytes: &[u8]) -> Option<Bytes> {
    let buffer = Vec::with_capacity(bytes.len() + 256);
    let mut frame = postcard::to_extend(message, buffer).ok()?;
    frame.extend_from_slice(bytes);
    (frame.len() <= MAX_FRAME).then(|| Bytes::from(frame))
}

/// A message and its bytes; `None` if it is no message.
pub(super) fn decode<M: DeserializeOwned>(frame: Bytes) -> Option<(M, Bytes)> {
    let mut rest = frame.clone();
    let (message, left) = postcard::take_from_bytes(&frame).ok()?;
    rest.advance(frame.len().saturating_sub(left.len()));
    Some((message, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_and_their_bytes_come_back() {
        let up = Up::Object { run: 1, call: 2, ask: ObjectAsk::Write { writer: 3 } };
        let frame = encode(&up, b"bytes").unwrap();
        assert_eq!(decode(frame), Some((up, Bytes::from_static(b"bytes"))));
        let page = wit::ListPage { objects: Vec::new(), next: Some("n".repeat(MAX_FRAME)) };
        let answer = Down::Answer { run: 1, call: 2, answer: Answer::Page(page) };
        assert_eq!(encode(&answer, b""), None, "too long to be sent");
    }

    #[test]
    fn a_length_that_no_frame_has_is_no_reason_to_make_room() {
        // A line with fields of 2^60 bytes, of which none follow.
        let mut frame = encode(&Up::Line { run: 1, level: 1, fields: String::new() }, b"").unwrap();
        let mut frame = frame.split_to(frame.len() - 1).to_vec();
        frame.extend([0xff; 8]);
        frame.push(0x0f);
        assert_eq!(decode::<Up>(frame.into()), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_message_or_none(bytes: Vec<u8>) {
            let _ = decode::<Up>(bytes.clone().into());
            let _ = decode::<Down>(bytes.into());
        }
    }
}
