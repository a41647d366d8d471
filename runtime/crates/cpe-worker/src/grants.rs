//! What an activity task may touch and use: what its plan asks for, as far as its client is
//! allowed it.

use cpe_plan::{Access as Asked, Grants as PlanGrants, Limits as PlanLimits, S3Grant};
use cpe_sandbox::{Access, BucketGrant, Grants, Limits, UrlGrant, UrlPattern};
use tracing::warn;

/// The most that an operator lets an activity task use, whatever its plan asks. `None` is no
/// ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// Bytes of linear memory.
    pub memory: Option<u64>,
    /// Time on a CPU.
    pub cpu: Option<std::time::Duration>,
    /// Bytes of the result.
    pub output: Option<u64>,
    /// Bytes that are written to files altogether.
    pub scratch: Option<u64>,
}

impl Ceilings {
    /// The lower of each.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            memory: lower(self.memory, other.memory),
            cpu: lower(self.cpu, other.cpu),
            output: lower(self.output, other.output),
            scratch: lower(self.scratch, other.scratch),
        }
    }

    /// What a plan asks, or the default where it asks nothing, up to the ceiling.
    pub(crate) fn limits(&self, asked: &PlanLimits) -> Limits {
        let default = Limits::default();
        let capped = |asked: Option<u64>, default: u64, ceiling: Option<u64>| {
            lower(Some(asked.unwrap_or(default)), ceiling).unwrap_or(default)
        };
        Limits {
            memory: capped(asked.memory, default.memory, self.memory),
            cpu: lower(Some(asked.cpu.unwrap_or(default.cpu)), self.cpu).unwrap_or(default.cpu),
            output: capped(asked.output, default.output, self.output),
            scratch: capped(asked.scratch, default.scratch, self.scratch),
            ..default
        }
    }
}

fn lower<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

/// The intersection. A plan that names no grants asks for all that the client is allowed.
pub(crate) fn effective(asked: Option<&PlanGrants>, allowed: &Grants) -> Grants {
    let Some(asked) = asked else { return allowed.clone() };
    let mut effective = Grants { env: asked.env.clone(), ..Grants::default() };
    for ask in asked.s3.iter().map(bucket_grant) {
        for both in allowed.s3.iter().filter_map(|allow| ask.intersection(allow)) {
            if !effective.s3.contains(&both) {
                effective.s3.push(both);
            }
        }
    }
    for ask in asked.http.iter().filter_map(|url| pattern(url)) {
        for both in allowed.http.iter().filter_map(|allow| UrlGrant::intersection(&ask, allow)) {
            if !effective.http.contains(&both) {
                effective.http.push(both);
            }
        }
    }
    let named = allowed.secrets.iter().filter(|secret| asked.secrets.contains(&secret.name));
    effective.secrets = named.cloned().collect();
    effective
}

fn bucket_grant(ask: &S3Grant) -> BucketGrant {
    BucketGrant {
        bucket: ask.bucket.clone(),
        prefix: ask.prefix.clone(),
        access: match ask.access {
            Asked::Read => Access::Read,
            Asked::Write => Access::Write,
            Asked::ReadWrite => Access::ReadWrite,
        },
    }
}

