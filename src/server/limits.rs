//! How much one caller may ask, of the API and of pages: a token bucket for each token, person and unknown address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::client_address::network;
use crate::access::gate::Actor;
use crate::base::error::Code;
use crate::base::{Error, Result};

/// What is left of the bucket (draft-ietf-httpapi-ratelimit-headers).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// How large the bucket is, and how long it takes to fill.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    Token(i64),
    Person(i64),
    Address(IpAddr),
}

impl Who {
    /// The caller, by who they are if that is known, else by where they are.
    pub fn of(actor: &Actor, address: IpAddr) -> Self {
        match actor {
            Actor::Token { id, .. } => Who::Token(*id),
            Actor::User { id, .. } => Who::Person(*id),
            Actor::Anonymous | Actor::System => Who::Address(network(address)),
        }
    }
}

type Buckets = RateLimiter<Who, DefaultKeyedStateStore<Who>, DefaultClock, StateInformationMiddleware>;

/// The buckets of everybody who asked lately.
#[derive(Debug)]
pub struct Limits(RwLock<Rule>);

#[derive(Debug)]
struct Rule {
    buckets: Option<Buckets>,
    burst: u32,
    /// Seconds in which an empty bucket fills.
    window: u32,
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    burst: u32,
    window: u32,
    left: u32,
}

impl Standing {
    /// Says so in the headers of an answer.
    pub fn tell(self, headers: &mut HeaderMap) {
        let Standing { burst, window, left } = self;
        let missing = u64::from(burst.saturating_sub(left)) * u64::from(window);
        let full_in = missing.div_ceil(u64::from(burst.max(1)));
        for (name, value) in [
            (RATE_LIMIT_POLICY, format!("\"default\";q={burst};w={window}")),
            (RATE_LIMIT, format!("\"default\";r={left};t={full_in}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

impl Rule {
    fn new(rate: Option<NonZeroU32>, burst: NonZeroU32) -> Self {
        let buckets = rate.map(|rate| {
            RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
                .with_middleware::<StateInformationMiddleware>()
        });
        let window = rate.map_or(0, |rate| burst.get().div_ceil(rate.get()));
        Self { buckets, burst: burst.get(), window }
    }
}

impl Limits {
    /// Allows `burst` requests at once, and `rate` a second over time; without a rate, any number.
    pub fn new(rate: Option<NonZeroU32>, burst: NonZeroU32) -> Self {
        Self(RwLock::new(Rule::new(rate, burst)))
    }

    /// The same with other numbers: all buckets are full again.
    pub fn set(&self, rate: Option<NonZeroU32>, burst: NonZeroU32) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Rule::new(rate, burst);
    }

    fn rule(&self) -> RwLockReadGuard<'_, Rule> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one request.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn count(&self, who: &Who) -> Result<Option<Standing>> {
        let rule = self.rule();
        let Some(buckets) = &rule.buckets else { return Ok(None) };
        match buckets.check_key(who) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(Some(Standing { burst: rule.burst, window: rule.window, left }))
            }
            Err(wait) => {
                let seconds = wait.wait_time_from(DefaultClock::default().now()).as_secs();
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(1);
                Err(Error {
                    retry_after: Some(seconds),
                    ..Error::new(Code::TooManyRequests, format!("Too many requests. Try again in {seconds} seconds."))
                })
            }
        }
    }

    /// What a caller has left who was just refused.
    pub fn empty(&self) -> Option<Standing> {
        let rule = self.rule();
        rule.buckets.as_ref().map(|_| Standing { burst: rule.burst, window: rule.window, left: 0 })
    }

    /// Forgets callers whose buckets are full again.
    pub fn sweep(&self) {
        if let Some(buckets) = &self.rule().buckets {
            buckets.retain_recent();
        }
    }
}
