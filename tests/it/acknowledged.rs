//! A write that was acknowledged is there; of one that failed nothing is, and the next one is not lost with it.

use serde_json::json;

use crate::support::{As, Kind, run};

#[test]
fn what_is_acknowledged_after_sqlite_ended_a_transaction_by_itself_is_committed() {
    run(Kind::Sqlite, &[], async |app| {
        let create = |name: &str| app.json(As::Staff, "POST", "/api/customers/", json!({ "name": name }));
        // As when the disk is full, SQLite rolls the whole transaction back and says no more than that a statement failed.
        app.execute(
            "CREATE TRIGGER full_disk AFTER INSERT ON customers WHEN NEW.name = 'No room' \
             BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        create("No room").await.expect(500);
        app.json(As::Staff, "PATCH", "/api/customers/999/", json!({ "name": "Nobody" })).await.expect(404);
        for name in ["One", "Two"] {
            let made = create(name).await.expect(201).json();
            app.get(As::Staff, &format!("/api/customers/{}/", made["id"])).await.expect(200);
        }
        assert_eq!(app.rows("customers").await, 2);
    });
}
