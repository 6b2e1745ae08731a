//! Imports that go on beside the requests that asked for them: who works on one, how far it got, and why it ended.

crate::step! {
    up "
ALTER TABLE imports ADD COLUMN task {key};
ALTER TABLE imports ADD COLUMN worker {key};
ALTER TABLE imports ADD COLUMN request_id TEXT;
ALTER TABLE imports ADD COLUMN steps_done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN steps_all BIGINT NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN error TEXT;
",
    down "
ALTER TABLE imports DROP COLUMN error;
ALTER TABLE imports DROP COLUMN steps_all;
ALTER TABLE imports DROP COLUMN steps_done;
ALTER TABLE imports DROP COLUMN request_id;
ALTER TABLE imports DROP COLUMN worker;
ALTER TABLE imports DROP COLUMN task;
",
}
