//! The cookie that carries the token: its configuration, reading it, writing it.

mod config;
mod read;
mod write;

pub(crate) use config::{CookieConfig, CookieOptions};
pub use config::{CookieError, SameSite};
pub use read::{Found, find};
pub use write::SetCookie;
