//! How often one may try to sign in: to an account from an address, and from an address to any account.
//!
//! No password is counted of an account alone, so that nobody can shut its owner out by trying from elsewhere. Codes of a
//! second factor are, as whoever tries them knows the password: a million codes are too few for who has many addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::base::error::Code;
use crate::base::{Error, Result, fold};

/// How long wrong codes of an account are held against it.
const CODES_WITHIN: Duration = Duration::from_secs(3600);

/// Counts attempts to sign in, in the memory of this server.
#[derive(Debug)]
pub struct Throttle(RwLock<Counts>);

#[derive(Debug)]
struct Counts {
    accounts: DefaultKeyedRateLimiter<(String, IpAddr)>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    attempts: NonZeroU32,
    /// Codes since the last right one, by user, and when the first of them came.
    codes: Mutex<HashMap<i64, (u32, Instant)>>,
}

impl Counts {
    fn new(attempts: NonZeroU32) -> Self {
        let address = attempts.saturating_mul(NonZeroU32::MIN.saturating_add(3));
        Self {
            accounts: RateLimiter::keyed(Quota::per_minute(attempts)),
            addresses: RateLimiter::keyed(Quota::per_minute(address)),
            attempts,
            codes: Mutex::default(),
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
        let account = (fold::key(email.trim()).chars().take(254).collect(), address);
        by_address
            .and_then(|()| counts.accounts.check_key(&account).map_err(|wait| wait.wait_time_from(now)))
            .map_err(wait)
    }

    /// Counts one code of a second factor, from wherever it comes: `attempts` an hour that are wrong.
    ///
    /// # Errors
    /// `TooManyRequests` with the seconds to wait.
    pub fn code(&self, user_id: i64) -> Result<()> {
        let counts = self.counts();
        let mut codes = counts.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let (tried, since) = codes.entry(user_id).or_insert_with(|| (0, Instant::now()));
        if since.elapsed() >= CODES_WITHIN {
            (*tried, *since) = (0, Instant::now());
        }
        if *tried >= counts.attempts.get() {
            return Err(wait(CODES_WITHIN.saturating_sub(since.elapsed())));
        }
        *tried += 1;
        Ok(())
    }

    /// Forgets the wrong codes of somebody whose code was right.
    pub fn code_was_right(&self, user_id: i64) {
        self.counts().codes.lock().unwrap_or_else(PoisonError::into_inner).remove(&user_id);
    }

    /// Forgets accounts and addresses that are as good as new.
    pub fn sweep(&self) {
        let counts = self.counts();
        counts.accounts.retain_recent();
        counts.addresses.retain_recent();
        let mut codes = counts.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, (_, since)| since.elapsed() < CODES_WITHIN);
    }
}

/// The address as it is counted: whoever has one address of IPv6 has the 64 bits below it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn wait(time: Duration) -> Error {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Error {
        retry_after: Some(seconds),
        ..Error::new(Code::TooManyRequests, format!("Too many attempts. Try again in {seconds} seconds."))
    }
}
