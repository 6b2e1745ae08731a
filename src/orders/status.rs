//! The lifecycle of an order, and the only place where it is decided what an order may do next (DOMAIN.md, Lifecycle).
//!
//! Pages, REST and the commands themselves ask [`Situation::refusal`]: the reason that greys a button out is the reason that
//! refuses the command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::money::{Money, grouped};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being written; lines may change.
    #[default]
    Draft,
    /// Agreed with the customer; has a number, and nothing of it changes.
    Placed,
    Shipped,
    Cancelled,
}

impl Status {
    /// Every status, in the order of an order's life.
    pub const ALL: [Status; 4] = [Status::Draft, Status::Placed, Status::Shipped, Status::Cancelled];

    /// The name in the API, in addresses and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Placed => "placed",
            Status::Shipped => "shipped",
            Status::Cancelled => "cancelled",
        }
    }

    /// The name as people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Status::Draft => "Draft",
            Status::Placed => "Placed",
            Status::Shipped => "Shipped",
            Status::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStatus;

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(name: &str) -> Result<Self, NoStatus> {
        Status::ALL.into_iter().find(|status| status.name() == name).ok_or(NoStatus)
    }
}

/// What can be done with an order beside reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Changing header and lines.
    Change,
    Place,
    Ship,
    Reopen,
    Cancel,
    Delete,
}

impl Command {
    /// Every command, in the order buttons stand in.
    pub const ALL: [Command; 6] =
        [Command::Change, Command::Place, Command::Ship, Command::Reopen, Command::Cancel, Command::Delete];

    /// The name in the API and in permissions.
    pub const fn name(self) -> &'static str {
        match self {
            Command::Change => "change",
            Command::Place => "place",
            Command::Ship => "ship",
            Command::Reopen => "reopen",
            Command::Cancel => "cancel",
            Command::Delete => "delete",
        }
    }

    /// The name as a button says it.
    pub const fn label(self) -> &'static str {
        match self {
            Command::Change => "Edit",
            Command::Place => "Place order",
            Command::Ship => "Ship",
            Command::Reopen => "Reopen",
            Command::Cancel => "Cancel order",
            Command::Delete => "Delete",
        }
    }

    /// The permission it needs.
    pub fn permission(self) -> String {
        format!("orders.{}", self.name())
    }

    /// What the command leads to from a status; absent where it cannot be given. Deleting leads nowhere.
    pub const fn leads(self, from: Status) -> Option<Option<Status>> {
        match (self, from) {
            (Command::Change, Status::Draft) => Some(Some(Status::Draft)),
            (Command::Place, Status::Draft) => Some(Some(Status::Placed)),
            (Command::Ship, Status::Placed) => Some(Some(Status::Shipped)),
            (Command::Reopen, Status::Placed) => Some(Some(Status::Draft)),
            (Command::Cancel, Status::Draft | Status::Placed) => Some(Some(Status::Cancelled)),
            (Command::Delete, Status::Draft) => Some(None),
            _ => None,
        }
    }
}

impl FromStr for Command {
    type Err = NoStatus;

    fn from_str(name: &str) -> Result<Self, NoStatus> {
        Command::ALL.into_iter().find(|command| command.name() == name).ok_or(NoStatus)
    }
}

/// The permission to place an order beyond the customer's credit limit.
pub const OVERRIDE_CREDIT: &str = "orders.override_credit_limit";

/// A customer's credit: what they may owe, and what they do without this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    pub limit: Money,
    /// Orders that are placed and not shipped.
    pub open: Money,
}

/// Everything about an order that decides what may be done with it.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    pub status: Status,
    pub has_number: bool,
    pub lines: usize,
    pub total: Money,
    pub customer_is_active: bool,
    /// The SKUs on its lines whose product is not sold any more.
    pub inactive_products: Vec<String>,
    /// Absent for a customer without a limit.
    pub credit: Option<Credit>,
    /// What the caller holds.
    pub permissions: &'a [String],
}

/// Why a command cannot be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The caller lacks this permission.
    Permission(String),
    /// The order, or what it refers to, does not allow it.
    State(String),
}

impl Refusal {
    /// The sentence for whoever asked.
    pub fn reason(&self) -> String {
        match self {
            Refusal::Permission(code) => format!("This needs the permission {code}."),
            Refusal::State(reason) => reason.clone(),
        }
    }
}

