//! A jailed process from its start to its end: who reads from it, who writes to it, who kills it,
//! and what is told of it.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdUnixStream},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::UnixStream,
    process::{Child as Process, ChildStderr, Command},
    sync::mpsc,
    time::timeout,
};
use tokio_util::codec::{FramedRead, FramedWrite};
use tracing::{debug, info, warn};

use super::{
    Jail, JailConfig, Order,
    child::{Child, FRAMES},
    wire::{Up, codec, decode},
};
use crate::{
    error::cut,
    scratch::{Scratch, ScratchSpace},
};

/// Kept of a child's last words, in bytes.
const MAX_WORDS: usize = 4 << 10;
/// A child that closed its side is let end by itself for so long: its status says why it went.
const GOODBYE: Duration = Duration::from_secs(1);

/// The program, told `order`, with an empty environment and nothing open but what is given.
pub(super) fn command(config: &JailConfig, order: &Order) -> io::Result<Command> {
    let mut command = Command::new(&config.program);
    command
        .args(&config.arguments)
        .arg(serde_json::to_string(order)?)
        .env_clear()
        .current_dir("/")
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Threads that guests of one child run on.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a child for that client, and what looks after it.
pub(super) fn start(jail: &Jail, client: &str, scratch: &ScratchSpace) -> io::Result<Arc<Child>> {
    // What its guests may write is counted for each of them.
    let folder = scratch.folder(u64::MAX)?;
    let order = Order {
        guests: jail.guests,
        threads: threads(),
        // It does not start where this process did.
        scratch: std::path::absolute(folder.path())?,
        best_effort: jail.config.best_effort,
        trial: false,
    };
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let socket = UnixStream::from_std(ours)?;
    let mut command = command(&jail.config, &order)?;
    let mut process = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn()?;
    let words = process.stderr.take();
    let (out, frames) = mpsc::channel(FRAMES);
    let child = Child::new(out);
    info!(client, pid = process.id(), "A jailed process began");
    let supervised = Supervised { process, socket, frames, words, _scratch: folder };
    let idle = jail.config.idle;
    tokio::spawn(supervise(Arc::clone(&child), client.to_owned(), supervised, idle));
    Ok(child)
}

struct Supervised {
    process: Process,
    socket: UnixStream,
    frames: mpsc::Receiver<Bytes>,
    words: Option<ChildStderr>,
    _scratch: Scratch,
}

async fn supervise(child: Arc<Child>, client: String, of: Supervised, idle: Duration) {
    let Supervised { mut process, socket, frames, words, _scratch } = of;
    let pid = process.id();
    let words = tokio::spawn(last_words(words));
    let (read, write) = socket.into_split();
    // Why it goes, and whether it is already going by itself.
    let (why, itself) = tokio::select! {
        biased;
        why = child.condemned() => (why, false),
        () = child.idle(idle) => (None, false),
        ended = listen(&child, read) => match ended {
            Ok(()) => (Some("it ended".to_owned()), true),
            Err(why) => (Some(why), false),
        },
        () = talk(frames, write) => (Some("it does not listen".to_owned()), true),
    };
    let status = end(&mut process, itself).await;
    let Some(why) = why else {
        debug!(client, pid, "A jailed process had nothing to do, and went");
        return child.lost("it had nothing to do");
    };
    let mut problem = format!("{why}: {status}");
    let words = words.await.unwrap_or_default();
    if !words.is_empty() {
        problem = format!("{problem}: {words}");
    }
    warn!(client, pid, problem, "A jailed process is lost");
    child.lost(&problem);
}

async fn end(process: &mut Process, itself: bool) -> String {
    let told = |status: io::Result<ExitStatus>| match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    if itself && let Ok(status) = timeout(GOODBYE, process.wait()).await {
        return told(status);
    }
    let _ = process.start_kill();
    told(process.wait().await)
}

/// Hears the child until it closes its side; an error is how it broke the protocol.
pub(super) async fn listen(child: &Child, from: impl AsyncRead + Unpin) -> Result<(), String> {
    let mut frames = FramedRead::new(from, codec());
    while let Some(frame) = frames.next().await {
        let broke = |how: &str| format!("it broke the protocol: {how}");
        let frame = match frame {
            Ok(frame) => frame.freeze(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(broke("a frame is too long"));
            }
            // Reset, or cut off within a frame: it is gone.
            Err(_) => return Ok(()),
        };
        let (up, bytes) = decode::<Up>(frame).ok_or_else(|| broke("a frame is no message"))?;
        child.hear(up, bytes).map_err(broke)?;
    }
    Ok(())
}

/// Sends frames until nobody takes them.
pub(super) async fn talk(mut frames: mpsc::Receiver<Bytes>, to: impl AsyncWrite + Unpin) {
    let mut sink = FramedWrite::new(to, codec());
    while let Some(frame) = frames.recv().await {
        if sink.feed(frame).await.is_err() {
            return;
        }
        // What waits already goes along.
        while let Ok(frame) = frames.try_recv() {
            if sink.feed(frame).await.is_err() {
                return;
            }
        }
        if SinkExt::<Bytes>::flush(&mut sink).await.is_err() {
            return;
        }
    }
}

/// The last that it wrote to its standard error.
pub(super) async fn last_words(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(size @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..size).unwrap_or_default());
        let surplus = kept.len().saturating_sub(MAX_WORDS);
        kept.drain(..surplus);
    }
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    // Nothing that comes from there is believed to be harmless.
    text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&mut text, MAX_WORDS);
    text.trim().to_owned()
}
