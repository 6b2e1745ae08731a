//! Settings: one table of what can be set, read from flags, the environment (`KONTOR_…`) and `kontor.toml`, in that order.
//!
//! This is the only place that reads the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::header::FORWARDED;

use crate::base::form::nearest;
use crate::base::json::MAX_DEPTH;
use crate::server::client_address::{TrustedProxies, X_FORWARDED_FOR};
use crate::server::database::Durability;
use crate::server::hosts::AllowedHosts;
use crate::server::postgres::Timeouts;

/// A setting as it can be said.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in `kontor.toml`; in capitals after `KONTOR_`, the variable.
    pub name: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// The longest timeout on PostgreSQL, in seconds.
const MAX_TIMEOUT: u64 = 86_400;

/// What may also change while the server runs.
pub const AT_RUN_TIME: &[&str] = &[
    "anonymous_api_read",
    "rate_limit",
    "rate_burst",
    "page_rate_limit",
    "page_rate_burst",
    "sign_in_attempts",
    "log",
];

/// Everything that can be set.
pub const SETTINGS: &[Setting] = &[
    setting("addr", "127.0.0.1:3000", "Where the server listens."),
    setting(
        "database_url",
        "sqlite:data/kontor.db",
        "The database: `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`.",
    ),
    setting(
        "synchronous",
        "full",
        "How SQLite commits: full has it on the disk before anybody is told; normal is faster, and a power cut may take the latest \
         commits back, whole ones only.",
    ),
    setting(
        "lock_timeout",
        "3",
        "Seconds a change on PostgreSQL waits for another change of the same record until it is refused with 503; 0 for ever.",
    ),
    setting(
        "statement_timeout",
        "60",
        "Seconds a statement runs on PostgreSQL until it is stopped; 0 for ever. Exports, `migrate` and maintenance run as long as \
         they take.",
    ),
    setting(
        "idle_transaction_timeout",
        "60",
        "Seconds a transaction on PostgreSQL stands still until it is ended; 0 for ever.",
    ),
    setting("site_dir", "", "The browser bundle; blank looks beside the program and in target/site."),
    setting(
        "public_url",
        "",
        "The address people use, such as https://orders.example.com, which links that are handed out start with; blank takes it \
         from each request, and makes links for others only on this machine and for allowed_hosts.",
    ),
    setting(
        "allowed_hosts",
        "",
        "The hosts the server answers for, beside the one of public_url, such as `orders.example.com, *.example.org`; blank is any. \
         /healthz and /readyz answer for every host.",
    ),
    setting(
        "secure_cookies",
        "auto",
        "Send the session cookie over TLS only: true, false, or auto for when public_url is https.",
    ),
    setting(
        "trusted_proxies",
        "",
        "The reverse proxies whose word about a client's address counts: addresses and networks such as 10.0.0.0/8, separated by \
         commas.",
    ),
    setting(
        "forwarded_header",
        "x-forwarded-for",
        "The header those proxies append the client's address to: x-forwarded-for or forwarded (RFC 7239).",
    ),
    setting(
        "trust_forwarded",
        "false",
        "Without trusted_proxies: trust whoever connects as a proxy, one step far. Only where nobody else can connect.",
    ),
    setting("session_days", "30", "Days until everybody signs in again, however much they use the app."),
    setting("session_idle_days", "14", "Days without use after which a session ends."),
    setting(
        "security_event_days",
        "90",
        "Days for which security events are kept; the page /admin/security shows them.",
    ),
    setting("anonymous_api_read", "false", "Let anybody read over the API; never people, roles, sessions and tokens."),
    setting("currency", "EUR", "The company's currency, as ISO 4217; orders keep the one they were made in."),
    setting("body_limit", "1048576", "The largest request body, in bytes."),
    setting("json_depth", "32", "How deep arrays and objects of a request body may nest, up to 100."),
    setting("form_limit", "1048576", "The largest form, in bytes."),
    setting("import_limit", "33554432", "The largest upload of files to import, in bytes."),
    setting(
        "import_quota",
        "67108864",
        "How much one person may have uploaded and not yet imported, in bytes; besides, twenty uploads.",
    ),
    setting(
        "request_timeout",
        "30",
        "Seconds of work until a request is given up with 503; the time in which its body comes in does not count.",
    ),
    setting("head_timeout", "10", "Seconds until the head of a request must have come, or its connection is closed."),
    setting("keep_alive_timeout", "75", "Seconds until a connection without requests is closed."),
    setting("body_timeout", "30", "Seconds without anything more of a body until its request is given up with 408."),
    setting(
        "write_timeout",
        "60",
        "Seconds in which a client takes nothing of its answer until the connection is closed.",
    ),
    setting(
        "min_rate",
        "1000",
        "Bytes a second that a client must send of a body and take of an answer, over time, beyond body_timeout and \
         write_timeout; 0 for no limit.",
    ),
    setting("max_connections", "8192", "Connections at once; what is beyond is closed with 503."),
    setting(
        "max_connections_per_address",
        "256",
        "Connections at once of one address (of one /64 network of IPv6), but of trusted proxies and this machine.",
    ),
    setting(
        "max_requests",
        "512",
        "Requests that are worked on at once; what is beyond gets 503. Waiting for events or a body is no work.",
    ),
    setting(
        "drain_delay",
        "1",
        "Seconds in which a server that was told to stop still accepts connections while /readyz says 503.",
    ),
    setting("shutdown_timeout", "10", "Seconds open requests get to finish when the server stops."),
    setting(
        "rate_limit",
        "100",
        "Requests over the API each second, over time, of one token, person or unknown address; 0 for no limit.",
    ),
    setting("rate_burst", "2000", "Requests over the API that may come at once before rate_limit counts."),
    setting("max_followers", "1000", "Requests over the API that may wait for events at once."),
    setting("max_followers_per_caller", "20", "Of these, requests of one token or person."),
    setting(
        "page_rate_limit",
        "50",
        "Pages and calls of their functions each second, over time, of one person or unknown address; 0 for no limit.",
    ),
    setting(
        "page_rate_burst",
        "1000",
        "Pages and calls of their functions that may come at once before page_rate_limit counts.",
    ),
    setting(
        "sign_in_attempts",
        "10",
        "Attempts to sign in from one address to one account each minute; to all accounts, four times as many.",
    ),
    setting("log", "info,sea_orm_migration=warn", "What is logged, as a tracing filter such as `info,kontor=debug`."),
];

