//! What may be wrong with what is known of the time.

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
