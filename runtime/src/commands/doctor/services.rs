//! What is at the other end of the ports: account, clock, domain, queues, buckets.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use cpe_ports::{
    Account, Error, ErrorKind, ListObjects, ObjectAddress, PutOptions, QueueUrl, ReceiptHandle,
};
use cpe_swf::DomainName;
use cpe_worker::Ports;

use super::Report;
use crate::{
    compose::{Clients, queue_url},
    config::Config,
};

/// Signatures are refused after five minutes.
const SKEW: Duration = Duration::from_secs(240);
/// Dates of answers have whole seconds, and answers take time.
const PRECISE: Duration = Duration::from_secs(10);

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// At an endpoint of one's own `cpe run` makes the domain itself.
    pub own_endpoint: bool,
    /// Whether to try to write to buckets.
    pub writes: bool,
}

pub async fn examine_services(
    config: &Config,
    (ports, account): (&Ports, &dyn Account),
    how: How,
    report: &mut Report,
) {
    credentials(account, report).await;
    if !clock(ports, account, report).await {
        // Everything else would only say the same.
        return;
    }
    domain(config, ports, how, report).await;
    let before = report.failures();
    for (queue, uses) in queues(config) {
        examine_queue(ports, &queue, &uses, report).await;
    }
    if report.failures() == before
        && let Err(error) = Clients::resolve(config, ports).await
    {
        report.fail("clients", format!("{error:#}"));
    }
    bucket(config, ports, (&config.modules.bucket, &config.modules.prefix), how, report).await;
    let payloads = (config.payloads_bucket(), config.payloads.prefix.as_str());
    if payloads.0 != config.modules.bucket || payloads.1 != config.modules.prefix {
        bucket(config, ports, payloads, how, report).await;
    }
}

async fn credentials(account: &dyn Account, report: &mut Report) {
    let source = match account.credentials().await {
        Ok(source) => source,
        Err(error) => return report.fail("credentials", said(&error)),
    };
    match account.caller().await {
        Ok(Some(caller)) => report.ok("credentials", format!("{source}: {}", caller.arn)),
        Ok(None) => report.ok("credentials", source),
        Err(error) if error.kind() == ErrorKind::Refused => {
            report.fail("credentials", format!("{source}: {}", said(&error)));
        }
        Err(error) => {
            report.warn("credentials", format!("{source}; whose is not known: {}", said(&error)));
        }
    }
}

/// Whether the endpoint answers at all.
async fn clock(ports: &Ports, account: &dyn Account, report: &mut Report) -> bool {
    let theirs = match account.service_time().await {
        Ok(theirs) => theirs,
        Err(error) if error.kind() == ErrorKind::Broken => {
            report.ok("endpoint", account.place());
            report.warn("clock", said(&error));
            return true;
        }
        Err(error) => {
            let what = "check the address, AWS_ENDPOINT_URL and the way out of this network";
            report.fail("endpoint", format!("{}; {what}", said(&error)));
            return false;
        }
    };
    report.ok("endpoint", account.place());
    let millis = ports.clock.now().as_millis().abs_diff(theirs.as_millis());
    let skew = Duration::from_millis(millis);
    if skew >= SKEW {
        let what = "requests are refused after five minutes; synchronise this machine's clock";
        report.fail("clock", format!("{} s away from the endpoint's: {what}", skew.as_secs()));
    } else if skew >= PRECISE {
        let what = "synchronise this machine's clock";
        report.warn("clock", format!("{} s away from the endpoint's: {what}", skew.as_secs()));
    } else {
        report.ok("clock", "agrees with the endpoint's");
    }
    true
}

async fn domain(config: &Config, ports: &Ports, how: How, report: &mut Report) {
    let name = &config.domain;
    let subject = format!("domain {name}");
    match ports.workflows.describe_domain(&DomainName::from(name.as_str())).await {
        Ok(()) => report.ok(subject, "is there"),
        Err(error) if error.kind() == ErrorKind::NotFound && how.own_endpoint => {
            report.warn(subject, "does not exist yet; at this endpoint `cpe run` makes it");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => report.fail(
            subject,
            format!(
                "does not exist: `aws swf register-domain --name {name} \
                 --workflow-execution-retention-period-in-days 30` makes it"
            ),
        ),
        Err(error) => refused(subject, "swf:DescribeDomain", &error, report),
    }
}

/// What a queue is used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Uses {
    receives: bool,
    sends: bool,
}

