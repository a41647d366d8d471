//! From what the configuration allows to what the sandbox grants at the most: operator and client
//! together, once, when the program starts.

use anyhow::{Context, bail};
use cpe_sandbox::{Access, BucketGrant, Grants, Secret, UrlGrant};
use cpe_worker::Ceilings;

use crate::config::{self, Client, Config, HttpAllowance, LimitsSection, S3Allowance};

/// What no secret is longer than.
const MAX_SECRET: usize = 16 << 10;

/// What a client's activities may reach.
///
/// # Errors
///
/// If a secret cannot be found.
pub(super) fn grants(config: &Config, client: &Client) -> anyhow::Result<Grants> {
    let mut allowed = Grants {
        s3: client.s3.iter().map(bucket_grant).collect(),
        http: client.http.iter().map(url_grant).collect(),
        ..Grants::default()
    };
    if let Some(all) = &config.allow.s3 {
        let all: Vec<_> = all.iter().map(bucket_grant).collect();
        let both = allowed.s3.iter().flat_map(|one| all.iter().map(|two| one.intersection(two)));
        allowed.s3 = both.flatten().collect();
    }
    if let Some(all) = &config.allow.http {
        let all: Vec<_> = all.iter().map(url_grant).collect();
        let both = allowed.http.iter().flat_map(|one| {
            all.iter().map(|two| {
                let both = UrlGrant::intersection(&one.pattern, two)?;
                Some(UrlGrant { private: one.private && two.private, ..both })
            })
        });
        allowed.http = both.flatten().collect();
    }
    for (name, secret) in &client.secrets {
        let value =
            value(secret).with_context(|| format!("the secret {name} of {}", client.name.value))?;
        let urls = secret.urls.clone();
        allowed.secrets.push(Secret { name: name.clone(), value: value.into(), urls });
    }
    Ok(allowed)
}

/// The most that one of its activity tasks may use.
pub(super) fn ceilings(config: &Config, client: &Client) -> Ceilings {
    let ceilings = |limits: &LimitsSection| Ceilings {
        memory: limits.memory,
        cpu: limits.cpu,
        output: limits.output,
        scratch: limits.scratch,
    };
    ceilings(&config.allow.limits).and(&ceilings(&client.limits))
}

fn value(secret: &config::SecretAllowance) -> anyhow::Result<String> {
    let value = match (&secret.value, &secret.env, &secret.file) {
        (Some(value), None, None) => value.0.clone(),
        (None, Some(name), None) => {
            std::env::var(name).with_context(|| format!("environment variable {name}"))?
        }
        (None, None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
        _ => bail!("one of `value`, `env` and `file` says what it is"),
    };
    if value.is_empty() || value.len() > MAX_SECRET {
        bail!("it has {} bytes, of 1 to {MAX_SECRET}", value.len());
    }
    Ok(value)
}

fn bucket_grant(allowance: &S3Allowance) -> BucketGrant {
    BucketGrant {
        bucket: allowance.bucket.clone(),
        prefix: allowance.prefix.clone(),
        access: match allowance.access {
            config::Access::Read => Access::Read,
            config::Access::Write => Access::Write,
            config::Access::ReadWrite => Access::ReadWrite,
        },
    }
}

fn url_grant(allowance: &HttpAllowance) -> UrlGrant {
    UrlGrant { pattern: allowance.url.clone(), private: allowance.private }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(yaml: &str, expect: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpe.yaml");
        std::fs::write(&path, yaml).unwrap();
        let config = Config::load(Some(&path), |_| None).unwrap_or_else(|error| panic!("{error}"));
        let client = config.clients.first().unwrap();
        let text = match grants(&config, client) {
            Ok(grants) => {
                let private = grants.http.iter().filter(|grant| grant.private).count();
                format!("{grants} ({private} private, {:?})", ceilings(&config, client).memory)
            }
            Err(error) => format!("{error:#}"),
        };
        expect.assert_eq(&text);
    }

    const CLIENT: &str = "clients:\n- name: a\n  input_queue: i\n  output_queue: o\n";

    #[test]
    fn a_client_has_what_the_operator_allows_it_and_everybody() {
        let keys = "  s3: [{bucket: m, access: read-write}]\n  \
                    http: ['https://*/*', {url: 'http://lan.test/*', private: true}]\n  \
                    limits: {memory: 64MiB}\n";
        check(
            &format!("{CLIENT}{keys}"),
            expect![[
                r#"read-write s3://m/*, https://*/*, http://lan.test/* (1 private, Some(67108864))"#
            ]],
        );
        let allow = "allow:\n  s3: [{bucket: '*', prefix: out/, access: write}]\n  \
                     http: ['https://cdn.test/*', 'http://lan.test/a']\n  \
                     limits: {memory: 1MiB}\n";
        check(
            &format!("{allow}{CLIENT}{keys}"),
            expect![[
                r#"write s3://m/out/*, https://cdn.test/*, http://lan.test/a (0 private, Some(1048576))"#
            ]],
        );
        check(
            &format!("allow: {{s3: []}}\n{CLIENT}{keys}"),
            expect![[r#"https://*/*, http://lan.test/* (1 private, Some(67108864))"#]],
        );
    }

    #[test]
    fn secrets_are_found_or_missed_at_the_start() {
        let secret = |source: &str| {
            format!("{CLIENT}  secrets: {{KEY: {{{source}urls: ['https://api.test/*']}}}}\n")
        };
        check(&secret("value: x, "), expect!["secret KEY (0 private, None)"]);
        check(
            &secret("env: CPE_TEST_NO_SUCH_VARIABLE, "),
            expect![
                "the secret KEY of a: environment variable CPE_TEST_NO_SUCH_VARIABLE: environment variable not found"
            ],
        );
        check(
            &secret("file: no-such-file, "),
            expect![
                "the secret KEY of a: cannot read no-such-file: No such file or directory (os error 2)"
            ],
        );
        check(
            &secret(""),
            expect!["the secret KEY of a: one of `value`, `env` and `file` says what it is"],
        );
        check(
            &secret("value: '', "),
            expect!["the secret KEY of a: it has 0 bytes, of 1 to 16384"],
        );
    }
}
