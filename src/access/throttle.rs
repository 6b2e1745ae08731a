//! How often one may try to sign in, per account and per address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::base::error::Code;
use crate::base::{Error, Result, fold};

/// Counts attempts to sign in.
#[derive(Debug)]
pub struct Throttle {
    accounts: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
}

impl Throttle {
    /// Allows `attempts` a minute to one account, and four times as many from one address.
    pub fn new(attempts: NonZeroU32) -> Self {
        let address = attempts.saturating_mul(NonZeroU32::MIN.saturating_add(3));
        Self {
            accounts: RateLimiter::keyed(Quota::per_minute(attempts)),
            addresses: RateLimiter::keyed(Quota::per_minute(address)),
        }
    }

    /// Counts one attempt.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn attempt(&self, email: &str, address: IpAddr) -> Result<()> {
        let now = DefaultClock::default().now();
        let by_address = self.addresses.check_key(&address).map_err(|wait| wait.wait_time_from(now));
        let account = fold::key(email.trim()).chars().take(254).collect();
        by_address
            .and_then(|()| self.accounts.check_key(&account).map_err(|wait| wait.wait_time_from(now)))
            .map_err(wait)
    }

    /// Forgets accounts and addresses that are as good as new.
    pub fn sweep(&self) {
        self.accounts.retain_recent();
        self.addresses.retain_recent();
    }
}

fn wait(time: Duration) -> Error {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Error {
        retry_after: Some(seconds),
        ..Error::new(Code::TooManyRequests, format!("Too many attempts. Try again in {seconds} seconds."))
    }
}
