//! What is asked before something is done to many records, and the doing.

use super::table::{actions, entered, list_href, may, named, record_path, rest, settable};
use super::{Control, Question, run};
use crate::access::gate::{Access, Enter};
use crate::base::country::COUNTRIES;
use crate::base::form::{Field, Given, Kind, Typed};
use crate::base::listing::{Format, ListQuery};
use crate::base::{Error, Result};
use crate::server::managed::{Act, Managed, Policy};
use crate::server::record::RecordCommand;
use crate::server::web::{done, go};

/// The most records something can be done to at once.
pub const MOST: usize = 5_000;

/// How many records the question names.
const NAMED: usize = 10;

/// What the form of a list says beside the list's state.
const ASKED: [&str; 3] = ["action", "all", "ids"];

/// The question of an action, as the form of the list asks it: `action`, and `ids` or `all` that the list's state leaves.
///
/// # Errors
/// `NotFound`; `Forbidden`; `Invalid` at `action`, `ids`, or a state that makes no sense.
pub async fn question(resource: &str, query: &str) -> Result<Question> {
    let (access, state) = entered().await?;
    let managed = named(&state, resource)?;
    let said: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let one = |name: &str| said.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let within = rest(query, &ASKED);
    let ids = if one("all").is_some() {
        let most = u64::try_from(MOST).unwrap_or_default();
        managed.first(&access, &ListQuery::parse(managed.listing, &within)?, most + 1).await?
    } else {
        let named = said.iter().filter(|(name, _)| name == "ids");
        parsed(named.map(|(_, id)| id.as_str()))?
    };
    checked(&ids)?;
    let action = one("action").filter(|action| !action.is_empty());
    let action = action.ok_or_else(|| Error::field("action", "Choose what to do."))?;
    let wish = Wish::parse(&managed, action)?;
    permitted(&access, &managed, &wish)?;
    let mut first: Vec<i64> = ids.iter().copied().take(NAMED).collect();
    let names = managed.names(&access, &first).await?;
    first.retain(|id| names.contains_key(id));
    let taken_along = match wish {
        Wish::Delete => Some(managed.taken_along(&access, &ids).await?),
        Wish::Set(..) | Wish::Command(_) | Wish::Export(_) => None,
    };
    let file = match wish {
        Wish::Export(format) => Some(exported(&managed, &ids, format)?),
        Wish::Delete | Wish::Set(..) | Wish::Command(_) => None,
    };
    let known = actions(&access, &managed).into_iter().find(|known| known.value == action);
    let label = known.map_or_else(String::new, |known| known.label.trim_end_matches('…').to_owned());
    let (asked, is_required) = wish.asked();
    Ok(Question {
        title: format!(
            "{label}: {} {}",
            ids.len(),
            if ids.len() == 1 { managed.one } else { managed.name }.replace('-', " ")
        ),
        back: (super::table::title(managed.name), list_href(&managed, &within)),
        resource: managed.name.to_owned(),
        action: action.to_owned(),
        label,
        names: first.into_iter().filter_map(|id| Some((id, called(id, names.get(&id)?)))).collect(),
        asked,
        is_required,
        taken_along,
        is_dangerous: matches!(wish, Wish::Delete),
        file,
        ids,
    })
}

/// The address of a file of these records.
fn exported(managed: &Managed, ids: &[i64], format: Format) -> Result<String> {
    let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
    let query = format!("id__in={}&format={}", ids.join(","), format.name());
    let query = ListQuery::parse(managed.listing, &query).map_err(|_| {
        Error::field(
            "ids",
            "Export a whole list by the buttons beneath it; so many records cannot be named one by one.",
        )
    })?;
    Ok(query.href(&format!("/api/{}/", managed.name)))
}

/// A record's name, or its id where it has none.
pub(super) fn called(id: i64, name: &str) -> String {
    if name.is_empty() { format!("#{id}") } else { name.to_owned() }
}

/// Does what the question's form says, and leads to what became of each record.
///
/// # Errors
/// Those of [`question`]; `Invalid` at `value` or `reason`.
pub async fn act(resource: &str, form: &Typed) -> Result<()> {
    let (access, state) = entered().await?;
    let managed = named(&state, resource)?;
    let said = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let ids = parsed(said("ids").split(',').filter(|id| !id.is_empty()))?;
    checked(&ids)?;
    let wish = Wish::parse(&managed, said("action"))?;
    permitted(&access, &managed, &wish)?;
    let act = wish.act(said("value"), said("reason"))?;
    let policy = match said("policy") {
        "each" => Policy::EachForItself,
        _ => Policy::AllOrNothing,
    };
    let mut names = managed.names(&access, &ids).await?;
    let acted = managed.act_on(&access, &ids, &act, policy).await?;
    let outcomes = acted.results.into_iter().map(|(id, error)| super::Outcome {
        id,
        name: called(id, &names.remove(&id).unwrap_or_default()),
        error: error.map(|error| match error.errors.iter().next() {
            Some((field, said)) => format!("{field}: {}", said.join(" ")),
            None => error.detail,
        }),
    });
    let kept = run::Kept {
        resource: managed.name,
        what: label(&managed, &act),
        written: acted.written,
        outcomes: outcomes.collect(),
        record: record_path(&managed).unwrap_or_default(),
    };
    let written = kept.written && kept.outcomes.iter().any(|outcome| outcome.error.is_none());
    let id = run::keep(&access, kept).await?;
    if written {
        done("Done");
    }
    go(&format!("/admin/runs/{id}"));
    Ok(())
}

