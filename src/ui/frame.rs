//! The frame around every page: sidebar, top bar, and the person's menu. Folds on a phone without JavaScript.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::context::Theme;
use super::form::followed;
use super::icon::{Icon, Shape};
use super::keys::{Keys, OpenPalette};
use super::notice::{Notice, Told};
use super::page::use_here;
use crate::access::Me;

/// One entry of the sidebar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub label: &'static str,
    pub href: &'static str,
    pub icon: Shape,
    /// The permission that shows it, such as `customers.view`.
    pub permission: &'static str,
}

/// The layout around `children`.
#[component]
pub fn Frame(
    entries: &'static [Entry],
    me: Me,
    theme: Theme,
    palette: OpenPalette,
    children: Children,
) -> impl IntoView {
    let location = use_location();
    let initials: String = me.name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    let links = entries
        .iter()
        .filter(|entry| me.holds(entry.permission))
        .map(|entry| {
            let current = move || {
                let path = location.pathname.get();
                let inside = path.strip_prefix(entry.href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                inside.then_some("page")
            };
            view! {
                <a href=entry.href aria-current=current>
                    <Icon shape=entry.icon />
                    {entry.label}
                </a>
            }
        })
        .collect_view();
    let here = use_here();
    let told = Told::new();
    provide_context(told);
    view! {
        <a class="skip" href="#content" on:click=followed>
            "Skip to the content"
        </a>
        <div class="shell">
            <nav class="side" id="side" popover="auto" aria-label="Main">
                <a class="brand" href="/">
                    <span class="mark" aria-hidden="true">
                        "K"
                    </span>
                    "Kontor"
                </a>
                {links}
            </nav>
            <header class="top">
                <button type="button" class="btn quiet menu" popovertarget="side" aria-label="Menu">
                    <Icon shape=Shape::Menu />
                </button>
                <form class="finder" action="/search" method="get" role="search" aria-label="Everything">
                    <label class="search">
                        <Icon shape=Shape::Search />
                        <input type="search" name="q" placeholder="Search everything" aria-label="Search everything" />
                    </label>
                </form>
                <button type="button" class="person" popovertarget="person">
                    <span class="avatar" aria-hidden="true">
                        {initials}
                    </span>
                    <span class="name">{me.name.clone()}</span>
                    <span class="hidden">": menu"</span>
                </button>
                <div class="pop" id="person" popover="auto">
                    <p>
                        <b>
                            <bdi>{me.name.clone()}</bdi>
                        </b>
                        <br />
                        <span class="muted">{me.email.clone()}</span>
                    </p>
                    <form action="/-/theme" method="post" class="themes">
                        <input type="hidden" name="page" value=here />
                        {[Theme::System, Theme::Light, Theme::Dark]
                            .map(|choice| {
                                view! {
                                    <button
                                        class="btn small"
                                        name="theme"
                                        value=choice.name()
                                        aria-pressed=if choice == theme { "true" } else { "false" }
                                    >
                                        {match choice {
                                            Theme::System => "System",
                                            Theme::Light => "Light",
                                            Theme::Dark => "Dark",
                                        }}
                                    </button>
                                }
                            })}
                    </form>
                    <a class="btn" href="/account">
                        "Your account"
                    </a>
                    <form action="/-/sign-out" method="post">
                        <button class="btn">"Sign out"</button>
                    </form>
                </div>
            </header>
            <main id="content" tabindex="-1">
                <Notice told />
                {children()}
            </main>
        </div>
        <Keys me palette />
    }
}
