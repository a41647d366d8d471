//! What an activity task may touch: what its plan asks for, as far as its client is allowed it.

use cpe_plan::{Access as Asked, Grants as PlanGrants};
use cpe_sandbox::{Access, BucketGrant, Grants};

/// The intersection. A plan that names no grants asks for all that the client is allowed.
pub(crate) fn effective(asked: Option<&PlanGrants>, allowed: &Grants) -> Grants {
    let Some(asked) = asked else { return allowed.clone() };
    let mut s3 = Vec::new();
    for ask in &asked.s3 {
        for allow in &allowed.s3 {
            let both = BucketGrant {
                bucket: ask.bucket.clone(),
                prefix: ask.prefix.clone(),
                access: match ask.access {
                    Asked::Read => Access::Read,
                    Asked::Write => Access::Write,
                    Asked::ReadWrite => Access::ReadWrite,
                },
            };
            s3.extend(intersection(both, allow).filter(|grant| !s3.contains(grant)));
        }
    }
    Grants { s3 }
}

fn intersection(ask: BucketGrant, allow: &BucketGrant) -> Option<BucketGrant> {
    let bucket = match (ask.bucket.as_str(), allow.bucket.as_str()) {
        (_, "*") => ask.bucket,
        ("*", _) => allow.bucket.clone(),
        (one, two) if one == two => ask.bucket,
        _ => return None,
    };
    let prefix = if ask.prefix.starts_with(&allow.prefix) {
        ask.prefix
    } else if allow.prefix.starts_with(&ask.prefix) {
        allow.prefix.clone()
    } else {
        return None;
    };
    let access = match (ask.access, allow.access) {
        (access, Access::ReadWrite) | (Access::ReadWrite, access) => access,
        (one, two) if one == two => one,
        _ => return None,
    };
    Some(BucketGrant { bucket, prefix, access })
}

#[cfg(test)]
mod tests {
    use cpe_plan::S3Grant;
    use expect_test::{Expect, expect};

    use super::*;

    const ALLOWED: &str = "media:in/:r media:out/:rw *:shared/:r";

    fn fields(grant: &str) -> [&str; 3] {
        let parts: Vec<_> = grant.split(':').collect();
        [parts[0], parts[1], parts[2]]
    }

    /// Grants as `bucket:prefix:access` words.
    #[track_caller]
    fn check(asked: Option<&str>, expect: Expect) {
        let asked = asked.map(|asked| PlanGrants {
            s3: asked
                .split_whitespace()
                .map(fields)
                .map(|[bucket, prefix, access]| S3Grant {
                    bucket: bucket.into(),
                    prefix: prefix.into(),
                    access: match access {
                        "r" => Asked::Read,
                        "w" => Asked::Write,
                        _ => Asked::ReadWrite,
                    },
                })
                .collect(),
            ..PlanGrants::default()
        });
        let allowed = ALLOWED.split_whitespace().map(fields).map(|[bucket, prefix, access]| {
            let access = if access == "r" { Access::Read } else { Access::ReadWrite };
            BucketGrant { bucket: bucket.into(), prefix: prefix.into(), access }
        });
        let effective = effective(asked.as_ref(), &Grants { s3: allowed.collect() });
        let text: Vec<_> = effective
            .s3
            .iter()
            .map(|grant| format!("{}:{}:{:?}", grant.bucket, grant.prefix, grant.access))
            .collect();
        expect.assert_eq(&text.join(" "));
    }

    #[test]
    fn no_grants_in_the_plan_ask_for_all_that_is_allowed() {
        check(None, expect!["media:in/:Read media:out/:ReadWrite *:shared/:Read"]);
    }

    #[test]
    fn empty_grants_ask_for_nothing() {
        check(Some(""), expect![""]);
    }

    #[test]
    fn the_narrower_prefix_and_the_lesser_access_hold() {
        check(Some("media:in/a/:r"), expect!["media:in/a/:Read"]);
        check(Some("media::rw"), expect!["media:in/:Read media:out/:ReadWrite media:shared/:Read"]);
        check(Some("media:out/:w"), expect!["media:out/:Write"]);
        check(Some("other:shared/x:rw"), expect!["other:shared/x:Read"]);
    }

    #[test]
    fn what_is_not_allowed_is_not_granted() {
        check(Some("media:in/:w"), expect![""]);
        check(Some("media:secret/:r"), expect![""]);
        check(Some("other:in/:r"), expect![""]);
    }
}
