//! What an operator does with a fleet of processes: looks before it starts, looks while it runs,
//! and takes clients in without a restart.

mod jobs;

use std::path::Path;

use cpe_aws::AwsConfig;
use cpe_tests::{Client, Program, activity};
use cpe_worker::Ports;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PLAN: &str = r#"
name: Echo
version: "1"
activities:
- {name: Echo, version: v1, module: misbehave@1, outputs_spec: {said: $}}
steps:
- name: Say
  activity: Echo
  input: |
    {"do": "echo", "value": {{ __input__.value }}}
output: "{{ Say.said }}"
"#;

/// An endpoint of one's own, and a folder with plan and configuration.
struct Place {
    folder: tempfile::TempDir,
    endpoint: Program,
    url: String,
    ports: Ports,
}

impl Place {
    async fn open(clients: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = ["local", "--port", "0", "--memory", "--poll-wait", "2"];
        let mut endpoint = Program::start(folder.path(), &local, &[]);
        let line = endpoint.line_with(" at ").await;
        let url = line.split_once(" at ").unwrap().1.trim().to_owned();
        let config = AwsConfig { endpoint_url: Some(url.clone()), ..AwsConfig::default() };
        let ports = cpe::compose::aws_ports(cpe_aws::connect(config).await.unwrap());
        std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();
        let place = Self { folder, endpoint, url, ports };
        place.configure(clients);
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self, clients: &[&str]) {
        let clients = clients.iter().map(|name| {
            format!("- {{name: {name}, input_queue: {name}-in, output_queue: {name}-out}}\n")
        });
        let text = format!("plans: [plan.yaml]\nclients:\n{}", clients.collect::<String>());
        std::fs::write(self.path().join("cpe.yaml"), text).unwrap();
    }

    async fn make_queues(&self, client: &str) {
        for queue in ["in", "out"] {
            self.ports.queues.create_queue(&format!("{client}-{queue}")).await.unwrap();
        }
    }

    async fn cpe(&self, arguments: &[&str]) -> (i32, String, String) {
        let arguments = [arguments, &["--endpoint-url", &self.url]].concat();
        Program::run(self.path(), &arguments, &[]).await
    }

    async fn client(&self, name: &str) -> Client {
        let (input, output) = (format!("{name}-in"), format!("{name}-out"));
        Client::new(self.ports.clone(), name, &input, &output).await
    }

    /// The result of a job of that client.
    async fn job(&self, client: &str) -> Value {
        let client = self.client(client).await;
        client.start("j", ("Echo", "1"), json!({"value": 7})).await;
        client.events_of("j").await.last().unwrap()["data"]["result"].clone()
    }
}

