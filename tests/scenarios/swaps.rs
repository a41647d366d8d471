//! What a fleet does while channels move: under load, without its store, and as it starts.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use cpe::compose::Roles;
use cpe_sandbox::Digest;
use cpe_swf::{
    EventAttributes, Timestamp, WorkflowExecution,
    api::{ExecutionTimeFilter, GetWorkflowExecutionHistoryRequest},
};
use cpe_tests::{Client, Options, Wire, World, of_a_newer_world, version};
use serde_json::{Value, json};

use crate::modules::{TWO, go, one, result, run_one};

/// Fifty activity tasks side by side, by whatever is current.
const MANY: &str = r#"
name: Many
version: 1
activities:
- {name: Version, version: v1, module: version@1, upgrade: latest, outputs_spec: {version: $.version}}
steps:
- name: Each
  activity: Version
  foreach: "{{ range(50) | list }}"
  input: '{{ item }}'
- {name: All, eval: '{{ Each }}', requires: [[Each, succeeded]]}
output: "{{ All }}"
"#;

/// Hears everything of so many jobs, none of which may fail.
async fn all_complete(client: &Client, jobs: usize) {
    let left = Cell::new(jobs);
    let events = client.events_until(|event| {
        let ended = event["type"] == "JOB_COMPLETED" || event["type"] == "JOB_FAILED";
        left.set(left.get() - usize::from(ended));
        left.get() == 0
    });
    for event in events.await {
        assert_ne!(event["type"], "ACTIVITY_FAILED", "{event}");
        assert_ne!(event["type"], "JOB_FAILED", "{event}");
    }
}

/// One activity task, as its history tells.
#[derive(Debug)]
struct Ran {
    version: u32,
    started: Timestamp,
    ended: Timestamp,
}

/// Every activity task of a job.
async fn ran(world: &World, job: &str) -> Vec<Ran> {
    let request = cpe_swf::api::ListClosedWorkflowExecutionsRequest {
        domain: world.config.domain.as_str().into(),
        start_time_filter: Some(ExecutionTimeFilter {
            oldest_date: Timestamp(0),
            latest_date: None,
        }),
        close_time_filter: None,
        execution_filter: Some(cpe_swf::api::WorkflowExecutionFilter {
            workflow_id: format!("tester.{job}").as_str().into(),
        }),
        close_status_filter: None,
        type_filter: None,
        tag_filter: None,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
    };
    let closed = world.ports.workflows.list_closed_workflow_executions(request).await.unwrap();
    let execution: WorkflowExecution = closed.execution_infos[0].execution.clone();
    let mut request = GetWorkflowExecutionHistoryRequest {
        domain: world.config.domain.as_str().into(),
        execution,
        next_page_token: None,
        maximum_page_size: None,
        reverse_order: false,
    };
    let (mut started, mut all) = (BTreeMap::new(), Vec::new());
    loop {
        let workflows = &world.ports.workflows;
        let page = workflows.get_workflow_execution_history(request.clone()).await.unwrap();
        for event in page.events {
            match &*event.attributes {
                EventAttributes::ActivityTaskStarted(_) => {
                    started.insert(event.event_id, event.event_timestamp);
                }
                EventAttributes::ActivityTaskCompleted(done) => {
                    // What the run took stands in a line of its own behind it.
                    let first = done.result.as_ref().unwrap().lines().next().unwrap();
                    let result: Value = serde_json::from_str(first).unwrap();
                    all.push(Ran {
                        version: u32::try_from(result["version"].as_u64().unwrap()).unwrap(),
                        started: started[&done.started_event_id],
                        ended: event.event_timestamp,
                    });
                }
                _ => {}
            }
        }
        request.next_page_token = page.next_page_token;
        if request.next_page_token.is_none() {
            return all;
        }
    }
}

/// When versions became current: pushed, and known to be what the worker runs.
#[derive(Debug, Default)]
struct Moves {
    pushed: BTreeMap<u32, Timestamp>,
    /// Of some of them: by then the worker had told that it runs this one.
    settled: BTreeMap<u32, Timestamp>,
}

impl Moves {
    async fn push(&mut self, world: &World, n: u32, settles: bool) {
        let bytes = version(n);
        self.pushed.insert(n, world.ports.clock.now());
        let digest = world.push("1", bytes).await;
        if settles {
            assert_eq!(world.settled("1", &digest).await, None, "version {n}");
            self.settled.insert(n, world.ports.clock.now());
        }
    }