/// Where settings were said that changed while the server ran.
pub const DATABASE: &str = "the settings page";

/// Settings that make sense together.
#[derive(Debug, Clone)]
pub struct Settings {
    pub addr: SocketAddr,
    pub database_url: String,
    pub durability: Durability,
    /// On PostgreSQL.
    pub timeouts: Timeouts,
    pub site_dir: PathBuf,
    /// Without a slash at its end; absent when taken from each request.
    pub public_url: Option<String>,
    pub allowed_hosts: AllowedHosts,
    pub secure_cookies: bool,
    pub trusted_proxies: TrustedProxies,
    pub session_days: u16,
    pub session_idle_days: u16,
    pub security_event_days: u16,
    pub anonymous_api_read: bool,
    pub currency: String,
    pub body_limit: usize,
    pub json_depth: usize,
    pub form_limit: usize,
    pub import_limit: usize,
    pub import_quota: usize,
    pub request_timeout: Duration,
    pub head_timeout: Duration,
    pub keep_alive_timeout: Duration,
    pub body_timeout: Duration,
    pub write_timeout: Duration,
    /// Bytes a second; 0 for no limit.
    pub min_rate: u64,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_requests: usize,
    pub drain_delay: Duration,
    pub shutdown_timeout: Duration,
    /// Absent for no limit.
    pub rate_limit: Option<NonZeroU32>,
    pub rate_burst: NonZeroU32,
    /// Absent for no limit.
    pub page_rate_limit: Option<NonZeroU32>,
    pub page_rate_burst: NonZeroU32,
    pub max_followers: usize,
    pub max_followers_per_caller: usize,
    pub sign_in_attempts: NonZeroU32,
    pub log: String,
    /// What was said, and where.
    said: Said,
}

