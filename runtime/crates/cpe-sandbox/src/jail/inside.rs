//! The jailed process: locks itself in before it has heard anything of a guest, then runs guests
//! until its parent is gone.

use std::{
    collections::HashMap,
    env,
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream as StdUnixStream},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::StreamExt;
use tokio::{net::UnixStream, sync::mpsc};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

use super::{
    Order,
    child::FRAMES,
    line::{AskedBeats, AskedObjects, Line, Link},
    lockdown, process,
    requests::AskedRequests,
    run::told,
    trial,
    wire::{Down, End, PIECE, Start, Up, Used, codec, decode},
};
use crate::{
    Digest, Failure, Metering, Module, SandboxConfig, SandboxError, engine,
    guest_log::GuestLog,
    host::{Objects, Requests},
    loading::Loader,
    sandbox::{call, new_store},
    scratch::ScratchSpace,
    state::{Reach, Task},
};

/// Runs guests as [`JailConfig`](super::JailConfig) asks for: the whole of what that program does.
/// Its standard input is the way to its parent.
pub fn jailed_guests(order: &str) -> ExitCode {
    match lock_in(order) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "the jail: {error}");
            ExitCode::FAILURE
        }
    }
}

fn lock_in(order: &str) -> io::Result<ExitCode> {
    let order: Order = serde_json::from_str(order)?;
    // The last that needs files: what the kernel says of this process, and of which pages it wrote.
    let engine = engine::best(order.guests).map_err(|error| io::Error::other(error.to_string()))?;
    let features = lockdown::lock_down(&order.scratch, order.best_effort)?;
    if order.trial {
        return trial::report(features, &order.scratch);
    }
    // The operator's environment never comes here; that it did not is looked at where it counts.
    if env::vars_os().next().is_some() {
        return Err(io::Error::other("its environment is not empty"));
    }
    let socket = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    let loader = Loader::over(engine, &SandboxConfig::default());
    let loader = Arc::new(loader.map_err(|error| io::Error::other(error.details()))?);
    let scratch = ScratchSpace::within(order.scratch);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(order.threads.max(1))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (read, write) = UnixStream::from_std(socket)?.into_split();
        let (out, frames) = mpsc::channel(FRAMES * 16);
        tokio::spawn(process::talk(frames, write));
        let inside = Arc::new(Inside {
            link: Link::new(out),
            loader,
            scratch,
            modules: Mutex::default(),
            runs: Mutex::default(),
        });
        let mut frames = FramedRead::new(read, codec());
        let mut pieces = Pieces::default();
        while let Some(Ok(frame)) = frames.next().await {
            let Some((down, bytes)) = decode::<Down>(frame.freeze()) else { break };
            inside.hear(&mut pieces, down, bytes);
        }
        io::Result::Ok(())
    })?;
    // Whatever still runs: there is nobody to tell.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// What came of texts whose end has not.
#[derive(Default)]
struct Pieces {
    code: HashMap<u32, Vec<u8>>,
    input: HashMap<u32, Vec<u8>>,
}

struct Inside {
    link: Arc<Link>,
    loader: Arc<Loader>,
    scratch: ScratchSpace,
    modules: Mutex<HashMap<u32, Module>>,
    runs: Mutex<HashMap<u32, Running>>,
}

