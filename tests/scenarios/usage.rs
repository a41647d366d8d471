//! The program called wrongly, or where something is missing: one clear message, exit 1 or 2,
//! nothing half-started.

use std::{path::Path, process::Stdio};

use cpe_tests::{Program, cpe_program};
use expect_test::{Expect, expect};

async fn check(folder: &Path, arguments: &[&str], env: &[(&str, &str)], expect: Expect) {
    let (status, printed, said) = Program::run(folder, arguments, env).await;
    let text = format!("exit {status}\n{printed}{said}");
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    expect.assert_eq(&text);
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, _, said) = Program::run(folder.path(), &["local", "--port", &port], &[]).await;
    assert_eq!(status, 1);
    assert!(said.contains(&port) && said.contains("--port 0"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test]
async fn a_plan_with_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "name: P\nversion: 1\nactivitys: []\nsteps:\n- {name: A, activity: B}\n";
    std::fs::write(folder.path().join("p.yaml"), plan).unwrap();
    check(
        folder.path(),
        &["plan", "check", "p.yaml"],
        &[],
        expect![[r#"
        exit 1
        p.yaml:3:1: a plan has no key `activitys`
          3 | activitys: []
            | ^
          hint: did you mean `activities`?
        p.yaml:5:23: the plan has no activity `B`
          5 | - {name: A, activity: B}
            |                       ^
          hint: the plan has no activities
        cpe: 2 mistakes in 1 file
    "#]],
    )
    .await;
    check(
        folder.path(),
        &["dev", "--plans", "p.yaml", "--port", "0"],
        &[],
        expect![[r#"
        exit 2
        cpe: p.yaml:3:1: a plan has no key `activitys`
          3 | activitys: []
            | ^
          hint: did you mean `activities`?
        p.yaml:5:23: the plan has no activity `B`
          5 | - {name: A, activity: B}
            |                       ^
          hint: the plan has no activities
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_file_that_is_no_component() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.wasm"), "\0asm\x01\0\0\0").unwrap();
    let push = ["module", "push", "x.wasm", "x@1", "--endpoint-url", "http://127.0.0.1:1"];
    check(folder.path(), &push, &[], expect![[r#"
        exit 1
        cpe: x.wasm cannot be pushed: module x is not a component: it is a core module (build with --target wasm32-wasip2, or wrap it as a component)
    "#]]).await;
}

#[tokio::test]
async fn no_plans_no_clients_no_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    check(
        folder.path(),
        &["run"],
        &[],
        expect![[r#"
        exit 2
        cpe: no plans: name files or folders under `plans` in cpe.yaml, or in CPE_PLANS
    "#]],
    )
    .await;
    let plan = cpe_tests::plan_file("word-count.yaml");
    std::fs::write(folder.path().join("p.yaml"), plan).unwrap();
    check(
        folder.path(),
        &["run"],
        &[("CPE_PLANS", "p.yaml")],
        expect![[r#"
        exit 2
        cpe: no clients: an input poller needs `clients` in cpe.yaml, or CPE_CLIENTS
    "#]],
    )
    .await;
    let clients = "[{name: a, input_queue: i, output_queue: o}]";
    let env = [("CPE_PLANS", "p.yaml"), ("CPE_CLIENTS", clients)];
    let run = ["run", "--endpoint-url", "http://127.0.0.1:1"];
    let (status, _, said) = Program::run(folder.path(), &run, &env).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[tokio::test]
async fn no_credentials() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let plan = cpe_tests::plan_file("word-count.yaml");
    std::fs::write(folder.path().join("p.yaml"), plan).unwrap();
    let env = [
        ("CPE_PLANS", "p.yaml"),
        ("CPE_CLIENTS", "[{name: a, input_queue: i, output_queue: o}]"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", "empty"),
        ("AWS_SHARED_CREDENTIALS_FILE", "empty"),
    ];
    check(folder.path(), &["run"], &env, expect![[r#"
        exit 1
        cpe: no AWS credentials were found in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), in the profile `default` or in a role of this container or instance; set one of these, or AWS_ENDPOINT_URL to use an endpoint of your own: the credential provider was not enabled: no credentials found in chain. Attempted:
          Environment: the credential provider was not enabled: environment variable not set
          Profile: the credential provider was not enabled
          WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
          EcsContainer: the credential provider was not enabled: ECS provider not configured
          Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
    "#]]).await;
}

#[tokio::test]
async fn traces_that_go_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let dev = ["dev", "--port", "0", "--memory"];
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    check(
        folder.path(),
        &dev,
        &env,
        expect![[r#"
        exit 2
        cpe: OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not spoken here; only `http/protobuf` is
    "#]],
    )
    .await;
    for endpoint in ["not an address", "localhost:4318", "ftp://127.0.0.1"] {
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
        let (status, _, said) = Program::run(folder.path(), &dev, &env).await;
        let expected = format!(
            "cpe: OTEL_EXPORTER_OTLP_ENDPOINT: `{endpoint}` is no URL such as \
             http://127.0.0.1:4318\n"
        );
        assert_eq!((status, said), (2, expected));
    }
}

#[tokio::test]
async fn nobody_who_reads_what_is_printed() {
    let mut command = tokio::process::Command::new(cpe_program());
    let mut child = command
        .args(["plan", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}
