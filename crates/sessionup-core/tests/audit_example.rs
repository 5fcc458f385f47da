//! The audit log of the example has a line for what happens, with users and actors.

#![allow(clippy::unwrap_used, missing_docs)]

#[expect(dead_code, reason = "the example is a program too")]
#[path = "../examples/audit.rs"]
mod audit;

use std::sync::{Arc, Mutex};

use sessionup_core::{Manager, MemoryStore, Peer};

#[tokio::test]
async fn write_until_the_end_names_user_and_actor() {
    let manager = evidence::watch(Manager::builder(MemoryStore::new()))
        .build()
        .unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (events, log) = (manager.events(), Arc::clone(&lines));
    let peer = Peer::new("192.0.2.1".parse().ok(), None);
    let admin = manager.sessions([], peer);
    let actor = admin.init("root").await.unwrap().id;
    let id = manager.sessions([], peer).init("ann").await.unwrap().id;
    admin.revoke_by_id_unchecked(id).await.unwrap();
    admin.revoke_by_user_key("ann").await.unwrap();
    drop((admin, manager));

    audit::write(events, |line| log.lock().unwrap().push(line)).await;

    let (actor, id) = (actor.to_string(), id.to_string());
    let lines = lines.lock().unwrap();
    let expected = serde_json::json!([
        {"event": "login", "session": actor, "user": "root", "kind": "user", "ip": "192.0.2.1"},
        {"event": "login", "session": id, "user": "ann", "kind": "user", "ip": "192.0.2.1"},
        {"event": "revoked", "session": id, "user": null, "by": "admin", "actor": actor},
        {"event": "revoked-user", "user": "ann", "sessions": 0, "by": "admin", "actor": actor},
    ]);
    assert_eq!(serde_json::Value::from(lines.clone()), expected);
}
