//! How often one may try to sign in: to an account from an address, and from an address to any account.
//!
//! Nothing is counted of an account alone, so that nobody can shut its owner out by trying passwords from elsewhere. Only codes
//! of six digits are, which nobody tries without the password: they could be guessed from many addresses in an hour. A recovery
//! code, which could not, always lets the owner in. A password that is asked again in a session is counted by person too, as
//! nobody tries it without the session.
//!
//! These counts are those of one server; wrong codes are counted for all of them in the database (see
//! [`super::second_factor`]).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::base::error::Code;
use crate::base::{Error, Result, fold};
use crate::server::client_address::network;

/// The digits of a code.
const DIGITS: usize = 6;

/// Counts attempts to sign in.
#[derive(Debug)]
pub struct Throttle(RwLock<Counts>);

#[derive(Debug)]
struct Counts {
    accounts: DefaultKeyedRateLimiter<(String, IpAddr)>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    codes: DefaultKeyedRateLimiter<i64>,
    passwords: DefaultKeyedRateLimiter<i64>,
}

/// Codes of one account that may be tried at once, and passwords that are asked again; one more comes with every minute.
const CODES: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

impl Counts {
    fn new(attempts: NonZeroU32) -> Self {
        let address = attempts.saturating_mul(NonZeroU32::MIN.saturating_add(3));
        Self {
            accounts: RateLimiter::keyed(Quota::per_minute(attempts)),
            addresses: RateLimiter::keyed(Quota::per_minute(address)),
            codes: RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN).allow_burst(CODES)),
            passwords: RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN).allow_burst(CODES)),
        }
    }
}

impl Throttle {
    /// Allows `attempts` a minute from one address to one account, and four times as many to all accounts together.
    pub fn new(attempts: NonZeroU32) -> Self {
        Self(RwLock::new(Counts::new(attempts)))
    }

    /// The same with another number: nothing is counted yet.
    pub fn set(&self, attempts: NonZeroU32) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Counts::new(attempts);
    }

    fn counts(&self) -> RwLockReadGuard<'_, Counts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one attempt.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn attempt(&self, email: &str, address: IpAddr) -> Result<()> {
        let (now, address) = (DefaultClock::default().now(), network(address));
        let counts = self.counts();
        let by_address = counts.addresses.check_key(&address).map_err(|wait| wait.wait_time_from(now));
        let email: String = email.trim().chars().take(254).collect();
        let account = (fold::key(&email), address);
        by_address
            .and_then(|()| counts.accounts.check_key(&account).map_err(|wait| wait.wait_time_from(now)))
            .map_err(wait)
    }

    /// Counts one attempt of a signed-in person to give their password again.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn confirmation(&self, user: i64, email: &str, address: IpAddr) -> Result<()> {
        self.attempt(email, address)?;
        let now = DefaultClock::default().now();
        self.counts().passwords.check_key(&user).map_err(|until| wait(until.wait_time_from(now)))
    }

    /// Counts one code that is tried for an account, from wherever; recovery codes do not count.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn code(&self, user: i64, code: &str) -> Result<()> {
        if code.chars().filter(|c| !c.is_whitespace()).count() > DIGITS {
            return Ok(());
        }
        let now = DefaultClock::default().now();
        self.counts().codes.check_key(&user).map_err(|until| wait(until.wait_time_from(now)))
    }

    /// Forgets accounts and addresses that are as good as new.
    pub fn sweep(&self) {
        let counts = self.counts();
        counts.accounts.retain_recent();
        counts.addresses.retain_recent();
        counts.codes.retain_recent();
        counts.passwords.retain_recent();
    }
}

fn wait(time: Duration) -> Error {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Error {
        retry_after: Some(seconds),
        ..Error::new(Code::TooManyRequests, format!("Too many attempts. Try again in {seconds} seconds."))
    }
}