/// How the doctor ended, and what it found of each thing, by the thing's name.
async fn doctor(place: &Place) -> (i32, Value) {
    let (status, printed, said) = place.cpe(&["doctor", "--output", "json"]).await;
    let report = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}{said}"));
    (status, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tells_what_is_missing_until_nothing_is() {
    let place = Place::open(&["a"]).await;
    let (status, report) = doctor(&place).await;
    let text = report.to_string();
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("a-in") && text.contains("cpe-modules"), "{text}");

    place.make_queues("a").await;
    place.ports.blobs.create_bucket("cpe-modules").await.unwrap();
    let (status, report) = doctor(&place).await;
    assert_eq!(status, 0, "{report}");
    let left = place.ports.blobs.list(cpe_ports::ListObjects {
        bucket: "cpe-modules".to_owned(),
        max_keys: 10,
        ..cpe_ports::ListObjects::default()
    });
    assert!(left.await.unwrap().objects.is_empty(), "it leaves nothing behind");

    std::fs::write(place.path().join("plan.yaml"), "name: 5").unwrap();
    let (status, report) = doctor(&place).await;
    assert!(status == 1 && report.to_string().contains("plan.yaml"), "{report}");
    assert!(place.endpoint.terminate().await);
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_fleet_is_counted_and_takes_clients_in() {
    let place = Place::open(&["a"]).await;
    place.make_queues("a").await;
    place.make_queues("b").await;
    place.ports.blobs.create_bucket("cpe-modules").await.unwrap();
    let file = activity("misbehave");
    let (status, _, said) =
        place.cpe(&["module", "push", file.to_str().unwrap(), "misbehave@1"]).await;
    assert_eq!(status, 0, "{said}");

    let run = ["run", "--endpoint-url", &place.url, "--metrics", "127.0.0.1:0"];
    let mut fleet = Program::start(place.path(), &run, &[]);
    let line = fleet.line_with("metrics at").await;
    let address = line.split("://").nth(1).unwrap().trim_end_matches("/metrics").to_owned();
    fleet.line_with("cpe run:").await;
    assert_eq!(place.job("a").await, 7);
    assert!(get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(&address, "/metrics").await;
    let of_a: Vec<_> = metrics.lines().filter(|line| line.contains("client=\"a\"")).collect();
    for what in ["messages", "events"] {
        let counted = of_a.iter().any(|line| line.contains(what) && !line.ends_with(" 0"));
        assert!(counted, "{what} of a:\n{metrics}");
    }
    assert!(!metrics.contains("client=\"b\""), "{metrics}");

    // A file with a mistake changes nothing; the next one does.
    std::fs::write(place.path().join("cpe.yaml"), "clients: 5").unwrap();
    fleet.hang_up().await;
    let again = place.client("a").await;
    again.start("k", ("Echo", "1"), json!({"value": 8})).await;
    assert_eq!(again.events_of("k").await.last().unwrap()["data"]["result"], 8);
    place.configure(&["a", "b"]);
    fleet.hang_up().await;
    assert_eq!(place.job("b").await, 7);
    assert!(get(&address, "/metrics").await.contains("client=\"b\""));

    assert!(fleet.terminate().await);
    assert!(place.endpoint.terminate().await);
}

/// A pair of keys that nothing else uses.
const SECRET: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=
-----END PUBLIC KEY-----
";
/// Of somebody else.
const OTHER: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_sign_is_read_again_too() {
    let place = Place::open(&["a"]).await;
    place.make_queues("a").await;
    place.ports.blobs.create_bucket("cpe-modules").await.unwrap();
    for (file, text) in [("ci.pem", SECRET), ("ci.pub.pem", PUBLIC), ("other.pub.pem", OTHER)] {
        std::fs::write(place.path().join(file), text).unwrap();
    }
    let sign = |keys: &str| {
        place.configure(&["a"]);
        let file = place.path().join("cpe.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, text.replace("a-out}", &format!("a-out, signers: [{keys}]}}")))
            .unwrap();
    };
    sign("other.pub.pem");
    let file = activity("misbehave");
    let push = ["module", "push", file.to_str().unwrap(), "misbehave@1", "--key", "ci.pem"];
    let (status, _, said) = place.cpe(&push).await;
    assert_eq!(status, 0, "{said}");
    let mut fleet = Program::start(place.path(), &["run", "--endpoint-url", &place.url], &[]);
    fleet.line_with("cpe run:").await;

    let client = place.client("a").await;
    let mut jobs = 0;
    let mut until = async |wanted: &str| {
        // The signal takes its moment.
        for _ in 0..100 {
            jobs += 1;
            let job = format!("j{jobs}");
            client.start(&job, ("Echo", "1"), json!({"value": 7})).await;
            let last = client.events_of(&job).await.pop().unwrap().to_string();
            if last.contains(wanted) {
                return;
            }
        }
        panic!("a hundred jobs, and none ends with {wanted}");
    };
    until("cpe.module.untrusted").await;
    for (keys, wanted) in
        [("other.pub.pem, ci.pub.pem", "JOB_COMPLETED"), ("other.pub.pem", "cpe.module.untrusted")]
    {
        sign(keys);
        fleet.hang_up().await;
        until(wanted).await;
    }
    assert!(fleet.terminate().await);
    assert!(place.endpoint.terminate().await);
}
