//! A limit for what could hang, so that it fails with a name.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

use std::future::Future;
use std::time::Duration;

/// How long a test waits for what must come.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits for something that must come, and fails with its name if it does not.
pub async fn within_limit<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not come within {LIMIT:?}"),
    }
}
