//! The row that a readiness check writes, to see that a write can be committed.

crate::step! {
    up "
CREATE TABLE readiness (
    id INTEGER NOT NULL PRIMARY KEY,
    stamp TEXT NOT NULL
);
",
    down "
DROP TABLE readiness;
",
}
