//! The operations on message moves, which SQS calls message move tasks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Caller, parameters, shapes};
use crate::sqs::{
    QueueName, SqsFault,
    moves::{MOVES, MessageMove, MoveId, MoveRequest, Progress, RATES, no_such_resource},
};

/// What a handle is made of, as in SQS: JSON in base64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: String,
    source_arn: String,
}

impl Handle {
    fn encode(&self) -> String {
        let json = json!({ "taskId": self.task_id, "sourceArn": self.source_arn });
        STANDARD.encode(json.to_string())
    }

    fn decode(text: &str) -> Result<Self, SqsFault> {
        let json = STANDARD.decode(text).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| SqsFault::invalid("Value for parameter TaskHandle is invalid."))
    }
}

pub(super) async fn start(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        source_arn: String,
        destination_arn: Option<String>,
        #[serde(default, deserialize_with = "shapes::number")]
        max_number_of_messages_per_second: Option<i64>,
    }
    let request: Request = parameters(value)?;
    let rate = request.max_number_of_messages_per_second;
    let id = Uuid::new_v4().to_string();
    let destination = request.destination_arn.as_deref();
    let wanted = MoveRequest {
        id: MoveId(id.clone()),
        source: shapes::queue_of_arn("SourceArn", &request.source_arn)?,
        destination: destination
            .map(|arn| shapes::queue_of_arn("DestinationArn", arn))
            .transpose()?,
        rate: shapes::in_range("MaxNumberOfMessagesPerSecond", rate, RATES)?,
    };
    let source_arn = caller.queue_arn(&wanted.source);
    caller.call(move |core| core.sqs.start_move(core.now, wanted)).await?;
    Ok(json!({ "TaskHandle": Handle { task_id: id, source_arn }.encode() }))
}

pub(super) async fn cancel(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        task_handle: String,
    }
    let request: Request = parameters(value)?;
    let handle = Handle::decode(&request.task_handle)?;
    let source =
        QueueName::of_arn(&handle.source_arn).ok_or_else(|| no_such_resource("SourceArn"))?;
    let id = MoveId(handle.task_id);
    let moved = caller.call(move |core| core.sqs.cancel_move(core.now, &source, &id)).await?;
    Ok(json!({ "ApproximateNumberOfMessagesMoved": moved }))
}

pub(super) async fn list(caller: Caller<'_>, value: Value) -> Result<Value, SqsFault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        source_arn: String,
        #[serde(default, deserialize_with = "shapes::number")]
        max_results: Option<i64>,
    }
    let request: Request = parameters(value)?;
    let source = shapes::queue_of_arn("SourceArn", &request.source_arn)?;
    let most = u32::try_from(MOVES).unwrap_or(u32::MAX);
    let most = shapes::in_range("MaxResults", request.max_results, 1..=most)?.unwrap_or(1);
    let arn = caller.queue_arn(&source);
    let most = usize::try_from(most).unwrap_or(MOVES);
    let moves = caller.call(move |core| core.sqs.list_moves(&source, most)).await?;
    let shown: Vec<_> = moves.iter().map(|made| show(caller, &arn, made)).collect();
    Ok(json!({ "Results": shown }))
}

fn show(caller: Caller<'_>, source_arn: &str, made: &MessageMove) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    // Only a handle that can still be canceled is shown.
    if matches!(made.progress, Progress::Running(_)) {
        let handle = Handle { task_id: made.id.0.clone(), source_arn: source_arn.to_owned() };
        put("TaskHandle", json!(handle.encode()));
    }
    put("Status", json!(made.progress.status()));
    put("SourceArn", json!(source_arn));
    if let Some(destination) = &made.destination {
        put("DestinationArn", json!(caller.queue_arn(destination)));
    }
    if let Some(rate) = made.rate {
        put("MaxNumberOfMessagesPerSecond", json!(rate));
    }
    put("ApproximateNumberOfMessagesMoved", json!(made.moved));
    put("ApproximateNumberOfMessagesToMove", json!(made.to_move));
    if let Progress::Failed(reason) = &made.progress {
        put("FailureReason", json!(reason));
    }
    put("StartedTimestamp", json!(made.started.as_millis()));
    Value::Object(shown)
}
