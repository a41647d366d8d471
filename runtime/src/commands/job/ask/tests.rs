use cpe_local::{Local, LocalConfig, Storage};
use cpe_ports::{ObjectAddress, PutOptions};
use cpe_swf::{
    ChildPolicy, TaskList, Timeout, WorkflowType,
    api::{RegisterWorkflowTypeRequest, StartWorkflowExecutionRequest},
};
use expect_test::{Expect, expect};

use super::*;
use crate::config::Quotas;

struct Fleet {
    ports: Ports,
    config: Config,
}

impl Fleet {
    /// One client, `acme`, with these quotas.
    async fn new(quotas: Quotas) -> Self {
        let local = Local::open(LocalConfig { data: Storage::Memory, ..LocalConfig::default() });
        let ports = compose::local_ports(&local.await.unwrap());
        let client = config::Client { quotas, ..config::Client::named("acme", "in", "out") };
        let config = Config { clients: vec![client], ..Config::default() };
        compose::prepare(&config, &ports).await.unwrap();
        Self { ports, config }
    }

    /// A worker has written that the client took this today.
    async fn took(&self, share: &serde_json::Value) {
        let today = SystemClock.now().as_millis() / 86_400_000;
        let key = format!("{}usage/acme/{today:06}/w.json", self.config.modules.prefix);
        let at = ObjectAddress::new(&self.config.modules.bucket, key);
        let body = share.to_string().into();
        self.ports.blobs.put(&at, body, PutOptions::default()).await.unwrap();
    }

    async fn start(&self, workflow_id: &str) {
        let domain = self.config.domain.as_str();
        let name = WorkflowType::new("P", "1");
        let register = RegisterWorkflowTypeRequest {
            domain: domain.into(),
            name: name.name.clone(),
            version: name.version.clone(),
            description: None,
            default_task_start_to_close_timeout: None,
            default_execution_start_to_close_timeout: None,
            default_task_list: None,
            default_task_priority: None,
            default_child_policy: None,
            default_lambda_role: None,
        };
        let _ = self.ports.workflows.register_workflow_type(register).await;
        let hour = Timeout::Seconds(3_600);
        let start = StartWorkflowExecutionRequest {
            domain: domain.into(),
            workflow_id: workflow_id.into(),
            workflow_type: name,
            task_list: Some(TaskList::new("t")),
            task_priority: None,
            input: None,
            execution_start_to_close_timeout: Some(hour),
            tag_list: vec!["client:acme".to_owned()],
            task_start_to_close_timeout: Some(hour),
            child_policy: Some(ChildPolicy::Terminate),
            lambda_role: None,
        };
        self.ports.workflows.start_workflow_execution(start).await.unwrap();
    }

    async fn check(&self, expected: Expect) {
        let reason = absent(&self.ports, &self.config, &"acme.new".into()).await.unwrap();
        let midnight = why::moment(compose::usage(&self.config, &self.ports).end_of_day());
        expected.assert_eq(&reason.sentence.replace(&midnight, "MIDNIGHT"));
    }
}

#[tokio::test]
async fn a_job_that_waits_for_a_quota_is_told_which() {
    let now = SystemClock.now();
    let used = json!({"cpuMillis": 61_500, "bytes": 5_000, "activities": 3, "time": now});
    let fleet = |quotas| async {
        let fleet = Fleet::new(quotas).await;
        fleet.took(&used).await;
        fleet
    };
    let none = Quotas::default;
    let cpu = Quotas { cpu_seconds_per_day: Some(60), ..none() };
    fleet(cpu).await.check(expect!["it has not begun, and its client is at its quota cpu-seconds-per-day: acme has used 61 of 60 s of CPU time for today, until MIDNIGHT"]).await;
    let bytes = Quotas { bytes_per_day: Some(5_000), ..none() };
    fleet(bytes).await.check(expect!["it has not begun, and its client is at its quota bytes-per-day: acme has moved 5000 of 5000 bytes for today, until MIDNIGHT"]).await;
    let activities = Quotas { activities_in_flight: Some(3), ..none() };
    fleet(activities).await.check(expect!["it has not begun, and its client is at its quota activities-in-flight: acme has 3 of 3 activity tasks in flight"]).await;
    // A child is no job.
    let jobs = fleet(Quotas { jobs_in_flight: Some(2), ..none() }).await;
    jobs.start("acme.a").await;
    jobs.start("acme.a.Child").await;
    jobs.check(expect!["the domain cpe has no such job: either no input poller reads its client's queue, or the command was refused (the output queue says why), or it ended so long ago that SWF forgot it"]).await;
    jobs.start("acme.b").await;
    jobs.check(expect![
        "it has not begun, and its client is at its quota: acme has 2 of 2 jobs in flight"
    ])
    .await;
}
