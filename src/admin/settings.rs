//! Settings that may change while the server runs, beside those that may not.

use super::Setting;
use crate::access::gate::Access;
use crate::base::form::Typed;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::live::{self, ChangeSettings, PAGE, Wishes, without_password};
use crate::server::settings::{AT_RUN_TIME, SETTINGS};
use crate::server::web::{access, done, go};

/// What stands before the name of a setting whose value was shown.
const WAS: &str = "was.";

fn state() -> Result<AppState> {
    leptos::prelude::use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))
}

/// All settings: first those that can be changed here.
///
/// # Errors
/// `Forbidden`.
pub async fn settings() -> Result<Vec<Setting>> {
    let access: Access<ChangeSettings> = access().await?;
    let (state, stored) = (state()?, live::stored(access.reader()).await?);
    let now = state.live.settings();
    let mut settings: Vec<Setting> = SETTINGS
        .iter()
        .map(|setting| {
            let value = now.said(setting.name).map_or(setting.default, |(value, _)| value);
            Setting {
                name: setting.name.to_owned(),
                meaning: setting.meaning.to_owned(),
                value: if setting.name == "database_url" { without_password(value) } else { value.to_owned() },
                default: setting.default.to_owned(),
                set: stored.get(setting.name).cloned().unwrap_or_default(),
                fixed: now.changeable(setting.name).err(),
            }
        })
        .collect();
    settings.sort_by_key(|setting| !AT_RUN_TIME.contains(&setting.name.as_str()));
    Ok(settings)
}

/// Changes the settings of the form, and leads back to them.
///
/// # Errors
/// Those of [`live::change`].
pub async fn save(form: &Typed) -> Result<()> {
    let access: Access<ChangeSettings> = access().await?;
    let wishes: Wishes = form
        .iter()
        .filter(|(name, _)| !name.starts_with(WAS))
        .map(|(name, wish)| {
            let was = form.get(&format!("{WAS}{name}")).cloned().unwrap_or_default();
            (name.clone(), (was, wish.clone()))
        })
        .collect();
    if live::change(&state()?, &access, &wishes).await? {
        done("Saved");
    }
    go(PAGE);
    Ok(())
}