/// A setting that makes no sense, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// Values by setting, each with where it was said.
#[derive(Debug, Clone, Default)]
struct Said(BTreeMap<&'static str, (String, String)>);

impl Said {
    fn say(&mut self, name: &str, value: String, place: String) -> Result<(), SettingsError> {
        let Some(known) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let hint = nearest(name, SETTINGS.iter().map(|setting| setting.name))
                .map_or(String::new(), |near| format!(" Did you mean {near}?"));
            return Err(SettingsError(format!("{place}: there is no setting {name}.{hint}")));
        };
        self.0.insert(known.name, (value, place));
        Ok(())
    }

    fn read<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>, expected: &str) -> Result<T, SettingsError> {
        let default = SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        let (value, place) = self.0.get(name).map_or((default, "the default"), |(value, place)| (value, place));
        parse(value.trim())
            .ok_or_else(|| SettingsError(format!("{place}: {name} is {value:?}, but must be {expected}.")))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, SettingsError> {
        self.read(name, |text| text.parse().ok(), "a whole number above zero")
    }

    fn flag(&self, name: &str) -> Result<bool, SettingsError> {
        self.read(name, |text| text.parse().ok(), "true or false")
    }
}

impl Settings {
    /// Reads the settings: `flags` first, then the environment, then the file (`kontor.toml` when none is named).
    ///
    /// # Errors
    /// The first setting that is unknown or makes no sense, and where it came from.
    pub fn load(flags: &[(&str, Option<String>)], file: Option<&Path>) -> Result<Self, SettingsError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("KONTOR_"));
        Self::from(flags, environment, file)
    }

    fn from(
        flags: &[(&str, Option<String>)],
        environment: impl Iterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let mut said = Said::default();
        let path = file.unwrap_or(Path::new("kontor.toml"));
        if file.is_some() || path.exists() {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| SettingsError(format!("{place}: {e}")))?;
            let table: toml::Table =
                text.parse().map_err(|e: toml::de::Error| SettingsError(format!("{place}: {}", e.message())))?;
            for (name, value) in table {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                said.say(&name, value, place.clone())?;
            }
        }
        for (variable, value) in environment {
            let name = variable.trim_start_matches("KONTOR_").to_lowercase();
            said.say(&name, value, format!("the environment variable {variable}"))?;
        }
        for (name, value) in flags {
            if let Some(value) = value {
                said.say(name, value.clone(), format!("the flag --{}", name.replace('_', "-")))?;
            }
        }
        Self::understand(&said)
    }

    fn understand(said: &Said) -> Result<Self, SettingsError> {
        let optional = |text: &str| Some((!text.is_empty()).then(|| text.to_owned()));
        let address = |text: &str| match text {
            "" => Some(None),
            url => (url.starts_with("http://") || url.starts_with("https://"))
                .then(|| Some(url.trim_end_matches('/').to_owned())),
        };
        let database = |text: &str| {
            let known = ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme));
            known.then(|| text.to_owned())
        };
        let currency = |text: &str| {
            (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())).then(|| text.to_owned())
        };
        let public_url =
            said.read("public_url", address, "blank or an address that starts with http:// or https://")?;
        let over_tls = public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
        let secure = |text: &str| if text == "auto" { Some(over_tls) } else { text.parse().ok() };
        let forwarded_header = |text: &str| match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Some(X_FORWARDED_FOR),
            "forwarded" => Some(FORWARDED),
            _ => None,
        };
        let forwarded_header = said.read("forwarded_header", forwarded_header, "x-forwarded-for or forwarded")?;
        let trusts_any_peer = said.flag("trust_forwarded")?;
        let trusted_proxies = |text: &str| TrustedProxies::parse(text, trusts_any_peer, forwarded_header);
        let filter = |text: &str| text.parse::<tracing_subscriber::filter::Targets>().is_ok().then(|| text.to_owned());
        let seconds = |name| said.number::<NonZeroU32>(name).map(|n| Duration::from_secs(n.get().into()));
        let or_never = |name| {
            let seconds =
                |text: &str| text.parse().ok().filter(|seconds| *seconds <= MAX_TIMEOUT).map(Duration::from_secs);
            said.read(name, seconds, "a whole number of seconds, up to a day")
        };
        Ok(Self {
            addr: said.read("addr", |text| text.parse().ok(), "an address and port such as 127.0.0.1:3000")?,
            database_url: said.read("database_url", database, "sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")?,
            durability: said.read("synchronous", Durability::named, "full or normal")?,
            timeouts: Timeouts {
                lock: or_never("lock_timeout")?,
                statement: or_never("statement_timeout")?,
                idle_in_transaction: or_never("idle_transaction_timeout")?,
            },
            site_dir: said.read("site_dir", optional, "a folder")?.map_or_else(site_dir, PathBuf::from),
            secure_cookies: said.read("secure_cookies", secure, "true, false or auto")?,
            public_url,
            allowed_hosts: said.read("allowed_hosts", AllowedHosts::parse, "a list of host names, without ports")?,
            trusted_proxies: said.read(
                "trusted_proxies",
                trusted_proxies,
                "a list of addresses and networks such as 10.0.0.0/8, 2001:db8::1",
            )?,
            session_days: said.number::<NonZeroU16>("session_days")?.get(),
            session_idle_days: said.number::<NonZeroU16>("session_idle_days")?.get(),
            security_event_days: said.number::<NonZeroU16>("security_event_days")?.get(),
            anonymous_api_read: said.flag("anonymous_api_read")?,
            currency: said.read("currency", currency, "three capital letters such as EUR")?,
            body_limit: said.number::<NonZeroU32>("body_limit")?.get() as usize,
            json_depth: said.read(
                "json_depth",
                |text| text.parse().ok().filter(|depth| (1..=MAX_DEPTH).contains(depth)),
                "a whole number from 1 to 100",
            )?,
            form_limit: said.number::<NonZeroU32>("form_limit")?.get() as usize,
            import_limit: said.number::<NonZeroU32>("import_limit")?.get() as usize,
            import_quota: said.number::<NonZeroU32>("import_quota")?.get() as usize,
            request_timeout: seconds("request_timeout")?,
            head_timeout: seconds("head_timeout")?,
            keep_alive_timeout: seconds("keep_alive_timeout")?,
            body_timeout: seconds("body_timeout")?,
            write_timeout: seconds("write_timeout")?,
            min_rate: said.read("min_rate", |text| text.parse().ok(), "a whole number")?,
            max_connections: said.number::<NonZeroU32>("max_connections")?.get() as usize,
            max_connections_per_address: said.number::<NonZeroU32>("max_connections_per_address")?.get() as usize,
            max_requests: said.number::<NonZeroU32>("max_requests")?.get() as usize,
            drain_delay: Duration::from_secs(said.read(
                "drain_delay",
                |text| text.parse().ok().filter(|seconds| *seconds <= 3600),
                "a whole number of seconds up to 3600",
            )?),
            shutdown_timeout: seconds("shutdown_timeout")?,
            rate_limit: NonZeroU32::new(said.read("rate_limit", |text| text.parse().ok(), "a whole number")?),
            rate_burst: said.number("rate_burst")?,
            page_rate_limit: NonZeroU32::new(said.read(
                "page_rate_limit",
                |text| text.parse().ok(),
                "a whole number",
            )?),
            page_rate_burst: said.number("page_rate_burst")?,
            max_followers: said.number::<NonZeroU32>("max_followers")?.get() as usize,
            max_followers_per_caller: said.number::<NonZeroU32>("max_followers_per_caller")?.get() as usize,
            sign_in_attempts: said.number("sign_in_attempts")?,
            log: said.read("log", filter, "a tracing filter such as info,kontor=debug")?,
            said: said.clone(),
        })
    }

    /// The same settings with others that are said in the database; what was said elsewhere comes before them.
    ///
    /// # Errors
    /// The first that is unknown or makes no sense.
    pub fn with(&self, stored: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let mut said = self.said.clone();
        for (name, value) in stored.iter().filter(|(name, _)| AT_RUN_TIME.contains(&name.as_str())) {
            if !self.said.0.contains_key(name.as_str()) {
                said.say(name, value.clone(), DATABASE.to_owned())?;
            }
        }
        Self::understand(&said)
    }

    /// Whether a setting may change while the server runs.
    ///
    /// # Errors
    /// Why it may not.
    pub fn changeable(&self, name: &str) -> Result<(), String> {
        if !AT_RUN_TIME.contains(&name) {
            return Err("This is set before the server starts.".into());
        }
        match self.said.0.get(name) {
            Some((_, place)) if place != DATABASE => Err(format!("This is set by {place}.")),
            _ => Ok(()),
        }
    }

    /// What a setting is now, and where it was said; nothing for a default.
    pub fn said(&self, name: &str) -> Option<(&str, &str)> {
        self.said.0.get(name).map(|(value, place)| (value.as_str(), place.as_str()))
    }

    /// All settings with their defaults and meaning, as `kontor.toml` has them.
    pub fn documented() -> String {
        SETTINGS.iter().fold(String::new(), |text, setting| {
            text + &format!("# {}\n# {} = {:?}\n\n", setting.meaning, setting.name, setting.default)
        })
    }
}

