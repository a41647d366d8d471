//! Patterns of URLs, and what they cover. A URL is taken apart once, here, and what is connected
//! to and sent is made of the same parts.

use std::{fmt, net::IpAddr, str::FromStr};

use super::check_segments;

const MAX_URL: usize = 8 << 10;

/// Where HTTP requests may go: `https://cdn.example.com/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlGrant {
    pub pattern: UrlPattern,
    /// Whether the host may have an address on the operator's own network. For operators only.
    pub private: bool,
}

/// Scheme, host, port, and a path with its query, of which the end may be open.
///
/// A host may begin with `*.`, which stands for one or more labels, or be `*`: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    tls: bool,
    host: Host,
    port: u16,
    /// With the query, if there is one.
    path: String,
    /// Whether `path` is the beginning of what is covered, and not the whole.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// `.example.com`
    Below(String),
    Exactly(String),
}

/// A URL that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// In lower case, without brackets and without the root's dot.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With the query.
    pub(crate) path: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no URL that can be granted: a scheme (http or https), a host, a path, of which only \
     the end may be `*`, such as https://cdn.example.com/*"
)]
pub struct InvalidUrl(String);

impl UrlGrant {
    /// What both cover, if anything. Private addresses are what `allowed` says.
    #[must_use]
    pub fn intersection(asked: &UrlPattern, allowed: &Self) -> Option<Self> {
        let pattern = asked.intersection(&allowed.pattern)?;
        Some(Self { pattern, private: allowed.private })
    }
}

impl UrlPattern {
    pub(crate) fn covers(&self, target: &Target) -> bool {
        let host = match &self.host {
            Host::Any => true,
            // An address has no labels, whatever dots are in it.
            Host::Below(domain) => target.address().is_none() && is_below(&target.host, domain),
            Host::Exactly(host) => *host == target.host,
        };
        let path =
            if self.open { target.path.starts_with(&self.path) } else { target.path == self.path };
        host && path && self.tls == target.tls && self.port == target.port
    }

    /// The address that stands in the pattern itself, if one does.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Exactly(host) => host.parse().ok(),
            Host::Any | Host::Below(_) => None,
        }
    }

    fn intersection(&self, other: &Self) -> Option<Self> {
        if self.tls != other.tls || self.port != other.port {
            return None;
        }
        let host = match (&self.host, &other.host) {
            (host, Host::Any) | (Host::Any, host) => host,
            (one, two) if one == two => one,
            (Host::Exactly(host), Host::Below(domain))
            | (Host::Below(domain), Host::Exactly(host))
                if host.parse::<IpAddr>().is_err() && is_below(host, domain) =>
            {
                if matches!(self.host, Host::Exactly(_)) { &self.host } else { &other.host }
            }
            (Host::Below(one), Host::Below(two)) if one.ends_with(two.as_str()) => &self.host,
            (Host::Below(one), Host::Below(two)) if two.ends_with(one.as_str()) => &other.host,
            _ => return None,
        };
        let (path, open) = match (self.open, other.open) {
            (false, false) if self.path == other.path => (&self.path, false),
            (false, true) if self.path.starts_with(&other.path) => (&self.path, false),
            (true, false) if other.path.starts_with(&self.path) => (&other.path, false),
            (true, true) if self.path.starts_with(&other.path) => (&self.path, true),
            (true, true) if other.path.starts_with(&self.path) => (&other.path, true),
            _ => return None,
        };
        let (host, path) = (host.clone(), path.clone());
        Some(Self { tls: self.tls, host, port: self.port, path, open })
    }
}

/// Whether `host` is in `domain`, which begins with a dot, and not the domain itself.
fn is_below(host: &str, domain: &str) -> bool {
    host.len() > domain.len() && host.ends_with(domain)
}

impl FromStr for UrlPattern {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = || InvalidUrl(text.chars().take(200).flat_map(char::escape_debug).collect());
        let (plain, open) = match text.strip_suffix('*') {
            Some(plain) => (plain, true),
            None => (text, false),
        };
        let wildcard = |host: &str| match host {
            "*" => Some((Host::Any, "any".to_owned())),
            host => {
                let domain = host.strip_prefix("*.")?;
                Some((Host::Below(format!(".{domain}").to_ascii_lowercase()), domain.to_owned()))
            }
        };
        let (scheme, rest) = plain.split_once("://").ok_or_else(invalid)?;
        let (authority, path) = rest.split_once('/').ok_or_else(invalid)?;
        let (name, port) = split_port(authority);
        let (host, stand_in) = match wildcard(name) {
            Some((host, stand_in)) => (Some(host), stand_in),
            None => (None, name.to_owned()),
        };
        let url = format!("{scheme}://{stand_in}{port}/{path}");
        let target = Target::parse(&url).ok_or_else(invalid)?;
        if target.path.contains(['*', '#']) {
            return Err(invalid());
        }
        let Target { tls, host: name, port, path } = target;
        Ok(Self { tls, host: host.unwrap_or(Host::Exactly(name)), port, path, open })
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Host::Any => write!(f, "{scheme}://*")?,
            Host::Below(domain) => write!(f, "{scheme}://*{domain}")?,
            Host::Exactly(host) if host.contains(':') => write!(f, "{scheme}://[{host}]")?,
            Host::Exactly(host) => write!(f, "{scheme}://{host}")?,
        }
        if self.port != default_port(self.tls) {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "{}{}", self.path, if self.open { "*" } else { "" })
    }
}

impl Target {
    /// `None` for what is no plain URL: with a user in it, with a host or a path that could be
    /// read in two ways, or of another scheme.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = split_port(authority);
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None => default_port(tls),
        };
        let host = plain_host(host)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let well_formed = url.len() <= MAX_URL
            && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"'));
        let segments = path.split('?').next().unwrap_or_default();
        let segments = segments.strip_prefix('/').unwrap_or(segments);
        (well_formed && check_segments(segments).is_ok()).then_some(Self { tls, host, port, path })
    }

    /// The host, if it is an address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// What the `host` header says.
    pub(crate) fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Host and port of an authority; the port with its colon, or empty.
fn split_port(authority: &str) -> (&str, &str) {
    // An IPv6 address has colons of its own, in brackets.
    let from = authority.rfind(']').unwrap_or(0);
    match authority.get(from..).and_then(|rest| rest.find(':')) {
        Some(colon) => authority.split_at_checked(from + colon).unwrap_or((authority, "")),
        None => (authority, ""),
    }
}

fn plain_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let labels = host.split('.').all(|label| (1..=63).contains(&label.len()));
    (host.len() <= 253 && labels && host.bytes().all(plain)).then_some(host)
}

#[cfg(test)]
mod tests;
