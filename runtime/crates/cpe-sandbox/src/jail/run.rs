//! One run in a jailed process, from the parent's side: what it is given, who serves its calls, and
//! what its end means.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot},
    time::timeout,
};

use super::{
    Jail,
    child::{ObjectCall, Replies, Report, Reserved, Seat},
    exchange::Exchanges,
    wire::{Answer, Down, End, Limit, ObjectAsk, PIECE, Start, Used},
};
use crate::{
    Beats, Failure, Invocation, Limits, Metering, SandboxError,
    egress::{Connector, Policy},
    engine::WASM_STACK,
    error::cut,
    guest_log::GuestLog,
    host::{ObjectAccess, OpenBody},
    limiter::TABLE_ELEMENTS,
    sandbox::{MAX_DETAILS, Ran, Work, presentable},
    scratch::ScratchSpace,
    secrets::Secrets,
    staging::{Staging, Uploads},
    state::MAX_HANDLES,
};

/// How much later than its guest's limit a child may say that the limit was met.
const LATE: Duration = Duration::from_secs(10);
/// How long a child may take to stop a guest.
const STOPPING: Duration = Duration::from_secs(10);
const MAX_MESSAGE: usize = 8 << 10;

/// What of the sandbox a run needs.
pub(crate) struct Means<'a> {
    pub(crate) connector: &'a Arc<Connector>,
    pub(crate) uploads: &'a Arc<Uploads>,
    pub(crate) scratch: &'a ScratchSpace,
    /// Kept for as long as the guest is there.
    pub(crate) slot: OwnedSemaphorePermit,
}

impl Jail {
    /// Runs a module once. Dropping the future stops the guest.
    pub(crate) async fn run(
        &self,
        work: Work<'_>,
        means: Means<'_>,
        metering: &mut Metering,
    ) -> Result<Ran, SandboxError> {
        let Work { module, invocation, input } = work;
        let Invocation { context, limits, grants, blobs, beats, clock } = invocation;
        let Means { connector, uploads, scratch, slot } = means;
        let child = self.child(&context.client, scratch)?;
        let number = child.0.module(module).await?;

        let (secrets, grants) = (Secrets::new(&grants.secrets), Arc::new(grants));
        let log = GuestLog::new(Arc::new(context.clone()), &limits);
        let policy = Arc::new(Policy::new(&grants, secrets.clone(), log.clone()));
        let environment = secrets.environment_with(&grants.env);
        let staging = Staging::new(Arc::clone(&blobs), Arc::clone(uploads));
        let access = ObjectAccess::new(grants, blobs, staging);
        let mut read = Read { access: Some(access), policy: Arc::clone(&policy), metering };
        let (calls, mut objects) = mpsc::channel(1);
        let (sender, ended) = oneshot::channel();
        let cancel = Arc::new(Notify::new());
        let seat = |run| Seat {
            log: log.clone(),
            beats: Arc::clone(&beats),
            cancel: Arc::clone(&cancel),
            objects: calls,
            exchanges: Some(Exchanges::new(
                Arc::clone(connector),
                Arc::clone(&policy),
                Replies { child: Arc::clone(&child.0), run },
            )),
            output_limit: limits.output,
            output: Vec::new(),
            ended: sender,
        };
        let run = child.0.sit_down(seat)?;
        let replies = Replies { child: Arc::clone(&child.0), run };
        let mut present = Present::new(child, run, ended, slot, Arc::clone(&beats));
        let deadline = (clock.now() + limits.wall).as_millis();
        let start = Start {
            run,
            module: number,
            context,
            limits: limits.clone(),
            deadline: u64::try_from(deadline).unwrap_or_default(),
            environment,
        };
        present.start(start, input).await?;
        let Some(access) = &mut read.access else {
            return Err(SandboxError::Internal("it has no objects".to_owned()));
        };
        let stopping = async {
            tokio::select! {
                () = beats.canceled() => {}
                () = cancel.notified() => {}
            }
        };
        let report = tokio::select! {
            biased;
            report = present.end() => report,
            () = serve(&mut objects, access, &replies) => None,
            () = cancel_after(stopping, &replies) => None,
            () = condemn_after(limits.wall, &replies) => None,
        };
        let called = match report {
            Some(report) => understood(report, &limits, read.metering),
            None => Err(present.lost().await),
        };
        log.finish();
        read.read_meters();
        match read.access.take() {
            Some(access) => Ok(Ran { called, staging: access.staging }),
            None => Err(SandboxError::Internal("it has no objects".to_owned())),
        }
    }
}

/// What a run moved, which is read also where the run is dropped.
struct Read<'a> {
    access: Option<ObjectAccess>,
    policy: Arc<Policy>,
    metering: &'a mut Metering,
}

