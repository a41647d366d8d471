//! Tags of domains.

use cpe_swf::{
    DomainName, Fault, FaultKind,
    api::{
        ListTagsForResourceOutput, ListTagsForResourceRequest, ResourceTag, TagResourceRequest,
        UntagResourceRequest,
    },
};

use super::{Call, Swf, Write, check::Checks};

const TAGS: usize = 50;
const KEY_CHARS: usize = 128;
const VALUE_CHARS: usize = 256;
const ARN_CHARS: usize = 1_600;
/// The one account that there is, the same as in other mocks of AWS.
const ACCOUNT: &str = "123456789012";

pub(super) fn arn(region: &str, domain: &DomainName) -> String {
    format!("arn:aws:swf:{region}:{ACCOUNT}:/domain/{domain}")
}

/// The domain that an ARN names, in whatever region and account.
fn domain_of(arn: &str) -> Option<DomainName> {
    arn.strip_prefix("arn:")?.split_once(":/domain/").map(|(_, name)| DomainName::from(name))
}

pub(super) fn check(checks: &mut Checks, tags: &[ResourceTag]) {
    for (index, tag) in tags.iter().enumerate() {
        let at = format!("tags.{}.member", index + 1);
        checks.text(&format!("{at}.key"), &tag.key, KEY_CHARS);
        checks.optional(&format!("{at}.value"), tag.value.as_ref(), VALUE_CHARS);
    }
}

/// Adds tags; one with the same key takes the place of the old one.
pub(super) fn merge(tags: &mut Vec<ResourceTag>, new: Vec<ResourceTag>) -> Result<(), Fault> {
    let mut merged = tags.clone();
    for tag in new {
        match merged.iter_mut().find(|old| old.key == tag.key) {
            Some(old) => *old = tag,
            None => merged.push(tag),
        }
    }
    if merged.len() > TAGS {
        let message = format!("A domain has at most {TAGS} tags, not {}", merged.len());
        return Err(Fault::new(FaultKind::TooManyTagsFault, message));
    }
    *tags = merged;
    Ok(())
}

fn unknown(arn: &str) -> Fault {
    Fault::new(FaultKind::UnknownResourceFault, format!("Unknown resource: {arn}"))
}

impl Swf {
    pub(crate) fn tag_resource(
        &mut self,
        _call: &Call<'_>,
        request: TagResourceRequest,
    ) -> Result<(), Fault> {
        let mut checks = Checks::default();
        checks.text("resourceArn", &request.resource_arn, ARN_CHARS);
        check(&mut checks, &request.tags);
        checks.finish()?;
        let domain = domain_of(&request.resource_arn)
            .and_then(|name| self.domains.get_mut(&name))
            .ok_or_else(|| unknown(&request.resource_arn))?;
        merge(&mut domain.record.tags, request.tags)?;
        self.writes.push(Write::Domain(domain.record.clone()));
        Ok(())
    }

    pub(crate) fn untag_resource(
        &mut self,
        _call: &Call<'_>,
        request: &UntagResourceRequest,
    ) -> Result<(), Fault> {
        let domain = domain_of(&request.resource_arn)
            .and_then(|name| self.domains.get_mut(&name))
            .ok_or_else(|| unknown(&request.resource_arn))?;
        domain.record.tags.retain(|tag| !request.tag_keys.contains(&tag.key));
        self.writes.push(Write::Domain(domain.record.clone()));
        Ok(())
    }

    pub(crate) fn list_tags_for_resource(
        &self,
        _call: &Call<'_>,
        request: &ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceOutput, Fault> {
        let domain = domain_of(&request.resource_arn)
            .and_then(|name| self.domains.get(&name))
            .ok_or_else(|| unknown(&request.resource_arn))?;
        Ok(ListTagsForResourceOutput { tags: domain.record.tags.clone() })
    }
}
