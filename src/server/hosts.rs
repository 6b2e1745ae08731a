//! The hosts this server answers for, and the address that links start with which leave the house.
//!
//! A client chooses the `Host` it sends. An invitation made with a strange one would lead the invited person, and the
//! secret in the link, to a strange server; and a page of a strange site whose name was pointed at this server (DNS
//! rebinding) would be of the same origin as it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use super::AppState;
use super::listener::LocalAddress;
use super::settings::Settings;
use crate::base::{Error, Result};

/// Names of hosts, without their ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Reads names and addresses such as `orders.example.com *.example.org [::1]`, separated by commas or spaces.
    pub fn parse(list: &str) -> Option<Self> {
        let words = list.split([',', ' ']).filter(|word| !word.is_empty()).map(|word| {
            let name = word.strip_prefix("*.").unwrap_or(word);
            let authority = name.parse::<Authority>().ok()?;
            let is_name = authority.host() == name && !name.contains(['*', '@']);
            is_name.then(|| normalized(word))
        });
        words.collect::<Option<_>>().map(Self)
    }

    /// True if any host is answered for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, host: &str) -> bool {
        let host = normalized(host);
        self.0.iter().any(|allowed| match allowed.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
            None => *allowed == host,
        })
    }
}

fn normalized(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The host and port that a request is for: those of its target, else of its one `Host` header.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return None;
    }
    let authority = match uri.authority() {
        Some(authority) => authority.clone(),
        None => first?.to_str().ok()?.parse().ok()?,
    };
    (!authority.as_str().contains('@')).then_some(authority)
}

/// True if this server answers for the host of a request: any host where `allowed_hosts` is not set, else those and the one
/// of `public_url`.
pub fn is_allowed(settings: &Settings, uri: &Uri, headers: &HeaderMap) -> bool {
    if settings.allowed_hosts.is_empty() {
        return true;
    }
    let Some(authority) = authority(uri, headers) else { return false };
    let public = settings.public_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
    let is_public =
        public.is_some_and(|url| url.host().is_some_and(|host| normalized(host) == normalized(authority.host())));
    is_public || settings.allowed_hosts.contains(authority.host())
}

/// The scheme and host, without a slash at the end, that an answer to this request may name to its own client: `public_url`,
/// else what the request was sent to.
pub fn origin(headers: &HeaderMap, settings: &Settings) -> String {
    settings.public_url.clone().unwrap_or_else(|| {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| host.parse::<Authority>().is_ok());
        host.map_or_else(String::new, |host| format!("http://{host}"))
    })
}

/// The scheme and host, without a slash at the end, of links that are handed to others. Extracted before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOrigin(pub String);

impl LinkOrigin {
    /// `public_url`; else the host of the request if it is in `allowed_hosts`; where neither is set, if it is this machine
    /// or the very address the connection came in on.
    ///
    /// # Errors
    /// `Invalid` for any other host.
    pub fn of(request: &Parts, settings: &Settings) -> Result<Self> {
        if let Some(url) = &settings.public_url {
            return Ok(Self(url.clone()));
        }
        let authority = authority(&request.uri, &request.headers).ok_or_else(unknown_address)?;
        let is_ours = match settings.allowed_hosts.is_empty() {
            true => is_here(&authority, request.extensions.get::<LocalAddress>().map(|local| local.0)),
            false => settings.allowed_hosts.contains(authority.host()),
        };
        if is_ours { Ok(Self(format!("http://{authority}"))) } else { Err(unknown_address()) }
    }
}

/// True for this machine, and for the address that a connection came in on.
fn is_here(authority: &Authority, local: Option<SocketAddr>) -> bool {
    let host = normalized(authority.host());
    let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        return host == "localhost" || host.ends_with(".localhost");
    };
    let reached = local.is_some_and(|local| {
        local.ip().to_canonical() == address.to_canonical() && local.port() == authority.port_u16().unwrap_or(80)
    });
    address.is_loopback() || reached
}

fn unknown_address() -> Error {
    Error::invalid(
        "This makes a link for somebody else, but the server does not know the address people use. Set public_url, such as \
         https://orders.example.com.",
    )
}

impl FromRequestParts<AppState> for LinkOrigin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        Self::of(parts, &state.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_case_port_and_last_dot() {
        let hosts = AllowedHosts::parse("orders.example.com, *.Example.org [::1] 192.0.2.7").unwrap();
        for host in
            ["orders.example.com", "ORDERS.example.com.", "a.example.org", "a.b.example.org", "[::1]", "192.0.2.7"]
        {
            assert!(hosts.contains(host), "{host}");
        }
        for host in
            ["example.com", "x.orders.example.com", "example.org", ".example.org", "evilexample.org", "192.0.2.77", ""]
        {
            assert!(!hosts.contains(host), "{host}");
        }
        for list in ["https://orders.example.com", "orders.example.com:80", "a@b", "*", "a.*.b", "a/b"] {
            assert_eq!(AllowedHosts::parse(list), None, "{list}");
        }
    }

    #[test]
    fn this_machine_and_the_address_of_the_connection_are_here() {
        let local = Some("192.0.2.7:3000".parse().unwrap());
        for host in
            ["localhost", "localhost:3000", "kontor.localhost", "127.0.0.1:3000", "[::1]:3000", "192.0.2.7:3000"]
        {
            assert!(is_here(&host.parse().unwrap(), local), "{host}");
        }
        for host in ["192.0.2.7", "192.0.2.7:81", "192.0.2.8:3000", "localhost.example.com", "orders.example.com:3000"]
        {
            assert!(!is_here(&host.parse().unwrap(), local), "{host}");
        }
        assert!(!is_here(&"192.0.2.7:3000".parse().unwrap(), None));
    }
}