/// Where the browser bundle is: beside the program (`site`), else where the build leaves it.
fn site_dir() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let candidates = beside.iter().flat_map(|folder| [folder.join("site"), folder.join("../site")]);
    candidates.into_iter().find(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from("target/site"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&str, Option<String>)], environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from(flags, environment, None)
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let flags = [("addr", Some("127.0.0.1:1".to_owned())), ("database_url", None)];
        let settings = load(&flags, &[("KONTOR_ADDR", "127.0.0.1:2"), ("KONTOR_DATABASE_URL", "sqlite:x.db")]).unwrap();
        assert_eq!(settings.addr.port(), 1);
        assert_eq!(settings.database_url, "sqlite:x.db");
    }

    #[test]
    fn a_wrong_setting_is_named_with_where_it_came_from() {
        let refused = |environment: &[(&str, &str)]| load(&[], environment).unwrap_err().to_string();
        let message = refused(&[("KONTOR_REQUEST_TIMEOUT", "soon")]);
        assert!(message.contains("KONTOR_REQUEST_TIMEOUT") && message.contains("\"soon\""), "{message}");
        for depth in ["0", "101", "-1", "deep"] {
            assert!(refused(&[("KONTOR_JSON_DEPTH", depth)]).contains("from 1 to 100"), "{depth}");
        }
        assert!(refused(&[("KONTOR_ADR", "x")]).contains("Did you mean addr?"));
        let flags = [("addr", Some("nowhere".to_owned()))];
        assert!(load(&flags, &[]).unwrap_err().to_string().contains("--addr"));
    }

    #[test]
    fn the_session_cookie_is_secure_behind_tls() {
        assert!(load(&[], &[("KONTOR_PUBLIC_URL", "https://orders.example.com/")]).unwrap().secure_cookies);
        assert!(!load(&[], &[]).unwrap().secure_cookies);
    }
}
