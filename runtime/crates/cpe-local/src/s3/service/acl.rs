//! Access control lists as requests give them and answers show them.

use cpe_ports::ObjectAddress;
use s3s::{
    S3Result,
    dto::{
        self, AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
        GetObjectAclOutput, Permission, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput,
        PutObjectAclOutput, Type,
    },
};

use super::{OWNER, Service, buckets::owner, convert::no_version};
use crate::s3::{
    acl::{self, Grant, Grantee, Grants},
    error::StoreError,
    index::Setting,
    model::ReadConditions,
};

/// The list of a request: a canned one by its name, or grants by headers, or a document.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) canned: Option<String>,
    pub(super) full_control: Option<String>,
    pub(super) read: Option<String>,
    pub(super) read_acp: Option<String>,
    pub(super) write: Option<String>,
    pub(super) write_acp: Option<String>,
    pub(super) document: Option<AccessControlPolicy>,
}

impl Asked {
    /// The grants; `None` if the request says nothing of them.
    pub(super) fn take(self) -> Result<Option<Grants>, StoreError> {
        let headers = [
            (Permission::FULL_CONTROL, self.full_control),
            (Permission::READ, self.read),
            (Permission::READ_ACP, self.read_acp),
            (Permission::WRITE, self.write),
            (Permission::WRITE_ACP, self.write_acp),
        ];
        let mut granted = Vec::new();
        for (permission, header) in headers {
            for to in header.as_deref().map(acl::of_header).transpose()?.unwrap_or_default() {
                granted.push(Grant { to, permission: permission.to_owned() });
            }
        }
        match (self.canned, granted.is_empty(), self.document) {
            (None, true, None) => Ok(None),
            (Some(name), true, None) => match acl::canned(&name) {
                Some(grants) => Ok(Some(grants)),
                None => Err(StoreError::BadArgument {
                    name: "x-amz-acl",
                    value: name.chars().take(100).collect(),
                    why: "it is not a canned access control list of S3",
                }),
            },
            (None, false, None) => acl::checked(granted).map(Some),
            (None, true, Some(document)) => acl::checked(grants_of(document)?).map(Some),
            (Some(_), false, _) => Err(StoreError::InvalidRequest(
                "Specifying both Canned ACLs and Header Grants is not allowed",
            )),
            _ => Err(StoreError::InvalidRequest(
                "an access control list is given by headers or by a document, not by both",
            )),
        }
    }
}

fn grants_of(document: AccessControlPolicy) -> Result<Grants, StoreError> {
    let malformed = || {
        StoreError::MalformedAcl(
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    if document.owner.and_then(|owner| owner.id).is_none() {
        return Err(malformed());
    }
    let grant = |grant: dto::Grant| {
        let dto::Grantee { id, uri, email_address, .. } = grant.grantee?;
        let to = match (id, uri, email_address) {
            (Some(id), _, _) if id == OWNER => Grantee::Owner,
            (Some(id), _, _) => Grantee::User(id),
            (_, Some(uri), _) => Grantee::Group(uri),
            (_, _, Some(email)) => Grantee::Email(email),
            _ => return None,
        };
        Some(Grant { to, permission: grant.permission?.as_str().to_owned() })
    };
    let grants = document.grants.unwrap_or_default().into_iter().map(grant);
    grants.collect::<Option<_>>().ok_or_else(malformed)
}

fn shown(grants: Option<Grants>) -> Vec<dto::Grant> {
    let grants = grants.unwrap_or_else(acl::private);
    let shown = |Grant { to, permission }: Grant| {
        let (kind, id, uri, email_address) = match to {
            Grantee::Owner => (Type::CANONICAL_USER, Some(OWNER.to_owned()), None, None),
            Grantee::User(id) => (Type::CANONICAL_USER, Some(id), None, None),
            Grantee::Group(uri) => (Type::GROUP, None, Some(uri), None),
            Grantee::Email(email) => (Type::AMAZON_CUSTOMER_BY_EMAIL, None, None, Some(email)),
        };
        let type_ = Type::from_static(kind);
        let grantee = dto::Grantee { display_name: None, email_address, id, type_, uri };
        dto::Grant { grantee: Some(grantee), permission: Some(permission.into()) }
    };
    grants.into_iter().map(shown).collect()
}

impl Service {
    pub(super) async fn object_acl(
        &self,
        input: GetObjectAclInput,
    ) -> S3Result<GetObjectAclOutput> {
        no_version(input.version_id.as_deref())?;
        let at = ObjectAddress::new(input.bucket, input.key);
        let object = self.objects.head(&at, &ReadConditions::default()).await?;
        Ok(GetObjectAclOutput {
            grants: Some(shown(object.headers.acl)),
            owner: Some(owner()),
            request_charged: None,
        })
    }

    pub(super) async fn set_object_acl(
        &self,
        input: PutObjectAclInput,
    ) -> S3Result<PutObjectAclOutput> {
        no_version(input.version_id.as_deref())?;
        let asked = Asked {
            canned: input.acl.map(|acl| acl.as_str().to_owned()),
            full_control: input.grant_full_control,
            read: input.grant_read,
            read_acp: input.grant_read_acp,
            write: input.grant_write,
            write_acp: input.grant_write_acp,
            document: input.access_control_policy,
        };
        let at = ObjectAddress::new(input.bucket, input.key);
        self.objects.grant(&at, asked.take()?).await?;
        Ok(PutObjectAclOutput::default())
    }

    pub(super) async fn bucket_acl(
        &self,
        input: GetBucketAclInput,
    ) -> S3Result<GetBucketAclOutput> {
        let grants = match self.objects.setting(&input.bucket, Setting::Acl).await {
            Err(StoreError::NoSuchSetting { .. }) => None,
            grants => Some(grants?),
        };
        Ok(GetBucketAclOutput { grants: Some(shown(grants)), owner: Some(owner()) })
    }

    pub(super) async fn set_bucket_acl(
        &self,
        input: PutBucketAclInput,
    ) -> S3Result<PutBucketAclOutput> {
        let asked = Asked {
            canned: input.acl.map(|acl| acl.as_str().to_owned()),
            full_control: input.grant_full_control,
            read: input.grant_read,
            read_acp: input.grant_read_acp,
            write: input.grant_write,
            write_acp: input.grant_write_acp,
            document: input.access_control_policy,
        };
        let grants = asked.take()?.unwrap_or_else(acl::private);
        self.objects.put_setting(&input.bucket, Setting::Acl, &grants).await?;
        Ok(PutBucketAclOutput::default())
    }
}
