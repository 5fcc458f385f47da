//! What may be wrong with a create.

use crate::defect::prelude::*;

defect!(
    /// Looks whether the id is free, and writes later.
    ChecksThenInserts {
        create(self, inner, record, options, now) {
            if lying(inner, record.session.id).await?.is_some() {
                return Err(StoreError::DuplicateId);
            }
            yield_now().await;
            inner.delete(record.session.id, None).await?;
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Keeps seconds where milliseconds were given.
    CutsTimesToSeconds {
        create(self, inner, record, options, now) {
            let mut record = record;
            let millis = record.session.last_seen_at.as_millis();
            record.session.last_seen_at = Timestamp::from_millis(millis / 1_000 * 1_000);
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Does not keep who logged in.
    DropsClient {
        create(self, inner, record, options, now) {
            let mut record = record;
            record.session.client = Default::default();
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Does not keep the application's entries.
    DropsMeta {
        create(self, inner, record, options, now) {
            let mut record = record;
            record.session.meta = Default::default();
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Leaves the replaced session alive.
    IgnoresReplaces {
        create(self, inner, record, options, now) {
            inner.create(record, options.replacing(None), now).await
        }
    }
);

defect!(
    /// Looks at all of an id but its last bit.
    MixesUpNeighbours {
        fetch(self, inner, id, now) {
            if let Some(found) = inner.fetch(id, now).await? {
                return Ok(Some(found));
            }
            let mut neighbour = *id.as_bytes();
            neighbour[15] ^= 1;
            inner.fetch(SessionId::from_bytes(neighbour), now).await
        }
    }
);

defect!(
    /// Takes it for a mistake that the session to replace is not there.
    NeedsTheReplaced {
        create(self, inner, record, options, now) {
            if let Some(replaced) = options.replaces
                && lying(inner, replaced).await?.is_none()
            {
                return Err(StoreError::unavailable("nothing to replace"));
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Takes the id of an expired record for free.
    OverwritesExpired {
        create(self, inner, record, options, now) {
            let id = record.session.id;
            if inner.fetch(id, now).await?.is_none() {
                inner.delete(id, None).await?;
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Looks for the id among the user's own only.
    OverwritesForeign {
        create(self, inner, record, options, now) {
            let id = record.session.id;
            let taken = lying(inner, id).await?;
            if taken.is_some_and(|taken| taken.session.user_key != record.session.user_key) {
                inner.delete(id, None).await?;
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Ends the replaced session, and makes the new one later.
    ReplacesInTwoSteps {
        create(self, inner, record, options, now) {
            let Some(replaced) = options.replaces else {
                return inner.create(record, options, now).await;
            };
            if lying(inner, record.session.id).await?.is_some() {
                return Err(StoreError::DuplicateId);
            }
            let ended = inner.delete(replaced, None).await?;
            yield_now().await;
            let created = inner.create(record, options.replacing(None), now).await?;
            Ok(Created::new(ended, created.evicted))
        }
    }
);

defect!(
    /// Replaces a session by one of the same id.
    ReplacesItself {
        create(self, inner, record, options, now) {
            if options.replaces == Some(record.session.id) {
                inner.delete(record.session.id, None).await?;
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Replaces sessions of the same user only.
    ReplacesOwnOnly {
        create(self, inner, record, options, now) {
            let mut options = options;
            if let Some(id) = options.replaces {
                let replaced = lying(inner, id).await?;
                options.replaces = replaced
                    .filter(|replaced| replaced.session.user_key == record.session.user_key)
                    .map(|replaced| replaced.session.id);
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Ends the replaced session before it is sure of the new one.
    ReplacesThoughRefused {
        create(self, inner, record, options, now) {
            let mut ended = false;
            if let Some(replaced) = options.replaces {
                ended = inner.delete(replaced, None).await?;
            }
            let created = inner.create(record, options.replacing(None), now).await?;
            Ok(Created::new(ended, created.evicted))
        }
    }
);

defect!(
    /// Looks whether there is a session to replace, and replaces it later.
    SaysItReplaced {
        create(self, inner, record, options, now) {
            let mut there = false;
            if let Some(replaced) = options.replaces {
                there = lying(inner, replaced).await?.is_some();
            }
            yield_now().await;
            let created = inner.create(record, options, now).await?;
            Ok(Created::new(there, created.evicted))
        }
    }
);

defect!(
    /// Takes a hash for a text that ends with NUL.
    StopsAtZero {
        create(self, inner, record, options, now) {
            let mut record = record;
            let mut bytes = *record.secret_hash.as_bytes();
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            bytes.iter_mut().skip(end).for_each(|byte| *byte = b' ');
            record.secret_hash = SecretHash::from_bytes(bytes);
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Writes over a session that has the id.
    Upserts {
        create(self, inner, record, options, now) {
            inner.delete(record.session.id, None).await?;
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Does not keep when the user proved who they are.
    DropsAuthentication {
        create(self, inner, record, options, now) {
            let mut record = record;
            record.session.authenticated_at = record.session.created_at;
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Does not keep what is known of a former secret.
    DropsReplaced {
        create(self, inner, record, options, now) {
            let mut record = record;
            record.replaced = None;
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Does not keep the kind.
    DropsKind {
        create(self, inner, record, options, now) {
            let mut record = record;
            record.session.kind = Kind::USER;
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Replaces sessions of the same kind only.
    ReplacesOwnKindOnly {
        create(self, inner, record, options, now) {
            let mut options = options;
            if let Some(id) = options.replaces {
                let replaced = lying(inner, id).await?;
                options.replaces = replaced
                    .filter(|replaced| replaced.session.kind == record.session.kind)
                    .map(|replaced| replaced.session.id);
            }
            inner.create(record, options, now).await
        }
    }
);