/// Each queue once: several clients may share one that is sent to.
fn queues(config: &Config) -> BTreeMap<String, (Uses, Vec<String>)> {
    let mut queues: BTreeMap<String, (Uses, Vec<String>)> = BTreeMap::new();
    for client in &config.clients {
        let mut add = |queue: &str, receives: bool| {
            let (uses, clients) = queues.entry(queue.to_owned()).or_default();
            uses.receives |= receives;
            uses.sends |= !receives;
            if !clients.contains(&client.name.value) {
                clients.push(client.name.value.clone());
            }
        };
        add(&client.input_queue.value, true);
        add(&client.output_queue, false);
        if let Some(queue) = &client.dead_letter_queue {
            add(queue, false);
        }
    }
    queues
}

async fn examine_queue(
    ports: &Ports,
    queue: &str,
    (uses, clients): &(Uses, Vec<String>),
    report: &mut Report,
) {
    let subject = format!("queue {queue} of {}", clients.join(", "));
    let found = match queue_url(ports, queue).await {
        Ok(url) => try_queue(ports, &url, *uses).await,
        Err(error) => match error.downcast::<Error>() {
            Ok(error) => Err(("sqs:GetQueueUrl", error)),
            Err(error) => return report.fail(subject, format!("{error:#}")),
        },
    };
    match found {
        Ok(()) if uses.receives => report.ok(
            subject,
            "is there, and messages may be deleted and hidden; receiving is not tried, for it \
             would take a message",
        ),
        Ok(()) => report.ok(subject, "is there, and may be sent to"),
        Err((_, error)) if error.kind() == ErrorKind::NotFound => report.fail(
            subject,
            format!("does not exist: `aws sqs create-queue --queue-name {queue}` makes it"),
        ),
        Err((action, error)) => refused(subject, action, &error, report),
    }
}

/// Requests that a queue refuses for what they ask, after it has looked at who asks.
async fn try_queue(ports: &Ports, url: &QueueUrl, uses: Uses) -> Result<(), (&'static str, Error)> {
    if uses.receives {
        let deleted = ports.queues.delete_batch(url, Vec::new()).await;
        permitted(deleted).map_err(|error| ("sqs:DeleteMessage", error))?;
        let nobodys = ReceiptHandle("doctor".to_owned());
        let hidden = ports.queues.change_visibility(url, &nobodys, Duration::ZERO).await;
        permitted(hidden).map_err(|error| ("sqs:ChangeMessageVisibility", error))?;
    }
    if uses.sends {
        let sent = ports.queues.send_batch(url, Vec::new()).await;
        permitted(sent).map_err(|error| ("sqs:SendMessage", error))?;
    }
    Ok(())
}

/// Whether an answer says that the request, but not who sent it, is refused.
fn permitted<T>(answer: Result<T, Error>) -> Result<(), Error> {
    const AFTER_PERMISSION: [&str; 5] = [
        "EmptyBatchRequest",
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "MissingParameter",
    ];
    match answer {
        Ok(_) => Ok(()),
        Err(error) => match error.code() {
            Some(code) if AFTER_PERMISSION.iter().any(|known| code.contains(known)) => Ok(()),
            _ => Err(error),
        },
    }
}

async fn bucket(
    config: &Config,
    ports: &Ports,
    (bucket, prefix): (&str, &str),
    how: How,
    report: &mut Report,
) {
    let subject = format!("bucket {bucket}/{prefix}");
    let list = ListObjects {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        start_after: None,
        max_keys: 1,
    };
    match ports.blobs.list(list).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = format!("does not exist: `aws s3 mb s3://{bucket}` makes it");
            return report.fail(subject, what);
        }
        Err(error) => return refused(subject, "s3:ListBucket", &error, report),
    }
    if !how.writes {
        return report.ok(subject, "can be listed; writing was not tried");
    }
    let (host, process) = (&config.domain, std::process::id());
    let now = ports.clock.now().as_millis();
    let at = ObjectAddress::new(bucket, format!("{prefix}doctor/{host}-{process}-{now}"));
    let body = Bytes::from_static(b"cpe doctor\n");
    if let Err(error) = ports.blobs.put(&at, body, PutOptions::default()).await {
        return refused(subject, "s3:PutObject", &error, report);
    }
    let read = ports.blobs.head(&at).await.map(drop);
    // Deleted whatever the reading said.
    let deleted = ports.blobs.delete(&at).await;
    match (read, deleted) {
        (Ok(()), Ok(())) => report.ok(subject, "can be listed, written, read and deleted from"),
        (Err(error), _) => refused(subject, "s3:GetObject", &error, report),
        (_, Err(error)) => {
            report.warn(subject.as_str(), format!("{at} is left behind"));
            refused(subject, "s3:DeleteObject", &error, report);
        }
    }
}

fn refused(subject: String, action: &str, error: &Error, report: &mut Report) {
    let said = said(error);
    if error.kind().is_transient() {
        report.fail(subject, format!("{said}; try again later"));
    } else {
        report.fail(subject, format!("{action} is refused: {said}; deploy/ has the policies"));
    }
}

/// The error with its causes, as far as they say more.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}
