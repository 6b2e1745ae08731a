//! Passwords: argon2id, off the async threads, a few at a time; and which may be chosen.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::base::{Error, Result};

/// The shortest password people may choose, in characters (NIST SP 800-63B asks for 8 at least).
pub const MIN_LENGTH: usize = 12;
/// The longest; hashing more costs without gain.
pub const MAX_LENGTH: usize = 200;
/// How much of a password its strength is estimated by; longer ones are strong enough by then.
const ESTIMATED: usize = 72;

/// Each hash takes 19 MiB and a core, so only so many run at once.
static BUSY: Semaphore = Semaphore::const_new(2);

/// The hash of a password nobody has, so that an unknown account takes as long as a wrong password.
static DECOY: LazyLock<String> = LazyLock::new(|| hash_now("decoy").unwrap_or_default());

fn hash_now(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|e| Error::internal(format!("password hash: {e}")))
}

/// The hash to store for a password that is already somebody's.
///
/// # Errors
/// `Internal` when hashing could not run.
pub async fn hash(password: String) -> Result<String> {
    hashing(move || hash_now(&password)).await?
}

/// The hash to store for a password that somebody chose. `about` is what an attacker would try first: their name and
/// address.
///
/// # Errors
/// `Invalid` at `password` when it is too short, too long, common, or easy to guess.
pub async fn chosen(password: String, about: Vec<String>) -> Result<String> {
    let length = password.chars().count();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Error::field("password", format!("Use {MIN_LENGTH} to {MAX_LENGTH} characters.")));
    }
    hashing(move || {
        let start: String = password.chars().take(ESTIMATED).collect();
        let about: Vec<String> = about.iter().map(|text| text.to_lowercase()).collect();
        let parts = about.iter().flat_map(|text| text.split(['@', '.', ' ']));
        let known: Vec<&str> = about.iter().map(String::as_str).chain(parts).chain(["kontor"]).collect();
        let estimate = zxcvbn(&start, &known);
        if estimate.score() < Score::Three {
            let warning = estimate.feedback().and_then(|feedback| feedback.warning());
            let why = warning.map_or(String::new(), |warning| format!(" {warning}"));
            return Err(Error::field(
                "password",
                format!("This is easy to guess.{why} A few unrelated words do well."),
            ));
        }
        hash_now(&password)
    })
    .await?
}

/// Whether a stored hash was made with other parameters than new ones are.
pub fn is_old(stored: &str) -> bool {
    let made_by = |hash: &str| hash.split('$').skip(1).take(3).map(str::to_owned).collect::<Vec<_>>();
    made_by(stored) != made_by(&DECOY)
}

/// Whether the password belongs to the stored hash; takes as long when there is none.
///
/// # Errors
/// `Internal` when hashing could not run.
pub async fn verify(password: String, stored: Option<String>) -> Result<bool> {
    if password.len() > MAX_LENGTH * 4 {
        return Ok(false);
    }
    hashing(move || {
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| DECOY.clone());
        let matches = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && matches
    })
    .await
}

/// A password for a first start: 100 bits, easy to read aloud.
pub fn generated() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567899";
    let mut text = String::new();
    for (index, byte) in rand::random::<[u8; 20]>().into_iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    text
}

async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = BUSY.acquire().await.map_err(|e| Error::internal(e.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(e.to_string()))
}
