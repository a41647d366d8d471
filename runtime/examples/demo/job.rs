//! The job as a client sees it: one message out, events in.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use cpe_aws::Aws;
use cpe_ports::{Clock, ObjectAddress, OutgoingMessage, PutOptions, Receive, SystemClock};
use serde_json::{Value, json};

use crate::{
    endpoint::{INPUT_QUEUE, OUTPUT_QUEUE},
    screen::{Screen, Stages},
};

pub(crate) const BUCKET: &str = "media";
const PHOTO: &[u8] = include_bytes!("photo.jpg");
const PHOTO_KEY: &str = "in/photo.jpg";

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) job_id: String,
    time: f64,
}

/// How the job ended: its result, and where its time went.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Value,
    pub(crate) stages: Stages,
}

pub(crate) async fn upload_photo(aws: &Aws) -> anyhow::Result<()> {
    aws.blobs.create_bucket(BUCKET).await.context("cannot make the bucket")?;
    let options =
        PutOptions { content_type: Some("image/jpeg".to_owned()), ..PutOptions::default() };
    aws.blobs
        .put(&ObjectAddress::new(BUCKET, PHOTO_KEY), PHOTO.into(), options)
        .await
        .context("cannot upload the photograph")?;
    println!("uploaded s3://{BUCKET}/{PHOTO_KEY} ({} bytes)", PHOTO.len());
    Ok(())
}

/// What is to be made of the photograph.
pub(crate) fn output_assets() -> Value {
    json!([
        {"type": "IMAGE", "bucket": BUCKET, "path": "out", "file": "web.*",
         "resize": "1200x800", "quality": 80},
        {"type": "THUMB", "bucket": BUCKET, "path": "out", "file": "thumb.png",
         "thumbnail": "320x320"},
        {"type": "IMAGE", "bucket": BUCKET, "path": "out", "file": "square.webp",
         "crop": "600x600+700+300"},
    ])
}

pub(crate) async fn send_start_job(aws: &Aws) -> anyhow::Result<Sent> {
    let now = SystemClock.now();
    let job_id = format!("demo-{}", now.as_millis());
    let message = json!({
        "time": now, "type": "START_JOB", "jobId": job_id,
        "data": {
            "workflow": {"name": "Transcode", "version": "1.0"},
            "client": {"name": "demo"},
            "input_asset": {"type": "IMAGE", "bucket": BUCKET, "file": PHOTO_KEY},
            "output_assets": output_assets(),
        }
    });
    let queue = aws.queues.queue_url(INPUT_QUEUE).await.context("no input queue")?;
    aws.queues.send(&queue, OutgoingMessage::new(message.to_string())).await?;
    Ok(Sent { job_id, time: now.as_seconds() })
}

/// Receives events until the job has ended.
pub(crate) async fn follow(aws: &Aws, sent: &Sent) -> anyhow::Result<Ended> {
    let queue = aws.queues.queue_url(OUTPUT_QUEUE).await.context("no output queue")?;
    let mut screen = Screen::new();
    let mut clock = Timeline::new(sent.time);
    let mut seen = BTreeSet::new();
    let receive =
        Receive { max_messages: 10, wait: Duration::from_secs(20), visibility_timeout: None };
    loop {
        for message in aws.queues.receive(&queue, receive).await? {
            aws.queues.delete(&queue, &message.receipt_handle).await?;
            let event: Value =
                serde_json::from_str(&message.body).context("an event is not JSON")?;
            let mine = event.get("jobId").and_then(Value::as_str) == Some(&sent.job_id);
            let id = event.get("eventId").map(ToString::to_string).unwrap_or_default();
            if !mine || !seen.insert(id) {
                continue;
            }
            clock.note(&event);
            screen.show(&event);
            let result = event.pointer("/data/result").cloned().unwrap_or_default();
            match event.get("type").and_then(Value::as_str) {
                Some("JOB_COMPLETED") => return Ok(Ended { result, stages: clock.stages() }),
                Some("JOB_FAILED" | "JOB_CANCELED") => bail!("the job failed: {result}"),
                Some("COMMAND_REJECTED") => bail!("START_JOB was refused: {event}"),
                _ => {}
            }
        }
    }
}

/// When what happened, by the events' own times.
#[derive(Debug)]
struct Timeline {
    last: f64,
    spans: Vec<(String, f64)>,
}

impl Timeline {
    fn new(start: f64) -> Self {
        Self { last: start, spans: Vec::new() }
    }

    fn note(&mut self, event: &Value) {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        let step =
            event.pointer("/data/activity/activityId").and_then(Value::as_str).unwrap_or_default();
        let name = match kind {
            "WORKFLOW_SCHEDULED" => "START_JOB through SQS into SWF".to_owned(),
            "ACTIVITY_STARTED" => format!("{step}: decided, scheduled and picked up"),
            "ACTIVITY_COMPLETED" | "ACTIVITY_FAILED" => format!("{step}: ran"),
            "JOB_COMPLETED" | "JOB_FAILED" => "last decision and result".to_owned(),
            _ => return,
        };
        let time = event.get("time").and_then(Value::as_f64).unwrap_or(self.last);
        self.spans.push((name, (time - self.last).max(0.0)));
        self.last = self.last.max(time);
    }

    fn stages(self) -> Stages {
        let mut stages = Stages::default();
        for (name, seconds) in self.spans {
            stages.add(name, Duration::from_secs_f64(seconds));
        }
        stages
    }
}