fn permitted(access: &Access<Enter>, managed: &Managed, wish: &Wish) -> Result<()> {
    let permission = wish.permission();
    if may(access, managed, permission) { Ok(()) } else { Err(Error::forbidden(&(managed.permission)(permission))) }
}

fn label(managed: &Managed, act: &Act) -> String {
    let what = match act {
        Act::Delete => "Delete".to_owned(),
        Act::Set(field, Given::Null) => format!("Clear {}", field.label.to_lowercase()),
        Act::Set(field, Given::Flag(flag)) if field.name == "is_active" => {
            if *flag { "Activate" } else { "Deactivate" }.to_owned()
        }
        Act::Set(field, _) => format!("Set {}", field.label.to_lowercase()),
        Act::Command(command, _) => command.label.to_owned(),
    };
    format!("{what}: {}", managed.name.replace('-', " "))
}

fn parsed<'a>(ids: impl Iterator<Item = &'a str>) -> Result<Vec<i64>> {
    let mut known = std::collections::HashSet::new();
    let ids: Option<Vec<i64>> = ids.map(|id| id.parse().ok()).collect();
    let mut ids = ids.ok_or_else(|| Error::field("ids", "Records are named by their ids."))?;
    ids.retain(|id| known.insert(*id));
    Ok(ids)
}

fn checked(ids: &[i64]) -> Result<()> {
    match ids.len() {
        0 => Err(Error::field("ids", "Choose at least one record.")),
        more if more > MOST => {
            Err(Error::field("ids", format!("At most {MOST} records can be changed at once; narrow the list.")))
        }
        _ => Ok(()),
    }
}

/// What the form asks for, before what it needs is known.
enum Wish {
    Delete,
    /// A field, and the value where the action already says it.
    Set(&'static Field, Option<String>),
    Command(&'static RecordCommand),
    Export(Format),
}

impl Wish {
    fn parse(managed: &Managed, action: &str) -> Result<Self> {
        let unknown = || Error::field("action", "There is no such action.");
        match action.split_once(':') {
            None if action == "delete" => Ok(Wish::Delete),
            Some(("command", name)) => {
                managed.commands.iter().find(|command| command.name == name).map(Wish::Command).ok_or_else(unknown)
            }
            Some(("export", name)) => {
                Format::ALL.into_iter().find(|format| format.name() == name).map(Wish::Export).ok_or_else(unknown)
            }
            Some(("set", field)) => {
                let (name, value) = field.split_once('=').map_or((field, None), |(name, value)| (name, Some(value)));
                let field = settable(managed).find(|field| field.name == name).ok_or_else(unknown)?;
                Ok(Wish::Set(field, value.map(str::to_owned)))
            }
            _ => Err(unknown()),
        }
    }

    fn permission(&self) -> &'static str {
        match self {
            Wish::Delete => "delete",
            Wish::Set(..) => "change",
            Wish::Command(command) => command.name,
            Wish::Export(_) => "view",
        }
    }

    /// What is asked for, and whether it may be left blank.
    fn asked(&self) -> ((String, Control), bool) {
        match self {
            Wish::Delete | Wish::Export(_) | Wish::Set(_, Some(_)) => ((String::new(), Control::None), false),
            Wish::Set(field, None) => ((field.label.to_owned(), control(field)), field.required),
            Wish::Command(command) => {
                let input = Control::Input("text".to_owned());
                (("Reason".to_owned(), input), command.needs_reason)
            }
        }
    }

    fn act(self, value: &str, reason: &str) -> Result<Act> {
        Ok(match self {
            Wish::Delete => Act::Delete,
            Wish::Set(field, fixed) => {
                let given = Given::typed(field.kind, fixed.as_deref().unwrap_or(value));
                field.check(&given).map_err(|message| Error::field("value", message))?;
                Act::Set(field, given)
            }
            Wish::Command(command) => {
                let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
                if command.needs_reason && reason.is_none() {
                    return Err(Error::field("reason", "Say why."));
                }
                Act::Command(command, reason)
            }
            Wish::Export(_) => return Err(Error::field("action", "An export is fetched, not done.")),
        })
    }
}

fn control(field: &Field) -> Control {
    let options = |options: &[(&str, &str)]| {
        Control::Select(options.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect())
    };
    let input = |kind: &str| Control::Input(kind.to_owned());
    match field.kind {
        Kind::Flag { .. } => options(&[("true", "Yes"), ("false", "No")]),
        Kind::Choice(choices) => options(choices),
        Kind::Country => options(&COUNTRIES),
        Kind::Date => input("date"),
        Kind::Email => input("email"),
        Kind::Whole { .. } | Kind::Reference(_) => input("number"),
        _ => input("text"),
    }
}