impl Read<'_> {
    fn read_meters(&mut self) {
        let Self { access, policy, metering } = self;
        if let Some(ObjectAccess { staging, .. }) = access {
            metering.bytes_read = staging.bytes_read;
            metering.bytes_written = staging.bytes_written;
        }
        (metering.http_sent, metering.http_received) = policy.bytes();
    }
}

impl Drop for Read<'_> {
    fn drop(&mut self) {
        self.read_meters();
    }
}

/// A run that is in a child. Dropped before its end, it is stopped.
struct Present {
    child: Reserved,
    run: u32,
    ended: Option<oneshot::Receiver<Report>>,
    slot: Option<OwnedSemaphorePermit>,
    /// Hears what a run took that was stopped, once the child has told.
    beats: Arc<dyn Beats>,
}

impl Present {
    fn new(
        child: Reserved,
        run: u32,
        ended: oneshot::Receiver<Report>,
        slot: OwnedSemaphorePermit,
        beats: Arc<dyn Beats>,
    ) -> Self {
        Self { child, run, ended: Some(ended), slot: Some(slot), beats }
    }

    async fn start(&self, start: Start, input: &str) -> Result<(), SandboxError> {
        let mut rest = input.as_bytes();
        while rest.len() > PIECE {
            let (piece, after) = rest.split_at(PIECE);
            self.child.0.send(&Down::Input { run: self.run }, piece).await?;
            rest = after;
        }
        self.child.0.send(&Down::Start(Box::new(start)), rest).await
    }

    /// `None` if the child is lost.
    async fn end(&mut self) -> Option<Report> {
        let report = self.ended.as_mut()?.await.ok();
        self.ended = None;
        report
    }

    /// Why, once it is known.
    async fn lost(&mut self) -> SandboxError {
        if let Some(ended) = self.ended.take() {
            // A condemned child ends soon, and its runs with it.
            let _ = timeout(STOPPING, ended).await;
        }
        self.child.0.loss()
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let Some(ended) = self.ended.take() else { return };
        let (child, slot, run) = (Arc::clone(&self.child.0), self.slot.take(), self.run);
        child.give_up(run);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (reserved, beats) = (child.reserve(), Arc::clone(&self.beats));
        runtime.spawn(async move {
            let stopped = async {
                let _ = child.send(&Down::Stop { run }, b"").await;
                if let Ok(Report { used, .. }) = ended.await {
                    // The rest was told when the run was dropped.
                    beats.took(&Metering { cpu: used.cpu, ..Metering::default() });
                }
            };
            if timeout(STOPPING, stopped).await.is_err() {
                child.condemn("it did not stop a guest");
            }
            drop((reserved, slot));
        });
    }
}

/// Has the guest hear that it is to end. Never ends.
async fn cancel_after(asked: impl Future<Output = ()>, replies: &Replies) {
    asked.await;
    let Replies { child, run } = replies;
    let _ = child.send(&Down::Cancel { run: *run }, b"").await;
    std::future::pending().await
}

/// Ends when a child has not stopped a guest in time, which is its last fault.
async fn condemn_after(wall: Duration, replies: &Replies) {
    tokio::time::sleep(wall.saturating_add(LATE)).await;
    replies.child.condemn("it did not keep to the time limit of a guest");
}

/// Answers calls of `object-store`, one after the other. Never ends.
async fn serve(
    calls: &mut mpsc::Receiver<ObjectCall>,
    access: &mut ObjectAccess,
    replies: &Replies,
) {
    let mut readers = Readers::default();
    while let Some(ObjectCall { call, ask, bytes }) = calls.recv().await {
        match readers.answer(access, ask, &bytes).await {
            Ok((answer, bytes)) => replies.send(call, answer, &bytes).await,
            Err(error) => replies.send(call, Answer::Failed(error), b"").await,
        }
    }
    std::future::pending::<()>().await;
}

/// The bodies that a run has open.
#[derive(Default)]
struct Readers {
    open: BTreeMap<u32, OpenBody>,
    last: u32,
}

