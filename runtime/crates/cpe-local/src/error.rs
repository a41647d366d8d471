//! Why the embedded endpoint cannot be opened or served.

use std::{io, net::SocketAddr, path::PathBuf};

/// What keeps the endpoint from running. What a request does wrong is a fault of its service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    #[error("cannot use the data folder {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the data folder {} is in use by another process{}; stop that one, or name another folder",
        path.display(),
        holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse { path: PathBuf, holder: Option<u32> },
    #[error("cannot open the state in {}", place.display())]
    Database {
        place: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error(
        "the state in {} was written by another version (format {found}, this one knows {known}); \
         use that version, or another folder",
        place.display()
    )]
    OtherFormat { place: PathBuf, found: i64, known: i64 },
    #[error("cannot start the endpoint's thread")]
    Thread(#[source] io::Error),
    #[error(
        "{address} is not a loopback address; without credentials the endpoint checks no signatures, so it listens on 127.0.0.1 or ::1 only"
    )]
    NotLoopback { address: SocketAddr },
    #[error("cannot accept connections")]
    Listener(#[source] io::Error),
    #[error(transparent)]
    Closed(#[from] crate::engine::Closed),
}
