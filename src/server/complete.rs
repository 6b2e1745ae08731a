//! What a statement gives, once it has ended for certain.
//!
//! sqlx gives every connection to SQLite a thread. When that panics, as it does for want of memory, sqlx reports no error: the
//! rows end as if there were no more, and what is sent to the thread while it dies is never answered. But a statement that ends
//! well reports its result after its last row. So here an end without a result is [`sqlx::Error::WorkerCrashed`]. Whoever gets
//! that sends nothing more over the connection and closes it.

use futures::{Stream, StreamExt, TryStreamExt};
use sea_orm::sqlx::{self, Either};

/// How many rows are taken at once, of those that are there.
const CHUNK: usize = 64;

/// The result of a statement.
pub(super) async fn executed<R, T>(steps: impl Stream<Item = sqlx::Result<Either<R, T>>> + Unpin) -> sqlx::Result<R>
where
    R: Default + Extend<R>,
{
    let mut steps = steps;
    let mut result: Option<R> = None;
    while let Some(step) = steps.try_next().await? {
        if let Either::Left(more) = step {
            result.get_or_insert_default().extend([more]);
        }
    }
    result.ok_or(sqlx::Error::WorkerCrashed)
}

/// The first row of a statement. It reads the others too, as the thread may die on them, so it is for statements with few.
pub(super) async fn first<R, T>(
    steps: impl Stream<Item = sqlx::Result<Either<R, T>>> + Unpin,
) -> sqlx::Result<Option<T>> {
    let mut steps = steps;
    let (mut first, mut has_ended) = (None, false);
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Left(_) => has_ended = true,
            Either::Right(row) => first = first.or(Some(row)),
        }
    }
    if has_ended { Ok(first) } else { Err(sqlx::Error::WorkerCrashed) }
}

/// All rows of a statement.
pub(super) async fn rows<R, T, U: From<T>>(
    steps: impl Stream<Item = sqlx::Result<Either<R, T>>> + Unpin,
) -> sqlx::Result<Vec<U>> {
    let mut chunks = steps.ready_chunks(CHUNK);
    let (mut rows, mut has_ended) = (Vec::new(), false);
    while let Some(chunk) = chunks.next().await {
        for step in chunk {
            match step? {
                Either::Left(_) => has_ended = true,
                Either::Right(row) => rows.push(U::from(row)),
            }
        }
        // Whoever waits for the next row is woken by that row alone. Others go first, so that more come at once.
        tokio::task::yield_now().await;
    }
    if has_ended { Ok(rows) } else { Err(sqlx::Error::WorkerCrashed) }
}
