//! The table of roles: named sets of permissions.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};
use serde_json::{Map, json};

use super::EVERYTHING;
use super::gate::Access;
use super::people::{ROLES, Role, RoleInput, joined, split};
use super::permission::lacking;
use super::{grants, invitation};
use crate::base::column::placed_row;
use crate::base::form::nearest;
use crate::base::listing::Listing;
use crate::base::record::Record;
use crate::base::time::stored::Timestamp;
use crate::base::{Error, Result, fold};
use crate::server::record::{Described, Resource, searchable};
use crate::server::transaction::DatabaseTransaction;

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "roles")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub version: i64,
        pub code: String,
        pub name: String,
        pub name_key: String,
        pub description: Option<String>,
        /// Codes, separated by spaces.
        pub permissions: String,
        pub requires_second_factor: bool,
        pub search_text: String,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Role {
    fn from(row: Model) -> Self {
        Record {
            id: row.id,
            version: row.version,
            data: RoleInput {
                name: row.name,
                code: Some(row.code),
                description: row.description,
                requires_second_factor: row.requires_second_factor,
                permissions: split(&row.permissions),
            },
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

/// A list of texts in the description of the API.
pub fn words(title: &str, description: &str) -> serde_json::Value {
    let word = json!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$" });
    json!({ "type": ["array", "null"], "title": title, "description": description, "items": word })
}

impl Resource for Entity {
    const NAME: &'static str = "roles";
    const SINGULAR: &'static str = "role";
    const LISTING: Listing = ROLES;
    /// Passwords and what people hold do not come back with the past.
    const CONFIDENTIAL: bool = true;
    const REMEMBERED: bool = false;
    const NESTED: Option<&'static str> = Some("permissions");

    type Record = Role;
    type Input = RoleInput;

    fn read(row: Model) -> Role {
        row.into()
    }

    fn fill(row: &mut ActiveModel, input: &RoleInput) {
        let code = input.code.clone().unwrap_or_default();
        row.search_text = Set(searchable([Some(&input.name), Some(&code)]));
        row.code = Set(code);
        row.name_key = Set(fold::fold(&input.name));
        row.name = Set(input.name.clone());
        row.description = Set(input.description.clone());
        row.permissions = Set(joined(&input.permissions));
        row.requires_second_factor = Set(input.requires_second_factor);
    }

    /// A blank code keeps the stored one, or is made from the name.
    async fn complete(transaction: &DatabaseTransaction, stored: Option<&Role>, input: &mut RoleInput) -> Result<()> {
        let before = stored.and_then(|stored| stored.data.code.clone());
        if input.code.is_none() {
            let made = match &before {
                Some(before) => before.clone(),
                None => match code_from(&input.name) {
                    // A name without a Latin letter or a digit has no code to be made from.
                    code if code.is_empty() => {
                        let last = Entity::find().order_by_desc(Column::Id).one(transaction).await?;
                        format!("role-{}", last.map_or(1, |last| last.id + 1))
                    }
                    code => code,
                },
            };
            input.code = Some(made);
        }
        let code = input.code.as_deref().unwrap_or_default();
        if before.is_some_and(|before| before != code) {
            return Err(Error::field("code", "The code of a role stays as it is, as scripts refer to it."));
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if code.is_empty() || !code.chars().all(fits) {
            return Err(Error::field("code", "Use small letters, digits and dashes."));
        }
        Ok(())
    }

    async fn take_turn(transaction: &DatabaseTransaction) -> Result<()> {
        grants::take_turns(transaction).await
    }

    async fn admit<P: Send + Sync>(
        _: &DatabaseTransaction,
        access: &Access<P>,
        before: Option<&Role>,
        after: Option<&RoleInput>,
    ) -> Result<()> {
        let catalogue = access.catalogue();
        let after = after.map_or(&[][..], |after| &after.permissions);
        if let Some(unknown) = after.iter().find(|code| !catalogue.knows(code)) {
            let hint =
                nearest(unknown, catalogue.codes()).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            return Err(Error::field("permissions", format!("There is no permission {unknown}.{hint}")));
        }
        let before = before.map_or(&[][..], |before| &before.data.permissions);
        grants::covers(access.caller(), before.iter().chain(after).map(String::as_str))
    }

    async fn follow(transaction: &DatabaseTransaction, before: Option<&Role>, after: Option<&Role>) -> Result<()> {
        let everything = |role: &Role| role.data.permissions.iter().any(|code| code == EVERYTHING);
        if before.is_some_and(everything) && !after.is_some_and(everything) {
            grants::some_administrator(transaction).await?;
        }
        if let (Some(before), Some(after)) = (before, after)
            && lacking(&before.data.permissions, after.data.permissions.iter().map(String::as_str)).is_some()
        {
            invitation::end_narrower(transaction, invitation::Widened::Role(after.id)).await?;
        }
        Ok(())
    }

    fn described() -> Described {
        let permissions = words("Permissions", "What it permits, such as `customers.view`; `*` is everything.");
        let code = json!({ "type": ["string", "null"], "title": "Code", "maxLength": 60, "pattern": "^ *[a-z0-9-]* *$",
            "description": "Blank makes one from the name. It stays as it is." });
        let read = Map::from_iter([("permissions".to_owned(), permissions)]);
        let written = read.clone().into_iter().chain([("code".to_owned(), code)]).collect();
        Described { read, written, ..Described::default() }
    }
}

/// A code out of a name: `Night shift` is `night-shift`.
fn code_from(name: &str) -> String {
    let folded = fold::fold(name);
    let words = folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").chars().take(60).collect()
}
