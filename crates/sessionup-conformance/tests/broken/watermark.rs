//! What may be wrong with what is known of the time.

use sessionup_core::store::Watermark;

use crate::defect::prelude::*;

defect!(
    /// Begins anew each time.
    ForgetsTheTime {
        shared(self, _inner) {
            Box::leak(Box::default())
        }
    }
);

defect!(
    /// Takes what it is asked about for the time.
    LearnsFromPrunes {
        prune(self, inner, now, at_most) {
            inner.watermark().observe(now);
            inner.prune(now, at_most).await
        }
    }
);

defect!(
    /// Takes what it is asked about for the time.
    LearnsFromReads {
        fetch(self, inner, id, now) {
            inner.watermark().observe(now);
            inner.fetch(id, now).await
        }
    }
);

defect!(
    /// Knows better than who asks.
    JudgesByTheWatermark {
        fetch(self, inner, id, now) {
            inner.fetch(id, now.max(inner.watermark().marks().settled)).await
        }
    }
);

defect!(
    /// Knows better than who asks.
    PrunesByTheWatermark {
        prune(self, inner, now, at_most) {
            inner.prune(now.max(inner.watermark().marks().settled), at_most).await
        }
    }
);

defect!(
    /// Takes what it is asked about for the time.
    LearnsFromDeletions {
        delete_others(self, inner, user, id, change, now) {
            inner.watermark().observe(now);
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Knows better than who asks.
    DeletesByTheWatermark {
        delete_others(self, inner, user, id, change, now) {
            let now = now.max(inner.watermark().marks().settled);
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Has a watermark beside that of its shared state.
    HasTwoWatermarks(Watermark) {
        watermark(self, _inner) {
            &self.0
        }
    }
);
