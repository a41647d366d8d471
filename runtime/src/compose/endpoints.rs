//! The ports over AWS or over the embedded endpoint, and what has to be there before pollers
//! start.

use std::sync::Arc;

use anyhow::Context;
use cpe_aws::{Aws, AwsConfig};
use cpe_local::Local;
use cpe_ports::{Account, Error, QueueUrl, SystemClock};
use cpe_swf::DomainName;
use cpe_worker::Ports;

use super::clients::queue_names;
use crate::{cli::Global, config::Config};

/// The ports over AWS, or over the endpoint that the options or the environment name.
///
/// # Errors
///
/// If region or credentials are missing. No service is asked yet.
pub async fn connect(global: &Global) -> anyhow::Result<Ports> {
    connect_all(global).await.map(|(ports, _)| ports)
}

/// The same, and the account behind them.
///
/// # Errors
///
/// As above.
pub async fn connect_all(global: &Global) -> anyhow::Result<(Ports, Arc<dyn Account>)> {
    let config = AwsConfig {
        endpoint_url: global.endpoint_url.clone(),
        region: global.region.clone(),
        profile: global.profile.clone(),
    };
    let aws = cpe_aws::connect(config).await?;
    let account = Arc::clone(&aws.account);
    Ok((aws_ports(aws), account))
}

pub fn aws_ports(aws: Aws) -> Ports {
    let Aws { workflows, queues, blobs, .. } = aws;
    Ports { workflows, queues, blobs, clock: Arc::new(SystemClock) }
}

/// The ports straight on the embedded engine, without HTTP.
pub fn local_ports(local: &Local) -> Ports {
    Ports {
        workflows: local.workflows(),
        queues: local.queues(),
        blobs: local.blobs(),
        clock: Arc::new(SystemClock),
    }
}

/// Makes domain, queues and CPE's own buckets where they are missing: on the embedded endpoint, which
/// begins empty. On AWS these are the operator's to make.
///
/// # Errors
///
/// If one of them cannot be made.
pub async fn prepare(config: &Config, ports: &Ports) -> anyhow::Result<()> {
    register_domain(config, ports).await?;
    for queue in queue_names(config) {
        let made = ports.queues.create_queue(queue).await;
        made.with_context(|| format!("cannot make the queue {queue}"))?;
    }
    for bucket in [config.modules.bucket.as_str(), config.payloads_bucket()] {
        let made = ports.blobs.create_bucket(bucket).await;
        made.with_context(|| format!("cannot make the bucket {bucket}"))?;
    }
    Ok(())
}

/// Makes the SWF domain unless it exists.
///
/// # Errors
///
/// If it cannot be made.
pub async fn register_domain(config: &Config, ports: &Ports) -> anyhow::Result<()> {
    Ok(cpe_worker::register_domain(ports, &DomainName::from(config.domain.as_str())).await?)
}

/// The queue with that name or URL.
///
/// # Errors
///
/// If there is none with that name.
pub async fn queue_url(ports: &Ports, queue: &str) -> anyhow::Result<QueueUrl> {
    find_queue(ports, queue).await.with_context(|| format!("cannot find the queue {queue}"))
}

pub(super) async fn find_queue(ports: &Ports, queue: &str) -> Result<QueueUrl, Error> {
    if is_url(queue) {
        return Ok(QueueUrl(queue.to_owned()));
    }
    ports.queues.queue_url(queue).await
}

pub(super) fn is_url(queue: &str) -> bool {
    queue.starts_with("http://") || queue.starts_with("https://")
}
