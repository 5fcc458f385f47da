//! tower-sessions' store for Redis.

mod server;

use std::path::Path;

use futures_util::{TryStreamExt, stream};
use peers::{Backend, Ported};
use subject::Error;
use tower_sessions::SessionStore;
use tower_sessions::session::Record;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::interfaces::{ClientLike, ConfigInterface};
use tower_sessions_redis_store::fred::prelude::{Config, Pool, ServerConfig};

use server::Server;

/// A Redis of its own, in another process at the loopback interface, and six connections to it, as the
/// store's documentation has them.
///
/// `appendonly yes`, `appendfsync always`, `save ""`: what is acknowledged is durable. All else is as
/// it is by default. Redis itself lets go of what is expired.
///
/// Where an id is taken, the store fails instead of taking another one: what Redis answers then is not
/// what it expects ("Could not convert to bool").
#[derive(Debug)]
pub(crate) struct Redis {
    pool: Pool,
    store: Ported<RedisStore<Pool>>,
    server: Server,
}

/// As in the example of the store's documentation.
const CONNECTIONS: usize = 6;
/// Creations at a time when it is filled, which share the connections.
const AT_ONCE: usize = 1_000;

impl Backend for Redis {
    type Store = Ported<RedisStore<Pool>>;

    async fn open(directory: &Path) -> Result<Self, Error> {
        let server = Server::start(directory).await?;
        let config = Config {
            server: ServerConfig::new_centralized("127.0.0.1", server.port),
            ..Config::default()
        };
        let pool = Pool::new(config, None, None, None, CONNECTIONS)?;
        pool.init().await?;
        let store = Ported::new(RedisStore::new(pool.clone()));
        Ok(Self {
            pool,
            store,
            server,
        })
    }

    async fn close(self) -> Result<(), Error> {
        self.pool.quit().await?;
        let server = self.server;
        tokio::task::spawn_blocking(move || server.stop()).await?
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    /// Without syncs meanwhile.
    async fn fill(&self, records: Vec<Record>) -> Result<(), Error> {
        self.pool.config_set("appendfsync", "no").await?;
        let records = stream::iter(records.into_iter().map(Ok));
        let filled = records.try_for_each_concurrent(AT_ONCE, async |mut record| {
            self.store.create(&mut record).await
        });
        let filled = filled.await;
        self.pool.config_set("appendfsync", "always").await?;
        Ok(filled?)
    }

    fn servers(&self) -> Vec<u32> {
        vec![self.server.process]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Can, drive, record};
    use std::collections::HashMap;

    /// What came of it, unless there is no Redis.
    fn unless_missing<T>(result: Result<T, Error>) -> Option<T> {
        match result {
            Err(error) if error.to_string() == server::MISSING => {
                println!("NOT RUN: install redis-server");
                None
            }
            result => Some(result.unwrap()),
        }
    }

    #[tokio::test]
    async fn keeps_sessions_in_its_log() {
        let can = Can {
            keep: true,
            prune: false,
        };
        unless_missing(drive::<Redis>(can).await);
    }

    #[tokio::test]
    async fn is_durable_when_it_is_opened_and_when_it_was_filled() {
        let directory = tempfile::tempdir().unwrap();
        let Some(redis) = unless_missing(Redis::open(directory.path()).await) else {
            return;
        };
        let durable = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("save", ""),
        ];
        let durable =
            HashMap::from(durable.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let found = async || -> HashMap<String, String> {
            let mut all: HashMap<String, String> = redis.pool.config_get("*").await.unwrap();
            all.retain(|name, _| durable.contains_key(name));
            all
        };

        assert_eq!(found().await, durable);
        redis.fill(vec![record(1)]).await.unwrap();
        assert_eq!(found().await, durable);
        let taken = redis.fill(vec![record(1)]).await.unwrap_err().to_string();
        assert!(taken.contains("Could not convert to bool"), "{taken}");
        assert_eq!(found().await, durable);
    }

    #[tokio::test]
    async fn lets_its_server_go_and_finds_what_that_left() {
        let directory = tempfile::tempdir().unwrap();
        let Some(redis) = unless_missing(Redis::open(directory.path()).await) else {
            return;
        };
        redis.store().create(&mut record(1)).await.unwrap();
        let port = redis.server.port;
        drop(redis);
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap_err();

        let redis = Redis::open(directory.path()).await.unwrap();
        let found = redis.store().load(&record(1).id).await.unwrap();
        assert_eq!(found.unwrap().data, record(1).data);
        redis.close().await.unwrap();
    }
}
