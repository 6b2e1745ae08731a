//! Events that wait for their place are found by an index that also gives their order, which no other way to them does: whatever
//! the database believes about how many wait, it never looks through the whole log for them.

crate::step! {
    up "
        CREATE INDEX ix_events_unsealed ON events (place, id) WHERE place IS NULL;
        DROP INDEX ix_events_unplaced;
    ",
    down "
        CREATE INDEX ix_events_unplaced ON events (id) WHERE place IS NULL;
        DROP INDEX ix_events_unsealed;
    ",
}
