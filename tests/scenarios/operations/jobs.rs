//! The job command: jobs started, followed, canceled, and run again.

use cpe_tests::{Program, activity};
use serde_json::{Value, json};

use super::Place;

/// The second step needs what the first says, and then fails.
const CHAIN: &str = r#"
name: Chain
version: "1"
activities:
- {name: Echo, version: v1, module: misbehave@1, outputs_spec: {said: $}}
steps:
- name: First
  activity: Echo
  input: |
    {"do": "echo", "value": {{ __input__.value }}}
- name: Second
  activity: Echo
  requires: [[First, succeeded]]
  retry: {max_attempts: 1}
  input: |
    {"do": "fail", "reason": "tests.broken"}
- {name: Third, eval: "{{ Second.said }}", requires: [[Second, succeeded]]}
output: "{{ Third }}"
"#;

const LONG: &str = r#"
name: Long
version: "1"
activities:
- {name: Long, version: v1, module: misbehave@1, heartbeat_timeout: 3, start_to_close_timeout: 60}
steps:
- {name: Wait, activity: Long, input: '{"do": "beat-forever"}'}
- {name: Beside, activity: Long, allow_failure: true, input: '{"do": "beat-forever"}'}
"#;

impl Place {
    /// A fleet for these plans.
    async fn fleet(&self) -> Program {
        self.make_queues("a").await;
        self.ports.blobs.create_bucket("cpe-modules").await.unwrap();
        std::fs::write(self.path().join("chain.yaml"), CHAIN).unwrap();
        std::fs::write(self.path().join("long.yaml"), LONG).unwrap();
        let text = "plans: [plan.yaml, chain.yaml, long.yaml]\nclients:\n\
                    - {name: a, input_queue: a-in, output_queue: a-out}\n";
        std::fs::write(self.path().join("cpe.yaml"), text).unwrap();
        std::fs::write(self.path().join("job.json"), r#"{"value": 7}"#).unwrap();
        let file = activity("misbehave");
        let (status, _, said) =
            self.cpe(&["module", "push", file.to_str().unwrap(), "misbehave@1"]).await;
        assert_eq!(status, 0, "{said}");
        let mut fleet = Program::start(self.path(), &["run", "--endpoint-url", &self.url], &[]);
        fleet.line_with("cpe run:").await;
        fleet
    }

    async fn good(&self, arguments: &[&str]) -> String {
        let (status, printed, said) = self.cpe(arguments).await;
        assert_eq!(status, 0, "{arguments:?}: {printed}{said}");
        printed
    }

    async fn bad(&self, status: i32, arguments: &[&str]) -> String {
        let (ended, printed, said) = self.cpe(arguments).await;
        assert_eq!(ended, status, "{arguments:?}: {printed}{said}");
        assert!(said.starts_with("cpe: "), "{said}");
        said
    }

    /// The steps that the job's history knows, with their results; and the whole.
    async fn shown(&self, job: &str) -> (Vec<String>, Value) {
        let printed = self.good(&["job", "show", job, "--output", "json"]).await;
        let shown: Value = serde_json::from_str(&printed).unwrap();
        let steps = shown["steps"].as_array().unwrap().iter();
        (steps.map(|step| format!("{} {}", step["step"], step["result"])).collect(), shown)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_started_followed_and_run_again() {
    let place = Place::open(&["a"]).await;
    let fleet = place.fleet().await;
    let start = ["job", "start", "Echo@1", "--input", "job.json", "--job-id", "one", "--wait"];
    let printed = place.good(&start).await;
    for line in ["a.one sent to a-in", "started Echo@1", "Say completed", "completed 7"] {
        assert!(printed.contains(line), "{line}:\n{printed}");
    }
    let printed = place.good(&["job", "watch", "one", "--output", "json"]).await;
    let last: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!(last["eventType"], "WorkflowExecutionCompleted");

    let printed = place.good(&["job", "rerun", "one", "--job-id", "two", "--wait"]).await;
    assert!(printed.contains("completed 7"), "{printed}");
    let said = place.bad(1, &["job", "rerun", "none"]).await;
    assert!(said.contains("no job a.none"), "{said}");
    assert!(fleet.terminate().await && place.endpoint.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_run_again_from_a_step_on() {
    let place = Place::open(&["a"]).await;
    let fleet = place.fleet().await;
    let start = ["job", "start", "Chain@1", "--input", "job.json", "--job-id", "one", "--wait"];
    let said = place.bad(1, &start).await;
    assert!(said.contains("the job a.one ended as FAILED"), "{said}");

    // As it was: the first step's result is taken, the second fails again.
    let again = ["job", "rerun", "one", "--from", "Second", "--job-id", "two", "--wait"];
    place.bad(1, &again).await;
    let (steps, shown) = place.shown("two").await;
    assert!(steps.len() == 1 && steps[0].contains("tests.broken"), "{shown}");
    let printed = place.good(&["job", "show", "two"]).await;
    let taken = printed.lines().find(|line| line.starts_with("taken from run "));
    assert!(taken.is_some_and(|line| line.ends_with(": First")), "{printed}");

    // By a plan in which the step is mended.
    let mended = CHAIN.replace(
        r#"{"do": "fail", "reason": "tests.broken"}"#,
        r#"{"do": "echo", "value": [{{ First.said }}]}"#,
    );
    std::fs::write(place.path().join("mended.yaml"), mended).unwrap();
    let printed = place
        .good(&[
            "job",
            "rerun",
            "two",
            "--from",
            "Second",
            "--plan",
            "mended.yaml",
            "--job-id",
            "three",
            "--output",
            "json",
        ])
        .await;
    let begun: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&begun["workflowId"], &begun["taken"]), (&json!("a.three"), &json!(["First"])));
    let printed = place.good(&["job", "watch", "three"]).await;
    assert!(printed.contains("completed [7]"), "{printed}");
    assert!(!printed.contains("First"), "{printed}");
    let (steps, _) = place.shown("three").await;
    assert_eq!(steps, [r#""Second" [7]"#]);
    // Once more as a whole: with the input of the first.
    let printed = place.good(&["job", "rerun", "three", "--job-id", "four"]).await;
    assert!(printed.contains("a.four sent"), "{printed}");
    place.bad(1, &["job", "watch", "four"]).await;
    let (steps, _) = place.shown("four").await;
    assert!(steps.len() == 2 && steps[0] == r#""First" 7"#, "{steps:?}");

    for (arguments, status, why) in [
        (
            &["one", "--from", "Nope"][..],
            1,
            "has no step `Nope`; its steps are First, Second, Third",
        ),
        (&["one", "--from", "Third"], 1, "the job never came to `Third`"),
        (&["one", "--from", "Second", "--plan", "none.yaml"], 2, "is neither a file nor"),
        (&["one", "--from", "Second", "--job-id", "two"], 1, "give another --job-id"),
        (&["none", "--from", "Second"], 1, "no job a.none"),
        (&["one", "--plan", "mended.yaml"], 2, ""),
    ] {
        let arguments = [&["job", "rerun"], arguments].concat();
        let (ended, printed, said) = place.cpe(&arguments).await;
        assert_eq!(ended, status, "{arguments:?}: {printed}{said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
    assert!(fleet.terminate().await && place.endpoint.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_and_an_activity_are_canceled() {
    let place = Place::open(&["a"]).await;
    let fleet = place.fleet().await;
    place.good(&["job", "start", "Long@1", "--job-id", "one"]).await;
    let watch = ["job", "watch", "one", "--endpoint-url", &place.url];
    let mut watching = Program::start(place.path(), &watch, &[]);
    watching.line_with("Beside started").await;
    let printed = place.good(&["job", "cancel", "one", "--activity", "Beside"]).await;
    assert!(printed.contains("asked a.one to cancel its activity Beside"), "{printed}");
    watching.line_with("Beside canceled").await;
    let printed = place.good(&["job", "cancel", "one"]).await;
    assert!(printed.contains("asked a.one to cancel"), "{printed}");
    watching.line_with("Wait canceled").await;
    watching.line_with("CANCELED").await;
    assert!(!watching.ended().await, "a job that was canceled has not ended well");
    let said = place.bad(1, &["job", "cancel", "one"]).await;
    assert!(said.contains("cannot be canceled"), "{said}");
    place.bad(1, &["job", "watch", "one"]).await;
    assert!(fleet.terminate().await && place.endpoint.terminate().await);
}
