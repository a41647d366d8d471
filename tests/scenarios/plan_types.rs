//! `cpe plan check` with modules in reach: in files, in the registry, and where they are missing.

use cpe_tests::{Program, activity, version};
use serde_json::{Value, json};

/// The example of the reference, and what is printed of it.
fn example() -> (String, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../plans/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("\n### Types\n").nth(1).unwrap();
    let block = |from: &str| {
        let inside = section.split(from).nth(1).unwrap();
        inside.split("```").next().unwrap().to_owned()
    };
    (block("```yaml\n"), block("```\n$ cpe plan check counting.yaml\n"))
}

#[tokio::test]
async fn the_example_of_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (plan, expected) = example();
    std::fs::write(folder.join("counting.yaml"), &plan).unwrap();
    // Without the module, the plan is as good as can be told.
    let check = ["plan", "check", "counting.yaml"];
    let (status, printed, said) = Program::run(folder, &check, &[]).await;
    assert!(status == 0 && printed.contains("is well"), "{printed}{said}");
    std::fs::copy(activity("word-count"), folder.join("word_count.wasm")).unwrap();
    let (status, printed, said) = Program::run(folder, &check, &[]).await;
    let digest = printed.rsplit_once("(sha256:").unwrap().1;
    let printed = printed.replace(digest, "…)\n");
    assert_eq!((status, printed.lines().collect::<Vec<_>>()), (1, expected.lines().collect()));
    assert!(said.contains("2 mistakes in 1 file"), "{said}");

    let json = [&check[..], &["--output", "json", "--deny", "warnings"]].concat();
    let (status, printed, said) = Program::run(folder, &json, &[]).await;
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert!(status == 1 && said.contains("2 mistakes and 2 warnings"), "{said}");
    assert_eq!(report[0]["errors"][0]["line"], 23);
    assert_eq!(report[0]["warnings"][0]["code"], "types");
    assert_eq!(report[0]["warnings"][1]["code"], "grants");
    assert_eq!(report[0]["modules"][0]["module"], "./word_count.wasm");

    // What is no component is told where it is named.
    std::fs::write(folder.join("word_count.wasm"), "no component").unwrap();
    let (status, printed, _) = Program::run(folder, &check, &[]).await;
    assert!(
        status == 1 && printed.contains("counting.yaml:14:11: module ./word_count"),
        "{printed}"
    );
}

const PLAN: &str = r#"name: Words
version: 1
activities:
- {name: Count, version: 1, module: word-count@1, outputs_spec: {words: $.words}}
- {name: Version, version: 1, module: version@7, outputs_spec: {v: $.anything}}
steps:
- {name: C, activity: Count, input: '{"bucket": "b", "file": "f"}'}
- {name: D, activity: Count, input: '{"bucket": "b", "file": {{ C.words }}}', requires: [C]}
- {name: E, activity: Version}
"#;

