use std::sync::Arc;

use async_trait::async_trait;
use cpe_local::{Local, LocalConfig, Storage};
use cpe_ports::{
    BatchOutcome, Caller, Error, ErrorKind, Message, MessageQueue, OutgoingMessage, QueueUrl,
    ReceiptHandle, Receive,
    testing::{ManualClock, MemoryBlobs},
};
use cpe_swf::Timestamp;
use expect_test::{Expect, expect};

use super::{services::How, *};
use crate::config::Client;

/// An account that answers what it was made with.
#[derive(Debug, Clone)]
struct FakeAccount {
    caller: Result<Option<Caller>, ErrorKind>,
    time: Result<i64, ErrorKind>,
}

#[async_trait]
impl Account for FakeAccount {
    async fn credentials(&self) -> Result<String, Error> {
        Ok("from the environment, key AKID".to_owned())
    }

    async fn caller(&self) -> Result<Option<Caller>, Error> {
        self.caller.clone().map_err(|kind| Error::new(kind, "no token").with_code("ExpiredToken"))
    }

    async fn service_time(&self) -> Result<Timestamp, Error> {
        self.time.map(Timestamp::from_millis).map_err(|kind| Error::new(kind, "nobody there"))
    }

    fn place(&self) -> String {
        "SWF at AWS, eu-west-1".to_owned()
    }
}

/// Queues that refuse everybody.
#[derive(Debug)]
struct Closed;

fn no<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Refused, "not you").with_code("AccessDenied"))
}

#[async_trait]
impl MessageQueue for Closed {
    async fn queue_url(&self, name: &str) -> Result<QueueUrl, Error> {
        Ok(QueueUrl(name.to_owned()))
    }
    async fn create_queue(&self, _: &str) -> Result<QueueUrl, Error> {
        no()
    }
    async fn receive(&self, _: &QueueUrl, _: Receive) -> Result<Vec<Message>, Error> {
        no()
    }
    async fn send(&self, _: &QueueUrl, _: OutgoingMessage) -> Result<(), Error> {
        no()
    }
    async fn send_batch(
        &self,
        _: &QueueUrl,
        _: Vec<OutgoingMessage>,
    ) -> Result<BatchOutcome, Error> {
        no()
    }
    async fn delete(&self, _: &QueueUrl, _: &ReceiptHandle) -> Result<(), Error> {
        no()
    }
    async fn delete_batch(
        &self,
        _: &QueueUrl,
        _: Vec<ReceiptHandle>,
    ) -> Result<BatchOutcome, Error> {
        no()
    }
    async fn change_visibility(
        &self,
        _: &QueueUrl,
        _: &ReceiptHandle,
        _: std::time::Duration,
    ) -> Result<(), Error> {
        no()
    }
}

const NOW: i64 = 1_700_000_000_000;

fn config() -> Config {
    let mut config = Config::default();
    config.clients.push(Client::named("a", "a-in", "shared-out"));
    config.clients.push(Client::named("b", "b-in", "shared-out"));
    config
}

async fn examined(account: FakeAccount, how: How, change: impl FnOnce(&mut Ports)) -> String {
    let local = Local::open(LocalConfig { data: Storage::Memory, ..LocalConfig::default() });
    let local = local.await.unwrap();
    let mut ports = compose::local_ports(&local);
    ports.clock = Arc::new(ManualClock::at(Timestamp::from_millis(NOW)));
    let blobs = MemoryBlobs::with_buckets(["cpe-modules"]);
    ports.blobs = Arc::new(blobs.clone());
    change(&mut ports);
    let mut report = Report::default();
    examine_services(&config(), (&ports, &account), how, &mut report).await;
    assert_eq!(blobs.keys("cpe-modules"), [""; 0], "nothing is left behind");
    local.close().await;
    report.to_string()
}

async fn check(account: FakeAccount, how: How, change: impl FnOnce(&mut Ports), expect: Expect) {
    expect.assert_eq(&examined(account, how, change).await);
}

fn account() -> FakeAccount {
    let arn = "arn:aws:iam::1:role/cpe".to_owned();
    FakeAccount { caller: Ok(Some(Caller { account: "1".to_owned(), arn })), time: Ok(NOW) }
}

const AWS: How = How { own_endpoint: false, writes: true };

#[tokio::test]
async fn what_is_missing_is_told_with_what_to_do() {
    check(FakeAccount { time: Ok(NOW - 300_000), ..account() }, AWS, |_| {}, expect![[r#"
        ok    credentials: from the environment, key AKID: arn:aws:iam::1:role/cpe
        ok    endpoint: SWF at AWS, eu-west-1
        fail  clock: 300 s away from the endpoint's: requests are refused after five minutes; synchronise this machine's clock
        fail  domain cpe: does not exist: `aws swf register-domain --name cpe --workflow-execution-retention-period-in-days 30` makes it
        fail  queue a-in of a: does not exist: `aws sqs create-queue --queue-name a-in` makes it
        fail  queue b-in of b: does not exist: `aws sqs create-queue --queue-name b-in` makes it
        fail  queue shared-out of a, b: does not exist: `aws sqs create-queue --queue-name shared-out` makes it
        ok    bucket cpe-modules/: can be listed, written, read and deleted from
        ok    bucket cpe-modules/payloads/: can be listed, written, read and deleted from
    "#]])
        .await;
}

#[tokio::test]
async fn who_may_not_is_told_what_is_refused() {
    check(
        FakeAccount { caller: Err(ErrorKind::Refused), time: Ok(NOW + 60_000) },
        How { own_endpoint: true, writes: false },
        |ports| {
            ports.queues = Arc::new(Closed);
            ports.blobs = Arc::new(MemoryBlobs::default());
        },
        expect![[r#"
            fail  credentials: from the environment, key AKID: ExpiredToken: no token
            ok    endpoint: SWF at AWS, eu-west-1
            warn  clock: 60 s away from the endpoint's: synchronise this machine's clock
            warn  domain cpe: does not exist yet; at this endpoint `cpe run` makes it
            fail  queue a-in of a: sqs:DeleteMessage is refused: AccessDenied: not you; deploy/ has the policies
            fail  queue b-in of b: sqs:DeleteMessage is refused: AccessDenied: not you; deploy/ has the policies
            fail  queue shared-out of a, b: sqs:SendMessage is refused: AccessDenied: not you; deploy/ has the policies
            fail  bucket cpe-modules/: does not exist: `aws s3 mb s3://cpe-modules` makes it
            fail  bucket cpe-modules/payloads/: does not exist: `aws s3 mb s3://cpe-modules` makes it
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_ends_the_search() {
    check(
        FakeAccount { time: Err(ErrorKind::Unavailable), ..account() },
        AWS,
        |_| {},
        expect![[r#"
            ok    credentials: from the environment, key AKID: arn:aws:iam::1:role/cpe
            fail  endpoint: nobody there; check the address, AWS_ENDPOINT_URL and the way out of this network
        "#]],
    )
    .await;
}

#[test]
fn a_configuration_without_plans_and_clients() {
    let mut report = Report::default();
    examine_configuration(&Config::default(), &mut report);
    expect![[r#"
        warn  configuration: it has no clients, without which there is no input poller: name them under `clients` in cpe.yaml, or in CPE_CLIENTS
        fail  plans: there are none: name files or folders under `plans` in cpe.yaml, or in CPE_PLANS
    "#]].assert_eq(&report.to_string());
    assert_eq!(report.to_json()["ok"], false);
    assert_eq!(report.to_json()["findings"][0]["verdict"], "warn");
}
