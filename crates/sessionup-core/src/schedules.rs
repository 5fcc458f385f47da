//! What threads decide between them, under every schedule there is.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;
use shuttle::thread::spawn;
use shuttle::{Config, Runner};

use crate::UserKey;
use crate::feed::{Feed, Received};
use crate::store::Epochs;

/// Runs a scenario under every schedule.
fn all(scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.silence_warnings = true;
    let runs = Runner::new(DfsScheduler::new(None, false), config).run(scenario);
    println!("all {runs} schedules");
    assert!(runs > 9, "there was nothing to choose");
}

#[test]
fn login_is_refused_if_and_only_if_a_revocation_came_after_it_began() {
    all(|| {
        let epochs = Arc::new(Epochs::new());
        let ann = UserKey::new("ann").unwrap();
        let revoking = [1, 2].map(|_| {
            let (epochs, ann) = (Arc::clone(&epochs), ann.clone());
            spawn(move || epochs.revoke(&ann))
        });
        let begun = epochs.now();
        let revoked = revoking.map(|revoking| revoking.join().unwrap());
        let [(_, first), (_, second)] = revoked;
        let is_allowed = begun.is_from(first) && begun.is_from(second);
        assert_eq!(epochs.allows(begun, &ann), is_allowed);
        let chained = |(previous, _), (_, epoch)| previous == epoch;
        assert!(chained(revoked[0], revoked[1]) != chained(revoked[1], revoked[0]));
        assert!(epochs.allows(epochs.now(), &ann));
    });
}

#[test]
fn what_is_reported_is_received_and_so_is_the_end() {
    all(|| {
        let feed = Arc::new(Feed::new(9));
        let receiving = {
            let feed = Arc::clone(&feed);
            spawn(move || [block_on(feed.recv()), block_on(feed.recv())])
        };
        feed.push(7);
        feed.close();
        let received = receiving.join().unwrap();
        assert_eq!(received, [Some(Received::Item(7)), None]);
    });
}