    /// An activity task runs a version that was current for its worker when it started, or one
    /// that became so until it ran: none from before the last that the worker was known to run
    /// then, and none that came after it had ended.
    fn check(&self, ran: &Ran) {
        let known = self.settled.iter().filter(|(_, at)| **at < ran.started);
        let oldest = known.map(|(version, _)| *version).max().unwrap_or(0);
        assert!(ran.version >= oldest, "{ran:?} is older than {oldest}, which ran by then");
        assert!(self.pushed[&ran.version] <= ran.ended, "{ran:?} is from the future");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_swaps_under_load() {
    const SWAPS: u32 = 50;
    const JOBS: usize = 6;
    let world = World::start(Options::new(Wire::Direct).plan(MANY)).await;
    let client = world.client().await;
    let mut moves = Moves::default();
    moves.push(&world, 1, true).await;
    for job in 0..JOBS {
        client.start(&format!("j{job}"), ("Many", "1"), json!({})).await;
    }
    let pushing = async {
        for n in 2..=SWAPS {
            // A job in between, so that some activity tasks start after each.
            let settles = n % 10 == 0;
            moves.push(&world, n, settles).await;
            if settles {
                client.start(&format!("after{n}"), ("Many", "1"), json!({})).await;
            }
        }
    };
    tokio::join!(pushing, all_complete(&client, JOBS + 5));
    let mut jobs: Vec<_> = (0..JOBS).map(|job| format!("j{job}")).collect();
    jobs.extend((1..=5).map(|tens| format!("after{}", tens * 10)));
    for job in jobs {
        let ran = ran(&world, &job).await;
        assert_eq!(ran.len(), 50, "{job}");
        ran.iter().for_each(|ran| moves.check(ran));
        if job == "after50" {
            assert!(ran.iter().all(|ran| ran.version == SWAPS), "{ran:?}");
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_store_a_fleet_goes_on_and_the_new_version_comes_afterwards() {
    for wire in [Wire::Direct, Wire::Sdk] {
        let world = World::start(Options::new(wire).plan(TWO).plan(one("version@1"))).await;
        let client = world.client().await;
        let first = world.push("1", version(1)).await;
        world.settled("1", &first).await;
        client.start("during", ("Two", "1"), json!({})).await;
        client.events_until(|event| event["type"] == "ACTIVITY_COMPLETED").await;

        // The workers do not reach the store any more; whoever pushes does.
        world.outage.begin();
        let second = world.push("1", version(2)).await;
        world.outage.refused("channels/version/1.json").await;
        go(&world, "during").await;
        assert_eq!(result(&client, "during").await, json!([1, 1, 1]));

        world.outage.end();
        assert_eq!(world.settled("1", &second).await, None);
        assert_eq!(run_one(&client, "after").await, json!(2));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_down_between_channel_and_component() {
    let world = World::start(Options::new(Wire::Direct).plan(TWO).plan(one("version@1"))).await;
    let client = world.client().await;
    let first = world.push("1", version(1)).await;
    world.settled("1", &first).await;
    client.start("during", ("Two", "1"), json!({})).await;
    client.events_until(|event| event["type"] == "ACTIVITY_COMPLETED").await;
    let bytes = version(2);
    let key = format!("blobs/sha256/{}", Digest::of(&bytes).hex());
    world.outage.begin_for(&key);
    let second = world.push("1", bytes).await;
    // The channel is seen to move, and what it points at is out of reach.
    world.outage.refused(&key).await;
    go(&world, "during").await;
    assert_eq!(result(&client, "during").await, json!([1, 1, 1]));
    world.outage.end();
    // What was told during the outage stands until there is something else to tell.
    let mended = async {
        while world.settled("1", &second).await.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), mended).await.expect("the new version comes");
    assert_eq!(run_one(&client, "after").await, json!(2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_starts_while_the_channel_moves() {
    const SWAPS: u32 = 12;
    let roles = Roles { activities: false, ..Roles::ALL };
    let options = Options { roles, ..Options::new(Wire::Direct).plan(MANY) };
    let world = World::start(options).await;
    let client = world.client().await;
    let mut moves = Moves::default();
    moves.push(&world, 1, false).await;
    for job in 0..3 {
        client.start(&format!("j{job}"), ("Many", "1"), json!({})).await;
    }
    let pushing = async {
        for n in 2..=SWAPS {
            moves.push(&world, n, n == SWAPS).await;
        }
    };
    let starting = world.start_worker(Roles { activities: true, decider: false, input: false });
    let (worker, (), ()) = tokio::join!(starting, pushing, all_complete(&client, 3));
    for job in 0..3 {
        for ran in ran(&world, &format!("j{job}")).await {
            moves.check(&ran);
        }
    }
    client.start("after", ("Many", "1"), json!({})).await;
    all_complete(&client, 1).await;
    assert!(ran(&world, "after").await.iter().all(|ran| ran.version == SWAPS));
    worker.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_vanishes_and_comes_back() {
    let plan = one("s3://media/version.wasm");
    let world = World::start(Options::new(Wire::Direct).plan(plan)).await;
    let client = world.client().await;
    client.put("media", "version.wasm", version(1)).await;
    assert_eq!(run_one(&client, "first").await, json!(1));
    let at = cpe_ports::ObjectAddress::new("media", "version.wasm");
    world.ports.blobs.delete(&at).await.unwrap();
    // Until a worker has looked again, what it knows goes on.
    let gone = until(&client, "gone", |result| *result != json!(1)).await.to_string();
    assert!(gone.contains("cpe.module.not-found"), "{gone}");
    assert!(gone.contains("s3://media/version.wasm"), "{gone}");
    client.put("media", "version.wasm", version(2)).await;
    // What ran before may go on until the new one is compiled.
    let back = until(&client, "back", |result| *result == json!(2)).await;
    assert_eq!(back, json!(2));
    world.stop().await;
}

/// The result of the first of several jobs that is as it should be.
async fn until(client: &Client, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    for count in 0..1000 {
        let result = run_one(client, &format!("{name}{count}")).await;
        if is_wanted(&result) {
            return result;
        }
    }
    panic!("a thousand jobs, and none is as it should be")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_for_a_newer_world_never_becomes_current() {
    let world = World::start(Options::new(Wire::Direct).plan(one("version@1"))).await;
    let client = world.client().await;
    let good = world.push("1", version(1)).await;
    world.settled("1", &good).await;
    let newer = of_a_newer_world(2);
    // Who pushes is told what it is for; who gets it into the registry in another way is not
    // believed.
    let sandbox = cpe::compose::checking_sandbox(&world.config).unwrap();
    let told = sandbox.load("version", newer.clone()).await.unwrap_err().details();
    assert!(told.contains("cpe:activity/handler@0.1.0"), "{told}");
    let digest = world.push("1", newer).await;
    assert_eq!(world.settled("1", &digest).await.as_deref(), Some("cpe.module.link"));
    assert_eq!(run_one(&client, "job").await, json!(1));
    world.stop().await;
}
