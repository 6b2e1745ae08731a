//! The address of the client, also behind reverse proxies.
//!
//! A proxy appends to a header the address it was contacted from. Clients can send that header themselves, so only entries
//! that a trusted proxy wrote count: the entries of all lines are read from the last to the first, starting at the peer of
//! the connection, and the first address that is no trusted proxy is the client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{FORWARDED, HeaderName};
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// `X-Forwarded-For`, which most proxies set.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word about a client's address counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Trust whoever connects, whatever its address.
    trusts_any_peer: bool,
    /// The one header these proxies set. The other one comes from the client as it is.
    header: HeaderName,
}

impl TrustedProxies {
    /// Reads addresses and networks such as `10.0.0.0/8 2001:db8::1`, separated by commas or spaces. Without any,
    /// `trusts_any_peer` trusts the peer of every connection, one step far.
    pub fn parse(list: &str, trusts_any_peer: bool, header: HeaderName) -> Option<Self> {
        let words = list.split([',', ' ']).filter(|word| !word.is_empty());
        let networks = words
            .map(|word| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from)))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { trusts_any_peer: trusts_any_peer && networks.is_empty(), networks, header })
    }

    /// True if connections from this address come from a trusted proxy.
    pub fn trusts_peer(&self, peer: IpAddr) -> bool {
        self.trusts_any_peer || self.contains(peer)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The address of the client of a request that came over a connection from `peer`. An entry that is no address ends the
    /// search: then it is the nearest proxy whose address is known.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts_peer(peer) {
            return peer;
        }
        let mut nearest = peer;
        for line in headers.get_all(&self.header).iter().rev() {
            let line = String::from_utf8_lossy(line.as_bytes());
            for entry in elements_from_last(&line, ',') {
                let node = if self.header == FORWARDED { forwarded_for(entry) } else { Some(entry.to_owned()) };
                let Some(address) = node.as_deref().and_then(node_address) else { return nearest };
                nearest = address;
                if !self.contains(address) {
                    return nearest;
                }
            }
        }
        nearest
    }
}

/// The client's address as the outermost layer found it, in the extensions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The peer of the request's connection; `0.0.0.0` where there is none.
pub fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The client's address of a request that went through the outermost layer.
pub fn client_address(extensions: &Extensions) -> IpAddr {
    extensions.get::<ClientAddress>().map_or_else(|| peer(extensions), |address| address.0)
}

/// The address that limits count for a client: whoever has one IPv6 address has the 64 bits below its network.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The elements of a list from the last to the first, without empty ones. A separator inside quotes is text. As quotes are
/// matched from the end, nothing that a client sent can hide what a proxy appended.
fn elements_from_last(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let at = text.char_indices().rev().find_map(|(at, c)| {
            if c == '"' && !text[..at].ends_with('\\') {
                is_quoted = !is_quoted;
            }
            (c == separator && !is_quoted).then_some(at)
        });
        rest = at.map(|at| &text[..at]);
        Some(at.map_or(text, |at| &text[at + separator.len_utf8()..]).trim())
    })
    .filter(|element| !element.is_empty())
}

/// The `for` of one element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<String> {
    elements_from_last(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        name.trim().eq_ignore_ascii_case("for").then(|| unquoted.unwrap_or(value).replace('\\', ""))
    })
}

