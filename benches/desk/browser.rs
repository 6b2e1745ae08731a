//! What Lighthouse says of the pages people use most.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Asker, Budget, Desk, Fact, Outcome, Server, passing, say, wrong};

/// What it judges, of 100.
const CATEGORIES: [&str; 3] = ["performance", "accessibility", "best-practices"];

/// The least of each.
const LEAST: f64 = 95.0;

impl Desk<'_> {
    /// A list, a record and the entry of an order, as a desktop and as a phone; nothing where Lighthouse is not installed.
    pub fn judge(&self, server: &Server, asker: &Asker, order: i64) -> Outcome<Vec<Fact>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/lighthouse");
        if !folder.join("node_modules").is_dir() {
            say("NOT JUDGED by Lighthouse: scripts/setup bench installs it");
            return Ok(Vec::new());
        }
        passing("  Lighthouse …");
        let cookie = asker.cookie.trim_start_matches("cookie:").trim();
        let output = Command::new("node")
            .arg(folder.join("run.mjs"))
            .args([&format!("http://{}", server.address), cookie])
            .args(["/customers", &format!("/orders/{order}"), "/orders/new"])
            .output()
            .map_err(wrong("node"))?;
        passing("");
        if !output.status.success() {
            return Err(format!("Lighthouse: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let mut facts = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let said: Value = serde_json::from_str(line).map_err(wrong(format!("Lighthouse said {line}")))?;
            let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            let missing: Vec<_> = said["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for category in CATEGORIES {
                let value = said[category].as_f64().ok_or_else(|| format!("Lighthouse said {line}"))?;
                let why = if value < LEAST { format!(" ({})", missing.join(", ")) } else { String::new() };
                let name = format!("{}, {}: {category}", text("path"), text("form"));
                facts.push(self.fact(&name, value, &format!("of 100{why}"), Some(Budget::AtLeast(LEAST))));
            }
        }
        Ok(facts)
    }
}
