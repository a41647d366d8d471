//! One large object, from the embedded endpoint through a guest and back, beside the same copy by
//! the AWS SDK natively; and how much memory that takes.
//!
//! `cargo xtask bench sandbox [--quick]` runs it after the sandbox's own figures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use cpe_aws::AwsConfig;
use cpe_ports::{
    BlobStore, CompletedPart, ListObjects, ObjectAddress, PutOptions, SystemClock, UploadId,
};
use cpe_sandbox::{
    Access, Beats, BucketGrant, Directive, Grants, Invocation, Limits, Sandbox, SandboxConfig,
    TaskContext,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

const BUCKET: &str = "bench";
const PART: usize = 8 << 20;
/// As many parts on their way as the sandbox has.
const PARALLEL: usize = 4;

type Blobs = Arc<dyn BlobStore>;

#[derive(Debug)]
struct NoBeats;

impl Beats for NoBeats {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }
}

/// The endpoint, in a process of its own: its memory is not what is measured.
struct Endpoint(Child);

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Endpoint {
    fn start(data: &std::path::Path) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cpe"))
            .args(["local", "--port", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let url = line.split_whitespace().find(|word| word.starts_with("http://"))?;
                Some(url.trim_end_matches(['.', ',', '/']).to_owned())
            })
            .expect("the endpoint says where it is");
        // It goes on printing, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), url)
    }
}

/// Peak and present memory of this process, in bytes.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) << 10
}

/// How long `work` took, and by how much memory grew meanwhile at the most.
async fn measured(work: impl Future<Output = ()>) -> (Duration, u64) {
    // Sets the peak back to what is in memory now.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let start = Instant::now();
    work.await;
    (start.elapsed(), memory("VmHWM:").saturating_sub(before))
}

async fn upload(blobs: &Blobs, key: &str, size: usize) {
    let at = ObjectAddress::new(BUCKET, key);
    let id = blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    let part = Bytes::from((0..PART).map(|n| (n / 5) as u8).collect::<Vec<_>>());
    let mut parts = Vec::new();
    for number in 1..=size.div_ceil(PART) {
        let number = u32::try_from(number).unwrap();
        parts.push(blobs.upload_part(&at, &id, number, part.clone()).await.unwrap());
    }
    blobs.complete_upload(&at, &id, parts).await.unwrap();
}

/// What a program would do that has the SDK and no sandbox.
async fn copy_natively(blobs: &Blobs, from: &str, to: &str) {
    let at = ObjectAddress::new(BUCKET, to);
    let id = blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    let body = blobs.get(&ObjectAddress::new(BUCKET, from), None).await.unwrap().body;
    let parts = stream::try_unfold((body, BytesMut::new()), |(mut body, mut part)| async move {
        part.reserve(PART);
        while part.len() < PART {
            match body.try_next().await? {
                Some(piece) => part.extend_from_slice(&piece),
                None => break,
            }
        }
        let rest = part.split_off(part.len().min(PART));
        Ok((!part.is_empty()).then(|| (part.freeze(), (body, rest))))
    });
    let uploads = parts.enumerate().map(|(index, part)| {
        let (at, id) = (&at, &id);
        async move { part_of(blobs, at, id, index, part?).await }
    });
    let parts: Vec<CompletedPart> = uploads.buffered(PARALLEL).try_collect().await.unwrap();
    blobs.complete_upload(&at, &id, parts).await.unwrap();
}

async fn part_of(
    blobs: &Blobs,
    at: &ObjectAddress,
    id: &UploadId,
    index: usize,
    part: Bytes,
) -> Result<CompletedPart, cpe_ports::Error> {
    let number = u32::try_from(index + 1).unwrap();
    blobs.upload_part(at, id, number, part).await
}

async fn run(quick: bool) -> serde_json::Value {
    let (size, rounds) = if quick { (64 << 20, 1) } else { (1 << 30, 3) };
    let data = tempfile::tempdir().unwrap();
    let (_endpoint, url) = Endpoint::start(data.path());
    let config = AwsConfig { endpoint_url: Some(url), ..AwsConfig::default() };
    let blobs = cpe_aws::connect(config).await.unwrap().blobs;
    blobs.create_bucket(BUCKET).await.unwrap();
    upload(&blobs, "from", size).await;

    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let program = std::env::current_exe().unwrap();
    let path = program.ancestors().nth(3).unwrap().join("activities/workload.wasm");
    let module = sandbox.load("workload", fs::read(path).unwrap().into()).await.unwrap();
    let guest = async |to: &str| {
        let all = BucketGrant {
            bucket: BUCKET.to_owned(),
            prefix: String::new(),
            access: Access::ReadWrite,
        };
        let invocation = Invocation {
            context: TaskContext::default(),
            limits: Limits { cpu: Duration::from_secs(3600), ..Limits::default() },
            grants: Grants { s3: vec![all], ..Grants::default() },
            blobs: Arc::clone(&blobs),
            beats: Arc::new(NoBeats),
            clock: Arc::new(SystemClock),
        };
        let input = json!({"do": "copy", "bucket": BUCKET, "from": "from", "to": to});
        let finished = sandbox.run(&module, invocation, input.to_string()).await.unwrap();
        assert_eq!(finished.outcome.unwrap(), size.to_string());
    };
    // Connections and allocators are warm when it counts.
    copy_natively(&blobs, "from", "native").await;
    guest("guest").await;
    let (mut native, mut through) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        native.push(measured(copy_natively(&blobs, "from", "native")).await);
        through.push(measured(guest("guest")).await);
    }
    let sizes = blobs
        .list(ListObjects { bucket: BUCKET.to_owned(), max_keys: 10, ..ListObjects::default() })
        .await
        .unwrap();
    assert!(sizes.objects.iter().all(|(_, meta)| meta.size == size as u64), "copied in whole");
    native.sort();
    through.sort();
    let median = |runs: &[(Duration, u64)]| runs.get(runs.len() / 2).unwrap().0.as_secs_f64();
    let peak = |runs: &[(Duration, u64)]| runs.iter().map(|(_, peak)| *peak).max().unwrap() >> 20;
    let ratio = median(&through) / median(&native);
    json!({
        "bench": "streams", "mib": size >> 20,
        "guest_s": median(&through), "native_s": median(&native), "ratio": ratio,
        "ratio_target": "≤ 1.25", "ratio_met": ratio <= 1.25,
        "guest_peak_mib": peak(&through), "native_peak_mib": peak(&native),
        "peak_target": "≤ 64", "peak_met": peak(&through) <= 64,
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (quick, json) = (has("--quick"), has("json"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(quick));
    if json {
        println!("{report}");
        return;
    }
    println!("one object from the store through a guest and back, beside the SDK alone");
    for (name, value) in report.as_object().unwrap() {
        println!("{name:<52}{value:>16}");
    }
}
