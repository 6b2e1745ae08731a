//! The step that a program must know to work with the schema. A step that takes something away, which older programs still use,
//! writes its own name here; they then refuse to start. Any other step is tolerated by programs that do not know it.

crate::step! {
    up "
        CREATE TABLE schema_requirement (
            id BIGINT NOT NULL PRIMARY KEY,
            step {key} NOT NULL,
            CONSTRAINT ck_schema_requirement_id CHECK (id = 1)
        );
        INSERT INTO schema_requirement (id, step) VALUES (1, 'm20261129_000022_schema_requirement');
    ",
    down "DROP TABLE schema_requirement;\n",
}