impl Situation<'_> {
    /// Why the command cannot be given now, or nothing when it can.
    pub fn refusal(&self, command: Command) -> Option<Refusal> {
        let permission = command.permission();
        if !crate::access::holds(self.permissions, &permission) {
            return Some(Refusal::Permission(permission));
        }
        let reason = match command.leads(self.status) {
            None => self.impossible(command),
            Some(_) => match command {
                Command::Place => self.placing()?,
                Command::Delete if self.has_number => {
                    "An order that has had a number is cancelled, not deleted.".to_owned()
                }
                _ => return None,
            },
        };
        Some(Refusal::State(reason))
    }

    /// Every command, with the reason why it cannot be given now.
    pub fn actions(&self) -> Vec<Action> {
        let action = |command| {
            let reason = self.refusal(command).map(|refusal| refusal.reason());
            Action { command, allowed: reason.is_none(), reason }
        };
        Command::ALL.into_iter().map(action).collect()
    }

    fn impossible(&self, command: Command) -> String {
        let is = match self.status {
            Status::Draft => "This order is a draft.".to_owned(),
            status => format!("This order is {status}."),
        };
        let only = match command {
            Command::Change if self.status == Status::Placed => {
                "Lines change only while an order is a draft; reopen it first."
            }
            Command::Change => "Lines change only while an order is a draft.",
            Command::Place => "Only a draft can be placed.",
            Command::Ship => "Only a placed order can be shipped.",
            Command::Reopen => "Only a placed order can be reopened.",
            Command::Cancel => "Only a draft or a placed order can be cancelled.",
            Command::Delete => "Only a draft that never had a number can be deleted.",
        };
        format!("{is} {only}")
    }

    fn placing(&self) -> Option<String> {
        if self.lines == 0 {
            return Some("An order needs at least one line before it is placed.".into());
        }
        if !self.customer_is_active {
            return Some("The customer is inactive and cannot get new orders.".into());
        }
        if !self.inactive_products.is_empty() {
            let shown = self.inactive_products.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = self.inactive_products.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Some(format!("These products are inactive and cannot be ordered: {shown}{more}."));
        }
        let credit = self.credit?;
        let after = i64::from(credit.open).saturating_add(i64::from(self.total));
        if after <= i64::from(credit.limit) || crate::access::holds(self.permissions, OVERRIDE_CREDIT) {
            return None;
        }
        let amount = |units: i64| grouped(&Money::from(units).to_string());
        Some(format!(
            "This goes beyond the customer's credit limit: {} open and {} of this order make {}, the limit is {}.",
            amount(credit.open.into()),
            amount(self.total.into()),
            amount(after),
            amount(credit.limit.into())
        ))
    }
}

/// A command, and whether it can be given now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub command: Command,
    pub allowed: bool,
    /// Why not, when it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(status: Status) -> Situation<'static> {
        static EVERYTHING: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        Situation {
            status,
            has_number: status != Status::Draft,
            lines: 1,
            total: Money::from(1_000),
            customer_is_active: true,
            inactive_products: Vec::new(),
            credit: None,
            permissions: EVERYTHING.get_or_init(|| Command::ALL.into_iter().map(Command::permission).collect()),
        }
    }

    #[test]
    fn every_state_answers_every_command() {
        // change, place, ship, reopen, cancel, delete
        let table = [
            (Status::Draft, [true, true, false, false, true, true]),
            (Status::Placed, [false, false, true, true, true, false]),
            (Status::Shipped, [false; 6]),
            (Status::Cancelled, [false; 6]),
        ];
        for (status, allowed) in table {
            let actions = situation(status).actions();
            assert_eq!(actions.iter().map(|action| action.allowed).collect::<Vec<_>>(), allowed, "{status}");
            for action in actions {
                assert_eq!(action.allowed, action.reason.is_none());
                assert!(action.allowed || action.reason.unwrap().contains(status.name()));
            }
        }
    }

    #[test]
    fn placing_says_what_is_missing() {
        let refused = |change: fn(&mut Situation<'static>)| {
            let mut situation = situation(Status::Draft);
            change(&mut situation);
            situation.refusal(Command::Place).map(|refusal| refusal.reason()).unwrap_or_default()
        };
        assert!(refused(|s| s.lines = 0).contains("at least one line"));
        assert!(refused(|s| s.customer_is_active = false).contains("inactive"));
        assert!(
            refused(|s| s.inactive_products = (1..=7).map(|n| format!("P{n}")).collect()).contains("P5 and 2 more")
        );
        let credit = |limit| Some(Credit { limit: Money::from(limit), open: Money::from(500) });
        assert_eq!(
            credit(1_500).map(|c| Situation { credit: Some(c), ..situation(Status::Draft) }.refusal(Command::Place)),
            Some(None)
        );
        let beyond = Situation { credit: credit(1_499), ..situation(Status::Draft) };
        assert!(
            beyond
                .refusal(Command::Place)
                .unwrap()
                .reason()
                .contains("5.00 open and 10.00 of this order make 15.00, the limit is 14.99")
        );
        let permissions = vec!["*".to_owned()];
        assert_eq!(Situation { permissions: &permissions, ..beyond }.refusal(Command::Place), None);
    }

    #[test]
    fn a_draft_that_had_a_number_is_not_deleted() {
        let reopened = Situation { has_number: true, ..situation(Status::Draft) };
        assert!(reopened.refusal(Command::Delete).unwrap().reason().contains("cancelled, not deleted"));
    }

    #[test]
    fn a_caller_without_the_permission_is_told_which() {
        let nobody = Situation { permissions: &[], ..situation(Status::Draft) };
        assert_eq!(nobody.refusal(Command::Place), Some(Refusal::Permission("orders.place".into())));
    }
}