/// Plans are checked when they are loaded, but by other rules than the host's own.
fn pattern(url: &str) -> Option<UrlPattern> {
    url.parse().inspect_err(|error| warn!(%error, "A plan's grant covers nothing")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cpe_sandbox::Secret;
    use expect_test::{Expect, expect};

    use super::*;

    const ALLOWED: &str = "media:in/:r media:out/:rw *:shared/:r https://*.cdn.test/* \
                           !http://lan.test:8080/api/* KEY OTHER";

    fn fields(grant: &str) -> Option<[&str; 3]> {
        let parts: Vec<_> = grant.split(':').collect();
        parts.try_into().ok().filter(|_| !grant.contains("//"))
    }

    fn secret(name: &str) -> Secret {
        let urls = vec!["https://a.cdn.test/*".parse().unwrap()];
        Secret { name: name.to_owned(), value: "s3cret".into(), urls }
    }

    fn allowed() -> Grants {
        let mut allowed = Grants::default();
        for word in ALLOWED.split_whitespace() {
            if let Some([bucket, prefix, access]) = fields(word) {
                let access = if access == "r" { Access::Read } else { Access::ReadWrite };
                let grant = BucketGrant { bucket: bucket.into(), prefix: prefix.into(), access };
                allowed.s3.push(grant);
            } else if word.contains("//") {
                let pattern = word.trim_start_matches('!').parse().unwrap();
                allowed.http.push(UrlGrant { pattern, private: word.starts_with('!') });
            } else {
                allowed.secrets.push(secret(word));
            }
        }
        allowed
    }

    /// Grants as words: `bucket:prefix:access`, a URL, `NAME=value`, or a secret's name.
    #[track_caller]
    fn check(asked: Option<&str>, expect: Expect) {
        let asked = asked.map(|asked| {
            let mut grants = PlanGrants::default();
            for word in asked.split_whitespace() {
                if let Some([bucket, prefix, access]) = fields(word) {
                    grants.s3.push(S3Grant {
                        bucket: bucket.into(),
                        prefix: prefix.into(),
                        access: match access {
                            "r" => Asked::Read,
                            "w" => Asked::Write,
                            _ => Asked::ReadWrite,
                        },
                    });
                } else if word.contains("//") {
                    grants.http.push(word.to_owned());
                } else if let Some((name, value)) = word.split_once('=') {
                    grants.env.insert(name.to_owned(), value.to_owned());
                } else {
                    grants.secrets.push(word.to_owned());
                }
            }
            grants
        });
        let effective = effective(asked.as_ref(), &allowed());
        let private = effective.http.iter().filter(|grant| grant.private).count();
        let text = match private {
            0 => effective.to_string(),
            count => format!("{effective} ({count} private)"),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn no_grants_in_the_plan_ask_for_all_that_is_allowed() {
        check(
            None,
            expect![
                "read s3://media/in/*, read-write s3://media/out/*, read s3://*/shared/*, https://*.cdn.test/*, http://lan.test:8080/api/*, secret KEY, secret OTHER (1 private)"
            ],
        );
    }

    #[test]
    fn empty_grants_ask_for_nothing() {
        check(Some(""), expect!["nothing"]);
    }

    #[test]
    fn the_narrower_prefix_and_the_lesser_access_hold() {
        check(Some("media:in/a/:r"), expect!["read s3://media/in/a/*"]);
        check(
            Some("media::rw"),
            expect!["read s3://media/in/*, read-write s3://media/out/*, read s3://media/shared/*"],
        );
        check(Some("media:out/:w"), expect!["write s3://media/out/*"]);
        check(Some("other:shared/x:rw"), expect!["read s3://other/shared/x*"]);
    }

    #[test]
    fn what_is_not_allowed_is_not_granted() {
        check(Some("media:in/:w"), expect!["nothing"]);
        check(Some("media:secret/:r"), expect!["nothing"]);
        check(Some("other:in/:r"), expect!["nothing"]);
        check(Some("https://cdn.test/*"), expect!["nothing"]);
        check(Some("http://a.cdn.test/*"), expect!["nothing"]);
        check(Some("https://evil.test/*"), expect!["nothing"]);
        check(Some("UNKNOWN"), expect!["nothing"]);
    }

    #[test]
    fn urls_secrets_and_environment_are_granted_as_far_as_both_say() {
        check(Some("https://a.cdn.test/x/*"), expect!["https://a.cdn.test/x/*"]);
        check(Some("http://lan.test:8080/*"), expect!["http://lan.test:8080/api/* (1 private)"]);
        check(Some("KEY LOG=info"), expect!["env LOG, secret KEY"]);
    }

    #[test]
    fn nothing_of_a_secret_is_told() {
        let all = allowed();
        assert!(!format!("{all} {all:?}").contains("s3cret"));
    }

    #[test]
    fn a_limit_is_what_the_plan_asks_up_to_the_ceiling() {
        let ceiling = Ceilings { memory: Some(64 << 20), ..Ceilings::default() };
        let client = Ceilings {
            memory: Some(32 << 20),
            cpu: Some(Duration::from_secs(5)),
            output: Some(1 << 30),
            scratch: Some(1 << 20),
        };
        let limits = |asked: PlanLimits| {
            let limits = ceiling.and(&client).limits(&asked);
            (limits.memory >> 20, limits.cpu.as_secs(), limits.output >> 10)
        };
        assert_eq!(limits(PlanLimits::default()), (32, 5, 1024));
        let low = PlanLimits {
            memory: Some(1 << 20),
            cpu: Some(Duration::from_secs(1)),
            output: Some(1 << 10),
            ..PlanLimits::default()
        };
        assert_eq!(limits(low), (1, 1, 1));
        let high = PlanLimits {
            memory: Some(1 << 40),
            cpu: Some(Duration::from_secs(1000)),
            output: Some(2 << 30),
            ..PlanLimits::default()
        };
        assert_eq!(limits(high), (32, 5, 1 << 20));
        let scratch = PlanLimits { scratch: Some(2 << 20), ..PlanLimits::default() };
        assert_eq!(client.limits(&scratch).scratch, 1 << 20);
        assert_eq!(
            client.limits(&PlanLimits::default()).scratch,
            0,
            "none, unless it is asked for"
        );
    }
}