#[tokio::test]
async fn modules_of_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut local = Program::start(folder, &["local", "--port", "0", "--memory"], &[]);
    let line = local.line_with(" at ").await;
    let url = line.split_once(" at ").unwrap().1.trim().to_owned();
    let cpe = async |arguments: &[&str], url: &str| {
        let env = [("AWS_ENDPOINT_URL", url), ("AWS_MAX_ATTEMPTS", "1")];
        Program::run(folder, arguments, &env).await
    };
    std::fs::write(folder.join("words.yaml"), PLAN).unwrap();
    std::fs::write(folder.join("version.wasm"), version(7)).unwrap();
    let words = activity("word-count");
    let push = ["module", "push", words.to_str().unwrap(), "word-count@1"];
    let (status, _, said) = cpe(&push, &url).await;
    assert_eq!(status, 0, "{said}");

    // The registry is asked only where that is wanted.
    let (status, printed, _) = cpe(&["plan", "check", "words.yaml"], &url).await;
    assert!(status == 0 && printed.contains("is well"), "{printed}");
    let check = ["plan", "check", "words.yaml", "--modules"];
    let (status, printed, _) = cpe(&check, &url).await;
    assert_eq!(status, 1, "{printed}");
    let missing = "words.yaml:5:39: there is no module version@7 in the registry s3://cpe-modules/";
    assert!(printed.contains(missing), "{printed}");
    assert!(printed.contains("`cpe module push FILE version@7` brings it there"), "{printed}");
    let wrong = "words.yaml:8:65: `file` in the input of `D` is a whole number, and the module \
                 word-count@1 takes text";
    assert!(printed.contains(wrong), "{printed}");
    assert!(printed.contains("types are checked against word-count@1 (sha256:"), "{printed}");

    let (status, _, said) = cpe(&["module", "push", "version.wasm", "version@7"], &url).await;
    assert_eq!(status, 0, "{said}");
    std::fs::write(folder.join("words.yaml"), PLAN.replace("C.words", "C.words | string")).unwrap();
    let (status, printed, said) = cpe(&check, &url).await;
    assert!(status == 0 && printed.contains("is well"), "{printed}{said}");

    let (status, printed, said) = cpe(&check, "http://127.0.0.1:1").await;
    assert_eq!(status, 1, "{printed}{said}");
    assert!(said.contains("cannot look at the module word-count@1"), "{said}");
    assert!(said.contains("without the network"), "{said}");
    assert!(local.terminate().await);
}

#[tokio::test]
async fn a_push_that_was_cut_off_goes_on() {
    use cpe_ports::{ObjectAddress, PutOptions};

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut local = Program::start(folder, &["local", "--port", "0", "--memory"], &[]);
    let line = local.line_with(" at ").await;
    let url = line.split_once(" at ").unwrap().1.trim().to_owned();
    // 20 MiB: three parts.
    let mut bytes = version(1).to_vec();
    let filling = vec![7_u8; (20 << 20) - bytes.len() - 7];
    let size = u32::try_from(filling.len() + 2).unwrap();
    bytes.push(0);
    bytes.extend(
        (0..4)
            .map(|n| u8::try_from(size >> (7 * n) & 0x7f).unwrap() | if n < 3 { 0x80 } else { 0 }),
    );
    bytes.extend([1, b'n']);
    bytes.extend(filling);
    assert_eq!(bytes.len(), 20 << 20);
    std::fs::write(folder.join("large.wasm"), &bytes).unwrap();

    // As a push leaves it that was ended after its first part.
    let config =
        cpe_aws::AwsConfig { endpoint_url: Some(url.clone()), ..cpe_aws::AwsConfig::default() };
    let blobs = cpe_aws::connect(config).await.unwrap().blobs;
    blobs.create_bucket("cpe-modules").await.unwrap();
    let hex = cpe_sandbox::Digest::of(&bytes).hex().to_owned();
    let at = ObjectAddress::new("cpe-modules", format!("blobs/sha256/{hex}"));
    let begun = blobs.create_upload(&at, PutOptions::default()).await.unwrap();
    let first = bytes[..8 << 20].to_vec().into();
    blobs.upload_part(&at, &begun, 1, first).await.unwrap();

    let env = [("AWS_ENDPOINT_URL", url.as_str())];
    let push = ["module", "push", "large.wasm", "version@1", "--output", "json"];
    for (before, changed) in [(8 << 20, true), (20 << 20, false)] {
        let (status, printed, said) = Program::run(folder, &push, &env).await;
        assert_eq!(status, 0, "{said}");
        let told: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(told["stored_before"], json!(before));
        assert_eq!(told["changed"], json!(changed));
    }
    assert!(blobs.list_uploads(&at).await.unwrap().is_empty());
    let (status, printed, said) = Program::run(folder, &["module", "run", "version@1"], &env).await;
    assert!(status == 0 && printed.contains(r#"{"version":1}"#), "{printed}{said}");
    assert!(local.terminate().await);
}
