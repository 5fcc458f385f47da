//! The clauses, one function for each sentence of the contract.
//!
//! Each takes an empty store. Within a clause `now` never goes back for a session, so that a store
//! may forget an expired one when it likes.

pub mod cancel;
pub mod clones;
pub mod concurrent;
pub mod create;
pub mod delete;
pub mod delete_all;
pub mod delete_others;
pub mod delete_user;
pub mod fetch;
pub mod limit;
pub mod list;
pub mod model;
pub mod overtaken;
pub mod prune;
pub mod revoke;
pub mod runtime;
pub mod update;
pub mod update_meta;
pub mod update_refused;
pub mod watermark;