impl Readers {
    async fn answer(
        &mut self,
        access: &mut ObjectAccess,
        ask: ObjectAsk,
        bytes: &[u8],
    ) -> Result<(Answer, Vec<u8>), crate::host::wit::Error> {
        let answer = match ask {
            ObjectAsk::Open { bucket } => access.open(&bucket).map(|()| Answer::Done),
            ObjectAsk::Head { bucket, key } => access.head(&bucket, key).await.map(Answer::Info),
            ObjectAsk::Get { bucket, key, range } => {
                let body = access.get(&bucket, key, range).await?;
                self.last = self.last.wrapping_add(1);
                let (reader, info) = (self.last, body.info.clone());
                self.open.insert(reader, body);
                Ok(Answer::Reader { reader, info })
            }
            ObjectAsk::Read { reader, max } => {
                let body = self.open.get_mut(&reader).ok_or_else(unknown)?;
                return Ok((Answer::Bytes, access.read(body, max).await?));
            }
            ObjectAsk::CloseReader { reader } => {
                self.open.remove(&reader);
                Ok(Answer::Done)
            }
            ObjectAsk::Put { bucket, key, options } => {
                access.put(&bucket, key, options).map(Answer::Writer)
            }
            ObjectAsk::Write { writer } => access.write(writer, bytes).await.map(|()| Answer::Done),
            ObjectAsk::Finish { writer } => access.finish(writer).await.map(|()| Answer::Done),
            ObjectAsk::Discard { writer } => {
                access.staging.discard(writer);
                Ok(Answer::Done)
            }
            ObjectAsk::List { bucket, prefix, start_after } => {
                access.list(&bucket, prefix, start_after).await.map(Answer::Page)
            }
            ObjectAsk::Copy { from, to } => {
                let (from, to) = ((from.0.as_str(), from.1), (to.0.as_str(), to.1));
                access.copy(from, to).await.map(|()| Answer::Done)
            }
            ObjectAsk::Delete { bucket, key } => access.delete(&bucket, key).map(|()| Answer::Done),
        };
        answer.map(|answer| (answer, Vec::new()))
    }
}

fn unknown() -> crate::host::wit::Error {
    crate::host::wit::Error::InvalidArgument("the reader is closed".to_owned())
}

/// What a child says of a run's end, within what a guest here could have made it say.
pub(super) fn understood(
    report: Report,
    limits: &Limits,
    metering: &mut Metering,
) -> Result<Result<String, Failure>, SandboxError> {
    let Report { end, used, output } = report;
    let Used { instantiate, run, cpu, peak_memory } = used;
    metering.instantiate = instantiate;
    metering.run = run;
    metering.cpu = cpu;
    metering.peak_memory = peak_memory.min(limits.memory);
    let harmless = |mut text: String, max: usize| {
        text.retain(|c| c == '\n' || !c.is_control());
        cut(&mut text, max);
        text
    };
    match end {
        End::Output => match String::from_utf8(output) {
            Ok(output) => Ok(Ok(output)),
            Err(_) => Err(SandboxError::Lost { problem: "a result is no text".to_owned() }),
        },
        End::Failure { reason, details, retryable } => {
            Ok(Err(presentable(Failure { reason, details, retryable })))
        }
        End::Limit(limit) => Err(match limit {
            Limit::Memory => SandboxError::Memory { limit: limits.memory },
            Limit::Cpu => SandboxError::Cpu { limit: limits.cpu },
            Limit::Wall => SandboxError::Wall { limit: limits.wall },
            Limit::Output => SandboxError::Output { limit: limits.output },
            Limit::Table => SandboxError::Table { limit: TABLE_ELEMENTS },
            Limit::Stack => SandboxError::Stack { limit: WASM_STACK },
            Limit::Scratch => SandboxError::Scratch { limit: limits.scratch },
            Limit::Handles => SandboxError::Handles { limit: MAX_HANDLES },
        }),
        End::Call { message } => {
            Err(SandboxError::Call { message: harmless(message, MAX_MESSAGE) })
        }
        End::Trap { message, backtrace, stderr } => Err(SandboxError::Trap {
            message: harmless(message, MAX_MESSAGE),
            backtrace: harmless(backtrace, MAX_DETAILS),
            stderr: harmless(stderr, MAX_DETAILS),
        }),
        End::Host { message } => Err(SandboxError::Internal(harmless(message, MAX_MESSAGE))),
        End::Stopped => Err(SandboxError::Lost { problem: "it stopped a guest".to_owned() }),
    }
}

/// The other way round: what a child says of how its run ended.
pub(super) fn told(error: SandboxError) -> End {
    match error {
        SandboxError::Memory { .. } => End::Limit(Limit::Memory),
        SandboxError::Cpu { .. } => End::Limit(Limit::Cpu),
        SandboxError::Wall { .. } => End::Limit(Limit::Wall),
        SandboxError::Output { .. } => End::Limit(Limit::Output),
        SandboxError::Table { .. } => End::Limit(Limit::Table),
        SandboxError::Stack { .. } => End::Limit(Limit::Stack),
        SandboxError::Scratch { .. } => End::Limit(Limit::Scratch),
        SandboxError::Handles { .. } => End::Limit(Limit::Handles),
        SandboxError::Call { message } => End::Call { message },
        SandboxError::Trap { message, backtrace, stderr } => {
            End::Trap { message, backtrace, stderr }
        }
        other => End::Host { message: other.details() },
    }
}