#[derive(Clone)]
struct Running {
    /// What the guest hears when it beats.
    canceled: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// All that a run is given.
struct Given {
    module: Option<Module>,
    start: Start,
    input: Vec<u8>,
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inside {
    fn hear(self: &Arc<Self>, pieces: &mut Pieces, down: Down, bytes: Bytes) {
        match down {
            Down::Code { module } => {
                pieces.code.entry(module).or_default().extend_from_slice(&bytes);
            }
            Down::Link { module, name, digest } => {
                let code = pieces.code.remove(&module).unwrap_or_default();
                self.link_module(module, name, digest, code);
            }
            Down::Forget { module } => drop(locked(&self.modules).remove(&module)),
            Down::Input { run } => {
                pieces.input.entry(run).or_default().extend_from_slice(&bytes);
            }
            Down::Start(start) => {
                let mut input = pieces.input.remove(&start.run).unwrap_or_default();
                input.extend_from_slice(&bytes);
                self.start(*start, input);
            }
            Down::Cancel { run } => {
                if let Some(running) = locked(&self.runs).get(&run) {
                    running.canceled.store(true, Ordering::Relaxed);
                }
            }
            Down::Stop { run } => match locked(&self.runs).get(&run) {
                Some(running) => running.stop.cancel(),
                // Ended, which the parent will hear, or never begun.
                None => {
                    pieces.input.remove(&run);
                    let this = Arc::clone(self);
                    tokio::spawn(async move { this.ended(run, End::Stopped, &[]).await });
                }
            },
            Down::Answer { run, call, answer } => self.link.answered(run, call, answer, bytes),
        }
    }

    fn link_module(self: &Arc<Self>, number: u32, name: String, digest: String, code: Vec<u8>) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let loader = Arc::clone(&this.loader);
            let linking = tokio::task::spawn_blocking(move || {
                let digest: Digest = digest.parse().map_err(|_| "a digest is none".to_owned())?;
                loader.link(&name, digest, &code).map_err(|error| error.details())
            });
            let linked = linking.await.unwrap_or_else(|error| Err(error.to_string()));
            let problem = match linked {
                Ok(module) => {
                    locked(&this.modules).insert(number, module);
                    None
                }
                Err(problem) => Some(problem),
            };
            this.link.send(&Up::Linked { module: number, problem }, b"").await;
        });
    }

    fn start(self: &Arc<Self>, start: Start, input: Vec<u8>) {
        let run = start.run;
        let running = Running { canceled: Arc::default(), stop: CancellationToken::new() };
        locked(&self.runs).insert(run, running.clone());
        let module = locked(&self.modules).get(&start.module).cloned();
        let given = Given { module, start, input };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let ending = tokio::spawn({
                let this = Arc::clone(&this);
                async move { this.run(given, running).await }
            });
            if let Err(error) = ending.await {
                let end = End::Host { message: error.to_string() };
                this.ended(run, end, &[]).await;
            }
        });
    }

    async fn run(&self, given: Given, running: Running) {
        let Running { canceled, stop } = running;
        let run = given.start.run;
        let mut metering = Metering::default();
        let line = Line::new(run, Arc::clone(&self.link));
        let beats = Arc::new(AskedBeats::new(line.clone(), canceled));
        // The store is gone, and its place in the pool free, before the parent hears of the end.
        let called = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            called = self.call(given, (&line, &beats), &mut metering) => Some(called),
            () = beats.tell() => None,
        };
        let used = Used {
            instantiate: metering.instantiate,
            run: metering.run,
            cpu: metering.cpu,
            peak_memory: metering.peak_memory,
        };
        beats.tell_latest().await;
        match called {
            None => self.ended_with(run, End::Stopped, used, &[]).await,
            Some(Err(error)) => self.ended_with(run, told(error), used, &[]).await,
            Some(Ok(Err(Failure { reason, details, retryable }))) => {
                let end = End::Failure { reason, details, retryable };
                self.ended_with(run, end, used, &[]).await;
            }
            Some(Ok(Ok(output))) => {
                self.ended_with(run, End::Output, used, output.as_bytes()).await;
            }
        }
    }

    async fn call(
        &self,
        given: Given,
        (line, beats): (&Line, &Arc<AskedBeats>),
        metering: &mut Metering,
    ) -> Result<Result<String, Failure>, SandboxError> {
        let Given { module, start, input } = given;
        let internal = |what: &str| SandboxError::Internal(what.to_owned());
        let module = module.ok_or_else(|| internal("a module is not there"))?;
        let input = String::from_utf8(input).map_err(|_| internal("an input is no text"))?;
        let Start { context, limits, deadline, environment, .. } = start;
        let log = GuestLog::to_parent(line.clone(), &limits);
        let reach = Reach {
            objects: Objects::Asked(AskedObjects(line.clone())),
            requests: Requests::Asked(AskedRequests::new(line.clone())),
            beats: Arc::clone(beats) as _,
            log: log.clone(),
            environment,
        };
        let task = Task { context: Arc::new(context), deadline };
        let _ticking = module.tick();
        let mut store = new_store(&module, task, reach, (&limits, &self.scratch), &input)?;
        let called = call(&mut store, &module, &input, &limits, metering).await;
        metering.peak_memory = store.data().limiter.peak();
        log.finish();
        called
    }

    async fn ended(&self, run: u32, end: End, output: &[u8]) {
        self.ended_with(run, end, Used::default(), output).await;
    }

    async fn ended_with(&self, run: u32, end: End, used: Used, output: &[u8]) {
        locked(&self.runs).remove(&run);
        let mut rest = output;
        while rest.len() > PIECE {
            let (piece, after) = rest.split_at(PIECE);
            self.link.send(&Up::Output { run }, piece).await;
            rest = after;
        }
        self.link.send(&Up::Ended { run, end, used }, rest).await;
    }
}
