//! Access control lists: kept and told, and of no effect, since nobody is refused on loopback.

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// S3 takes at most so many grants.
const MAX_GRANTS: usize = 100;
const MAX_NAME: usize = 1024;
const PERMISSIONS: [&str; 5] = ["FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"];

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

pub(crate) type Grants = Vec<Grant>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) to: Grantee,
    pub(crate) permission: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Grantee {
    Owner,
    User(String),
    Email(String),
    Group(String),
}

/// The grants that a list consists of by default.
pub(crate) fn private() -> Grants {
    vec![Grant { to: Grantee::Owner, permission: "FULL_CONTROL".to_owned() }]
}

/// The grants behind the name of a canned list; `None` if S3 has none of that name.
pub(crate) fn canned(name: &str) -> Option<Grants> {
    let others: &[_] = match name {
        "private" | "aws-exec-read" | "bucket-owner-read" | "bucket-owner-full-control" => &[],
        "public-read" => &[(ALL_USERS, "READ")],
        "public-read-write" => &[(ALL_USERS, "READ"), (ALL_USERS, "WRITE")],
        "authenticated-read" => &[(AUTHENTICATED_USERS, "READ")],
        "log-delivery-write" => &[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")],
        _ => return None,
    };
    let others = others.iter().map(|(group, permission)| Grant {
        to: Grantee::Group((*group).to_owned()),
        permission: (*permission).to_owned(),
    });
    Some(private().into_iter().chain(others).collect())
}

/// The grantees of a header as `id="…", uri="…"`.
pub(crate) fn of_header(header: &str) -> Result<Vec<Grantee>, StoreError> {
    let grantee = |one: &str| {
        let (kind, name) = one.split_once('=')?;
        let name = name.trim().trim_matches('"').to_owned();
        match kind.trim() {
            "id" => Some(Grantee::User(name)),
            "emailAddress" => Some(Grantee::Email(name)),
            "uri" => Some(Grantee::Group(name)),
            _ => None,
        }
    };
    let grantees = header.split(',').map(grantee).collect::<Option<_>>();
    grantees.ok_or(StoreError::InvalidArgument(
        "a grant's header lists its grantees as id=\"…\", emailAddress=\"…\" or uri=\"…\"",
    ))
}

/// Checks grants as a client gives them.
pub(crate) fn checked(grants: Grants) -> Result<Grants, StoreError> {
    let fits = |grant: &Grant| {
        let name = match &grant.to {
            Grantee::Owner => "",
            Grantee::User(name) | Grantee::Email(name) | Grantee::Group(name) => name,
        };
        name.len() <= MAX_NAME && PERMISSIONS.contains(&grant.permission.as_str())
    };
    if grants.len() > MAX_GRANTS || !grants.iter().all(fits) {
        return Err(StoreError::MalformedAcl(
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_lists_grantees() {
        let grantees = of_header("id=\"abc\", uri=http://all , emailAddress=\"a@b.c\"").unwrap();
        let expected = [
            Grantee::User("abc".to_owned()),
            Grantee::Group("http://all".to_owned()),
            Grantee::Email("a@b.c".to_owned()),
        ];
        assert_eq!(grantees, expected);
        assert_eq!(of_header("url=http://all").unwrap_err().code(), "InvalidArgument");
        assert_eq!(of_header("").unwrap_err().code(), "InvalidArgument");
    }

    #[test]
    fn only_permissions_of_s3_are_granted() {
        let grant = |permission: &str| {
            let to = Grantee::Owner;
            checked(vec![Grant { to, permission: permission.to_owned() }])
        };
        assert!(grant("READ_ACP").is_ok());
        assert_eq!(grant("LOOK").unwrap_err().code(), "MalformedACLError");
        let many = vec![private().remove(0); MAX_GRANTS + 1];
        assert_eq!(checked(many).unwrap_err().code(), "MalformedACLError");
    }
}
