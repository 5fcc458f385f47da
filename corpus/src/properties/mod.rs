//! What must hold for any input. Each takes bytes and panics if it does not hold.

pub mod config;
mod cookie_header;
mod forwarding;
mod token;
mod user_agent;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use cookie_header::cookie_header;
pub use forwarding::forwarding;
pub use token::token;
pub use user_agent::user_agent;

/// What panics where it does not hold.
pub type Property = fn(&[u8]);

/// Each property by the name of its fuzz target.
pub const ALL: &[(&str, Property)] = &[
    ("config", config::config),
    ("cookie_header", cookie_header),
    ("forwarding", forwarding),
    ("token", token),
    ("user_agent", user_agent),
];

/// Takes the answer of a future that waits for nothing, as all over `MemoryStore` do.
pub(crate) fn ready<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut future = pin!(future.into_future());
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("waits, though the store is in memory"),
    }
}