/// The address of a node: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80` (RFC 7239,
/// section 6). A port may be obfuscated (`_x`).
fn node_address(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']')?;
            (IpAddr::V6(address.parse().ok()?), port.strip_prefix(':').or_else(|| port.is_empty().then_some("0"))?)
        }
        None => {
            let (address, port) = node.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), port)
        }
    };
    let is_obfuscated = port.starts_with('_') && port.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    (is_obfuscated || port.parse::<u16>().is_ok()).then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(proxies.header.clone(), line.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_last_entry_that_no_trusted_proxy_has() {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 127.0.0.1 2001:db8:a::/48", false, X_FORWARDED_FOR).unwrap();
        for (peer, lines, expected) in [
            // Nobody but a trusted proxy is believed.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            // What the client sent stands before what the proxy saw, in one line or in two.
            ("10.1.2.3", &["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["192.0.2.66, 192.0.2.67", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),
            ("10.1.2.3", &["127.0.0.1", "198.51.100.1"], "198.51.100.1"),
            // Trusted all the way.
            ("10.1.2.3", &["10.5.5.5, 10.6.6.6"], "10.5.5.5"),
            // Ports and brackets.
            ("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.1.2.3", &["2001:db8:b::7"], "2001:db8:b::7"),
            ("10.1.2.3", &["[2001:db8:b::7]"], "2001:db8:b::7"),
            ("10.1.2.3", &["[2001:db8:b::7]:4711"], "2001:db8:b::7"),
            ("2001:db8:a::1", &["198.51.100.1, [2001:db8:a::2]:80"], "198.51.100.1"),
            ("::ffff:10.1.2.3", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // What is no address ends at the nearest proxy that is known.
            ("10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1, nonsense, 10.4.4.4"], "10.4.4.4"),
            ("10.1.2.3", &["198.51.100.1:99999"], "10.1.2.3"),
            ("10.1.2.3", &["[2001:db8:b::7"], "10.1.2.3"),
            ("10.1.2.3", &["[2001:db8:b::7]x"], "10.1.2.3"),
            ("10.1.2.3", &["[198.51.100.1]"], "10.1.2.3"),
            ("10.1.2.3", &["1.2.3"], "10.1.2.3"),
            // Empty elements are none.
            ("10.1.2.3", &["198.51.100.1, ,", "", " , "], "198.51.100.1"),
        ] {
            assert_eq!(client(&proxies, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let proxies = TrustedProxies::parse("10.0.0.0/8", false, FORWARDED).unwrap();
        for (lines, expected) in [
            (&["for=198.51.100.1"][..], "198.51.100.1"),
            (&["For=\"198.51.100.1:4711\";proto=https;by=10.0.0.1"], "198.51.100.1"),
            (&["proto=https; for=\"[2001:db8:b::7]:4711\""], "2001:db8:b::7"),
            (&["for=\"[2001:db8:b::7]:_port\""], "2001:db8:b::7"),
            (&["for=192.0.2.66, for=198.51.100.1"], "198.51.100.1"),
            (&["for=192.0.2.66", "for=198.51.100.1;proto=http, for=10.2.2.2"], "198.51.100.1"),
            (&["for=198.51.100.1, for=_hidden"], "10.1.2.3"),
            (&["for=unknown"], "10.1.2.3"),
            (&["proto=https"], "10.1.2.3"),
            // A quote left open by the client swallows nothing that the proxy appended.
            (&["for=\"192.0.2.66, for=198.51.100.1"], "198.51.100.1"),
            (&["for=\"x, y\", for=198.51.100.1"], "198.51.100.1"),
            (&["for=198.51.100.1, for=\"a,b\""], "10.1.2.3"),
        ] {
            assert_eq!(client(&proxies, "10.1.2.3", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_the_header_that_the_proxies_set_is_read() {
        let proxies = TrustedProxies::parse("10.0.0.0/8", false, X_FORWARDED_FOR).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, "for=192.0.2.66".parse().unwrap());
        headers.insert(X_FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        assert_eq!(proxies.client("10.1.2.3".parse().unwrap(), &headers).to_string(), "198.51.100.1");
    }

    #[test]
    fn any_peer_is_trusted_one_step_far_where_no_proxy_is_named() {
        let proxies = TrustedProxies::parse("", true, X_FORWARDED_FOR).unwrap();
        assert_eq!(client(&proxies, "203.0.113.9", &["192.0.2.66", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&proxies, "203.0.113.9", &[]), "203.0.113.9");
        let named = TrustedProxies::parse("10.0.0.1", true, X_FORWARDED_FOR).unwrap();
        assert_eq!(client(&named, "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        let nobody = TrustedProxies::parse(" ", false, X_FORWARDED_FOR).unwrap();
        assert_eq!(client(&nobody, "127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
    }

    #[test]
    fn a_list_with_anything_but_addresses_and_networks_is_refused() {
        for list in ["proxy.example.com", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1;10.0.0.2"] {
            assert_eq!(TrustedProxies::parse(list, false, X_FORWARDED_FOR), None, "{list}");
        }
    }
}
