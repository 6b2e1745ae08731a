//! The arrows of the house: modules → access, history, server, ui → base (README, the map).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every room with the rooms it may look into.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("base", &[]),
    ("access", &["base", "history", "server"]),
    ("history", &["base", "access", "server"]),
    ("server", &["base", "access", "history", "ui"]),
    ("ui", &["base", "access", "history"]),
    ("customers", &["base", "access", "history", "server", "ui"]),
    ("products", &["base", "access", "history", "server", "ui"]),
    ("orders", &["base", "access", "history", "server", "ui", "customers", "products"]),
    ("audit", &["base", "access", "history", "server", "ui"]),
    ("accounts", &["base", "access", "history", "server", "ui"]),
    ("admin", &["base", "access", "history", "server", "ui"]),
    ("import", &["base", "access", "history", "server", "ui", "customers", "products", "orders"]),
    ("search", &["base", "access", "customers", "orders", "products", "ui"]),
    ("demo", &["base", "access", "server", "customers", "orders", "products"]),
    (
        "app",
        &[
            "base",
            "access",
            "accounts",
            "admin",
            "audit",
            "customers",
            "import",
            "orders",
            "products",
            "search",
            "server",
            "ui",
        ],
    ),
    (
        "house",
        &[
            "base",
            "access",
            "accounts",
            "admin",
            "app",
            "audit",
            "customers",
            "demo",
            "history",
            "import",
            "orders",
            "products",
            "server",
        ],
    ),
    ("lib", &["app"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn room(file: &Path, root: &Path) -> String {
    let path = file.strip_prefix(root).unwrap();
    path.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The rooms a source names after `crate::`, alone or in a list.
fn named(source: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in source.split("crate::").skip(1) {
        let inner = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap());
        let list = if rest.starts_with('{') {
            inner
        } else {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
        };
        rooms.extend(list.split(',').map(|name| name.trim().split("::").next().unwrap().to_owned()));
    }
    rooms
}

#[test]
fn no_arrow_points_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut seen = 0;
    for file in sources(&root) {
        let room = room(&file, &root);
        if room == "main" {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in the table"));
        for target in named(&std::fs::read_to_string(&file).unwrap()) {
            if target == room || !allowed.contains_key(target.as_str()) {
                continue;
            }
            seen += 1;
            assert!(may.contains(&target.as_str()), "{} points at {target}", file.display());
        }
    }
    assert!(seen > 100, "the test reads the arrows: {seen}");
}

#[test]
fn a_module_points_only_where_its_foreign_keys_point() {
    let modules = ["customers", "products", "orders", "accounts"];
    let keys: [(&str, &[&str]); 3] = [("customers", &[]), ("products", &[]), ("orders", &["customers", "products"])];
    for (module, points) in keys {
        let (_, may) = ALLOWED.into_iter().find(|(room, _)| *room == module).unwrap();
        let others: Vec<_> = may.iter().copied().filter(|target| modules.contains(target)).collect();
        assert_eq!(others, points, "{module}");
    }
}

#[test]
fn the_browser_build_knows_no_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let source = std::fs::read_to_string(&file).unwrap();
        let gated = source.matches("#[cfg(feature = \"ssr\")]").count();
        let lines: Vec<_> = source.lines().collect();
        let on_a_door = lines
            .windows(3)
            .filter(|lines| lines[0].trim() == "#[cfg(feature = \"ssr\")]")
            .filter(|lines| {
                let next = lines[1].trim_start_matches("pub ").trim_start_matches("pub(crate) ");
                next.starts_with("mod ") || next.starts_with("use ")
            })
            .count();
        assert_eq!(gated, on_a_door, "{}: the gate stands on mod and use lines only", file.display());
    }
}
